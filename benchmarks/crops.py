"""Crops of each method's output for a picture, side by side in a PNG: to look at, not committed."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks import pictures
from benchmarks.pictures import Picture

SIDE = 192
"""Of a crop, in pixels of the picture."""

OF_EACH_SET = 4
ORIGINAL = "original"
_ZOOM = 2


def write(path: Path, original: Picture, outputs: Mapping[str, Picture]) -> None:
    """Write the middle of the original, then of each method's output, each pixel as 2x2."""
    row = [_zoomed(middle(image)) for image in (original, *outputs.values())]
    pictures.write(path, pictures.beside(row))


def read(path: Path, names: Sequence[str]) -> dict[str, Picture]:
    """Return the crops of a file by name, each pixel once. names: of the methods, as written."""
    row = pictures.apart(pictures.read(path), 1 + len(names))
    return {
        name: np.ascontiguousarray(image[::_ZOOM, ::_ZOOM])
        for name, image in zip((ORIGINAL, *names), row, strict=True)
    }


def middle(image: Picture) -> Picture:
    """Return the middle of a picture, all of a small one."""
    top, left = (max(0, (side - SIDE) // 2) for side in image.shape[:2])
    return image[top : top + SIDE, left : left + SIDE]


def _zoomed(image: Picture) -> Picture:
    return np.repeat(np.repeat(image, _ZOOM, axis=0), _ZOOM, axis=1)
