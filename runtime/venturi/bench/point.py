"""One point of the sweep: a subject at one size, with all its calls in every chosen scenario."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from venturi._engine.arrays import Pixels
from venturi._engine.observer import Observer
from venturi.bench import machine, peak, scenarios, stability
from venturi.bench.camera import camera
from venturi.bench.clock import Clock
from venturi.bench.cold import cold_start
from venturi.bench.percentiles import summary
from venturi.bench.scenarios import Call, Limits, Outcome
from venturi.bench.server import server
from venturi.bench.size import Size
from venturi.bench.split import Stopwatch, in_graphs_ms, split
from venturi.bench.subjects import Spec, Subject, opened
from venturi.bench.trace import (
    Node,
    computes_in_integers,
    kmac_per_pixel,
    operators,
    providers,
    trace,
)

Row = dict[str, Any]

SPLIT_RUNS = 11
TRACE_RUNS = 3
WARM_UP_S = 0.3
BOUND_CALLS = 3.0
"""The server's bound in median calls, where none is given."""


@dataclass(frozen=True)
class Load:
    """How the calls come.

    Attributes:
        scenarios: by name.
        seconds: each takes at least.
        streams: pictures at once in multi-stream, workers in offline.
        fps: of the camera.
        bound_ms: of the server; None takes BOUND_CALLS median calls.
    """

    scenarios: Sequence[str] = (scenarios.SINGLE_STREAM,)
    seconds: float = 5.0
    streams: int = 4
    fps: float = 30.0
    bound_ms: float | None = None


class Peaks:
    """The machine's peaks, measured once for each device and number of threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[tuple[str, str, int], float | None] = {}

    def get(self, kind: str, *, device: str, threads: int) -> float | None:
        """Return GMAC/s of ``fp32`` or ``int8``, or None where there is no such operator."""
        key = kind, device, threads
        if key not in self._known:
            measure = peak.int8_gmac_per_s if kind == "int8" else peak.fp32_gmac_per_s
            self._known[key] = measure(self._clock, device=device, threads=threads)
        return self._known[key]


@dataclass(frozen=True)
class Point:
    """What is measured where.

    Attributes:
        subject: opened.
        spec: that opened it.
        size: of the pictures.
        images: uint8 (H, W, 3) RGB of that size.
        load_average: of one minute, before anything ran.
    """

    subject: Subject
    spec: Spec
    size: Size
    images: Sequence[Pixels]
    load_average: float


def rows(
    point: Point, load: Load, clock: Clock, peaks: Peaks | None, say: Callable[[str], None]
) -> Iterator[Row]:
    """Measure all calls and yield their rows.

    Args:
        point: what to measure.
        load: how.
        clock: for the scenarios and the peaks.
        peaks: for the profile, or None to leave it out.
        say: takes a line about what is measured next.
    """
    error = point.subject.error(point.images)
    for name in point.subject.calls:
        values = point.subject.inputs(name, point.images)
        about = {
            "call": name,
            "size": str(point.size),
            "threads": point.spec.threads,
            "device": point.spec.device,
            "precision": point.subject.precision,
        }
        say(" ".join(map(str, about.values())))

        def call(number: int, name: str = name, values: Sequence[Any] = values) -> object:
            return point.subject.run(name, values[number % len(values)])

        measured = list(_scenarios(point, call, load, clock))
        facts = _facts(point, name, values, peaks) | {"error": error}
        for row in measured:
            yield about | row | facts


def _scenarios(point: Point, call: Call, load: Load, clock: Clock) -> Iterator[Row]:
    warm_up_calls = scenarios.warm_up(call, clock, seconds=WARM_UP_S)
    for name in load.scenarios:
        before = stability.work()
        outcome = _outcome(name, call, load, clock)
        others = stability.other_cpus(before, stability.work())
        busy = stability.is_busy(
            others,
            point.load_average,
            threads=point.spec.threads,
            cpus=machine.usable_cpus(),
        )
        verdict = stability.verdict(outcome.samples_ms, busy=busy) | {"other_cpus": others}
        yield {
            "scenario": name,
            "samples": len(outcome.samples_ms),
            "warm_up_calls": warm_up_calls,
            "latency_ms": summary(outcome.samples_ms) if outcome.samples_ms else None,
            "samples_ms": [round(sample, 3) for sample in outcome.samples_ms],
            "throughput": _throughput(outcome, point.size),
            "load": dict(outcome.load),
            "stability": verdict,
        }


def _outcome(name: str, call: Call, load: Load, clock: Clock) -> Outcome:
    limits = Limits(load.seconds)
    if name == scenarios.SINGLE_STREAM:
        return scenarios.single_stream(call, clock, limits)
    if name == scenarios.CAMERA:
        return camera(call, clock, limits, fps=load.fps)
    if name == scenarios.SERVER:
        service_ms = scenarios.single_stream(call, clock, Limits(load.seconds / 2)).samples_ms
        middle = sorted(service_ms)[len(service_ms) // 2]
        bound_ms = load.bound_ms or round(BOUND_CALLS * middle, 3)
        return server(call, clock, service_ms, bound_ms=bound_ms)
    concurrent = {
        scenarios.MULTI_STREAM: scenarios.multi_stream,
        scenarios.OFFLINE: scenarios.offline,
    }
    with ThreadPoolExecutor(load.streams) as pool:

        def batch(numbers: Sequence[int]) -> None:
            for _ in pool.map(call, numbers):
                pass

        return concurrent[name](batch, clock, limits, streams=load.streams)


def _throughput(outcome: Outcome, size: Size) -> dict[str, float] | None:
    if not outcome.pictures:
        return None
    rate = outcome.pictures / outcome.seconds
    return {
        "pictures_per_s": round(rate, 3),
        "megapixels_per_s": round(rate * size.pixels / 1e6, 3),
    }


def _facts(point: Point, name: str, values: Sequence[Any], peaks: Peaks | None) -> Row:
    """Return what does not depend on the scenario: parts, memory, providers, operators."""
    stopwatch = Stopwatch()
    parts, _ = split(_call(point, name, values[0], stopwatch), stopwatch, runs=SPLIT_RUNS)
    cold = cold_start(point.spec, name, values[0])
    traced = partial(_call, point, name, values[0])
    calls = trace(traced, runs=TRACE_RUNS)
    profile = None
    if peaks is not None:
        (counted,) = trace(traced, runs=1, shapes=True)
        profile = {
            "operators": operators(calls, counted, pixels=point.size.pixels),
            "roofline": _roofline(point, counted, parts, peaks),
        }
    return {
        "split_ms": parts,
        "memory_mb": cold.memory_mb,
        "cold_start_ms": cold.times_ms,
        "providers": providers(calls[0]),
        "profile": profile,
    }


def _call(point: Point, name: str, value: Any, observer: Observer) -> Callable[[], object]:
    """Return a call of a point's subject, opened anew and under an observer."""
    return partial(opened(point.spec, observer).run, name, value)


def _roofline(
    point: Point, nodes: Sequence[Node], parts: Mapping[str, float], peaks: Peaks
) -> dict[str, Any]:
    kind = "int8" if computes_in_integers(nodes) else "fp32"
    best = peaks.get(kind, device=point.spec.device, threads=point.spec.threads)
    macs = sum(node.macs for node in nodes)
    reached = macs / in_graphs_ms(dict(parts)) / 1e6
    return {
        "kmac_per_pixel": kmac_per_pixel(nodes, pixels=point.size.pixels),
        "gmac_per_s": round(reached, 2),
        "peak_gmac_per_s": best,
        "peak_kind": kind,
        "fraction": None if best is None else round(reached / best, 4),
    }
