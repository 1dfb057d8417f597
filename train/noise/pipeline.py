"""Cameras from light to JPEG, drawn at random: what their own pipelines make of noise.

Noise that is added to finished pictures lacks what follows it in a camera: demosaicing along
edges, a colour matrix, a tone curve, noise reduction that spares edges, sharpening and resizing.
Here it goes through them, picture and all (Brooks et al., "Unprocessing Images for Learned Raw
Denoising", CVPR 2019, section 3). The clean picture is the mean of other shots, as in data sets of
real noise (Nam et al., CVPR 2016, section 3), so that a denoiser learns to take away noise and not
to undo the camera; training with one that has noise left leads to the same denoiser (Lehtinen et
al., Noise2Noise, ICML 2018, section 2).
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Self

import cv2
import numpy as np

from train.data.photographs import Image
from train.noise.levels import SIGMA_MAX, Gaussian, Kind, Plane

_CLEAN_SHARE, _GAUSSIAN_SHARE = 0.04, 0.44
_CLEAN_SHOTS = 3
_SOFT_SHARE, _EDGES_SHARE, _REDUCED_SHARE = 0.9, 0.7, 0.8
_RESIZED_SHARE, _JPEG_SHARE = 0.3, 0.8
_RESIZED_MAX = 1.6
_SCALE, _FOOT = 60000, 0.02  # of 16 bits; noise goes below black
_TONES = 4096


class Colour(NamedTuple):
    """How a camera sees colours.

    Attributes:
        exposure: of white, as a share of full scale.
        matrix: from its own red, green and blue to those of sRGB, (3, 3) with rows that sum to 1.
        white: by how much its white balance multiplies each, (3,).
        edges: whether the mosaic is interpolated along edges, else bilinearly.
    """

    exposure: float
    matrix: Plane
    white: Plane
    edges: bool = True

    def mosaic(self, picture: Image) -> Plane:
        """Return what a sensor sees of a uint8 (H, W, 3) picture, float32 (H, W), full scale 1."""
        linear = np.asarray(np.float32(self.exposure) * cv2.LUT(picture, _LINEAR), np.float32)
        own = np.clip(cv2.transform(linear, np.linalg.inv(self.matrix)), 0, 1)
        return mosaic(np.asarray(own / self.white, np.float32))

    def light(self, raw: Plane) -> Plane:
        """Return the linear light of a mosaic with noise, float32 (H, W, 3) in [0, 1]."""
        balanced = np.clip(raw * mosaic(np.full((*raw.shape, 3), self.white)), -_FOOT, 1) + _FOOT
        way = cv2.COLOR_BayerRGGB2RGB_EA if self.edges else cv2.COLOR_BayerRGGB2RGB
        full = cv2.demosaicing((balanced * _SCALE).astype(np.uint16), way)
        linear = np.asarray(full * np.float32(1 / _SCALE) - np.float32(_FOOT), np.float32)
        return np.asarray(np.clip(cv2.transform(linear, self.matrix), 0, 1), np.float32)


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

    def of_half(self, plane: Plane) -> Plane:
        """Return it reduced at half of the resolution, where cameras treat colour."""
        height, width = plane.shape
        half = cv2.resize(plane, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(self.of(np.asarray(half)), (width, height)), np.float32)


class Camera(NamedTuple):
    """A camera at one sensitivity; a kind of noise (:class:`train.noise.levels.Kind`).

    Attributes:
        shot, read: of the sensor's noise: variance = shot · light + read, of full scale 1.
        blur: deviation of the blur by the lens, in pixels.
        colour: how it sees colours.
        contrast: share of an S-shaped tone curve.
        brightness, colours: how their noise is reduced, colour at half of the resolution.
        sharpening, radius: of an unsharp mask of brightness.
        quality: of the JPEG; None is none.
        shrinking: by how much a picture is made smaller in the end.
    """

    shot: float
    read: float
    blur: float
    colour: Colour
    contrast: float
    brightness: Reduction
    colours: Reduction
    sharpening: float
    radius: float
    quality: int | None
    shrinking: float
    of_camera: bool = True

    @classmethod
    def random(cls, rng: np.random.Generator) -> Self:
        """Draw a camera."""
        shot, read = _sensitivity(rng)
        red, blue = rng.uniform(1.2, 2.4, 2)
        mixing = rng.uniform(0, 0.4, (3, 3)) * rng.uniform(0.3, 1)
        np.fill_diagonal(mixing, 0)
        reduced = float(rng.random() < _REDUCED_SHARE)
        matrix = np.asarray(np.diag(1 + mixing.sum(1)) - mixing, np.float32)
        return cls(
            shot=shot,
            read=read,
            blur=float(rng.uniform(0.4, 1.8)) if rng.random() < _SOFT_SHARE else 0.0,
            colour=Colour(
                exposure=float(rng.uniform(0.5, 0.95)),
                matrix=matrix,
                white=np.array([red, 1, blue], np.float32),
                edges=bool(rng.random() < _EDGES_SHARE),
            ),
            contrast=float(rng.uniform(0, 0.4)),
            brightness=Reduction(
                float(rng.uniform(0.8, 1.8)),
                float(rng.uniform(0.02, 0.1)),
                float(rng.uniform(0, 0.8)) * reduced,
            ),
            colours=Reduction(
                float(rng.uniform(0.8, 2.2)), float(rng.uniform(0.05, 0.15)), reduced
            ),
            sharpening=float(rng.uniform(0, 1.2)),
            radius=float(rng.uniform(0.8, 1.6)),
            quality=int(rng.integers(80, 99)) if rng.random() < _JPEG_SHARE else None,
            shrinking=float(rng.uniform(1, _RESIZED_MAX)) if rng.random() < _RESIZED_SHARE else 1.0,
        )

    def pair(self, picture: Image, rng: np.random.Generator) -> tuple[Image, Image]:
        """Return (clean, noisy) of a sharp uint8 (H, W, 3) picture.

        What is clean has noise of its own, by which their difference is a sixth too large.
        """
        noisy, *others = self.shots(picture, 1 + _CLEAN_SHOTS, rng)
        return mean(others), noisy

    def shots(self, picture: Image, count: int, rng: np.random.Generator) -> Iterator[Image]:
        """Yield shots of a sharp picture that stands still, uint8 (H, W, 3) as it is."""
        height, width = picture.shape[:2]
        size = tuple(round(side * self.shrinking) // 2 * 2 for side in (width, height))
        large = cv2.resize(softened(picture, self.blur), size, interpolation=cv2.INTER_CUBIC)
        raw = self.colour.mosaic(np.asarray(large, np.uint8))
        for taken in exposures(raw, self.shot, self.read, count, rng):
            made = self._developed(taken)
            small = cv2.resize(made, (width, height), interpolation=cv2.INTER_AREA)
            whole = np.asarray(small, np.uint8)
            yield whole if self.quality is None else jpeg(whole, self.quality)

    def _developed(self, raw: Plane) -> Image:
        tones = toned(_CODED, self.contrast)
        light = self.colour.light(raw)
        plain = np.take(tones, np.rint(light * (_TONES - 1)).astype(np.int32))
        bright, *colours = split(plain)
        bright = sharpened(self.brightness.of(bright), self.sharpening, self.radius)
        return merged(bright, *(self.colours.of_half(plane) for plane in colours))


def drawn(rng: np.random.Generator) -> Kind:
    """Draw a kind of noise: none, Gaussian, or a camera's."""
    choice = rng.random()
    if choice < _CLEAN_SHARE + _GAUSSIAN_SHARE:
        return Gaussian(0.0 if choice < _CLEAN_SHARE else float(rng.uniform(0, SIGMA_MAX)))
    return Camera.random(rng)


