"""The Bjontegaard delta rate: how many percent fewer or more bytes for the same quality.

Method (Bjontegaard, VCEG-M33, 2001, with the interpolation of JCTVC-E137 and HSTP-VID-WPOM):

1. Each curve is a list of (rate, quality) points. The logarithm of the rate is interpolated over
   the quality by piecewise cubic Hermite polynomials (pchip, Fritsch and Carlson), which go
   through the points and add no wiggles of their own.
2. The quality interval is the one that both curves cover. With a range of rates given, each curve
   is first cut to it: a cut end's quality is the pchip of quality over log rate, at that rate.
   Of the points outside the range the two next to either end are used, and no others.
3. The difference of the two log rates is averaged over that interval (exactly: the integral of
   the polynomials), and its exponential, less 1, is the result in percent. Negative: the tested
   codec needs fewer bytes than the anchor.

Quality is in dB: PSNR, or -10 log10(1 - MS-SSIM). tests/test_bd_rate.py holds this against the
points and results of JCTVC-E137 and those of the package FAU-LMS/bjontegaard.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator  # type: ignore[import-untyped]

Point = tuple[float, float]
Floats = NDArray[np.float64]

NEIGHBOURS = 2  # a slope of pchip depends on the points on either side of it


def bd_rate_percent(
    anchor: Sequence[Point],
    test: Sequence[Point],
    *,
    rates: tuple[float, float] | None = None,
) -> float:
    """Return the rate of `test` against `anchor` at equal quality, in percent.

    anchor, test: (rate, quality in dB) points, at least two each, in any order; rate and quality
        must grow together. rates: (lowest, highest), to look at part of the curves only.

    Raises ValueError when a curve is not one, or when the two have no quality in common.
    """
    anchor_rates, anchor_quality = _curve(anchor, "anchor", rates)
    test_rates, test_quality = _curve(test, "test", rates)
    low_a, high_a = _covered(anchor_rates, anchor_quality, rates, "anchor")
    low_t, high_t = _covered(test_rates, test_quality, rates, "test")
    low, high = max(low_a, low_t), min(high_a, high_t)
    if not low < high:
        raise ValueError(
            f"anchor covers {low_a:.2f} to {high_a:.2f} dB and test {low_t:.2f} to {high_t:.2f}: "
            "nothing in common to compare; measure points at other rates"
        )
    difference = _mean_log_rate(test_rates, test_quality, low, high) - _mean_log_rate(
        anchor_rates, anchor_quality, low, high
    )
    return float(100 * np.expm1(difference))


def _curve(
    points: Sequence[Point], name: str, rates: tuple[float, float] | None
) -> tuple[Floats, Floats]:
    """Return log rates and qualities, sorted, after checking that they make a curve."""
    points = _near(sorted(points), rates)
    if len(points) < 2:
        raise ValueError(f"{name} has {len(points)} points; a curve needs at least 2: measure more")
    array = np.array(points, dtype=np.float64)
    if not np.isfinite(array).all() or array[0, 0] <= 0:
        raise ValueError(f"{name} has a rate of 0 or less, or a value that is not finite")
    for low, high in pairwise(array):
        if not (high > low).all():
            raise ValueError(
                f"{name} does not grow in rate and quality together, from ({low[0]:.4g}, "
                f"{low[1]:.4g} dB) to ({high[0]:.4g}, {high[1]:.4g} dB): leave one of them out"
            )
    return np.log(array[:, 0]), array[:, 1]


def _near(points: list[Point], rates: tuple[float, float] | None) -> list[Point]:
    """Leave out the points too far outside the rates to have any part in the interpolation."""
    if rates is None:
        return points
    first = sum(rate <= rates[0] for rate, _ in points) - NEIGHBOURS
    last = sum(rate < rates[1] for rate, _ in points) + NEIGHBOURS
    return points[max(first, 0) : last]


def _covered(
    log_rates: Floats, quality: Floats, rates: tuple[float, float] | None, name: str
) -> tuple[float, float]:
    """Return the lowest and highest quality of the curve inside the range of rates."""
    if rates is None:
        return float(quality[0]), float(quality[-1])
    low, high = np.log(rates[0]), np.log(rates[1])
    if log_rates[0] >= high or log_rates[-1] <= low:
        raise ValueError(f"{name} has no point near rates {rates[0]} to {rates[1]}: measure there")
    ends = np.clip([low, high], log_rates[0], log_rates[-1])
    first, last = PchipInterpolator(log_rates, quality)(ends)
    return float(first), float(last)


def _mean_log_rate(log_rates: Floats, quality: Floats, low: float, high: float) -> float:
    integral = PchipInterpolator(quality, log_rates).integrate(low, high)
    return float(integral) / (high - low)
