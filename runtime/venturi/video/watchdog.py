"""Detect a camera that has stopped, or that repeats one frame forever."""

from dataclasses import dataclass

import numpy as np

from venturi._engine.arrays import Pixels


@dataclass(frozen=True)
class Patience:
    """How long to wait for a camera, in seconds.

    Attributes:
        first_s: from opening to the first frame.
        stopped_s: between two frames.
        repeats_s: while all frames are identical, which sensor noise never allows.
        retry_s: before the first reopening; it doubles each time.
        retry_max_s: the longest wait before a reopening.
        attempts: openings in a row without a frame before giving up.
    """

    first_s: float = 15.0
    stopped_s: float = 5.0
    repeats_s: float = 10.0
    retry_s: float = 0.5
    retry_max_s: float = 30.0
    attempts: int = 10

    def retry_after_s(self, attempt: int) -> float:
        """Return how long to wait before opening again, ``attempt`` being 0 for the first time."""
        return float(min(self.retry_s * 2.0 ** min(attempt, 30), self.retry_max_s))


class Watchdog:
    """Watches the frames of one opening of a camera, and complains when something is wrong."""

    def __init__(self, patience: Patience, now_s: float, *, before: Pixels | None = None) -> None:
        """Begin to watch.

        Args:
            patience: how long is too long.
            now_s: when the camera was opened.
            before: the last frame of the previous opening, which a frozen camera repeats.
        """
        self._patience = patience
        self._last_s = self._changed_s = now_s
        self._frame = before
        self._count = 0
        self._changed = False

    @property
    def frame(self) -> Pixels | None:
        """The last frame."""
        return self._frame

    @property
    def has_seen_change(self) -> bool:
        """Whether a frame differed from the one before it."""
        return self._changed

    @property
    def has_seen_frames(self) -> bool:
        """Whether any frame came."""
        return self._count > 0

    def saw(self, frame: Pixels, now_s: float) -> None:
        """Record a frame."""
        if self._frame is None or not np.array_equal(frame, self._frame):
            self._changed_s = now_s
            self._changed = True
        self._frame = frame
        self._last_s = now_s
        self._count += 1

    def complaint(self, now_s: float) -> str | None:
        """Return what is wrong, or None."""
        silent_s, same_s = now_s - self._last_s, now_s - self._changed_s
        if self._count == 0:
            late = silent_s >= self._patience.first_s
            return f"no frame for {silent_s:.1f} s after opening" if late else None
        if silent_s >= self._patience.stopped_s:
            return f"no frame for {silent_s:.1f} s"
        if self._count > 1 and same_s >= self._patience.repeats_s:
            return f"the same frame for {same_s:.1f} s"
        return None
