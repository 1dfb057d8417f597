"""A fine-tuned codec beside the one it came from: the command measures both and says who gains."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks import pictures, rate_distortion
from benchmarks.__main__ import main
from benchmarks.rate_distortion import Point
from benchmarks.suite import adapt
from tests import bundles, sample_results
from tests.bundles import copy_with_other_tables
from tests.training import options, photo_recipe, picture
from train import __main__ as train
from train.engine import checkpoint
from venturi import Codec
from venturi._format import container


def grey(height: int, width: int, seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.asarray(cv2.cvtColor(picture(height, width, seed), cv2.COLOR_RGB2GRAY), np.uint8)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two kinds of picture, and a bundle with other tables than the tiny one's."""
    folder = tmp_path_factory.mktemp("adapt")
    for seed in (1, 2):
        (folder / "grey").mkdir(exist_ok=True)
        assert cv2.imwrite(str(folder / "grey" / f"{seed}.png"), grey(170, 180, seed))
        pictures.write(folder / "colour" / f"{seed}.png", picture(170, 180, seed))
    copy_with_other_tables(folder / "other")
    return folder


def words(folders: Path, bundle: Path) -> list[str]:
    return [
        "adapt", "--bundle", str(bundle), "--general", str(bundles.CODEC),
        "--data", str(folders / "grey"), "--elsewhere", str(folders / "colour"),
        "--json", str(folders / "adapt.json"), "--threads", "1",
    ]  # fmt: skip


def test_both_codecs_are_measured_on_both_kinds(
    folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(folders, folders / "other")) == 0
    found = sample_results.values(folders / "adapt.json")
    assert set(found["elsewhere"]["points"]) == {adapt.ADAPTED, adapt.GENERAL}
    assert {adapt.ADAPTED, adapt.GENERAL, "jpeg", "webp"} <= set(found["kind"]["points"])
    assert found["kind"]["data"]["folder"].endswith("/grey")
    codec = Codec(bundles.CODEC, threads=1)
    images = [grey(170, 180, seed) for seed in (1, 2)]
    sizes = [len(codec.compress(image, quality=50)) for image in images]
    point = next(p for p in found["kind"]["points"][adapt.GENERAL] if p["quality"] == 50)
    assert point["bpp"] == pytest.approx(np.mean(sizes) * 8 / (170 * 180), abs=1e-5)
    # The tiny codec has 16 qualities, fewer than are asked for, so its curve does not grow: told.
    assert found["kind"]["bd_rate_percent"][adapt.GENERAL] is None
    assert any(
        note.startswith("grey: no BD-rate (psnr_db) against general") for note in found["notes"]
    )
    assert "Venturi, general" in capsys.readouterr().out


@pytest.mark.parametrize("rates", [None, (0.15, 1.0)])
def test_fewer_bytes_at_every_quality_are_the_gain(rates: tuple[float, float] | None) -> None:
    anchor = [point(0.1 * 2**n, 30.0 + 3 * n) for n in range(6)]
    fewer = [point(0.7 * each.bpp, each.psnr_db) for each in anchor]
    gain, loss = (
        rate_distortion.against({"a": one, "b": other}, "b", [], rates=rates)["a"]
        for one, other in ((anchor, fewer), (fewer, anchor))
    )
    assert gain == pytest.approx(-30, abs=1e-3)
    assert loss == pytest.approx(100 / 0.7 - 100, abs=1e-3)


def point(bpp: float, psnr_db: float) -> Point:
    return Point(quality=1, bpp=bpp, psnr_db=psnr_db, msssim=0.9, encode_ms=1.0, decode_ms=1.0)


def test_a_codec_beside_itself_is_refused(
    folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(folders, bundles.CODEC)) == 1
    assert "expected two to compare" in capsys.readouterr().err


def test_grey_stays_grey() -> None:
    scheme = adapt.Greyish(Codec(bundles.CODEC, threads=1), "general", "Venturi")
    image = np.repeat(grey(70, 80, 1)[..., None], 3, axis=2)
    data = scheme.encode(image, 50)
    assert container.read_header(data).header.grey
    assert scheme.decode(data).shape == image.shape
    assert not container.read_header(scheme.encode(picture(70, 80, 1), 50)).header.grey


def test_training_goes_on_from_weights_with_grey_pictures(folders: Path, tmp_path: Path) -> None:
    """The way of a fine-tuning: --from a checkpoint, a folder of grey PNG, another rate."""
    recipe = photo_recipe(folders / "grey", steps=2)
    first, second = tmp_path / "first", tmp_path / "second"
    assert train.main(["photo", "--run", str(first), *options(recipe)]) == 0
    more = ["--from", str(first), "--learning-rate=1e-9", "--final-learning-rate=1e-9"]
    assert train.main(["photo", "--run", str(second), *options(recipe), *more]) == 0
    states = []
    for run in (first, second):
        latest = checkpoint.latest(run)
        assert latest is not None
        states.append(checkpoint.load(latest)["average"])
    for name, value in states[0].items():
        if name.endswith(".largest"):  # bounds are measured on the weights that a run starts from
            assert states[1][name] < value
        else:
            assert np.allclose(value.numpy(), states[1][name].numpy(), atol=1e-4), name
