"""What tests of cameras share: flat pictures, and what cameras make of them."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from train.data.photographs import Image

INNER = slice(16, -16), slice(16, -16)
"""Of a flat picture, what no border changes."""


class Shooting(Protocol):
    """A camera of any kind."""

    def shots(self, picture: Image, count: int, rng: np.random.Generator) -> Iterator[Image]:
        """Yield shots of a still picture."""


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def flat(level: int) -> Image:
    return np.full((96, 96, 3), level, np.uint8)


def neutral_means(camera: Shooting, levels: Sequence[int]) -> NDArray[np.float64]:
    """Return what a camera without noise makes of greys, (levels, 3); they are even and grey."""
    means = []
    for level in levels:
        (shot,) = camera.shots(flat(level), 1, rng())
        assert shot.dtype == np.uint8
        assert np.ptp(shot[INNER].reshape(-1, 3), axis=0).max() <= 1
        means.append(shot[INNER].mean((0, 1)))
        assert np.ptp(means[-1]) <= 3
    return np.array(means)


def correlation(plane: NDArray[np.float64], distance: int) -> float:
    """Return that of pixels with those so far to the right of them."""
    before, after = plane[..., :-distance].ravel(), plane[..., distance:].ravel()
    return float(np.corrcoef(before, after)[0, 1])
