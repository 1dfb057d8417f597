"""Simulated cameras for validation only: no denoiser is trained on their noise.

Validating on the noise of training only measures how well that noise was learned: once it improved
by 0.3 dB while results on real cameras got worse. These cameras share nothing with those of the
training (:mod:`train.noise.pipeline`): they have another tone curve, reduce noise by non-local
means and medians, and sharpen more widely. The clean picture is the mean of many shots, as in data
sets of real noise (Nam et al., CVPR 2016, section 3).
"""

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np

from train.data.photographs import Image, centre, step_generator
from train.noise.levels import Plane
from train.noise.pipeline import Colour, exposures, jpeg, mean, merged, sharpened, softened, toned

SHOTS = 24
"""Shots whose mean counts as clean: averaging lowers the noise by 14 dB."""

_COLOUR = Colour(
    exposure=0.9,
    matrix=np.array([[1.50, -0.35, -0.15], [-0.30, 1.70, -0.40], [0.05, -0.60, 1.55]], np.float32),
    white=np.array([1.7, 1, 1.9], np.float32),
    edges=False,
)
_GAMMA = 1 / 2.2
_LENS_BLUR = 0.5
_RADIUS = 1.6
_MAGNIFIED = 1.4, 1.8, 2.2


class ValidationCamera(NamedTuple):
    """A camera at one sensitivity.

    Attributes:
        shot, read: sensor noise: variance = shot · light + read, with full scale 1.
        reduction: strength of the non-local means on luma, in levels.
        share: weight of the filtered luma; the rest is unfiltered.
        colour_blur: standard deviation of the blur on chroma, after a median, in pixels.
        sharpening: amount of the unsharp mask on luma.
        contrast: weight of an S-shaped tone curve.
        size: side of the final picture as a share of the sensor's.
        quality: JPEG quality.
    """

    shot: float
    read: float
    reduction: float
    share: float
    colour_blur: float
    sharpening: float
    contrast: float
    size: float
    quality: int

    def shots(self, picture: Image, count: int, rng: np.random.Generator) -> Iterator[Image]:
        """Yield shots of a still picture with even sides, uint8 (H', W', 3)."""
        raw = _COLOUR.mosaic(picture)
        for exposed in exposures(raw, self.shot, self.read, count, rng):
            yield self._developed(exposed)

    def _developed(self, raw: Plane) -> Image:
        plain = toned(np.asarray(_COLOUR.light(raw) ** _GAMMA, np.float32), self.contrast)
        levels = np.rint(plain * 255).astype(np.uint8)
        bright, *colours = cv2.split(cv2.cvtColor(levels, cv2.COLOR_RGB2YCrCb))
        smooth = cv2.fastNlMeansDenoising(bright, None, self.reduction, 5, 11)
        mixed = cv2.addWeighted(smooth, self.share, bright, 1 - self.share, 0, dtype=cv2.CV_32F)
        soft = [cv2.GaussianBlur(cv2.medianBlur(c, 5), (0, 0), self.colour_blur) for c in colours]
        planes = sharpened(np.asarray(mixed, np.float32), self.sharpening, _RADIUS), *soft
        whole = merged(*(np.asarray(plane / np.float32(255), np.float32) for plane in planes))
        size = tuple(round(side * self.size) for side in raw.shape[::-1])
        small = cv2.resize(whole, size, interpolation=cv2.INTER_AREA)
        return jpeg(np.asarray(small, np.uint8), self.quality)


VALIDATION_CAMERAS = (
    ValidationCamera(0.0012, 5e-6, 5, 0.4, 1.5, 0.5, 0.20, 1.00, 95),
    ValidationCamera(0.0030, 2e-5, 8, 0.7, 2.5, 0.8, 0.35, 0.75, 92),
    ValidationCamera(0.0020, 1e-5, 1, 0.0, 0.8, 0.3, 0.10, 0.75, 97),
    ValidationCamera(0.0008, 3e-6, 6, 0.3, 3.5, 1.2, 0.20, 1.00, 90),
)
"""Two deliver all pixels of the sensor, two fewer. The third does least to its noise; the last one
sharpens most."""


def pairs(pictures: list[Image], side: int) -> Iterator[tuple[Image, Image]]:
    """Yield (clean, noisy), uint8 (side, side, 3), of the centre of each picture.

    Photographs that were scaled down are magnified first: a sensor's pixels are that soft.
    """
    for i, picture in enumerate(pictures):
        rounds, number = divmod(i, len(VALIDATION_CAMERAS))
        camera, factor = VALIDATION_CAMERAS[number], _MAGNIFIED[rounds % len(_MAGNIFIED)]
        sensor = 2 * round(side / camera.size / 2)
        part = centre(picture, round(sensor / factor))
        large = cv2.resize(part, (sensor, sensor), interpolation=cv2.INTER_CUBIC)
        soft = softened(np.asarray(large, np.uint8), _LENS_BLUR)
        shots = list(camera.shots(soft, SHOTS, step_generator(i)))
        yield mean(shots), shots[0]
