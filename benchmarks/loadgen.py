"""MLPerf's LoadGen beside our own clock: the single-stream p90 of the same calls.

    round 1   64 queries ours, 64 LoadGen's        our turn: what ``venturi bench`` runs
    round 2   64 queries LoadGen's, 64 ours        LoadGen's: a whole test of its own, with its p90
    ...

A machine drifts, and other work comes and goes: so the turns are as short as a p90 allows, each
clock is first in every other round, and the two p90s of a round are compared with each other alone.
The difference is the median over the rounds: a burst of other work in a few of them does not move
it, while a p90 of all samples together would be what the burst made of it. LoadGen is a package of
its own (mlcommons-loadgen); without it there is nothing to compare with.
"""

import argparse
import math
import re
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.results import record
from venturi._percentiles import NEEDED, percentile
from venturi.bench import machine, pictures
from venturi.bench.arguments import add_subject
from venturi.bench.clock import WallClock
from venturi.bench.scenarios import Call, Limits, single_stream, warm_up
from venturi.bench.subjects import opened
from venturi.bench.sweep import Options

PERCENT = 90
TOLERANCE = 0.05
ROUNDS = 10

_SUMMARY = "mlperf_log_summary.txt"
_P90 = re.compile(rf"^{PERCENT}\.00 percentile latency \(ns\)\s*:\s*(\d+)$", re.MULTILINE)


@record
class Rounds:
    """Turns of both clocks: medians over the rounds, and the p90s of each round, in ms."""

    rounds: int
    queries: int
    p90_ms: float
    loadgen_p90_ms: float
    difference: float
    p90_ms_by_round: list[float]
    loadgen_p90_ms_by_round: list[float]
    load_average: list[float]


@record
class Comparison(Rounds):
    """The same of one call of a subject."""

    name: str
    call: str
    size: str
    threads: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the arguments of the comparison."""
    add_subject(parser)


def run(arguments: argparse.Namespace) -> int:
    """Compare and print; return 1 when the clocks differ by more than the tolerance.

    Raises ValueError when LoadGen is not installed.
    """
    if not present():
        raise ValueError("MLPerf LoadGen is not installed: pip install mlcommons-loadgen")
    compared = compare(
        Options(
            arguments.subject,
            decoder=arguments.decoder,
            sizes=arguments.size,
            threads=arguments.threads,
            images=arguments.images,
            quality=arguments.quality,
        )
    )
    print(text(compared))
    return int(abs(compared.difference) > TOLERANCE)


def present() -> bool:
    """Tell whether LoadGen is installed."""
    try:
        import mlperf_loadgen  # noqa: F401
    except ImportError:
        return False
    return True


def compare(options: Options, *, rounds: int = ROUNDS) -> Comparison:
    """Time the subject's first call both ways and return the p90s and their difference.

    Args:
        options: the first of each list is taken.
        rounds: of a turn for each clock.

    Raises:
        ImportError: LoadGen is not installed.
        VenturiError: the subject cannot be opened.
    """
    spec = next(options.specs())
    subject = opened(spec)
    size = options.sizes[0] if options.sizes else subject.default_size
    name = subject.calls[0]
    images = [pictures.fitted(image, *size) for image in options.source()]
    values = subject.inputs(name, images)
    timed = turns(lambda number: subject.run(name, values[number % len(values)]), rounds=rounds)
    return Comparison(
        **vars(timed), name=subject.name, call=name, size=str(size), threads=spec.threads
    )


def turns(call: Call, *, rounds: int, queries: int = NEEDED[PERCENT]) -> Rounds:
    """Let both clocks time a call in turn; the figures are medians over the rounds."""
    load = machine.load_average()
    warm_up(call, WallClock(), seconds=0.3)
    ours: list[float] = []
    theirs: list[float] = []
    clocks = ((our_p90_ms, ours), (their_p90_ms, theirs))
    for number in range(rounds):
        for measured, p90s in clocks if number % 2 == 0 else reversed(clocks):
            p90s.append(round(measured(call, queries=queries), 4))
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    return Rounds(
        rounds=rounds,
        queries=queries,
        p90_ms=round(median(ours), 3),
        loadgen_p90_ms=round(median(theirs), 3),
        difference=round(median(ratios) - 1, 4),
        p90_ms_by_round=ours,
        loadgen_p90_ms_by_round=theirs,
        load_average=load,
    )


def our_p90_ms(call: Call, *, queries: int) -> float:
    """Return the p90 as ``venturi bench`` measures it."""
    timed = single_stream(call, WallClock(), Limits(0, samples=queries, most_seconds=math.inf))
    value = percentile(timed.samples_ms, PERCENT)
    if value is None:
        raise ValueError(f"queries is {queries}; expected at least {NEEDED[PERCENT]}: raise it")
    return value


def their_p90_ms(call: Call, *, queries: int) -> float:
    """Return the p90 as LoadGen measures it in its single-stream scenario."""
    import mlperf_loadgen as lg

    count = 0

    def issue(samples: Sequence[Any]) -> None:
        nonlocal count
        for sample in samples:
            call(count)
            count += 1
            lg.QuerySamplesComplete([lg.QuerySampleResponse(sample.id, 0, 0)])

    settings = lg.TestSettings()
    settings.scenario = lg.TestScenario.SingleStream
    settings.mode = lg.TestMode.PerformanceOnly
    settings.min_query_count = settings.max_query_count = queries
    settings.min_duration_ms = 0
    with TemporaryDirectory() as folder:
        system = lg.ConstructSUT(issue, _nothing)
        library = lg.ConstructQSL(1, 1, _nothing, _nothing)
        try:
            lg.StartTestWithLogSettings(system, library, settings, _logs(folder), "")
        finally:
            lg.DestroyQSL(library)
            lg.DestroySUT(system)
        summary = (Path(folder) / _SUMMARY).read_text(encoding="utf-8")
    return parsed_p90_ms(summary)


def parsed_p90_ms(summary: str) -> float:
    """Return the p90 of LoadGen's summary.

    Raises ValueError when it has none.
    """
    match = _P90.search(summary)
    if match is None:
        raise ValueError(f"LoadGen's summary has no p{PERCENT} in ns: {summary[:300]!r}")
    return int(match[1]) / 1e6


def text(compared: Comparison) -> str:
    """Return a comparison as people read it."""
    return (
        f"{compared.name} {compared.call} {compared.size}, threads: {compared.threads}, "
        f"single-stream p90: ours {compared.p90_ms:.3f} ms, "
        f"LoadGen {compared.loadgen_p90_ms:.3f} ms, {compared.difference:+.1%} "
        f"(medians of {compared.rounds} rounds of {compared.queries} queries each, "
        f"load average {compared.load_average[0]} before)"
    )


def _logs(folder: str) -> Any:
    import mlperf_loadgen as lg

    settings = lg.LogSettings()
    output = lg.LogOutputSettings()
    output.outdir = folder
    output.copy_summary_to_stdout = False
    settings.log_output = output
    settings.enable_trace = False
    return settings


def _nothing(*_: object) -> None:
    """Load or unload samples: they are in memory from the start."""
