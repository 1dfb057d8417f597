"""Every row of the robustness table, and that the table can lose."""

from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from benchmarks import results
from benchmarks.suite import robustness
from tests import sample_results
from tests.robustness.table import RESULTS, ROWS, attempt, merge, show
from tests.robustness.tally import Row, Tally
from venturi import StreamError

TIMED = {"enormous", "day"}
"""Rows that compare times: they never run beside each other."""


SLOW = {"streams", "training"}


def marks(name: str) -> list[pytest.MarkDecorator]:
    """Let other processes take the rows one by one, and a hurried person leave some out."""
    group = pytest.mark.xdist_group("timed" if name in TIMED else name)
    return [group, pytest.mark.slow] if name in SLOW else [group]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "row", [pytest.param(row, id=name, marks=marks(name)) for name, row in ROWS.items()]
)
def test_nothing_is_lost(row: Row, pytestconfig: pytest.Config) -> None:
    is_full: bool = pytestconfig.getoption("--full")
    found = attempt(row, row.full if is_full else row.short)
    print(show([found]))
    if is_full:
        merge(RESULTS, [found], list(ROWS))
    assert found.losses == []
    assert found.tried == found.caught > 0


def test_the_table_can_lose() -> None:
    def careless(tally: Tally, count: int) -> None:
        for _ in range(count):
            tally.refuses("nothing raised", lambda: None, StreamError)
        tally.refuses("another message", lambda: _raise(StreamError("a")), StreamError, "b")
        tally.refuses("another error", lambda: _raise(KeyError("a")), StreamError)
        tally.survives("not ours", lambda: _raise(ValueError("a")))
        with tally.reaching("chunk 3", "never met"):
            tally.survives("ours", lambda: _raise(StreamError("chunk 3: a")))
        tally.same("numbers", 1, 2)
        tally.take(CompletedProcess("crashed", -11, b"", b"why"))
        inside = Tally(tried=2, lost=["inside"], figures={"found": 1})
        tally.take(CompletedProcess("lost one", 0, inside.to_json().encode(), b""))
        with tally.within("memory", peak_mb=1):
            bytearray(3_000_000)

    found = attempt(Row("careless", "all", "nothing", careless, 2, 2), 2)
    assert (found.tried, found.caught, found.lost) == (14, 4, 10)
    assert found.figures["found"] == 1
    assert "careless" in show([found])


def test_a_broken_row_is_lost() -> None:
    found = attempt(Row("broken", "", "", lambda *_: _raise(KeyError("x")), 1, 1), 1)
    assert "KeyError" in found.losses[0]
    assert found.lost == found.tried == 1


def test_rows_of_different_days_come_together(tmp_path: Path) -> None:
    def attempted(name: str, seconds: float) -> robustness.Row:
        row: robustness.Row = sample_results.record("robustness").rows[0]
        return replace(row, name=name, seconds=seconds)

    path = tmp_path / "robustness.json"
    known = ["a", "b", "c"]
    merge(path, [attempted("b", 1), attempted("gone", 1)], [*known, "gone"])
    merge(path, [attempted("c", 2), attempted("b", 2)], known)
    merge(path, [attempted("a", 3)], known)
    rows = results.read(path, robustness.Result).rows
    assert [(row.name, row.seconds) for row in rows] == [("a", 3), ("b", 2), ("c", 2)]


def test_the_kept_figures_are_those_of_this_table() -> None:
    kept = results.read(RESULTS, robustness.Result).rows
    assert [found.name for found in kept] == list(ROWS)
    for found in kept:
        row = ROWS[found.name]
        assert found.lost == 0, found.losses
        assert found.tried == found.caught > 0
        again = f"run python -m pytest tests/robustness --full -k {row.name}"
        assert found.count == row.full, again
        assert (found.fault, found.promise) == (row.fault, row.promise), again


def _raise(error: Exception) -> None:
    raise error
