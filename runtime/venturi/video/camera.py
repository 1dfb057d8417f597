"""A supervised camera: it is reopened when it stops, repeats a frame or disappears."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from venturi._engine.arrays import Pixels
from venturi.errors import VideoError
from venturi.video.capture import Capture, Paced, is_recorded, named, open_capture
from venturi.video.reader import Reader, Shot
from venturi.video.watchdog import Patience, Watchdog

Say = Callable[[str], None]

_POLL_S = 0.05
_BLOCKED_MAX = 8


class Camera:
    """Returns the newest frame of a source, and reopens it after a fault.

    A recorded source ends with its last frame. A live one is reopened after growing waits, until
    :attr:`Patience.attempts` openings in a row gave no frame. An error at the first opening is
    raised at once.
    """

    def __init__(
        self,
        name: str,
        open_capture: Callable[[], Capture],
        *,
        recorded: bool = False,
        patience: Patience | None = None,
        say: Say = lambda line: None,
        stop: threading.Event | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin to open the source, in the background.

        Args:
            name: what messages call it.
            open_capture: opens the source; called again after a fault.
            recorded: the source has an end, and may show one frame for a long time.
            patience: how long to wait in each kind of fault.
            say: takes a line about each fault.
            stop: when it is set, ``next`` returns None.
            clock: monotonic seconds.
        """
        self.name = name
        self._open, self._recorded, self._say, self._clock = open_capture, recorded, say, clock
        self._patience = patience or Patience()
        self._stop = stop or threading.Event()
        self._failures = self._fruitless = 0
        self._ever = False
        self._dropped = 0
        self._blocked: list[Reader] = []
        self._begin(before=None)

    def _begin(self, *, before: Pixels | None) -> None:
        patience = self._patience
        # A scene that really stands still must not be interrupted again and again.
        patience = replace(patience, repeats_s=patience.repeats_s * 2.0 ** min(self._fruitless, 8))
        self._reader = Reader(self._open, clock=self._clock)
        self._watchdog = Watchdog(patience, self._clock(), before=before)
        self._seen = -1

    @property
    def fps(self) -> float:
        """What the source says, frames per second; known once there was a frame."""
        return self._reader.fps

    @property
    def dropped(self) -> int:
        """How many frames were skipped because newer ones had arrived."""
        return self._dropped

    @property
    def missing(self) -> int:
        """How many announced frames a recorded source does not have; 0 before its end."""
        if not (self._recorded and self._reader.ended):
            return 0
        return max(0, self._reader.promised - self._reader.count)

    def next(self) -> Shot | None:
        """Wait for a frame that is newer than the last one.

        Returns:
            None when the source ended or ``stop`` was set.

        Raises:
            VideoError: the source cannot be opened, or was reopened too often.
        """
        while not self._stop.is_set():
            shot = self._reader.newest(after=self._seen, timeout_s=_POLL_S)
            now = self._clock()
            if shot is not None:
                self._take(shot, now)
            if self._recorded:
                if shot is not None or self._reader.ended:
                    self._raise_failure()
                    return shot
                continue
            complaint = self._complaint(now, ended=shot is None and self._reader.ended)
            if complaint is not None:
                self._open_again(complaint)
            if shot is not None:
                return shot
        return None

    def close(self) -> None:
        """Release the source."""
        self._reader.close()

    def _take(self, shot: Shot, now: float) -> None:
        self._dropped += shot.number - self._seen - 1
        self._seen = shot.number
        self._watchdog.saw(shot.frame, now)
        self._failures = 0
        self._ever = True
        if self._watchdog.has_seen_change:
            self._fruitless = 0

    def _raise_failure(self) -> None:
        if self._reader.failure is not None and not self._ever:
            raise self._reader.failure

    def _complaint(self, now: float, *, ended: bool) -> str | None:
        if not ended:
            return self._watchdog.complaint(now)
        self._raise_failure()
        return str(self._reader.failure or "it gives no more frames")

    def _open_again(self, complaint: str) -> None:
        """Abandon the current opening, wait, and start another one."""
        if not self._ever:
            raise self._given_up(complaint)
        if self._watchdog.has_seen_frames:
            attempt = self._fruitless
            self._fruitless += 1
        else:
            attempt = self._failures
            self._failures += 1
        if not self._reader.close():
            self._blocked.append(self._reader)
        self._blocked = [reader for reader in self._blocked if reader.alive]
        if self._failures >= self._patience.attempts or len(self._blocked) > _BLOCKED_MAX:
            raise self._given_up(f"{complaint}; given up after {self._failures} attempts")
        wait_s = self._patience.retry_after_s(attempt)
        self._say(f"{self.name}: {complaint}; opening it again in {wait_s:.1f} s")
        self._stop.wait(wait_s)
        self._begin(before=self._watchdog.frame)

    def _given_up(self, complaint: str) -> VideoError:
        return VideoError(
            f"{self.name}: {complaint}; expected a camera that gives frames: look at its cable, "
            "its power and who else uses it"
        )


def camera(source: str, *, say: Say, stop: threading.Event) -> Camera:
    """Return the camera that the command line means: index, device path, file or address."""
    if is_recorded(source):
        return Camera(source, lambda: Paced(open_capture(source)), recorded=True, stop=stop)
    return Camera(named(source), lambda: open_capture(source), say=say, stop=stop)