def _sensitivity(rng: np.random.Generator) -> tuple[float, float]:
    """Draw a sensor's shot and read noise, as measured on real ones (Brooks et al., 3.1)."""
    log_shot = float(rng.uniform(math.log(1e-4), math.log(0.012)))
    log_read = 2.18 * log_shot + 1.20 + 0.26 * float(rng.standard_normal())
    return math.exp(log_shot), math.exp(log_read)


def exposures(
    raw: Plane, shot: float, read: float, count: int, rng: np.random.Generator
) -> Iterator[Plane]:
    """Yield a mosaic, float32 (H, W), as often with a sensor's noise: shot · raw + read."""
    deviation = np.sqrt(np.float32(shot) * raw + np.float32(read))
    for _ in range(count):
        yield raw + deviation * rng.standard_normal(raw.shape, np.float32)


def mean(shots: Sequence[Image]) -> Image:
    """Return the mean of uint8 (H, W, 3) shots, which has less noise."""
    return np.asarray(np.rint(np.mean(shots, 0)), np.uint8)


def toned(plain: Plane, contrast: float) -> Plane:
    """Return values in [0, 1] after a share of an S-shaped curve."""
    return np.asarray(plain + np.float32(contrast) * (plain * plain * (3 - 2 * plain) - plain))


def split(picture: Plane) -> list[Plane]:
    """Return the brightness of a float32 (H, W, 3) picture, and its two colours."""
    planes = cv2.split(cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb))
    return [np.asarray(plane, np.float32) for plane in planes]


def merged(*planes: Plane) -> Image:
    """Return the uint8 (H, W, 3) picture that has this brightness and these colours."""
    result = cv2.cvtColor(cv2.merge(planes), cv2.COLOR_YCrCb2RGB)
    return np.rint(np.clip(result, 0, 1) * 255).astype(np.uint8)


def softened(picture: Image, blur: float) -> Image:
    """Return a uint8 (H, W, 3) picture blurred by a deviation in pixels; 0 leaves it."""
    return picture if blur == 0 else np.asarray(cv2.GaussianBlur(picture, (0, 0), blur), np.uint8)


def sharpened(plane: Plane, amount: float, radius: float) -> Plane:
    """Return a float32 (H, W) plane after an unsharp mask."""
    blurred = cv2.GaussianBlur(plane, (0, 0), radius)
    return np.asarray(plane + np.float32(amount) * (plane - blurred))


def jpeg(image: Image, quality: int) -> Image:
    """Return what is left of a picture after JPEG."""
    written, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert written
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB), np.uint8)


def mosaic(picture: Plane) -> Plane:
    """Keep one colour per pixel of float32 (H, W, 3): red, green, green and blue of 2 × 2."""
    plane = np.ascontiguousarray(picture[..., 1])
    plane[::2, ::2] = picture[::2, ::2, 0]
    plane[1::2, 1::2] = picture[1::2, 1::2, 2]
    return plane


def _linear_table() -> Plane:
    v = np.arange(256) / 255
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4).astype(np.float32)


def _coded_table() -> Plane:
    light = np.arange(_TONES) / (_TONES - 1)
    large = 1.055 * light ** (1 / 2.4) - 0.055
    return np.where(light <= 0.0031308, light * 12.92, large).astype(np.float32)


_LINEAR, _CODED = _linear_table(), _coded_table()
"""Linear light of each level in the code of sRGB (IEC 61966-2-1), and the code of light."""
