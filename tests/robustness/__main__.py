"""Try every row, print the table, and with --full write it down."""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import environment, results
from tests.robustness import hostile, inputs, sharing, streams, video, writing
from tests.robustness.tally import Row, Tally, outcome

ROWS = (*streams.ROWS, *hostile.ROWS, *inputs.ROWS, *writing.ROWS, *sharing.ROWS, *video.ROWS)
RESULTS = results.FOLDER / "robustness.json"


def attempt(row: Row, count: int) -> tuple[Tally, float]:
    """Run a row; return its tally and the seconds it took."""
    tally, start = Tally(), time.perf_counter()
    broken = outcome(lambda: row.run(tally, count))
    if broken is not None:
        tally.lost.append(f"the row itself: {broken!r}")
    return tally, time.perf_counter() - start


def described(row: Row, tally: Tally, seconds: float) -> dict[str, Any]:
    """Return what is written of a row."""
    return {
        "fault": row.fault,
        "promise": row.promise,
        "tried": tally.tried,
        "caught": max(0, tally.tried - len(tally.lost)),
        "lost": tally.lost[:20],
        "figures": tally.figures,
        "seconds": round(seconds, 1),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as text."""
    cells = [["fault", "tried", "caught", "lost", "s", "figures"]]
    for row in rows:
        figures = ", ".join(f"{name} {value:g}" for name, value in row["figures"].items())
        lost = row["tried"] - row["caught"]
        numbers = (row["tried"], row["caught"], lost, row["seconds"])
        cells.append([row["fault"], *map(str, numbers), figures])
    return results.table(cells)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.robustness", description=__doc__)
    parser.add_argument("--full", action="store_true", help="all counts: some ten minutes")
    parser.add_argument("--only", default="", metavar="TEXT", help="rows whose fault has this text")
    parser.add_argument(
        "--json", type=Path, help=f"where to write; with --full and all rows: {RESULTS.name}"
    )
    options = parser.parse_args()
    chosen = [row for row in ROWS if options.only in row.fault]
    measured_on = environment.describe(threads=1)
    rows = []
    for row in chosen:
        print(f"{row.fault} …", file=sys.stderr, flush=True)
        rows.append(described(row, *attempt(row, row.full if options.full else row.short)))
        for lost in rows[-1]["lost"]:
            print(f"  lost: {lost}", file=sys.stderr)
    print(table(rows))
    path = options.json or (RESULTS if options.full and not options.only else None)
    if path is not None:
        content = {
            "schema_version": results.SCHEMA_VERSION,
            "benchmark": "robustness",
            "full": options.full,
            "environment": measured_on,
            "rows": rows,
        }
        results.write(path, content)
    return 1 if any(row["lost"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
