"""Scenarios, as in MLPerf: when a model is called. They know a callable and a clock, no models.

    single-stream   the next call begins when the last has ended
    multi-stream    the same with a batch of pictures at once; a sample is the whole batch
    offline         all pictures are there from the start; what counts is how many a second
    server          calls arrive at random (Poisson) and wait in a queue      (see ``server``)
    camera          frames arrive at a fixed rate and do not wait             (see ``camera``)

A call takes the number of the query, from which it chooses its input.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from venturi.bench.clock import MILLISECOND, SECOND, Clock

Call = Callable[[int], object]
Batch = Callable[[Sequence[int]], object]

SINGLE_STREAM, MULTI_STREAM, OFFLINE = "single-stream", "multi-stream", "offline"
SERVER, CAMERA = "server", "camera"
NAMES = (SINGLE_STREAM, MULTI_STREAM, OFFLINE, SERVER, CAMERA)


@dataclass(frozen=True)
class Limits:
    """How long a scenario runs.

    Attributes:
        seconds: at least.
        samples: at least, unless it takes too long.
        most_seconds: then it ends with the samples that there are; None is four times ``seconds``.
    """

    seconds: float
    samples: int = 64
    most_seconds: float | None = None

    def reached(self, elapsed_ns: int, samples: int) -> bool:
        """Return whether a scenario has run long enough; False before the first sample."""
        seconds = elapsed_ns / SECOND
        most = 4 * self.seconds if self.most_seconds is None else self.most_seconds
        enough = seconds >= self.seconds and samples >= self.samples
        return samples > 0 and (enough or seconds >= most)


@dataclass(frozen=True)
class Outcome:
    """What a scenario measured.

    Attributes:
        samples_ms: in order.
        pictures: finished.
        seconds: from the first call to the end of the last.
        load: what the scenario was set to and found, by the names of runtime/BENCH.md.
    """

    samples_ms: list[float]
    pictures: int
    seconds: float
    load: Mapping[str, Any] = field(default_factory=dict)


def warm_up(call: Call, clock: Clock, *, seconds: float, calls: int = 3) -> int:
    """Call for some time and at least some times; return how often it was."""
    start, count = clock.now(), 0
    while count < calls or clock.now() - start < seconds * SECOND:
        call(count)
        count += 1
    return count


def single_stream(call: Call, clock: Clock, limits: Limits) -> Outcome:
    """Call again and again, each time when the last call has ended."""
    samples: list[int] = []
    now, reached = clock.now, limits.reached
    start = end = now()
    while not reached(end - start, len(samples)):
        before = now()
        call(len(samples))
        end = now()
        samples.append(end - before)
    return Outcome(_in_ms(samples), len(samples), (end - start) / SECOND)


def multi_stream(batch: Batch, clock: Clock, limits: Limits, *, streams: int) -> Outcome:
    """Call with ``streams`` pictures at once, again and again."""

    def query(number: int) -> None:
        batch(range(number * streams, (number + 1) * streams))

    outcome = single_stream(query, clock, limits)
    load = {"streams": streams, "batch": streams}
    return Outcome(outcome.samples_ms, outcome.pictures * streams, outcome.seconds, load)


def offline(batch: Batch, clock: Clock, limits: Limits, *, streams: int) -> Outcome:
    """Hand over pictures in batches so large that no worker waits at their ends for long."""
    outcome = multi_stream(batch, clock, limits, streams=streams * 4)
    load = {"streams": streams, "batch": streams * 4}
    return Outcome(outcome.samples_ms, outcome.pictures, outcome.seconds, load)


def _in_ms(samples_ns: Sequence[int]) -> list[float]:
    return [sample / MILLISECOND for sample in samples_ns]
