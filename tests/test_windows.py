"""Windows tile an area, whatever its size, and never reach beyond the picture."""

import numpy as np
import pytest

from venturi._engine.tiling import Box, tiles, windows


@pytest.mark.parametrize("area", [Box(0, 0, 1, 1), Box(64, 128, 320, 576), Box(0, 0, 300, 130)])
@pytest.mark.parametrize("margin", [0, 64])
def test_cores_tile_the_area(area: Box, margin: int) -> None:
    limit = Box(0, 0, 640, 640)
    count = np.zeros((640, 640), int)
    for window in windows(area, limit, core=128, margin=margin):
        count[window.core.slices] += 1
        assert window.core.clipped(window.reach) == window.core
        assert window.reach.clipped(limit) == window.reach
        assert window.reach == window.core.grown(margin).clipped(limit)
    assert (count[area.slices] == 1).all()
    assert count.sum() == area.height * area.width


def test_an_area_is_cut_where_the_whole_is() -> None:
    assert list(tiles(Box(0, 0, 70, 100), 64)) == [
        Box(0, 0, 64, 64),
        Box(0, 64, 64, 100),
        Box(64, 0, 70, 64),
        Box(64, 64, 70, 100),
    ]
    assert list(tiles(Box(60, 10, 70, 20), 64)) == [Box(60, 10, 64, 20), Box(64, 10, 70, 20)]


def test_boxes_change_coordinates() -> None:
    box = Box(64, 128, 192, 320)
    assert (box.height, box.width) == (128, 192)
    assert box.divided(64) == Box(1, 2, 3, 5)
    assert box.within(Box(64, 64, 640, 640)) == Box(0, 64, 128, 256)
    assert Box(1, 63, 65, 64).aligned(64) == Box(0, 0, 128, 64)
