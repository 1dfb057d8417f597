"""The figures of a results file that can get better or worse, and what is only noise in each."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

TIME_NOISE = 0.10
"""Share of a time that a second run on an idle machine may differ by."""

PSNR_NOISE_DB = 0.03
RATE_NOISE_PERCENT = 0.5
ARITHMETIC_NOISE = 0.01
ERROR_NOISE = 0.005
MEMORY_NOISE = 0.10
COLD_NOISE = 0.25

_DEVIATIONS = 2.58  # of a normal distribution: 99 % lie within


@dataclass(frozen=True)
class Figure:
    """One figure of a results file.

    noise: up to here a change means nothing, in the figure's unit, or as a share of the old value
    where `relative`. spread: half the width of its 99 % confidence interval as a share of it, where
    that is known. timed: whether it counts only on one machine that does nothing else. steady:
    whether the run was stable.
    """

    name: str
    value: float
    noise: float
    relative: bool = False
    higher_is_better: bool = False
    timed: bool = False
    spread: float = 0.0
    steady: bool = True


def milliseconds(name: str, value: float, *, spread: float = 0.0, steady: bool = True) -> Figure:
    """Return a time; less is better. The unit is the name's."""
    return Figure(name, value, TIME_NOISE, relative=True, timed=True, spread=spread, steady=steady)


def decibels(name: str, value: float) -> Figure:
    """Return a PSNR; more is better."""
    return Figure(name, value, PSNR_NOISE_DB, higher_is_better=True)


def interval(samples: Sequence[float], percent: float) -> float:
    """Return the width of the 99 % confidence interval of a percentile, from the order of samples.

    The rank of a percentile is binomial, whatever the distribution of the samples is.
    """
    ordered, share = sorted(samples), percent / 100
    centre = share * len(ordered)
    margin = _DEVIATIONS * math.sqrt(len(ordered) * share * (1 - share))
    low = max(math.floor(centre - margin), 0)
    high = min(math.ceil(centre + margin), len(ordered) - 1)
    return ordered[high] - ordered[low]
