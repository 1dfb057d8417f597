"""Statistics of a live session, one line per second: rate, latency, age."""

from collections import deque
from collections.abc import Sequence
from statistics import median

from venturi._percentiles import percentile

_KEPT = 1024
_PERIOD_S = 1.0


class Figures:
    """Counts frames and summarises the times of the last ones.

    Attributes:
        frames: cleaned so far.
    """

    def __init__(self, now_s: float) -> None:
        """Begin to count."""
        self.frames = 0
        self._latencies_ms: deque[float] = deque(maxlen=_KEPT)
        self._ages_ms: list[float] = []
        self._since_s = now_s

    def add(self, *, latency_ms: float, age_ms: float) -> None:
        """Record a frame.

        Args:
            latency_ms: the time that cleaning took.
            age_ms: from its arrival until it was shown or written.
        """
        self.frames += 1
        self._latencies_ms.append(latency_ms)
        self._ages_ms.append(age_ms)

    def line(self, now_s: float, *, dropped: int) -> str | None:
        """Return the line when a second has passed since the last one, else None.

        Percentiles are of the last thousand frames, "n/a" with too few of them; rate and age (its
        median) are of the time since the last line.
        """
        passed = now_s - self._since_s
        if passed < _PERIOD_S:
            return None
        age = f"{median(self._ages_ms):.0f} ms" if self._ages_ms else "n/a"
        line = (
            f"{len(self._ages_ms) / passed:.1f} fps, "
            f"latency {percentiles(self._latencies_ms)} ms, "
            f"age {age}, {self.frames} frames, {dropped} dropped"
        )
        self._since_s = now_s
        self._ages_ms.clear()
        return line


def percentiles(samples: Sequence[float]) -> str:
    """Return p50, p90 and p99 as text, those that have too few samples as "n/a"."""
    values = {percent: percentile(samples, percent) for percent in (50, 90, 99)}
    return " ".join(f"p{k} {'n/a' if v is None else f'{v:.1f}'}" for k, v in values.items())
