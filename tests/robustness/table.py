"""The table: which modules have rows, how one is tried, and what is kept of it."""

import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from benchmarks import environment, results
from benchmarks.suite import robustness
from tests.robustness.tally import ROWS as ROWS
from tests.robustness.tally import Row, Tally, outcome
from venturi.bench.text import table

MODULES = (
    "streams", "hostile", "bundles", "kernel", "inputs", "writing", "sharing", "training",
    "endurance", "video",
)  # fmt: skip
"""What adds rows, in the order of the table. A further fault is a function in one of these."""

for _name in MODULES:
    import_module(f"tests.robustness.{_name}")

RESULTS = results.FOLDER / "robustness.json"

_MOST_LOSSES = 20


def attempt(row: Row, count: int) -> robustness.Row:
    """Try a row; return what happened."""
    on = environment.describe(threads=1)
    tally, start = Tally(), time.perf_counter()
    broken = outcome(lambda: row.run(tally, count))
    if broken is not None:
        tally.holds(f"the row itself: {broken!r}", False)
    return robustness.Row(
        name=row.name,
        fault=row.fault,
        promise=row.promise,
        count=count,
        tried=tally.tried,
        caught=tally.tried - len(tally.lost),
        lost=len(tally.lost),
        losses=tally.lost[:_MOST_LOSSES],
        figures=dict(tally.figures),
        seconds=round(time.perf_counter() - start, 1),
        environment=robustness.Where(
            measured_on=on.measured_on,
            cpu=on.cpu,
            system=on.system,
            python=on.python,
            load_average=on.load_average,
        ),
    )


def show(rows: Sequence[robustness.Row]) -> str:
    """Return rows as text."""
    cells = [["row", "tried", "caught", "lost", "seconds", "figures"]]
    for row in rows:
        figures = ", ".join(f"{name} {value:g}" for name, value in row.figures.items())
        cells.append([row.name, *map(str, (row.tried, row.caught, row.lost, row.seconds)), figures])
    return table(cells)


def merge(path: Path, rows: Sequence[robustness.Row], known: Sequence[str]) -> None:
    """Put rows into a file, in the place of older ones of the same name.

    Rows may be tried at different times; those that the table has no more are dropped.
    """
    old = results.read(path, robustness.Result).rows if path.exists() else []
    latest = {row.name: row for row in (*old, *rows)}
    kept = [latest[name] for name in known if name in latest]
    results.write(path, robustness.Result(rows=kept))
