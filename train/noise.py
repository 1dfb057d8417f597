"""Noise as cameras make it, added to clean photographs.

Almost half of the crops get plain Gaussian noise, which is what denoisers are compared on. The
others get what a camera's pipeline leaves: shot and read noise in linear light, on the mosaic of
one colour per pixel, spread by the interpolation of the missing colours, white balance and gamma,
made coarser by the camera's own smoothing, above all its colour, then sharpened, and JPEG; on
pictures as soft as a lens and a mosaic make them.
NumPy and OpenCV only: a batch costs a few milliseconds.
"""

import math
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from train.photographs import Image

Plane = NDArray[np.float32]
Floating = TypeVar("Floating", bound=np.floating)

SIGMA_MAX = 55.0
"""Largest deviation of Gaussian noise, on the 0–255 scale."""

LEVEL_STRIDE = 4
"""Pixels of a picture for each value of its noise level map."""

_CLEAN_SHARE, _GAUSSIAN_SHARE = 0.04, 0.44
_SOFT_SHARE, _SMOOTHED_SHARE, _JPEG_SHARE = 0.9, 0.8, 0.6
_BLUR_MIN, _BLUR_MAX = 0.4, 1.8
_LEVEL_WINDOW = 9
_DETAIL_WINDOW = 5
_MEAN = np.full((1, 3), 1 / 3, np.float32)
_GREEN = np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]], np.float32) / 4
_RED_BLUE = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], np.float32) / 4


class Sensor(NamedTuple):
    """A sensor and its white balance.

    Attributes:
        shot, read: of its noise in linear light: variance = shot · signal + read, of full scale 1.
        red, blue: by how much the white balance multiplies these.
    """

    shot: float
    read: float
    red: float = 1.8
    blue: float = 1.6

    @classmethod
    def random(cls, rng: np.random.Generator) -> "Sensor":
        """Draw a sensor and its gain, as measured on real ones (Brooks et al., CVPR 2019, 3.1)."""
        log_shot = float(rng.uniform(math.log(1e-4), math.log(0.012)))
        log_read = 2.18 * log_shot + 1.20 + 0.26 * float(rng.standard_normal())
        red, blue = (float(rng.uniform(1.2, 2.4)) for _ in range(2))
        return cls(math.exp(log_shot), math.exp(log_read), red, blue)


class Smoothing(NamedTuple):
    """What a camera's own noise reduction and sharpening, or resizing, leave of the noise.

    Attributes:
        blur: deviation of the Gaussian that spreads the noise, in pixels.
        colour_blur: of the one that then spreads its colour.
        colour: what is left of the deviation of the colour, as a factor.
        fine: share of the noise's power that is not spread.
        sharpening: by how much of what a blur takes out of the brightness that is then sharpened.
    """

    blur: float
    colour_blur: float
    colour: float
    fine: float
    sharpening: float = 0.0

    @classmethod
    def random(cls, rng: np.random.Generator) -> "Smoothing":
        """Draw one: noise of real cameras is alike over several pixels (Zhou et al., AAAI 2020).

        Cameras smooth colour over more pixels than brightness, and sharpen brightness alone.
        """
        return cls(
            blur=math.exp(rng.uniform(math.log(0.4), math.log(2.0))),
            colour_blur=math.exp(rng.uniform(math.log(0.3), math.log(4.5))),
            colour=float(rng.uniform(0.3, 1.0)),
            fine=float(rng.uniform(0.0, 0.6)),
            sharpening=float(rng.uniform(0.0, 1.2)),
        )

    def of(self, noise: Plane) -> Plane:
        """Return float32 (H, W, 3) noise smoothed, its brightness as strong as it was."""
        coarse = _spread(noise, self.blur)
        mixed = np.float32(self.fine**0.5) * noise + np.float32((1 - self.fine) ** 0.5) * coarse
        grey = np.asarray(mixed.mean(2), np.float32)
        colour = _spread(mixed - grey[..., None], self.colour_blur)
        bright = _as_strong(sharpened(grey, self.sharpening), grey)
        return np.asarray(bright[..., None] + np.float32(self.colour) * colour, np.float32)


