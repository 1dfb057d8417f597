"""Samples summed up, and as they are printed."""

from collections.abc import Sequence
from statistics import fmean, median

from venturi._percentiles import NEEDED, percentile

Summary = dict[str, float | None]


def summary(samples: Sequence[float]) -> Summary:
    """Return min, median, mean, max, and the percentiles that hold (``p50``, ``p99.9``)."""
    summed: Summary = {
        "min": min(samples),
        "median": median(samples),
        "mean": fmean(samples),
        "max": max(samples),
    }
    summed |= {f"p{percent:g}": percentile(samples, percent) for percent in NEEDED}
    return {name: None if value is None else round(value, 3) for name, value in summed.items()}


def shown(value: float | None, percent: float) -> str:
    """Return a percentile as it is printed."""
    return f"n/a (needs {NEEDED[percent]})" if value is None else readable(value)


def readable(value: float) -> str:
    """Return a number with a decimal, and more of them where it is small."""
    return f"{value:.{1 if value >= 10 or not value else 2 if value >= 1 else 3}f}"
