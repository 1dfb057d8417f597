"""The bundles that the wheel ships, on real photographs."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.metrics import psnr_db
from tests.make_bench_picture import PHOTO
from train.data.photographs import listed, split
from venturi import Codec, Denoiser, Manifest, images
from venturi._bundle.load import SHIPPED
from venturi._cli.main import main
from venturi._engine.arrays import Pixels

Photographs = Callable[[str], Pixels]


@pytest.fixture(scope="module")
def codec() -> Codec:
    return Codec("photo", threads=2)


@pytest.fixture(scope="module")
def denoiser() -> Denoiser:
    return Denoiser("camera", threads=2)


@pytest.fixture(scope="module", params=["camera", "camera-fast"])
def any_denoiser(request: pytest.FixtureRequest) -> Denoiser:
    return Denoiser(request.param, threads=2)


@pytest.fixture(scope="module")
def photograph(shared_data: Callable[[str], Path]) -> Photographs:
    """A function that reads a photograph of the Kodak set by its name."""
    folder = shared_data("kodak")
    return lambda name: images.read(folder / f"{name}.png").pixels


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("photo", "codec"),
        ("camera", "denoiser"),
        ("camera-fast", "denoiser"),
        ("camera-video", "denoiser"),
    ],
)
def test_manifest_says_where_the_weights_come_from(name: str, task: str) -> None:
    manifest = Manifest.load(SHIPPED / name)
    assert (manifest.name, manifest.task) == (name, task)
    assert {"licence", "recipe", "steps", "seed"} <= manifest.provenance.keys()
    assert manifest.parent is not None
    assert manifest.parent.name == name
    assert manifest.parent.version != manifest.version
    assert sum(one.count for one in manifest.pictures) == 310
    assert all(one.licence for one in manifest.pictures)
    assert any("error" in key for key in manifest.measured)


def test_the_photograph_of_the_bench_was_kept_from_training(
    shared_data: Callable[[str], Path],
) -> None:
    photo = shared_data(PHOTO)
    trained_on, held = split(listed(photo.parent))
    assert photo in held
    assert photo not in trained_on


def test_a_photograph_through_the_command_line(
    shared_data: Callable[[str], Path], tmp_path: Path
) -> None:
    source, stream, restored = shared_data("kodak"), tmp_path / "a.vnt", tmp_path / "a.png"
    source /= "kodim23.png"
    assert main(["compress", str(source), str(stream), "--quality", "50"]) == 0
    assert main(["decompress", str(stream), str(restored)]) == 0
    original, result = images.read(source).pixels, images.read(restored).pixels
    assert result.shape == original.shape
    assert psnr_db(original, result) >= 30
    assert stream.stat().st_size < original.size / 20


def test_bytes_and_fidelity_grow_with_quality(photograph: Photographs, codec: Codec) -> None:
    image = photograph("kodim05")
    streams = [codec.compress(image, quality=quality) for quality in (1, 20, 40, 60, 80, 100)]
    fidelity = [psnr_db(image, codec.decompress(data)) for data in streams]
    sizes = [len(data) for data in streams]
    assert sizes == sorted(set(sizes))
    assert fidelity == sorted(set(fidelity))


@pytest.mark.parametrize(("height", "width"), [(1, 1), (7, 5), (257, 513), (65, 767)])
def test_any_size(
    photograph: Photographs, codec: Codec, denoiser: Denoiser, height: int, width: int
) -> None:
    image = photograph("kodim23")[200 : 200 + height, :width]
    restored = codec.decompress(codec.compress(image))
    assert restored.shape == image.shape
    assert psnr_db(image, restored) > 25
    assert denoiser.denoise(image).shape == image.shape


def test_grey_stays_grey(photograph: Photographs, codec: Codec, denoiser: Denoiser) -> None:
    grey = np.asarray(cv2.cvtColor(photograph("kodim19"), cv2.COLOR_RGB2GRAY), np.uint8)
    restored = codec.decompress(codec.compress(grey))
    assert restored.shape == grey.shape
    assert psnr_db(grey, restored) >= 30
    assert denoiser.denoise(grey).shape == grey.shape


def test_a_region_equals_the_crop_of_the_whole(photograph: Photographs, codec: Codec) -> None:
    data = codec.compress(photograph("kodim08"), quality=30)
    whole = codec.decompress(data)
    part = codec.decompress(data, region=(101, 203, 150, 77))
    assert np.abs(part.astype(int) - whole[101:251, 203:280]).max() <= 1


@pytest.mark.parametrize("name", ["kodim03", "kodim13", "kodim23"])
def test_noise_goes(photograph: Photographs, any_denoiser: Denoiser, name: str) -> None:
    clean = photograph(name)
    noise = np.random.default_rng(25).normal(0, 25, clean.shape)
    noisy = np.clip(np.rint(clean + noise), 0, 255).astype(np.uint8)
    lift = psnr_db(clean, any_denoiser.denoise(noisy)) - psnr_db(clean, noisy)
    assert lift >= (6 if name == "kodim13" else 10)  # kodim13 is texture throughout
    assert np.array_equal(any_denoiser.denoise(noisy, strength=0), noisy)


@pytest.mark.parametrize("name", ["kodim05", "kodim19"])
def test_a_codec_in_8_bits_loses_little(photograph: Photographs, codec: Codec, name: str) -> None:
    image = photograph(name)[:384, :384]
    rounded = Codec("photo", threads=2, precision="int8")
    data, own = codec.compress(image), rounded.compress(image)
    assert abs(len(own) / len(data) - 1) < 0.02
    fidelity = psnr_db(image, codec.decompress(data))
    for stream in (data, own):
        assert psnr_db(image, rounded.decompress(stream)) > fidelity - 0.2


def noised(clean: Pixels, rng: np.random.Generator) -> Pixels:
    return np.clip(np.rint(clean + rng.normal(0, 25, clean.shape)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("speed", [3, 8, 20, 48])
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_fast_motion_looks_no_worse_than_stills(
    photograph: Photographs, speed: int, precision: str
) -> None:
    """A pan, whether it is slow enough to be followed or not."""
    moving = Denoiser("camera-video", threads=2, precision=precision)
    still = Denoiser("camera-fast", threads=2, precision=precision)
    gains = []
    for name in ("kodim01", "kodim08", "kodim23"):
        image, rng, stream = photograph(name), np.random.default_rng(25), moving.stream()
        for time in range(8):
            clean = image[100:356, speed * time : speed * time + 256]
            noisy = noised(clean, rng)
            found = psnr_db(clean, stream.denoise(noisy))
            if time > 2:
                gains.append(found - psnr_db(clean, still.denoise(noisy)))
    assert np.mean(gains) > (0.5 if speed < 16 else -0.05)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_stream_that_stands_still_gains_from_memory(
    photograph: Photographs, precision: str
) -> None:
    """And leaves no ghost: after a cut it is the still denoiser's frame."""
    scene, other = photograph("kodim23")[:256, :256], photograph("kodim08")[:256, :256]
    rng = np.random.default_rng(25)
    stream = Denoiser("camera-video", threads=2, precision=precision).stream()
    standing = [psnr_db(scene, stream.denoise(noised(scene, rng))) for _ in range(8)]
    assert standing[-1] > standing[0] + 1
    noisy = noised(other, rng)
    still = Denoiser("camera-fast", threads=2, precision=precision)
    np.testing.assert_array_equal(stream.denoise(noisy), still.denoise(noisy))