class Kind(NamedTuple):
    """A kind of noise and its strength, with the softness of the pictures that have it.

    Attributes:
        blur: deviation of the blur by lens and mosaic, in pixels; 0 is none.
        add: from a clean uint8 (H, W, 3) picture to a noisy one; each call adds other noise.
        of_camera: whether it is a camera's.
    """

    blur: float
    add: Callable[[Image, np.random.Generator], Image]
    of_camera: bool = False

    @classmethod
    def random(cls, rng: np.random.Generator) -> "Kind":
        """Draw none, Gaussian noise, or a camera's."""
        choice = rng.random()
        if choice < _CLEAN_SHARE:
            return cls(0.0, lambda clean, rng: clean.copy())
        if choice < _CLEAN_SHARE + _GAUSSIAN_SHARE:
            sigma = float(rng.uniform(0, SIGMA_MAX))
            return cls(0.0, lambda clean, rng: gaussian(clean, sigma, rng))
        sensor = Sensor.random(rng)
        blur = float(rng.uniform(_BLUR_MIN, _BLUR_MAX)) if rng.random() < _SOFT_SHARE else 0.0
        smoothing = Smoothing.random(rng) if rng.random() < _SMOOTHED_SHARE else None
        if rng.random() >= _JPEG_SHARE:
            return cls(blur, lambda clean, rng: camera(clean, sensor, rng, smoothing), True)
        quality = int(rng.integers(75, 99))

        def add(clean: Image, rng: np.random.Generator) -> Image:
            return jpeg(camera(clean, sensor, rng, smoothing), quality)

        return cls(blur, add, True)

    def soften(self, picture: Image) -> Image:
        """Return a sharp uint8 (H, W, 3) picture as it comes with this kind of noise.

        Photographs made smaller are sharp to the pixel; a sensor's own pixels are not, since it
        sees each colour at every second place and through a lens.
        """
        if self.blur == 0:
            return picture
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), self.blur), np.uint8)

    def pair(self, picture: Image, rng: np.random.Generator) -> tuple[Image, Image]:
        """Return (clean, noisy) of a sharp uint8 (H, W, 3) picture."""
        clean = self.soften(picture)
        return clean, self.add(clean, rng)


def gaussian(clean: Image, sigma: float, rng: np.random.Generator) -> Image:
    """Add independent Gaussian noise of deviation ``sigma`` (0–255 scale), clipped to uint8."""
    noise = rng.standard_normal(clean.shape, np.float32)
    noise *= sigma
    return np.asarray(cv2.add(clean, noise, dtype=cv2.CV_8U), np.uint8)  # rounds and clips


def camera(
    clean: Image, sensor: Sensor, rng: np.random.Generator, smoothing: Smoothing | None = None
) -> Image:
    """Add a camera's noise to a uint8 (H, W, 3) picture.

    Interpolating the mosaic is linear, so the noise alone goes through it and the picture keeps its
    detail: the network shall learn to denoise, not to sharpen.
    """
    linear = np.asarray(cv2.LUT(clean, LINEAR), np.float32)
    row, column = (int(v) for v in rng.integers(2, size=2))
    pattern = np.ones(clean.shape[:2], np.float32)  # of the white balance
    pattern[row::2, column::2] = sensor.red
    pattern[1 - row :: 2, 1 - column :: 2] = sensor.blue
    seen = mosaic(linear, row, column) / pattern
    noise = rng.standard_normal(seen.shape, np.float32)
    noise *= np.sqrt(sensor.shot * seen + sensor.read)
    colour = _demosaic(noise * pattern, row, column)
    linear += colour if smoothing is None else smoothing.of(colour)
    linear *= len(_GAMMA) - 1
    np.clip(linear, 0, len(_GAMMA) - 1, out=linear)
    return np.take(_GAMMA, linear.astype(np.int32))


def jpeg(image: Image, quality: int) -> Image:
    """Return what is left of a picture after JPEG."""
    written, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert written
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB), np.uint8)


