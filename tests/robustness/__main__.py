"""Try rows, print the table, and with --full keep what was found."""

import argparse
import sys
from pathlib import Path

from tests.robustness.table import RESULTS, ROWS, attempt, merge, show


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.robustness", description=__doc__)
    parser.add_argument("--full", action="store_true", help="the full counts, and keep the figures")
    parser.add_argument("--count", type=int, metavar="N", help="another count than the row's own")
    parser.add_argument(
        "--rows", nargs="+", default=list(ROWS), choices=list(ROWS), metavar="ROW",
        help=f"of {', '.join(ROWS)}; default: all",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, help=f"where to keep them; with --full: {RESULTS}")
    options = parser.parse_args()
    if options.full and options.count is not None:
        parser.error("--count goes without --full, whose counts are those that are kept")
    path = options.json or (RESULTS if options.full else None)
    tried = []
    for name in options.rows:
        row = ROWS[name]
        print(f"{name}: {row.fault} …", file=sys.stderr, flush=True)
        tried.append(attempt(row, options.count or (row.full if options.full else row.short)))
        for loss in tried[-1]["losses"]:
            print(f"  lost: {loss}", file=sys.stderr)
        if path is not None:
            merge(path, tried, list(ROWS))
    print(show(tried))
    return 1 if any(row["lost"] for row in tried) else 0


if __name__ == "__main__":
    sys.exit(main())
