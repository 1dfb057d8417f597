"""Noise for clean photographs, its local level, and the smoother targets of higher strengths.

Half of the crops get the noise of simulated cameras (:mod:`train.noise.pipeline`), almost half
plain Gaussian noise.
"""

from typing import NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from train.data.photographs import Image

Plane = NDArray[np.float32]

SIGMA_MAX = 55.0
"""Largest standard deviation of Gaussian noise, on the 0–255 scale."""

LEVEL_STRIDE = 4
"""Pixels per value of the noise level map, along each axis."""

_LEVEL_WINDOW = 9
_DETAIL_WINDOW = 5
_MEAN = np.full((1, 3), 1 / 3, np.float32)


class Kind(Protocol):
    """A source of noise at one strength, with whatever else it does to a picture."""

    @property
    def of_camera(self) -> bool:
        """Whether it simulates a camera."""

    def pair(self, picture: Image, rng: np.random.Generator) -> tuple[Image, Image]:
        """Return (clean, noisy) of a sharp uint8 (H, W, 3) picture; each call draws new noise."""


class Gaussian(NamedTuple):
    """Independent Gaussian noise, on which denoisers are usually compared.

    Attributes:
        sigma: standard deviation on the 0–255 scale; 0 is no noise.
    """

    sigma: float
    of_camera: bool = False

    def pair(self, picture: Image, rng: np.random.Generator) -> tuple[Image, Image]:
        """Return (clean, noisy) of a uint8 (H, W, 3) picture."""
        return picture, gaussian(picture, self.sigma, rng)


def gaussian(clean: Image, sigma: float, rng: np.random.Generator) -> Image:
    """Add Gaussian noise of standard deviation ``sigma`` (0–255 scale), clipped to uint8."""
    noise = rng.standard_normal(clean.shape, np.float32)
    noise *= sigma
    return np.asarray(cv2.add(clean, noise, dtype=cv2.CV_8U), np.uint8)  # rounds and clips


def level(noisy: Image, clean: Image) -> Plane:
    """Return the local standard deviation of the noise, float32 (H/4, W/4), full scale 1."""
    height, width = clean.shape[:2]
    size = width // LEVEL_STRIDE, height // LEVEL_STRIDE
    difference = cv2.subtract(noisy, clean, dtype=cv2.CV_32F)
    power = cv2.resize(np.square(difference), size, interpolation=cv2.INTER_AREA).mean(2)
    power = cv2.blur(power, (_LEVEL_WINDOW, _LEVEL_WINDOW))
    return np.asarray(np.sqrt(power) / 255, np.float32)


def smoother(clean: Plane, deviation: Plane, strength: float) -> Plane:
    """Return the target of a denoiser whose user asks for a ``strength`` above 1.

    Such a user claims more noise than there is. A Wiener filter on local statistics (Lee, PAMI
    1980) removes the excess, ``strength − 1`` times the noise: faint texture goes, edges stay.

    Args:
        clean: float32 (H, W, 3) in [0, 1].
        deviation: standard deviation of the noise, float32 (H/4, W/4).
        strength: at least 1, which changes nothing.
    """
    height, width = clean.shape[:2]
    excess = np.square(cv2.resize(deviation, (width, height)) * np.float32(strength - 1))
    window = (_DETAIL_WINDOW, _DETAIL_WINDOW)
    mean = cv2.blur(clean, window)
    detail = clean - mean
    variance = cv2.transform(cv2.blur(np.square(detail), window), _MEAN)
    kept = variance / (variance + excess + np.float32(1e-8))
    return np.asarray(mean + detail * kept[..., None], np.float32)