def level(noisy: Image, clean: Image) -> Plane:
    """Return the deviation of the noise around each place, float32 (H/4, W/4), full scale 1."""
    height, width = clean.shape[:2]
    size = width // LEVEL_STRIDE, height // LEVEL_STRIDE
    difference = cv2.subtract(noisy, clean, dtype=cv2.CV_32F)
    power = cv2.resize(np.square(difference), size, interpolation=cv2.INTER_AREA).mean(2)
    power = cv2.blur(power, (_LEVEL_WINDOW, _LEVEL_WINDOW))
    return np.asarray(np.sqrt(power) / 255, np.float32)


def smoother(clean: Plane, deviation: Plane, strength: float) -> Plane:
    """Return what a denoiser should leave when the noise is claimed ``strength`` ≥ 1 times itself.

    Detail is shrunk as the Wiener filter of local statistics does (Lee, PAMI 1980) for the noise
    claimed beyond the true one, ``strength − 1`` times it: faint texture goes, edges stay.

    Args:
        clean: float32 (H, W, 3) in [0, 1].
        deviation: of the noise, float32 (H/4, W/4).
        strength: at least 1, where nothing changes.
    """
    height, width = clean.shape[:2]
    excess = np.square(cv2.resize(deviation, (width, height)) * np.float32(strength - 1))
    window = (_DETAIL_WINDOW, _DETAIL_WINDOW)
    mean = cv2.blur(clean, window)
    detail = clean - mean
    variance = cv2.transform(cv2.blur(np.square(detail), window), _MEAN)
    kept = variance / (variance + excess + np.float32(1e-8))
    return np.asarray(mean + detail * kept[..., None], np.float32)


def sharpened(plane: Plane, amount: float) -> Plane:
    """Return a float32 (H, W) plane after an unsharp mask."""
    return np.asarray(plane + np.float32(amount) * (plane - cv2.GaussianBlur(plane, (0, 0), 1.0)))


def coded(light: NDArray[Floating]) -> NDArray[Floating]:
    """Return linear light in [0, 1] in the code of sRGB (IEC 61966-2-1)."""
    large = 1.055 * light ** (1 / 2.4) - 0.055
    return np.where(light <= 0.0031308, light * 12.92, large).astype(light.dtype)


def mosaic(linear: Plane, row: int = 0, column: int = 0) -> Plane:
    """Keep one colour per pixel: red at (row, column), blue diagonal from it, else green."""
    plane = np.ascontiguousarray(linear[..., 1])
    plane[row::2, column::2] = linear[row::2, column::2, 0]
    plane[1 - row :: 2, 1 - column :: 2] = linear[1 - row :: 2, 1 - column :: 2, 2]
    return plane


def _demosaic(plane: Plane, row: int, column: int) -> Plane:
    """Interpolate the missing colours bilinearly."""
    red, green, blue = np.zeros_like(plane), plane.copy(), np.zeros_like(plane)
    for colour, r, c in ((red, row, column), (blue, 1 - row, 1 - column)):
        colour[r::2, c::2] = plane[r::2, c::2]
        green[r::2, c::2] = 0
    kernels = (red, _RED_BLUE), (green, _GREEN), (blue, _RED_BLUE)
    merged = cv2.merge([cv2.filter2D(colour, -1, kernel) for colour, kernel in kernels])
    return np.asarray(merged, np.float32)


def _spread(noise: Plane, blur: float) -> Plane:
    """Make noise coarser at the same deviation."""
    return _as_strong(np.asarray(cv2.GaussianBlur(noise, (0, 0), blur), np.float32), noise)


def _as_strong(changed: Plane, noise: Plane) -> Plane:
    """Return changed noise at the deviation that it had."""
    return np.asarray(changed * (noise.std() / max(float(changed.std()), 1e-9)), np.float32)


def _linear_table() -> Plane:
    v = np.arange(256) / 255
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4).astype(np.float32)


def _gamma_table(steps: int = 16384) -> Image:
    v = np.arange(steps) / (steps - 1)
    return np.asarray(np.rint(coded(v) * 255), np.uint8)


LINEAR = _linear_table()
"""Linear light of each level in the code of sRGB."""

_GAMMA = _gamma_table()
