"""Pictures that no camera took: of every kind, and the same for the same seed."""

import numpy as np
import pytest

from tests.training import picture
from train.data import synthetic
from train.data.photographs import Image
from train.data.synthetic import CHANGED, DRAWN, of_kind

SIDE = 96


def photograph() -> Image:
    return picture(SIDE, SIDE, 2)


def several(name: str, count: int = 12) -> list[Image]:
    return [of_kind(name, np.random.default_rng(seed), SIDE, photograph) for seed in range(count)]


@pytest.mark.parametrize("name", [*DRAWN, *CHANGED])
def test_every_kind_follows_from_the_seed(name: str) -> None:
    pictures = several(name)
    for one, again in zip(pictures, several(name), strict=True):
        assert one.shape == (SIDE, SIDE, 3)
        assert one.dtype == np.uint8
        assert np.array_equal(one, again)
    assert len({one.tobytes() for one in pictures}) > len(pictures) // 3


@pytest.mark.parametrize("name", CHANGED)
def test_a_photograph_is_changed_and_left_alone(name: str) -> None:
    own = photograph()
    pictures = [of_kind(name, np.random.default_rng(i), SIDE, lambda: own) for i in range(3)]
    assert any(not np.array_equal(one, own) for one in pictures)
    assert np.array_equal(own, photograph())


def test_what_broke_a_decoder_is_among_them() -> None:
    flat = np.concatenate([one[:1, 0] for one in several("flat", 200)])
    for colour in ((0, 0, 0), (255, 255, 255), (0, 0, 255)):
        assert (flat == colour).all(1).any(), colour
    columns = [np.abs(np.diff(one.astype(int), axis=1)).sum(2) for one in several("stripes", 60)]
    assert any((steps > 0).all() for steps in columns)  # one pixel wide
    for one in several("grey"):
        assert np.ptp(one, axis=2).max() == 0


def test_text_needs_no_fonts_on_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic, "_font_files", list)
    assert max(np.unique(one).size for one in several("text", 4)) > 2
