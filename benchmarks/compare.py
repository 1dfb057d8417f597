"""Two results files of one benchmark: what changed beyond the noise, and whether it got worse."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import registry
from benchmarks.figures import Figure
from benchmarks.options import option
from benchmarks.registry import Benchmark
from benchmarks.results import Environment
from venturi.bench.text import table

_UNEQUAL = ("worse", "gone", "better", "new")


@dataclass(frozen=True, kw_only=True)
class Options:
    """Two results files of one benchmark."""

    old: Path = option("results file before", metavar="OLD", positional=True)
    new: Path = option("results file after", metavar="NEW", positional=True)


@dataclass(frozen=True)
class Change:
    """One figure in both files, or in one of them.

    old, new: None where a file does not have it. worse: by how much it got worse, in the unit of
    `noise`; negative when it got better. noise: up to here a change means nothing. relative:
    whether both are shares of the old value.
    """

    name: str
    old: float | None
    new: float | None
    worse: float
    noise: float
    relative: bool = False

    @property
    def verdict(self) -> str:
        """Say what the change means: same, worse, better, gone or new."""
        if self.new is None:
            return "gone"
        if self.old is None:
            return "new"
        if abs(self.worse) <= self.noise:
            return "same"
        return "worse" if self.worse > 0 else "better"

    @property
    def regression(self) -> bool:
        """Tell whether it got worse, or is measured no more."""
        return self.verdict in ("worse", "gone")


def run(options: Options) -> int:
    """Print the changes; return 1 on a regression."""
    old, new = registry.read(options.old), registry.read(options.new)
    listed = changes(old, new)
    print(text(listed))
    print(about_times(old, new))
    return int(any(change.regression for change in listed))


def changes(old: Any, new: Any) -> list[Change]:
    """Return all figures that either file has; times only where they can be compared.

    A figure that is in one file only, of a run that was stable, is `gone` or `new`.

    Raises ValueError when the files are not of one benchmark on the same data.
    """
    benchmark = _alike(old, new)
    before, after = figures(old), figures(new)
    left_out = set(unsteady(old, new))
    if untimed(old, new):
        left_out |= {f.name for f in (before | after).values() if f.timed}
    names = [name for name in before | after if name not in left_out]
    pairs = [(before.get(name), after.get(name)) for name in names]
    between = benchmark.between(old, new) if benchmark.between else ()
    return [_change(*pair) for pair in (*between, *pairs)]


def figures(result: Any) -> dict[str, Figure]:
    """Return the figures of results by name."""
    benchmark = registry.every()[result.benchmark]
    return {figure.name: figure for figure in benchmark.figures(result)}


def untimed(old: Any, new: Any) -> str | None:
    """Return why times are not compared, or None when they are."""
    benchmark = registry.every()[old.benchmark]
    on = [benchmark.machine(result) for result in (old, new)]
    if on[0] is None or on[1] is None:
        return "times not compared: this benchmark has none"
    for name, machine in zip(("old", "new"), on, strict=True):
        if isinstance(machine, Environment) and machine.busy:
            return f"times not compared, {name} file: {machine.busy}"
    what = [(machine.cpu, getattr(machine, "threads", None)) for machine in on if machine]
    if what[0] != what[1]:
        return f"times not compared: measured on {what[0]} and on {what[1]}"
    return None


def unsteady(old: Any, new: Any) -> list[str]:
    """Return the times that are not compared since one of their runs was not stable."""
    before, after = figures(old), figures(new)
    return [
        name
        for name in before | after
        if not all(known[name].steady for known in (before, after) if name in known)
    ]


def about_times(old: Any, new: Any) -> str:
    """Say whether times were compared, in a sentence."""
    reason = untimed(old, new)
    if reason:
        return reason
    left_out = unsteady(old, new)
    if not left_out:
        return "times compared: one machine, nothing else running"
    return f"{len(left_out)} times not compared, a run was not stable: {', '.join(left_out)}"


def text(listed: list[Change]) -> str:
    """Return the changes as people read them, those that mean something first."""
    rows = [["figure", "old", "new", "change", "noise", "verdict"]]
    order = {verdict: number for number, verdict in enumerate((*_UNEQUAL, "same"))}
    for change in sorted(listed, key=lambda change: order[change.verdict]):
        noise = f"{change.noise:.3g}" if not change.relative else f"{change.noise:.2%}"
        values = (_number(change.old), _number(change.new), _moved(change), noise)
        rows.append([change.name, *values, change.verdict])
    counts = {verdict: sum(c.verdict == verdict for c in listed) for verdict in order}
    summary = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    return f"{table(rows)}\n\n{summary or 'no figure in common'}"


def _moved(change: Change) -> str:
    """Return how far a figure moved, as a share where its noise is one."""
    if change.old is None or change.new is None:
        return ""
    if change.relative:
        return f"{change.new / change.old - 1:+.2%}" if change.old else ""
    return f"{change.new - change.old:+.4g}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _alike(old: Any, new: Any) -> Benchmark[Any, Any]:
    """Return the benchmark of both results, after checking that they can be compared."""
    benchmark = registry.every()[old.benchmark]
    pairs = {"benchmark": (old.benchmark, new.benchmark)}
    if old.benchmark == new.benchmark:
        same = (benchmark.same(old), benchmark.same(new))
        pairs |= {key: (same[0][key], same[1].get(key)) for key in same[0]}
    for key, (before, after) in pairs.items():
        if before != after:
            raise ValueError(
                f"{key} is {before!r} in the old file and {after!r} in the new: "
                "compare two runs of one benchmark on one folder"
            )
    return benchmark


def _change(old: Figure | None, new: Figure | None) -> Change:
    known = old or new
    assert known is not None
    if old is None or new is None:
        before, after = (None if figure is None else figure.value for figure in (old, new))
        return Change(known.name, before, after, math.nan, known.noise, known.relative)
    worse = old.value - new.value if old.higher_is_better else new.value - old.value
    if old.relative and worse:
        worse = worse / old.value if old.value else math.copysign(math.inf, worse)
    noise = max(old.noise, old.spread + new.spread)
    return Change(old.name, old.value, new.value, worse, noise, old.relative)
