"""Percentiles that say when they have too few samples to mean anything.

The fewest samples follow the early-stopping rule of MLPerf's inference benchmark: so many that, at
99 % confidence, at least two of them lie above the true percentile.
"""

from collections.abc import Mapping, Sequence
from statistics import fmean, median

import numpy as np

NEEDED: Mapping[float, int] = {50: 11, 90: 64, 95: 130, 99: 662, 99.9: 6636}
"""The fewest samples, by percentile."""

Summary = dict[str, float | None]


def percentile(samples: Sequence[float], percent: float) -> float | None:
    """Return a percentile of the samples (linear interpolation), or None with too few of them."""
    if len(samples) < NEEDED[percent]:
        return None
    return float(np.percentile(np.asarray(samples, np.float64), percent))


def summary(samples: Sequence[float]) -> Summary:
    """Return min, median, mean, max, and the percentiles that hold (``p50``, ``p99.9``)."""
    found: dict[str, float | None] = {
        "min": min(samples),
        "median": median(samples),
        "mean": fmean(samples),
        "max": max(samples),
    }
    found |= {f"p{percent:g}": percentile(samples, percent) for percent in NEEDED}
    return {name: None if value is None else round(value, 3) for name, value in found.items()}


def shown(value: float | None, percent: float) -> str:
    """Return a percentile as it is printed."""
    return f"n/a (needs {NEEDED[percent]})" if value is None else readable(value)


def readable(value: float) -> str:
    """Return a number with a decimal, and more of them where it is small."""
    return f"{value:.{1 if value >= 10 or not value else 2 if value >= 1 else 3}f}"
