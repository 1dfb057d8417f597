"""The clock of the scenarios; tests and simulations use another one."""

import time
from typing import Protocol

SECOND = 1_000_000_000
MILLISECOND = 1_000_000

_SPIN_NS = 200_000


class Clock(Protocol):
    """Monotonic time in whole ns."""

    def now(self) -> int:
        """Return the time."""

    def sleep_until(self, when: int) -> None:
        """Return at a time, or at once when it has passed."""


class WallClock:
    """The machine's monotonic clock."""

    def now(self) -> int:
        """Return ns since some moment."""
        return time.perf_counter_ns()

    def sleep_until(self, when: int) -> None:
        """Sleep most of the way and spin the rest: sleeping alone wakes up late."""
        left = when - self.now() - _SPIN_NS
        if left > 0:
            time.sleep(left / SECOND)
        while self.now() < when:
            pass


class VirtualClock:
    """Time that passes only on request, so that a simulation need not wait."""

    def __init__(self) -> None:
        self._now = 0

    def now(self) -> int:
        """Return ns since the clock was made."""
        return self._now

    def sleep_until(self, when: int) -> None:
        """Return at once."""
        self._now = max(self._now, when)

    def pass_ms(self, duration_ms: float) -> None:
        """Let some ms pass."""
        self._now += round(duration_ms * MILLISECOND)
