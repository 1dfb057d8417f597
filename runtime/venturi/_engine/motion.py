"""Estimate how far a whole frame has moved since the previous one: pans and camera shake.

Phase correlation of frames a quarter as large (Kuglin and Hines, ICCS 1975) estimates the
motion to a few pixels, and a search among the neighbours to the pixel. It is used only if the
frames then fit better than without it, by more than noise alone would explain.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from venturi._engine.arrays import Pixels, Planes

_CELL = 4  # pixels, along each axis, that become one before the frames are correlated
_LEAST = 32  # pixels, of a side; smaller frames are not followed
_WHITENED = 0.7  # 1 counts every frequency alike, 0 by its power
_SAMPLES = 20_000  # pixels, about, that are compared
_SURE = 3.0  # deviations of a mean difference that noise alone would make
_TINY = 1e-6

Shift = tuple[int, int]
"""Pixels down and to the right."""


class Glance(NamedTuple):
    """A frame in the form from which motion is estimated.

    Attributes:
        plane: int16 (H, W), the sum of its colours.
        spectrum: complex64 (H / 4, W / 8 + 1), of the plane made smaller.
    """

    plane: NDArray[np.int16]
    spectrum: NDArray[np.complex64]


def glance(frame: Pixels) -> Glance:
    """Return what is needed to estimate the motion of a uint8 frame, (H, W, 3) or (H, W)."""
    colours = [frame] if frame.ndim == 2 else [frame[..., colour] for colour in range(3)]
    plane = colours[0].astype(np.int16)
    for colour in colours[1:]:
        plane += colour
    height, width = (-(-side // _CELL) for side in plane.shape)
    small = np.zeros((height, width), np.float32)
    for row in range(_CELL):
        for column in range(_CELL):
            part = plane[row::_CELL, column::_CELL]
            small[: part.shape[0], : part.shape[1]] += part
    small -= small.mean()
    small *= _fading(height)[:, None] * _fading(width)
    return Glance(plane, np.fft.rfft2(small).astype(np.complex64))


def motion(before: Glance, after: Glance) -> Shift:
    """Return how far the picture has moved; (0, 0) if it fits best where it was.

    Both frames have the same size. Motion of more than a quarter of a side is ignored.
    """
    height, width = after.plane.shape
    if min(height, width) < _LEAST:
        return 0, 0
    product = after.spectrum * before.spectrum.conj()
    product /= (np.abs(product) + _TINY) ** _WHITENED
    cells = -(-height // _CELL), -(-width // _CELL)
    correlation = np.fft.irfft2(product, cells)
    place = np.unravel_index(int(correlation.argmax()), cells)
    down, right = (
        _CELL * (int(at) - cell if at > cell // 2 else int(at))
        for at, cell in zip(place, cells, strict=True)
    )
    if abs(down) > height // 4 or abs(right) > width // 4:
        return 0, 0
    shift = down, right
    for step in (2, 1):
        around = [(shift[0] + y, shift[1] + x) for y in (-step, 0, step) for x in (-step, 0, step)]
        shift = min(around, key=lambda each: float(_error(before, after, each).mean()))
    return shift if shift != (0, 0) and _fits(before, after, shift) else (0, 0)


def moved(values: NDArray[Any], shift: Shift, fill: float) -> NDArray[Any]:
    """Return (H, W, ...) moved by whole places; ``fill`` comes in at the borders."""
    result = np.full_like(values, fill)
    target, source = _overlap(values.shape[:2], shift)
    result[target] = values[source]
    return result


def _fits(before: Glance, after: Glance, shift: Shift) -> bool:
    target, _ = _overlap(after.plane.shape, shift)
    still = np.abs(_samples(after, target) - _samples(before, target))
    gain = still - _error(before, after, shift)
    return bool(gain.mean() > _SURE * gain.std() / gain.size**0.5)


def _error(before: Glance, after: Glance, shift: Shift) -> Planes:
    """Return how far some pixels differ after a motion."""
    target, source = _overlap(after.plane.shape, shift)
    error: Planes = np.abs(_samples(after, target) - _samples(before, source))
    return error


def _samples(frame: Glance, part: tuple[slice, slice]) -> Planes:
    step = max(1, math.isqrt(frame.plane.size // _SAMPLES))
    samples: Planes = frame.plane[part][::step, ::step].astype(np.float32)
    return samples


def _overlap(
    size: tuple[int, ...], shift: Shift
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return where values go when they move, and where they come from."""
    pairs = [
        (slice(max(by, 0), max(side + by, 0)), slice(max(-by, 0), max(side - by, 0)))
        for side, by in zip(size, shift, strict=True)
    ]
    (to_rows, from_rows), (to_columns, from_columns) = pairs
    return (to_rows, to_columns), (from_rows, from_columns)


def _fading(length: int) -> Planes:
    """Return weights that fall to the ends, which would otherwise be the strongest edge of all."""
    weights: Planes = np.hanning(length + 2)[1:-1].astype(np.float32)
    return weights
