"""The table: which modules have rows, how one is tried, and what is kept of it."""

import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks import environment, results
from tests.robustness.tally import ROWS as ROWS
from tests.robustness.tally import Row, Tally, outcome

MODULES = (
    "streams", "hostile", "bundles", "kernel", "inputs", "writing", "sharing", "training",
    "endurance", "video",
)  # fmt: skip
"""What adds rows, in the order of the table. A further fault is a function in one of these."""

for _name in MODULES:
    import_module(f"tests.robustness.{_name}")

RESULTS = results.FOLDER / "robustness.json"

_MACHINE = ("measured_on", "cpu", "system", "python", "load_average")
_MOST_LOSSES = 20

Figures = dict[str, Any]


def attempt(row: Row, count: int) -> Figures:
    """Try a row; return what happened."""
    machine = environment.describe(threads=1)
    tally, start = Tally(), time.perf_counter()
    broken = outcome(lambda: row.run(tally, count))
    if broken is not None:
        tally.holds(f"the row itself: {broken!r}", False)
    return {
        "name": row.name,
        "fault": row.fault,
        "promise": row.promise,
        "count": count,
        "tried": tally.tried,
        "caught": tally.tried - len(tally.lost),
        "lost": len(tally.lost),
        "losses": tally.lost[:_MOST_LOSSES],
        "figures": tally.figures,
        "seconds": round(time.perf_counter() - start, 1),
        "environment": {name: machine[name] for name in _MACHINE},
    }


def show(rows: Sequence[Figures]) -> str:
    """Return rows as text."""
    cells = [["row", "tried", "caught", "lost", "seconds", "figures"]]
    for row in rows:
        figures = ", ".join(f"{name} {value:g}" for name, value in row["figures"].items())
        numbers = (row["tried"], row["caught"], row["lost"], row["seconds"])
        cells.append([row["name"], *map(str, numbers), figures])
    return results.table(cells)


def merge(path: Path, rows: Sequence[Figures], known: Sequence[str]) -> None:
    """Put rows into a file, in the place of older ones of the same name.

    Rows may be tried at different times; those that the table has no more are dropped.
    """
    old = results.read(path)["rows"] if path.exists() else []
    found = {row["name"]: row for row in (*old, *rows)}
    content = {
        "schema_version": results.SCHEMA_VERSION,
        "benchmark": "robustness",
        "rows": [found[name] for name in known if name in found],
    }
    results.write(path, content)
