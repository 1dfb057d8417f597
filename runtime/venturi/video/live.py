"""A live session: clean the newest frame of a camera again and again until something ends it."""

import time
from collections.abc import Callable
from typing import Protocol

from venturi._engine.arrays import Pixels
from venturi.video.figures import Figures
from venturi.video.reader import Shot
from venturi.video.writer import VideoWriter

Sink = Callable[[Pixels, Shot], bool]
"""Takes a clean frame and what it was made of; False ends the session."""


class Source(Protocol):
    """What a session needs of a :class:`venturi.video.camera.Camera`."""

    @property
    def dropped(self) -> int:
        """Frames that were skipped."""

    def next(self) -> Shot | None:
        """Wait for the next frame; None at the end."""


def run(
    source: Source,
    clean: Callable[[Pixels], Pixels],
    sinks: list[Sink],
    *,
    max_frames: int | None = None,
    say: Callable[[str], None] = lambda line: None,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Clean frames until the source ends, a sink returns False, or ``max_frames`` are cleaned.

    Args:
        source: where frames come from.
        clean: cleans a frame.
        sinks: take every clean frame, in this order.
        max_frames: the most frames to clean; None for no limit.
        say: takes a line every second.
        clock: monotonic seconds, the source's own.

    Returns:
        The number of frames cleaned.
    """
    figures = Figures(clock())
    while max_frames is None or figures.frames < max_frames:
        shot = source.next()
        if shot is None:
            break
        start = clock()
        frame = clean(shot.frame)
        latency_ms = 1000 * (clock() - start)
        wishes = [sink(frame, shot) for sink in sinks]
        figures.add(latency_ms=latency_ms, age_ms=1000 * (clock() - shot.taken_s))
        line = figures.line(clock(), dropped=source.dropped)
        if line is not None:
            say(line)
        if not all(wishes):
            break
    return figures.frames


class Recorder:
    """A sink that writes a video at its true speed.

    A video without the frames that a slow machine drops would run too fast. So a late frame is
    repeated until the video has caught up, and one that comes too early is left out.
    """

    def __init__(self, writer: VideoWriter, fps: float, *, gap_s: float = 10.0) -> None:
        """Record.

        Args:
            writer: the file, of ``fps`` frames per second.
            fps: frames per second.
            gap_s: the longest pause that the video shows; the rest of a longer one is cut out.
        """
        self._writer, self._fps, self._gap_s = writer, fps, gap_s
        self._start_s: float | None = None
        self._last_s = 0.0
        self._places = 0

    def __call__(self, frame: Pixels, shot: Shot) -> bool:
        """Write a frame as often as time has passed."""
        for _ in range(self._copies(shot.taken_s)):
            self._writer.write(frame)
        return True

    def _copies(self, taken_s: float) -> int:
        """Return 1 where the frame is less than one place early or late."""
        if self._start_s is None:
            self._start_s = self._last_s = taken_s
        cut_s = max(0.0, taken_s - self._last_s - self._gap_s)
        self._start_s += cut_s
        self._last_s = taken_s
        late = (taken_s - self._start_s) * self._fps - self._places
        copies = 0 if late <= -1 else 1 if late < 1 else 1 + int(late)
        self._places += copies
        return copies
