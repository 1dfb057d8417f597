"""A camera from light to JPEG, on which no denoiser is trained: to judge one on other noise.

Training adds noise to finished pictures (:mod:`train.noise`), and a validation with the same noise
tells only how well that is learned: it got better by 0.3 dB with a kind of noise that was worse on
real cameras. Here noise goes through what follows it in a camera, picture and all: demosaicing
along edges, white balance, a colour matrix, a tone curve, noise reduction that spares edges,
sharpening and JPEG. The clean picture is the mean of many shots, as in data sets of real noise
(Nam et al., CVPR 2016, section 3).
"""

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np

from train.noise import LINEAR, Plane, coded, jpeg, mosaic, sharpened
from train.photographs import Image, centre, step_generator

SHOTS = 24
"""Of which the mean is clean: what is left of their noise is 14 dB below it."""

_WHITE = np.array([2.0, 1.0, 1.6], np.float32)
_MATRIX = np.array([[1.70, -0.50, -0.20], [-0.22, 1.55, -0.33], [0.02, -0.52, 1.50]], np.float32)
_EXPOSURE = 0.9
_LENS_BLUR = 0.6
_MAGNIFIED = (1.5, 2.0, 2.5)
_SCALE, _FOOT = 60000, 0.02  # of 16 bits; noise goes below black


class Reduction(NamedTuple):
    """A bilateral filter, mixed with what it filters.

    Attributes:
        blur: deviation over pixels.
        contrast: over values, full scale 1.
        share: of what is filtered.
    """

    blur: float
    contrast: float
    share: float

    def of(self, plane: Plane) -> Plane:
        """Return a float32 (H, W) plane with its noise reduced."""
        filtered = cv2.bilateralFilter(plane, -1, self.contrast, self.blur)
        return np.asarray(
            cv2.addWeighted(filtered, self.share, plane, 1 - self.share, 0), np.float32
        )


class Camera(NamedTuple):
    """A camera at one sensitivity.

    Attributes:
        shot, read: of the sensor's noise: variance = shot · light + read, of full scale 1.
        brightness, colour: how their noise is reduced.
        sharpening: amount of an unsharp mask of brightness.
        contrast: share of an S-shaped tone curve.
        quality: of the JPEG.
    """

    shot: float
    read: float
    brightness: Reduction
    colour: Reduction
    sharpening: float
    contrast: float
    quality: int

    def shots(self, picture: Image, count: int, rng: np.random.Generator) -> Iterator[Image]:
        """Yield uint8 (H, W, 3) shots of a still picture with sides that are even."""
        light = _light(picture)
        for _ in range(count):
            noise = rng.standard_normal(light.shape, np.float32)
            yield self._developed(light + noise * np.sqrt(self.shot * light + self.read))

    def _developed(self, raw: Plane) -> Image:
        gains = mosaic(np.full((*raw.shape, 3), _WHITE))
        levels = (np.clip(raw * gains, -_FOOT, 1) + _FOOT) * _SCALE
        mixed = cv2.demosaicing(levels.astype(np.uint16), cv2.COLOR_BayerRGGB2RGB_EA)
        light = np.clip((mixed.astype(np.float32) / _SCALE - _FOOT) @ _MATRIX.T, 0, 1)
        plain = coded(light)
        curved = plain * plain * (3 - 2 * plain)
        toned = np.asarray(plain + self.contrast * (curved - plain), np.float32)
        bright, red, blue = cv2.split(cv2.cvtColor(toned, cv2.COLOR_RGB2YCrCb))
        bright = sharpened(self.brightness.of(np.asarray(bright, np.float32)), self.sharpening)
        colours = [self.colour.of(np.asarray(plane, np.float32)) for plane in (red, blue)]
        result = cv2.cvtColor(cv2.merge([bright, *colours]), cv2.COLOR_YCrCb2RGB)
        return jpeg(np.rint(np.clip(result, 0, 1) * 255).astype(np.uint8), self.quality)


CAMERAS = (
    Camera(0.0011, 4e-6, Reduction(1.2, 0.06, 0.5), Reduction(3.0, 0.10, 1), 0.5, 0.25, 96),
    Camera(0.0024, 1.5e-5, Reduction(1.6, 0.09, 0.7), Reduction(5.0, 0.15, 1), 0.7, 0.35, 95),
    Camera(0.0013, 6e-6, Reduction(1.0, 0.04, 0.3), Reduction(2.0, 0.06, 1), 0.3, 0.15, 97),
)
"""One that does little to its noise, one that does much, and one that does almost nothing."""


def pairs(pictures: list[Image], side: int) -> Iterator[tuple[Image, Image]]:
    """Yield (clean, noisy), uint8 (side, side, 3), of the middle of each picture.

    Photographs that were made smaller are magnified, since a sensor's own pixels are as soft.
    """
    for i, picture in enumerate(pictures):
        camera, factor = CAMERAS[i % 3], _MAGNIFIED[i // 3 % 3]
        part = centre(picture, round(side / factor))
        large = cv2.resize(part, (side, side), interpolation=cv2.INTER_CUBIC)
        soft = np.asarray(cv2.GaussianBlur(large, (0, 0), _LENS_BLUR), np.uint8)
        shots = list(camera.shots(soft, SHOTS, step_generator(i)))
        yield np.rint(np.mean(shots, 0)).astype(np.uint8), shots[0]


def _light(picture: Image) -> Plane:
    """Return what a sensor sees of a picture, float32 (H, W): red, green, green and blue."""
    linear = _EXPOSURE * cv2.LUT(picture, LINEAR)
    raw = np.clip(linear @ np.linalg.inv(_MATRIX).T, 0, 1) / _WHITE
    return mosaic(np.asarray(raw, np.float32))
