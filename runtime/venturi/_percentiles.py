"""Percentiles that say when they have too few samples to mean anything.

The fewest samples follow the early-stopping rule of MLPerf's inference benchmark: so many that, at
99 % confidence, at least two of them lie above the true percentile.
"""

from collections.abc import Mapping, Sequence

import numpy as np

NEEDED: Mapping[float, int] = {50: 11, 90: 64, 95: 130, 99: 662, 99.9: 6636}
"""The fewest samples, by percentile."""


def percentile(samples: Sequence[float], percent: float) -> float | None:
    """Return a percentile of the samples (linear interpolation), or None with too few of them."""
    if len(samples) < NEEDED[percent]:
        return None
    return float(np.percentile(np.asarray(samples, np.float64), percent))
