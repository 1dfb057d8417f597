"""Tiles cover an area, whatever its size, and never go beyond the picture."""

import numpy as np
import pytest

from venturi._engine.tiling import Box, bands, grid, tiles


@pytest.mark.parametrize("area", [Box(0, 0, 1, 1), Box(64, 128, 320, 576), Box(0, 0, 300, 130)])
@pytest.mark.parametrize("margin", [0, 64])
def test_inner_boxes_cover_the_area_once(area: Box, margin: int) -> None:
    limit = Box(0, 0, 640, 640)
    count = np.zeros((640, 640), int)
    for tile in tiles(area, limit, side=128, margin=margin):
        count[tile.inner.slices] += 1
        assert tile.inner.clipped(tile.outer) == tile.inner
        assert tile.outer.clipped(limit) == tile.outer
        assert tile.outer == tile.inner.grown(margin).clipped(limit)
    assert (count[area.slices] == 1).all()
    assert count.sum() == area.height * area.width


def test_an_area_is_cut_where_the_whole_is() -> None:
    assert list(grid(Box(0, 0, 70, 100), 64)) == [
        Box(0, 0, 64, 64),
        Box(0, 64, 64, 100),
        Box(64, 0, 70, 64),
        Box(64, 64, 70, 100),
    ]
    assert list(grid(Box(60, 10, 70, 20), 64)) == [Box(60, 10, 64, 20), Box(64, 10, 70, 20)]


def test_bands_are_rows_of_the_grid() -> None:
    area = Box(10, 3, 200, 300)
    assert list(bands(area, 64)) == [
        Box(10, 3, 64, 300),
        Box(64, 3, 128, 300),
        Box(128, 3, 192, 300),
        Box(192, 3, 200, 300),
    ]
    squares = [square for band in bands(area, 128) for square in grid(band, 64)]
    assert squares == list(grid(area, 64)) == sorted(squares)


def test_boxes_meet_where_they_share_a_pixel() -> None:
    box = Box(0, 0, 64, 64)
    assert box.meets(Box(63, 63, 70, 70))
    assert not box.meets(Box(64, 0, 128, 64))
    assert not box.meets(Box(70, 70, 80, 80))


def test_boxes_change_coordinates() -> None:
    box = Box(64, 128, 192, 320)
    assert (box.height, box.width) == (128, 192)
    assert box.divided(64) == Box(1, 2, 3, 5)
    assert box.within(Box(64, 64, 640, 640)) == Box(0, 64, 128, 256)
    assert Box(1, 63, 65, 64).aligned(64) == Box(0, 0, 128, 64)
