"""What a row of the table tries, and what it loses."""

import contextlib
import json
import subprocess
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from venturi import VenturiError

Pixels = NDArray[np.uint8]


@dataclass
class Tally:
    """Counts cases; whatever does not end as promised is lost.

    Attributes:
        tried: cases so far.
        lost: what happened in each case that did not end as promised.
        figures: further numbers of the row; the unit ends each name.
        awaited: what some error that ``survives`` meets has to say, and none has said yet.
    """

    tried: int = 0
    lost: list[str] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    awaited: set[str] = field(default_factory=set)

    def refuses(
        self, what: str, call: Callable[[], object], error: type[Exception], says: str = ""
    ) -> None:
        """Expect one of our errors, which says something."""
        self.tried += 1
        caught = outcome(call)
        if caught is None:
            self.lost.append(f"{what}: nobody noticed")
        elif not isinstance(caught, error) or says not in str(caught):
            self.lost.append(f"{what}: {caught!r}; expected {error.__name__} with {says!r}")

    def survives(self, what: str, call: Callable[[], object]) -> None:
        """Expect a result or one of our own errors; note the slowest call and count results."""
        self.tried += 1
        start = time.process_time()
        caught = outcome(call)
        self.worst("slowest_ms", 1000 * (time.process_time() - start))
        if caught is None:
            self.figures["accepted"] = 1 + self.figures.get("accepted", 0)
        elif isinstance(caught, VenturiError):
            self.awaited -= {phrase for phrase in self.awaited if phrase in str(caught)}
        else:
            self.lost.append(f"{what}: {caught!r}")

    @contextlib.contextmanager
    def reaching(self, *phrases: str) -> Iterator[None]:
        """Expect that ``survives`` meets an error with each of these phrases."""
        self.awaited = {*phrases}
        yield
        for phrase in phrases:
            self.holds(f"{phrase!r} was never reached", phrase not in self.awaited)

    def holds(self, what: str, is_so: bool) -> None:
        """Expect something to be true."""
        self.tried += 1
        if not is_so:
            self.lost.append(what)

    def same(self, what: str, found: object, expected: object) -> None:
        """Expect equal arrays or equal values."""
        self.holds(f"{what}: another result", bool(np.array_equal(found, expected)))  # type: ignore[arg-type]

    def worst(self, name: str, value: float) -> None:
        """Keep the largest value of a figure."""
        self.figures[name] = round(max(value, self.figures.get(name, 0.0)), 3)

    def to_json(self) -> str:
        """Return what another process can ``take``."""
        return json.dumps({"tried": self.tried, "lost": self.lost, "figures": self.figures})

    def take(self, process: subprocess.CompletedProcess[bytes]) -> None:
        """Add what another process tried and printed; one that failed is lost."""
        failed = f"exit code {process.returncode}: {process.stderr[-2000:]!r}"
        self.holds(failed, process.returncode == 0)
        if process.returncode == 0:
            found = json.loads(process.stdout)
            self.tried += found["tried"]
            self.lost += found["lost"]
            self.figures |= found["figures"]

    @contextlib.contextmanager
    def within(self, what: str, *, peak_mb: float) -> Iterator[None]:
        """Expect that no more memory is taken, in 10^6 bytes of Python and NumPy."""
        tracemalloc.start()
        try:
            yield
        finally:
            peak = tracemalloc.get_traced_memory()[1] / 1e6
            tracemalloc.stop()
        self.worst("peak_mb", peak)
        self.holds(f"{what}: {peak:.1f} MB; expected at most {peak_mb}", peak <= peak_mb)


Trial = Callable[[Tally, int], None]


@dataclass(frozen=True)
class Row:
    """A fault, and what must happen.

    Attributes:
        name: one word, the name of its test.
        fault: what goes wrong.
        promise: what must happen.
        run: tries it so many times.
        short: how many times in the tests.
        full: how many times with ``--full``.
    """

    name: str
    fault: str
    promise: str
    run: Trial
    short: int
    full: int


ROWS: dict[str, Row] = {}
"""The rows of all modules imported so far, in the order of their definition."""


def row(name: str, fault: str, promise: str, *, short: int, full: int) -> Callable[[Trial], Trial]:
    """Add the decorated function to the table."""

    def add(run: Trial) -> Trial:
        ROWS[name] = Row(name, fault, promise, run, short, full)
        return run

    return add


def outcome(call: Callable[[], object]) -> Exception | None:
    """Return what a call raises, whatever it is."""
    try:
        call()
    except Exception as error:  # noqa: BLE001 - errors that nobody meant are what is looked for
        return error
    return None
