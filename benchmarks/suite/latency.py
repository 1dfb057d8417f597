"""What a bundle costs on this machine, as ``venturi bench`` measures it, kept as results.

Beside the rows of the bench, which runtime/BENCH.md describes, the file has what the harness itself
costs and what MLPerf's LoadGen says of the same calls.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks import charts, harness, loadgen, results
from benchmarks.figures import (
    ARITHMETIC_NOISE,
    COLD_NOISE,
    MEMORY_NOISE,
    Figure,
    decibels,
    interval,
    milliseconds,
)  # fmt: skip
from benchmarks.harness import Cost
from benchmarks.loadgen import Comparison
from benchmarks.options import option
from benchmarks.pieces import Conditions, Note, Piece, Plots, Table
from benchmarks.registry import Arguments, Benchmark
from benchmarks.results import Machine, record
from venturi._percentiles import NEEDED
from venturi.bench import command, sweep
from venturi.bench.arguments import add_arguments
from venturi.bench.scenarios import CAMERA, OFFLINE, SINGLE_STREAM

PERCENTS = (50, 90, 99)

Numbers = dict[str, float | None]


@dataclass(frozen=True)
class Options:
    """What to measure.

    bench: what ``venturi bench`` is asked for. json: as for every benchmark.
    """

    bench: sweep.Options = option("what venturi bench is asked for")
    json: Path | None = option("file for the results", None)


@record
class Subject:
    """What was measured. settings: what the calls were given, such as `quality`."""

    kind: str
    name: str
    fingerprint: str
    settings: dict[str, float | str]


@record
class Inputs:
    """The pictures: where they are from and how many."""

    source: str
    pictures: int
    note: str


@record
class Failure:
    """A point of the sweep that could not run."""

    size: str
    threads: int
    device: str
    precision: str | None
    reason: str


@record
class NoLoad:
    """Single-stream: nothing is set."""


@record
class StreamLoad:
    """Multi-stream and offline: workers, and pictures in a sample."""

    streams: int
    batch: int


@record
class Trial:
    """One rate that a server was tried at."""

    rate_per_s: float
    held: bool
    samples: int
    p99_ms: float | None


@record
class ServerLoad:
    """Server: rate_per_s is the highest whose percentile holds the bound, None if none does."""

    bound_ms: float
    percentile: float
    rate_per_s: float | None
    trials: list[Trial]


@record
class CameraLoad:
    """Camera: frames that came, frames dropped, and the age of the newest in ms."""

    fps: float
    frames: int
    dropped: int
    age_ms: Numbers


@record
class Stability:
    """Whether the run was stable. other_cpus: how many processors other work kept busy."""

    verdict: str
    windows_ms: list[float]
    spread: float | None
    other_cpus: float | None


@record
class Operator:
    """The time of an operator of a graph for each call, and its share of all."""

    graph: str
    op: str
    nodes: int
    ms: float
    share: float
    kmac_per_pixel: float | None


@record
class Roofline:
    """What the graphs reach, and a matrix product on the same device and threads."""

    kmac_per_pixel: float | None
    gmac_per_s: float | None
    peak_gmac_per_s: float
    peak_kind: str
    fraction: float | None


@record
class Profile:
    """Time by operator, the most expensive first, and the roofline."""

    operators: list[Operator]
    roofline: Roofline | None


@record
class Row:
    """One point of the sweep; runtime/BENCH.md says what each field is."""

    call: str
    size: str
    threads: int
    device: str
    precision: str
    scenario: str
    samples: int
    warm_up_calls: int
    latency_ms: Numbers
    samples_ms: list[float]
    throughput: Numbers | None
    load: NoLoad | StreamLoad | ServerLoad | CameraLoad
    stability: Stability | None
    split_ms: Numbers | None
    error: Numbers | None
    memory_mb: float | None
    cold_start_ms: Numbers | None
    providers: dict[str, dict[str, int]] | None
    profile: Profile | None

    @property
    def percentiles(self) -> dict[str, float]:
        """The percentiles that have enough samples, by name."""
        named = {f"p{percent}": self.latency_ms.get(f"p{percent}") for percent in PERCENTS}
        return {name: value for name, value in named.items() if value is not None}

    @property
    def cold_ms(self) -> float:
        """The whole cold start, 0 where it was not measured."""
        return sum(value or 0.0 for value in (self.cold_start_ms or {}).values())

    @property
    def psnr_db(self) -> float | None:
        """The PSNR of what comes out, None where there is none."""
        return (self.error or {}).get("psnr_db")

    @property
    def roofline(self) -> Roofline | None:
        """The roofline of the profile, where there is one."""
        return self.profile.roofline if self.profile else None

    @property
    def shown_size(self) -> str:
        """The size as people read it."""
        return self.size.replace("x", "×")

    @property
    def shown_threads(self) -> str:
        """The threads as people read them."""
        return f"{self.threads} thread{'' if self.threads == 1 else 's'}"


@record
class Result:
    """What ``venturi bench`` writes, whose version is `schema`, with two fields more."""

    schema: Literal[1] = 1
    benchmark: Literal["latency"] = "latency"
    started: str
    machine: Machine
    subject: Subject
    inputs: Inputs
    rows: list[Row]
    failures: list[Failure]
    notes: list[str]
    harness: Cost | None
    loadgen: Comparison | None


def _add(parser: argparse.ArgumentParser) -> None:
    add_arguments(parser)
    parser.set_defaults(profile=True, scenario=(SINGLE_STREAM, OFFLINE, CAMERA))


def _read(arguments: argparse.Namespace) -> Options:
    return Options(command.options(arguments), arguments.json)


def measure(options: Options) -> Result:
    """Measure everything."""
    own = harness.cost()
    swept = sweep.measure(options.bench, say=command.say)
    beside = loadgen.compare(options.bench) if loadgen.present() else None
    return results.checked(
        Result, {**swept, "harness": vars(own), "loadgen": vars(beside) if beside else None}
    )


def figures(result: Result) -> Iterator[Figure]:
    """Yield what can get better or worse."""
    for row in result.rows:
        keys = (row.call, row.size, row.threads, row.device, row.precision, row.scenario)
        name = " ".join(map(str, keys))
        steady = row.stability is None or row.stability.verdict == "stable"
        if row.psnr_db is not None:
            yield decibels(f"{name} PSNR, dB", row.psnr_db)
        for words, value, noise in (
            ("memory, MB", row.memory_mb, MEMORY_NOISE),
            ("kMAC per pixel", row.roofline and row.roofline.kmac_per_pixel, ARITHMETIC_NOISE),
        ):
            if value:
                yield Figure(f"{name} {words}", value, noise, relative=True)
        for percent in PERCENTS:
            time = row.percentiles.get(f"p{percent}")
            if time is not None:
                spread = interval(row.samples_ms, percent) / 2 / time
                yield milliseconds(f"{name} p{percent}, ms", time, spread=spread, steady=steady)
        if row.cold_ms:
            label = f"{name} cold start, ms"
            yield Figure(label, row.cold_ms, COLD_NOISE, relative=True, timed=True, steady=steady)


def pieces(result: Result, place: Path) -> list[Piece]:
    """Return what the results are shown in."""
    del place
    named = _named(result.rows)
    samples = {name: row.samples_ms for name, row in named.items()}
    marks = {name: row.percentiles for name, row in named.items()}
    title = f"Every sample, {result.subject.name}"
    operators = _operator_rows(named)
    return [
        Note(_subject(result)),
        *map(Note, _own_cost(result)),
        Plots(
            [charts.distributions(samples, marks, title=title), [_quality(named), _roofline(named)]]
        ),
        Table("Latencies in ms, and what was lost", _latency_rows(result.rows), ours=None),
        Table("Where the time goes, medians in ms", _part_rows(result.rows), ours=None),
        *([Table("Time by operator", operators, ours=None, folded=True)] if operators[1:] else []),
        *(Note(_failure(failure)) for failure in result.failures),
        Conditions(result.machine, result.started[:10], result.notes),
    ]


def _failure(failure: Failure) -> str:
    size = failure.size.replace("x", "×")
    threads = f"{failure.threads} thread{'' if failure.threads == 1 else 's'}"
    return f"{size}, {threads}, {failure.device}, {failure.precision}: {failure.reason}"


def _subject(result: Result) -> str:
    subject, inputs = result.subject, result.inputs
    settings = ", ".join(f"{name} {value}" for name, value in subject.settings.items())
    about = f"{subject.kind} {subject.name} ({subject.fingerprint})"
    shown = f"pictures: {inputs.pictures} from {inputs.source}"
    return "; ".join(filter(None, (about, settings, shown)))


def _own_cost(result: Result) -> list[str]:
    """Return what the harness costs, and what LoadGen says beside it, where that was measured."""
    words = []
    if result.harness:
        words.append(
            f"The harness costs {result.harness.overhead_us:.2f} µs a call, "
            f"{result.harness.share_of_1_ms:.2%} of a call of 1 ms."
        )
    if result.loadgen:
        beside = result.loadgen
        words.append(
            f"MLPerf LoadGen's single-stream p90 of {beside.call}, {beside.size}: "
            f"{beside.loadgen_p90_ms:.2f} ms, ours {beside.p90_ms:.2f} ms "
            f"({beside.difference:+.1%})."
        )
    else:
        words.append("MLPerf LoadGen: absent, not compared with.")
    return words


def _named(rows: Sequence[Row]) -> dict[str, Row]:
    """Return the rows by names that say no more than what differs between them."""
    keys = [
        key
        for key in ("call", "shown_size", "shown_threads", "device", "precision", "scenario")
        if len({getattr(row, key) for row in rows}) > 1
    ]
    return {" ".join(getattr(row, key) for key in keys) or row.scenario: row for row in rows}


def _latency_rows(rows: Sequence[Row]) -> list[list[str]]:
    cells = [
        ["call", "size", "threads", "device", "precision", "scenario", "samples"]
        + [f"p{percent}" for percent in PERCENTS]
        + ["pictures/s", "PSNR dB", "MB", "cold start", "verdict", "outcome"]
    ]
    for row in rows:
        cells.append(
            [row.call, row.shown_size, str(row.threads), row.device, row.precision, row.scenario]
            + [str(row.samples)]
            + [_time(row.latency_ms.get(f"p{percent}"), percent) for percent in PERCENTS]
            + [
                _number((row.throughput or {}).get("pictures_per_s"), 1),
                _number(row.psnr_db, 2),
                _number(row.memory_mb, 0),
                _number(row.cold_ms or None, 0),
                row.stability.verdict if row.stability else "",
                _outcome(row.load),
            ]
        )
    return cells


def _outcome(load: NoLoad | StreamLoad | ServerLoad | CameraLoad) -> str:
    """Return the outcome of a scenario, in words."""
    match load:
        case StreamLoad():
            return f"{load.streams} streams"
        case ServerLoad(rate_per_s=None):
            return f"no rate holds {load.bound_ms:g} ms"
        case ServerLoad():
            return f"{load.rate_per_s:.1f} a second hold {load.bound_ms:g} ms"
        case CameraLoad():
            age = load.age_ms.get("p50")
            old = "" if age is None else f", age {age:.0f} ms"
            return f"{load.dropped} of {load.frames} dropped{old}"
    return ""


def _time(value: float | None, percent: int) -> str:
    return f"n/a (needs {NEEDED[percent]})" if value is None else f"{value:.2f}"


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _part_rows(rows: Sequence[Row]) -> list[list[str]]:
    names = list(dict.fromkeys(part for row in rows for part in row.split_ms or {}))
    cells = [["call", "size", "threads", "precision", "scenario", *names]]
    for row in rows:
        split = row.split_ms or {}
        start = [row.call, row.shown_size, str(row.threads), row.precision, row.scenario]
        cells.append([*start, *(_number(split.get(name), 2) for name in names)])
    return cells


def _quality(named: dict[str, Row]) -> str:
    points = {
        name: (row.percentiles["p50"], row.psnr_db)
        for name, row in named.items()
        if "p50" in row.percentiles and row.psnr_db is not None
    }
    if not points:
        return ""
    return charts.scatter(points, title="Quality over time", x="ms (p50)", y="PSNR, dB")


def _roofline(named: dict[str, Row]) -> str:
    points, peaks = {}, {}
    for name, row in named.items():
        line = row.roofline
        if not line or not line.gmac_per_s or not line.kmac_per_pixel or line.fraction is None:
            continue
        points[f"{name}: {line.fraction:.0%}"] = (line.kmac_per_pixel, line.gmac_per_s)
        peaks[f"{row.device} {line.peak_kind}, {row.shown_threads}"] = line.peak_gmac_per_s
    if not points:
        return ""
    return charts.roofline(points, peaks, title="Roofline: reached, below the machine's own peak")


def _operator_rows(named: dict[str, Row]) -> list[list[str]]:
    """Return onnxruntime's operators by time, of every row that has a profile."""
    cells = [["row", "graph", "operator", "nodes", "ms", "share", "kMAC per pixel"]]
    for name, row in named.items():
        for each in row.profile.operators if row.profile else ():
            work = _number(each.kmac_per_pixel, 2)
            numbers = (str(each.nodes), f"{each.ms:.3f}", f"{each.share:.1%}", work)
            cells.append([name, each.graph, each.op, *numbers])
    return cells


BENCHMARK = Benchmark(
    name="latency",
    title="Latency",
    help="what a bundle costs here: venturi bench, kept",
    order=50,
    options=Options,
    result=Result,
    measure=measure,
    figures=figures,
    pieces=pieces,
    plan=lambda sources: {},
    machine=lambda result: result.machine,
    same=lambda result: {"kind": result.subject.kind, "name": result.subject.name},
    failed=lambda result: bool(result.failures),
    arguments=Arguments(_add, _read),
)
