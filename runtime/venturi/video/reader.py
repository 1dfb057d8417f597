"""Read a capture in a separate thread, and keep only the newest frame.

Cameras queue frames, and some block once they are unplugged. So reading never waits for cleaning,
and waiting for a frame has a limit.
"""

import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from venturi._engine.arrays import Pixels
from venturi.video.capture import Capture

_JOIN_S = 1.0


class Shot(NamedTuple):
    """A frame, which number of its reader it has (from 0), and when it came (seconds)."""

    frame: Pixels
    number: int
    taken_s: float


class Reader:
    """One thread on one capture, from opening to closing.

    Attributes:
        fps: what the capture says, once it is open.
        promised: as :attr:`Capture.promised`, once it is open.
    """

    def __init__(
        self, open_capture: Callable[[], Capture], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin to open and to read, in the background."""
        self.fps, self.promised = 0.0, 0
        self._open, self._clock = open_capture, clock
        self._changed = threading.Condition()
        self._newest: Shot | None = None
        self._count = 0
        self._stopping = self._ended = False
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="venturi-reader", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread still runs, as one that is blocked in its capture does."""
        return self._thread.is_alive()

    @property
    def failure(self) -> Exception | None:
        """What opening or reading raised."""
        return self._failure

    @property
    def count(self) -> int:
        """How many frames came so far."""
        return self._count

    def newest(self, *, after: int, timeout_s: float) -> Shot | None:
        """Return the newest frame whose number is larger than ``after``.

        Returns:
            None when there was none in time.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._is_after(after), timeout_s)
            return self._newest if self._is_after(after) else None

    @property
    def ended(self) -> bool:
        """Whether no frame will follow the newest."""
        with self._changed:
            return self._ended

    def close(self) -> bool:
        """Stop reading; False where the capture blocks: its thread ends when the capture does."""
        self._stopping = True
        self._thread.join(_JOIN_S)
        return not self.alive

    def _is_after(self, number: int) -> bool:
        return self._newest is not None and self._newest.number > number

    def _run(self) -> None:
        try:
            capture = self._open()
            try:
                self._read_all(capture)
            finally:
                capture.close()
        except Exception as error:  # noqa: BLE001 - handed to whoever waits for frames
            self._failure = error
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _read_all(self, capture: Capture) -> None:
        self.fps, self.promised = capture.fps, capture.promised
        while not self._stopping:
            frame = capture.read()
            if frame is None:
                return
            with self._changed:
                self._newest = Shot(frame, self._count, self._clock())
                self._count += 1
                self._changed.notify_all()
