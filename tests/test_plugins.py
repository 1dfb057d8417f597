"""Venturi in other libraries, by their own conventions."""

import pickle
import subprocess
import sys
from importlib.metadata import entry_points
from io import BytesIO
from pathlib import Path
from typing import Any

import imageio.v3 as imageio
import numcodecs
import numpy as np
import pytest
import zarr
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

import venturi
from venturi import Codec, InputError, StreamError, bundles, probe
from venturi.plugins import pillow
from venturi.plugins.numcodecs import Venturi


def photograph(height: int, width: int) -> NDArray[np.uint8]:
    """A smooth picture whose channels and corners differ."""
    small = np.random.default_rng(7).integers(0, 256, (5, 6, 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


@pytest.fixture(scope="module")
def photo() -> Codec:
    return Codec("photo", threads=1)


@pytest.fixture(scope="module")
def data(photo: Codec) -> bytes:
    return photo.compress(photograph(96, 128), quality=40)


def test_a_header_is_read_without_onnxruntime(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.vnt").write_bytes(data)
    script = (
        "import sys, venturi, pathlib\n"
        "seen = venturi.probe(pathlib.Path('a.vnt').read_bytes())\n"
        "print(seen.width, seen.height, seen.is_grey, seen.quality, seen.bundle)\n"
        "sys.exit('onnxruntime' in sys.modules)"
    )
    runtime = str(Path(venturi.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path, env={"PYTHONPATH": runtime}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["128", "96", "False", "40.0", "photo"]


def test_a_header_of_another_bundle_and_of_none(codec: Codec, data: bytes) -> None:
    foreign = codec.compress(photograph(64, 64)[:, :, 0])
    assert probe(foreign).bundle is None
    assert probe(foreign).is_grey
    assert probe(data[:60]).width == 128
    with pytest.raises(StreamError):
        probe(b"VNTx")


def test_bundles_are_listed() -> None:
    assert {"photo", "camera", "camera-fast", "camera-video"} <= set(bundles())


def test_pillow_opens_what_the_codec_wrote(photo: Codec, data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.vnt").write_bytes(data)
    with Image.open(tmp_path / "a.vnt") as image:
        assert (image.format, image.mode, image.size) == ("VENTURI", "RGB", (128, 96))
        assert image.info["quality"] == 40
        assert image.get_format_mimetype() == "image/x-venturi"
        np.testing.assert_array_equal(np.asarray(image), photo.decompress(data))
    again = Image.open(BytesIO(data)).convert("L").resize((32, 24))
    assert again.size == (32, 24)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_pillow_saves(photo: Codec, mode: str, tmp_path: Path) -> None:
    image = Image.fromarray(photograph(96, 128)).convert(mode)
    image.save(tmp_path / "a.vnt", quality=30)
    assert (tmp_path / "a.vnt").read_bytes() == photo.compress(np.asarray(image), quality=30)
    image.save(tmp_path / "b.vnt", max_bytes=1500)
    assert (tmp_path / "b.vnt").stat().st_size <= 1500
    with Image.open(tmp_path / "b.vnt") as again:
        assert again.mode == mode


def test_pillow_is_told_of_faults_in_its_own_way(codec: Codec, data: bytes) -> None:
    with pytest.raises(OSError, match="cannot write mode RGBA as VENTURI"):
        Image.new("RGBA", (8, 8)).save(BytesIO(), "VENTURI")
    with pytest.raises(ValueError, match="quality is 200"):
        Image.new("RGB", (8, 8)).save(BytesIO(), "VENTURI", quality=200)
    with pytest.raises(UnidentifiedImageError):
        Image.open(BytesIO(b"VNT" + bytes(40)))
    damaged = bytearray(data)
    damaged[-9] ^= 1
    image = Image.open(BytesIO(bytes(damaged)))
    with pytest.raises(OSError, match="checksum"):
        image.load()
    foreign = Image.open(BytesIO(codec.compress(photograph(64, 64))))
    with pytest.raises(OSError, match="which no installed bundle has"):
        foreign.load()


def test_pillow_saves_with_a_codec_of_the_callers(codec: Codec) -> None:
    out = BytesIO()
    Image.fromarray(photograph(64, 64)).save(out, "VENTURI", codec=codec)
    assert out.getvalue() == codec.compress(photograph(64, 64))


def test_registering_twice_changes_nothing() -> None:
    pillow.register()
    assert [name for name in Image.ID if name == "VENTURI"] == ["VENTURI"]


def test_imageio_reads_through_pillow(photo: Codec, data: bytes) -> None:
    read = imageio.imread(BytesIO(data), plugin="pillow")
    np.testing.assert_array_equal(read, photo.decompress(data))


@pytest.mark.parametrize(
    "shape", [(64, 96, 3), (64, 96), (1, 64, 96, 3), (1, 1, 64, 96), (64, 96, 1)]
)
def test_numcodecs_round_trip(shape: tuple[int, ...]) -> None:
    grey = 3 not in shape
    pixels = photograph(64, 96)[:, :, 0] if grey else photograph(64, 96)
    chunk = pixels.reshape(shape)
    codec = Venturi(quality=60)
    restored = codec.decode(codec.encode(chunk))
    assert np.abs(restored.reshape(shape).astype(int) - chunk).mean() < 6
    out = np.empty(shape, np.uint8)
    codec.decode(codec.encode(chunk), out)
    np.testing.assert_array_equal(out.reshape(-1), restored.reshape(-1))


def test_numcodecs_config_and_pickle() -> None:
    codec = Venturi(quality=60, precision="fp32")
    assert codec.get_config() == {
        "id": "venturi", "quality": 60, "bundle": "photo", "precision": "fp32",
    }  # fmt: skip
    assert Venturi.from_config({"quality": 60}) == codec == pickle.loads(pickle.dumps(codec))


@pytest.mark.parametrize(
    "chunk", [np.zeros((2, 8, 8, 3), np.uint8), np.zeros((8, 8), np.float32), np.zeros(9, np.uint8)]
)
def test_a_chunk_that_is_no_picture_is_refused(chunk: NDArray[Any]) -> None:
    with pytest.raises(InputError, match=r"a chunk of .*; expected one picture"):
        Venturi().encode(chunk)


def test_numcodecs_finds_it_by_entry_point() -> None:
    (point,) = [p for p in entry_points(group="numcodecs.codecs") if p.name == "venturi"]
    assert point.load() is Venturi


def test_a_zarr_array_of_pictures(tmp_path: Path) -> None:
    numcodecs.register_codec(Venturi)
    pictures = np.stack([photograph(64, 96), photograph(64, 96)[::-1]])
    array = zarr.create_array(
        tmp_path / "a.zarr", shape=pictures.shape, chunks=(1, 64, 96, 3), dtype="uint8",
        compressors=Venturi(quality=70), zarr_format=2,
    )  # fmt: skip
    array[:] = pictures
    read = np.asarray(zarr.open_array(tmp_path / "a.zarr")[:])
    assert read.shape == pictures.shape
    assert np.abs(read.astype(int) - pictures).mean() < 6
