"""The picture of the README: it shows what the codec makes, and the curves of the results."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from benchmarks import picture, results
from benchmarks.__main__ import main
from benchmarks.suite import codec
from tests import bundles, sample_results
from venturi import Codec, images

TINY = str(bundles.CODEC)
COMMITTED = Path(__file__).parent.parent / "docs" / "assets" / "venturi.svg"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    rows, columns = np.mgrid[0:340, 0:400]
    waves = 128 + 60 * np.sin(rows / 17) + 60 * np.cos(columns / 23)
    images.write(
        tmp_path / "photo.png", np.stack([waves, waves[::-1], 255 - waves], -1).astype("u1")
    )
    sample_results.put(tmp_path, "codec")
    return tmp_path


def test_the_crops_say_what_they_cost(place: Path) -> None:
    options = ["--photo", str(place / "photo.png"), "--bundle", TINY, "--quality", "40"]
    where = ["--results", str(place), "--svg", str(place / "assets" / "picture.svg")]
    assert main(["picture", *options, *where]) == 0
    root = ElementTree.fromstring((place / "assets" / "picture.svg").read_text(encoding="utf-8"))
    pictures = list(root.iter(f"{SVG}image"))
    assert [(p.get("width"), p.get("height")) for p in pictures] == [("190", "330")] * 3
    assert len({p.get("href") for p in pictures}) == 3
    words = [element.text or "" for element in root.iter(f"{SVG}text")]
    size = len(Codec(TINY).compress(images.read(place / "photo.png").pixels, quality=40))
    assert any(word.startswith(f"{size / 1000:.1f} kB, PSNR") for word in words)
    assert {"Original", "JPEG", "Venturi", "WebP", "bits per pixel"} <= set(words)


def test_a_small_photograph_is_refused(place: Path) -> None:
    images.write(place / "small.png", np.zeros((329, 400, 3), np.uint8))
    with pytest.raises(ValueError, match="400x329 pixels; expected at least 190x330"):
        picture.draw(place / "small.png", sample_results.record("codec"), bundle=TINY, quality=40)


def test_the_committed_picture_has_the_curves_of_the_results() -> None:
    curve = picture.curve(codec.BENCHMARK.read(results.FOLDER / "codec.json"))
    assert curve.strip() in COMMITTED.read_text(encoding="utf-8"), (
        "run python -m benchmarks picture"
    )
