"""What the clock of ``venturi bench`` itself costs, on a fake model of exactly known time."""

import math

from benchmarks.results import record
from venturi.bench.clock import MILLISECOND, Clock, WallClock
from venturi.bench.scenarios import Limits, single_stream

MODEL_MS = 1.0
CALLS = 2000


@record
class Cost:
    """What each call costs beyond the fake model of `model_ms`."""

    model_ms: float
    calls: int
    overhead_us: float
    share_of_1_ms: float


def cost(*, calls: int | None = None, clock: Clock | None = None) -> Cost:
    """Return the time of a single-stream run that is not the model's, for each call.

    The fake model waits for 1 ms and records how long that really was; what the run took beyond
    the sum of these times is the harness. A pause of the machine counts only if it falls between
    calls.
    """
    clock = clock or WallClock()
    spent = 0

    def model(_: int) -> None:
        nonlocal spent
        start = clock.now()
        clock.sleep_until(start + round(MODEL_MS * MILLISECOND))
        spent += clock.now() - start

    before = clock.now()
    timed = single_stream(model, clock, Limits(0, samples=calls or CALLS, most_seconds=math.inf))
    outside_ns = clock.now() - before - spent
    each_us = outside_ns / len(timed.samples_ms) / 1000
    return Cost(
        model_ms=MODEL_MS,
        calls=len(timed.samples_ms),
        overhead_us=round(each_us, 3),
        share_of_1_ms=round(each_us / 1000 / MODEL_MS, 6),
    )
