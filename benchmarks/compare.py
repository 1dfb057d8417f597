"""Two results files of one benchmark: what changed beyond the noise, and whether it got worse."""

import math
from dataclasses import dataclass

from benchmarks import results
from benchmarks.bd_rate import bd_rate_percent
from benchmarks.environment import busy
from benchmarks.figures import RATE_NOISE_PERCENT, Figure, figures

_MUST_AGREE = ("benchmark", "data", "picture", "rates_bpp", "full")
_UNEQUAL = ("worse", "gone", "better", "new")


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


def changes(old: results.Results, new: results.Results) -> list[Change]:
    """Return all figures that either file has; times only where they can be compared.

    A figure that is in one file only, of a run that was stable, is `gone` or `new`.

    Raises ValueError when the files are not of one benchmark on the same data.
    """
    _check_alike(old, new)
    before, after = figures(old), figures(new)
    left_out = set(unsteady(old, new))
    if untimed(old, new):
        left_out |= {f.name for f in (before | after).values() if f.timed}
    names = [name for name in before | after if name not in left_out]
    found = [_change(before.get(name), after.get(name)) for name in names]
    return [*_rate(old, new), *found] if old["benchmark"] == "codec" else found


def untimed(old: results.Results, new: results.Results) -> str | None:
    """Return why times are not compared, or None when they are."""
    if old["benchmark"] == "robustness":
        return "times not compared: this benchmark has none"
    machines = [found.get("environment") or found["machine"] for found in (old, new)]
    for name, found, machine in zip(("old", "new"), (old, new), machines, strict=True):
        # A latency file has a verdict of its own on each row.
        reason = None if found["benchmark"] == "latency" else busy(machine)
        if reason:
            return f"times not compared, {name} file: {reason}"
    what = [(machine["cpu"], machine.get("threads")) for machine in machines]
    if what[0] != what[1]:
        return f"times not compared: measured on {what[0]} and on {what[1]}"
    return None


def unsteady(old: results.Results, new: results.Results) -> list[str]:
    """Return the times that are not compared since one of their runs was not stable."""
    before, after = figures(old), figures(new)
    return [
        name
        for name in before | after
        if not all(found[name].steady for found in (before, after) if name in found)
    ]


def about_times(old: results.Results, new: results.Results) -> str:
    """Say whether times were compared, in a sentence."""
    reason = untimed(old, new)
    if reason:
        return reason
    left_out = unsteady(old, new)
    if not left_out:
        return "times compared: one machine, nothing else running"
    return f"{len(left_out)} times not compared, a run was not stable: {', '.join(left_out)}"


def text(found: list[Change]) -> str:
    """Return the changes as people read them, those that mean something first."""
    rows = [["figure", "old", "new", "change", "noise", "verdict"]]
    order = {verdict: number for number, verdict in enumerate((*_UNEQUAL, "same"))}
    for change in sorted(found, key=lambda change: order[change.verdict]):
        noise = f"{change.noise:.3g}" if not change.relative else f"{change.noise:.2%}"
        values = (_number(change.old), _number(change.new), _moved(change), noise)
        rows.append([change.name, *values, change.verdict])
    counts = {verdict: sum(c.verdict == verdict for c in found) for verdict in order}
    summary = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    return f"{results.table(rows)}\n\n{summary or 'no figure in common'}"


def _moved(change: Change) -> str:
    """Return how far a figure moved, as a share where its noise is one."""
    if change.old is None or change.new is None:
        return ""
    if change.relative:
        return f"{change.new / change.old - 1:+.2%}" if change.old else ""
    return f"{change.new - change.old:+.4g}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _check_alike(old: results.Results, new: results.Results) -> None:
    pairs = {key: (old.get(key), new.get(key)) for key in _MUST_AGREE}
    if old["benchmark"] == new["benchmark"] == "latency":
        pairs |= {k: (old["subject"][k], new["subject"][k]) for k in ("kind", "name")}
    for key, (before, after) in pairs.items():
        if before != after and None not in (before, after):
            raise ValueError(
                f"{key} is {before!r} in the old file and {after!r} in the new: "
                "compare two runs of one benchmark on one folder"
            )


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


def _rate(old: results.Results, new: results.Results) -> list[Change]:
    """Return the rate of the new curve against the old one, where they can be compared."""
    curves = [[(p["bpp"], p["psnr_db"]) for p in f["points"]["venturi"]] for f in (old, new)]
    try:
        rate = bd_rate_percent(*curves, rates=tuple(old["rates_bpp"]))
    except ValueError:
        return []
    return [Change("rate at equal PSNR, old to new, %", 0.0, rate, rate, RATE_NOISE_PERCENT)]
