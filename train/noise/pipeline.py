"""Random cameras, simulated from light to JPEG, for noise as it leaves their pipelines.

In a camera, noise is followed by demosaicing along edges, a colour matrix, a tone curve, noise
reduction that spares edges, sharpening and resizing. Noise that is added to finished pictures lacks
all of this; here picture and noise go through it together (Brooks et al., "Unprocessing Images for
Learned Raw Denoising", CVPR 2019, section 3). The clean picture is the mean of other shots, as in
data sets of real noise (Nam et al., CVPR 2016, section 3), so a denoiser learns to remove noise and
not to undo the camera. That this mean has some noise left does not change the result (Lehtinen et
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
_SCALE, _FOOT = 60000, 0.02  # within 16 bits, with room for noise below black
_TONES = 4096


class Colour(NamedTuple):
    """A camera's exposure, colour matrix, white balance and demosaicing.

    Attributes:
        exposure: raw value of white, as a share of full scale.
        matrix: from the camera's RGB to linear sRGB, (3, 3); rows sum to 1.
        white: white balance gains, (3,).
        edges: whether to demosaic along edges; otherwise bilinearly.
    """

    exposure: float
    matrix: Plane
    white: Plane
    edges: bool = True

    def mosaic(self, picture: Image) -> Plane:
        """Return the raw mosaic of a uint8 (H, W, 3) picture, float32 (H, W), full scale 1."""
        linear = np.asarray(np.float32(self.exposure) * cv2.LUT(picture, _LINEAR), np.float32)
        raw = np.clip(cv2.transform(linear, np.linalg.inv(self.matrix)), 0, 1)
        return mosaic(np.asarray(raw / self.white, np.float32))

    def light(self, raw: Plane) -> Plane:
        """Demosaic a noisy raw mosaic to linear light, float32 (H, W, 3) in [0, 1]."""
        balanced = np.clip(raw * mosaic(np.full((*raw.shape, 3), self.white)), -_FOOT, 1) + _FOOT
        way = cv2.COLOR_BayerRGGB2RGB_EA if self.edges else cv2.COLOR_BayerRGGB2RGB
        full = cv2.demosaicing((balanced * _SCALE).astype(np.uint16), way)
        linear = np.asarray(full * np.float32(1 / _SCALE) - np.float32(_FOOT), np.float32)
        return np.asarray(np.clip(cv2.transform(linear, self.matrix), 0, 1), np.float32)


class Reduction(NamedTuple):
    """Noise reduction: a bilateral filter, blended with its input.

    Attributes:
        blur: standard deviation over pixels.
        contrast: standard deviation over values, full scale 1.
        share: weight of the filtered plane.
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
        """Return a plane with its noise reduced at half resolution, as cameras treat colour."""
        height, width = plane.shape
        half = cv2.resize(plane, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(self.of(np.asarray(half)), (width, height)), np.float32)


class Camera(NamedTuple):
    """A camera at one sensitivity; a kind of noise (:class:`train.noise.levels.Kind`).

    Attributes:
        shot, read: sensor noise: variance = shot · light + read, with full scale 1.
        blur: standard deviation of the blur by the lens, in pixels.
        colour: colour processing.
        contrast: weight of an S-shaped tone curve.
        brightness, colours: noise reduction on luma and on chroma, the latter at half resolution.
        sharpening, radius: amount and standard deviation of an unsharp mask on luma.
        quality: JPEG quality; None skips JPEG.
        shrinking: factor by which the picture is scaled down in the end.
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

        The clean one is a mean of three shots: its own noise raises the difference by a sixth.
        """
        noisy, *others = self.shots(picture, 1 + _CLEAN_SHOTS, rng)
        return mean(others), noisy

    def shots(self, picture: Image, count: int, rng: np.random.Generator) -> Iterator[Image]:
        """Yield shots of a sharp, still picture, uint8 (H, W, 3) like it."""
        height, width = picture.shape[:2]
        size = tuple(round(side * self.shrinking) // 2 * 2 for side in (width, height))
        large = cv2.resize(softened(picture, self.blur), size, interpolation=cv2.INTER_CUBIC)
        raw = self.colour.mosaic(np.asarray(large, np.uint8))
        for exposed in exposures(raw, self.shot, self.read, count, rng):
            developed = self._developed(exposed)
            small = cv2.resize(developed, (width, height), interpolation=cv2.INTER_AREA)
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
    """Draw a kind of noise at random: none, Gaussian, or that of a camera."""
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
    """Yield a mosaic, float32 (H, W), with new sensor noise of variance shot · raw + read."""
    deviation = np.sqrt(np.float32(shot) * raw + np.float32(read))
    for _ in range(count):
        yield raw + deviation * rng.standard_normal(raw.shape, np.float32)


def mean(shots: Sequence[Image]) -> Image:
    """Return the mean of uint8 (H, W, 3) shots, which has less noise."""
    return np.asarray(np.rint(np.mean(shots, 0)), np.uint8)


def toned(plain: Plane, contrast: float) -> Plane:
    """Apply an S-shaped tone curve to values in [0, 1], with a weight of ``contrast``."""
    return np.asarray(plain + np.float32(contrast) * (plain * plain * (3 - 2 * plain) - plain))


def split(picture: Plane) -> list[Plane]:
    """Return luma and the two chroma planes of a float32 (H, W, 3) picture."""
    planes = cv2.split(cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb))
    return [np.asarray(plane, np.float32) for plane in planes]


def merged(*planes: Plane) -> Image:
    """Return the uint8 (H, W, 3) picture of luma and two chroma planes."""
    result = cv2.cvtColor(cv2.merge(planes), cv2.COLOR_YCrCb2RGB)
    return np.rint(np.clip(result, 0, 1) * 255).astype(np.uint8)


def softened(picture: Image, blur: float) -> Image:
    """Blur a uint8 (H, W, 3) picture by a standard deviation in pixels; 0 leaves it as it is."""
    return picture if blur == 0 else np.asarray(cv2.GaussianBlur(picture, (0, 0), blur), np.uint8)


def sharpened(plane: Plane, amount: float, radius: float) -> Plane:
    """Return a float32 (H, W) plane after an unsharp mask."""
    blurred = cv2.GaussianBlur(plane, (0, 0), radius)
    return np.asarray(plane + np.float32(amount) * (plane - blurred))


def jpeg(image: Image, quality: int) -> Image:
    """Return a picture after JPEG compression."""
    written, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert written
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB), np.uint8)


def mosaic(picture: Plane) -> Plane:
    """Keep one colour per pixel of float32 (H, W, 3): a Bayer mosaic, RGGB."""
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
"""From sRGB levels to linear light (IEC 61966-2-1), and back."""
