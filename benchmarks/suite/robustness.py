"""The table of faults that ``python -m pytest tests/robustness --full`` keeps."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from benchmarks import markdown
from benchmarks import results as files
from benchmarks.figures import Figure
from benchmarks.options import MeasureOptions
from benchmarks.pieces import Facts, Note, Piece, Table
from benchmarks.registry import Benchmark
from benchmarks.results import record


@record
class Where:
    """The machine that a fault was tried on, and the day: rows are tried at different times."""

    measured_on: str
    cpu: str
    system: str
    python: str
    load_average: list[float]


@record
class Row:
    """One fault.

    promise: what must happen. count: the cases asked for; tried, caught, lost: how many there were,
    were as promised, and were not. losses: the first of those. figures: what else was measured.
    """

    name: str
    fault: str
    promise: str
    count: int
    tried: int
    caught: int
    lost: int
    losses: list[str]
    figures: dict[str, float]
    seconds: float
    environment: Where


@record
class Result(files.Result):
    """The rows in the order of the table."""

    benchmark: Literal["robustness"] = "robustness"
    rows: list[Row]

    @property
    def days(self) -> list[str]:
        """The days on which rows were tried."""
        return sorted({row.environment.measured_on for row in self.rows})


def figures(result: Result) -> Iterator[Figure]:
    """Yield what can get better or worse."""
    for row in result.rows:
        yield Figure(f"lost: {row.fault}", row.lost, 0.0)


def pieces(result: Result, place: Path) -> list[Piece]:
    """Return what the results are shown in."""
    del place
    tried, lost = (sum(getattr(row, key) for row in result.rows) for key in ("tried", "lost"))
    rows = [["fault", "what must happen", "tried", "lost", "seconds", "figures"]]
    for row in result.rows:
        others = ", ".join(f"{name} {value:g}" for name, value in row.figures.items())
        numbers = (row.tried, row.lost, row.seconds)
        rows.append([row.fault, row.promise, *map(str, numbers), others])
    return [
        Facts({"cases tried": f"{tried:,}", "not as promised": str(lost)}),
        Table("Faults, and what must happen", rows, ours=None),
        Note(f"Tried on {', '.join(result.days)}."),
    ]


def markdown_block(result: Result, place: Path) -> str:
    """Return the table of the documents."""
    del place
    rows = [["fault", "what must happen", "tried", "lost"]]
    rows += [[row.fault, row.promise, f"{row.tried:,}", f"{row.lost:,}"] for row in result.rows]
    days = result.days
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return f"{markdown.table(rows)}\n\nTried on {when}."


BENCHMARK = Benchmark(
    name="robustness",
    title="Robustness",
    help="faults, and what must happen",
    order=90,
    options=MeasureOptions,
    result=Result,
    measure=None,
    figures=figures,
    pieces=pieces,
    markdown=markdown_block,
    machine=lambda result: None,
    command="python -m pytest tests/robustness --full",
)
