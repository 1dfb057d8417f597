"""PSNR, SSIM and MS-SSIM between two pictures, with the definition of each written down.

All take uint8 pictures, (H, W, 3) RGB or (H, W) grey, of one shape, and the peak is 255.

- PSNR: 10 log10(255^2 / MSE), the MSE over every sample of the picture (all channels together).
- SSIM: Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity",
  2004: 11x11 Gaussian window of sigma 1.5, K1 = 0.01, K2 = 0.03, population covariance, the mean
  over the positions where the whole window is inside the picture, then over the channels.
- MS-SSIM: Wang et al., "Multiscale Structural Similarity for Image Quality Assessment", 2003: the
  same window at five scales, weights 0.0448, 0.2856, 0.3001, 0.2363, 0.1333, 2x2 mean between
  scales, for each channel of its own, then the mean over the channels.

Odd sides between scales, and negative contrast terms (taken as 0), follow pytorch-msssim.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Floats = NDArray[np.float64]

PEAK = 255.0
WINDOW = 11
SIGMA = 1.5
WEIGHTS: Sequence[float] = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def psnr_db(a: Picture, b: Picture) -> float:
    """Return the peak signal-to-noise ratio in dB; infinity for equal pictures.

    a, b: uint8 (H, W, 3) or (H, W), one shape.
    """
    _check(a, b)
    difference = a.astype(np.int32) - b.astype(np.int32)
    error = float(np.mean(np.square(difference), dtype=np.float64))
    return float("inf") if error == 0 else float(10 * np.log10(PEAK**2 / error))


def ssim(a: Picture, b: Picture) -> float:
    """Return the structural similarity, 1 for equal pictures.

    a, b: uint8 (H, W, 3) or (H, W), one shape, sides of at least 11 pixels.
    """
    _check(a, b)
    _check_sides(a)
    luminance, contrast = _terms(_planes(a), _planes(b))
    return float(np.mean(luminance * contrast))


def ms_ssim(a: Picture, b: Picture) -> float:
    """Return the multiscale structural similarity, in [0, 1], 1 for equal pictures.

    a, b: uint8 (H, W, 3) or (H, W), one shape, sides of at least 11 pixels. A picture too small
    for five scales (a side below 161) uses as many as the window fits into, with the weights of
    those scaled to sum 1.
    """
    _check(a, b)
    _check_sides(a)
    scales = scale_count(min(a.shape[:2]))
    weights = np.array(WEIGHTS[:scales]) / sum(WEIGHTS[:scales])
    x, y = _planes(a), _planes(b)
    result = np.ones(x.shape[2])
    for scale, weight in enumerate(weights):
        luminance, contrast = _terms(x, y)
        last = scale == scales - 1
        term = luminance * contrast if last else contrast
        result *= np.maximum(term.mean(axis=(0, 1)), 0) ** weight
        if not last:
            x, y = _halve(x), _halve(y)
    return float(result.mean())


def scale_count(side: int) -> int:
    """Return how many of the five scales fit a picture whose smaller side is `side` pixels."""
    return max(1, sum(side > (WINDOW - 1) << scale for scale in range(len(WEIGHTS))))


def decibels(similarity: float) -> float:
    """Return a similarity in [0, 1) on a logarithmic scale: -10 log10(1 - similarity)."""
    return float("inf") if similarity >= 1 else float(-10 * np.log10(1 - similarity))


def _check(a: Picture, b: Picture) -> None:
    for name, picture in (("a", a), ("b", b)):
        if picture.dtype != np.uint8 or not (
            picture.ndim == 2 or (picture.ndim == 3 and picture.shape[2] == 3)
        ):
            raise ValueError(
                f"{name} is {picture.dtype} {picture.shape}; "
                "expected uint8 (H, W, 3) or (H, W): convert it first"
            )
    if a.shape != b.shape:
        raise ValueError(f"a has shape {a.shape} and b {b.shape}: crop or resize them to one shape")


def _check_sides(picture: Picture) -> None:
    if min(picture.shape[:2]) < WINDOW:
        raise ValueError(
            f"picture is {picture.shape[1]}x{picture.shape[0]} (width x height); structural "
            f"similarity needs sides of at least {WINDOW} pixels: use PSNR for smaller ones"
        )


def _planes(picture: Picture) -> Floats:
    floats = picture.astype(np.float64)
    return floats[..., np.newaxis] if floats.ndim == 2 else floats


def _blur(planes: Floats) -> Floats:
    """Filter with the Gaussian window and keep the positions where it is inside the picture."""
    kernel = cv2.getGaussianKernel(WINDOW, SIGMA, cv2.CV_64F)
    blurred = cv2.sepFilter2D(planes, cv2.CV_64F, kernel, kernel, borderType=cv2.BORDER_REFLECT)
    border = WINDOW // 2
    shaped = np.asarray(blurred, np.float64).reshape(planes.shape)
    return shaped[border:-border, border:-border]


def _terms(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return the luminance term and the contrast-structure term of SSIM, per position."""
    c1, c2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2
    mean_x, mean_y = _blur(x), _blur(y)
    product, squares = mean_x * mean_y, mean_x**2 + mean_y**2
    variances = _blur(x * x + y * y) - squares
    covariance = _blur(x * y) - product
    luminance = (2 * product + c1) / (squares + c1)
    contrast = (2 * covariance + c2) / (variances + c2)
    return luminance, contrast


def _halve(planes: Floats) -> Floats:
    """Take 2x2 means; an odd side gets a row or column of zeros first on either end."""
    height, width = planes.shape[:2]
    padded = np.pad(planes, ((height % 2,) * 2, (width % 2,) * 2, (0, 0)))
    even = padded[: padded.shape[0] // 2 * 2, : padded.shape[1] // 2 * 2]
    return (even[0::2, 0::2] + even[1::2, 0::2] + even[0::2, 1::2] + even[1::2, 1::2]) / 4
