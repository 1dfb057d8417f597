"""Show on a terminal how many of several files, or frames, are done."""

import sys
import time

_BAR_WIDTH = 24


class Progress:
    """A bar on standard error; silent if that is no terminal or there is only one item."""

    def __init__(self, total: int) -> None:
        """Prepare for ``total`` items; nothing is drawn yet."""
        self._total = total
        self._done = 0
        self._start = time.monotonic()
        self._shown = total > 1 and sys.stderr.isatty()

    def advance(self) -> None:
        """Count one as done, whether it worked or not, and redraw."""
        self._done += 1
        if self._done <= self._total:  # a video may have more frames than it says
            self.draw()

    def close(self) -> None:
        """End the bar's line if the work stopped early."""
        if self._shown and 0 < self._done < self._total:
            print(file=sys.stderr, flush=True)

    def draw(self) -> None:
        """Draw the bar, with the time left once one is done."""
        if not self._shown:
            return
        filled = _BAR_WIDTH * self._done // self._total
        bar = "#" * filled + "." * (_BAR_WIDTH - filled)
        print(
            f"\r\x1b[K[{bar}] {self._done}/{self._total}{self._time_left()}",
            end="\n" if self._done == self._total else "",
            file=sys.stderr,
            flush=True,
        )

    def say(self, line: str) -> None:
        """Print a line to standard error above the bar."""
        prefix = "\r\x1b[K" if self._shown else ""
        print(f"{prefix}{line}", file=sys.stderr, flush=True)
        if self._done < self._total:
            self.draw()

    def _time_left(self) -> str:
        if not 0 < self._done < self._total:
            return ""
        seconds = (time.monotonic() - self._start) / self._done * (self._total - self._done)
        return f"  {seconds:.0f} s left"
