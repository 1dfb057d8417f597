"""The short version of every row of the robustness table, and that the table can lose."""

import pytest

from tests.robustness.__main__ import ROWS, attempt, described, table
from tests.robustness.tally import Row, Tally
from venturi import StreamError


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("row", ROWS, ids=[row.fault for row in ROWS])
def test_nothing_is_lost(row: Row) -> None:
    tally, _ = attempt(row, row.short)
    assert tally.lost == []
    assert tally.tried > 0


def test_the_table_can_lose() -> None:
    def careless(tally: Tally, count: int) -> None:
        for _ in range(count):
            tally.refuses("nothing raised", lambda: None, StreamError)
        tally.refuses("another message", lambda: _raise(StreamError("a")), StreamError, "b")
        tally.refuses("another error", lambda: _raise(KeyError("a")), StreamError)
        tally.survives("not ours", lambda: _raise(ValueError("a")))
        tally.survives("ours", lambda: _raise(StreamError("a")))
        tally.same("numbers", 1, 2)
        with tally.within("memory", peak_mb=1):
            bytearray(3_000_000)

    row = Row("careless", "nothing", careless, 2, 2)
    tally, seconds = attempt(row, 2)
    assert (tally.tried, len(tally.lost)) == (7, 7)
    assert "careless" in table([described(row, tally, seconds)])


def test_a_broken_row_is_lost() -> None:
    tally, _ = attempt(Row("broken", "", lambda *_: _raise(KeyError("x")), 1, 1), 1)
    assert "KeyError" in tally.lost[0]


def _raise(error: Exception) -> None:
    raise error
