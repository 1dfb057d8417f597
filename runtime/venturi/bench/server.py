"""A server: calls arrive at random, wait their turn, and must be answered in time.

Arrivals are Poisson, one worker takes them in order, and latency runs from the arrival. The highest
rate whose percentile holds a bound is searched on a virtual clock first, with the times of real
calls; a real run then has to confirm it, and each that does not lowers the rate.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from venturi._percentiles import NEEDED, percentile
from venturi.bench.clock import MILLISECOND, SECOND, Clock, VirtualClock
from venturi.bench.scenarios import Call, Outcome

PERCENT = 99
SIMULATED = 20_000
TRIALS = 5
STEP = 0.9
_HALVINGS = 12


def arrivals(call: Call, clock: Clock, *, rate_per_s: float, queries: int, seed: int) -> Outcome:
    """Answer ``queries`` Poisson arrivals of a rate, in order, one at a time."""
    gaps = np.random.default_rng(seed).exponential(SECOND / rate_per_s, queries)
    start = end = clock.now()
    samples: list[float] = []
    for number, offset in enumerate(np.cumsum(gaps)):
        due = start + round(offset)
        clock.sleep_until(due)
        call(number)
        end = clock.now()
        samples.append((end - due) / MILLISECOND)
    return Outcome(samples, queries, (end - start) / SECOND)


def simulated_rate(service_ms: Sequence[float], *, bound_ms: float) -> float | None:
    """Return the highest rate, per second, whose percentile holds in a simulation.

    Args:
        service_ms: what single calls took; the simulated ones take these in a random order.
        bound_ms: what the percentile must not exceed.

    Returns:
        None when not even calls without a queue hold the bound.
    """
    order = np.random.default_rng(0).integers(len(service_ms), size=SIMULATED)
    times = np.asarray(service_ms)[order].tolist()

    def holds(rate: float) -> bool:
        clock = VirtualClock()
        outcome = arrivals(
            lambda number: clock.pass_ms(times[number]),
            clock,
            rate_per_s=rate,
            queries=SIMULATED,
            seed=1,
        )
        return _holds(outcome.samples_ms, bound_ms)

    if not _holds(times, bound_ms):
        return None
    low, high = 0.0, 1000 / (sum(service_ms) / len(service_ms))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low or None


def server(call: Call, clock: Clock, service_ms: Sequence[float], *, bound_ms: float) -> Outcome:
    """Find the highest rate that holds the bound, and confirm it with real calls.

    Args:
        call: takes the number of the query.
        clock: says when calls arrive.
        service_ms: what single calls took just before.
        bound_ms: what the percentile must not exceed.

    Returns:
        The samples of the last trial: the one that held, if any.
    """
    rate = simulated_rate(service_ms, bound_ms=bound_ms)
    trials: list[dict[str, Any]] = []
    outcome, held = Outcome([], 0, 0.0), None
    while rate is not None and held is None and len(trials) < TRIALS:
        queries = NEEDED[PERCENT]
        outcome = arrivals(call, clock, rate_per_s=rate, queries=queries, seed=2 + len(trials))
        if _holds(outcome.samples_ms, bound_ms):
            held = round(rate, 3)
        trials.append(
            {
                "rate_per_s": round(rate, 3),
                "held": held is not None,
                "samples": queries,
                "p99_ms": _rounded(percentile(outcome.samples_ms, PERCENT)),
            }
        )
        rate *= STEP
    load = {"bound_ms": bound_ms, "percentile": PERCENT, "rate_per_s": held, "trials": trials}
    return Outcome(outcome.samples_ms, outcome.pictures, outcome.seconds, load)


def _holds(samples_ms: Sequence[float], bound_ms: float) -> bool:
    value = percentile(samples_ms, PERCENT)
    return value is not None and value <= bound_ms


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
