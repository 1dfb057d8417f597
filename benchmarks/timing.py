"""Calls timed in turn, for the benchmarks that set several methods side by side."""

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median

from benchmarks.results import Times
from venturi._percentiles import percentile


def milliseconds(call: Callable[[], object]) -> float:
    """Return how long one call took, in ms of wall time."""
    start = time.perf_counter_ns()
    call()
    return (time.perf_counter_ns() - start) / 1e6


def summary(samples_ms: Sequence[float]) -> Times:
    """Return the number of samples, their plain median in ms, and the percentiles that hold.

    The plain median is there however few the samples are; `samples` says how few.
    """
    p50, p90, p99 = (percentile(samples_ms, percent) for percent in (50, 90, 99))
    return Times(
        samples=len(samples_ms),
        median_ms=round(median(samples_ms), 3),
        p50_ms=_rounded(p50),
        p90_ms=_rounded(p90),
        p99_ms=_rounded(p99),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def interleaved(
    calls: Mapping[str, Callable[[], object]], *, runs: int, warm_up: int = 2
) -> dict[str, list[float]]:
    """Time several calls in turn, so that a disturbance of the machine meets them all.

    Returns the samples of each, in ms, `runs` of them after `warm_up` that are not kept.
    """
    samples: dict[str, list[float]] = {name: [] for name in calls}
    for run in range(warm_up + runs):
        for name, call in calls.items():
            took = milliseconds(call)
            if run >= warm_up:
                samples[name].append(took)
    return samples
