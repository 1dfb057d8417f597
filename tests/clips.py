"""Clips made in the test, and captures and encoders that fail in each way."""

import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from venturi.video.capture import open_capture
from venturi.video.watchdog import Patience
from venturi.video.writer import Encoder, Size, VideoWriter

Frame = NDArray[np.uint8]

CALM = Patience(retry_s=0.01, retry_max_s=0.02, attempts=3)
HASTE = Patience(
    first_s=0.5, stopped_s=0.2, repeats_s=0.2, retry_s=0.01, retry_max_s=0.02, attempts=3
)


def frames(count: int, height: int = 48, width: int = 64) -> list[Frame]:
    """Frames of a bright square that moves to the right over a slope; no two are alike."""
    rows, columns = np.mgrid[0:height, 0:width]
    slope = np.stack([rows + 40, columns + 40, rows + columns + 20], -1).astype(np.uint8)
    made = []
    for i in range(count):
        frame = slope.copy()
        left = 2 * i % (width - 8)
        frame[height // 2 : height // 2 + 8, left : left + 8] = 230
        frame[: 1 + i % height, 0] = 5 + i % 200
        made.append(frame)
    return made


def write_clip(path: Path, count: int, fps: float = 30, **size: int) -> Path:
    """Write a clip of ``frames``."""
    writer = VideoWriter(path, fps)
    for frame in frames(count, **size):
        writer.write(frame)
    writer.close()
    return path


def read_clip(path: Path) -> list[Frame]:
    """Read all frames of a clip; fails when it does not play."""
    capture = open_capture(str(path))
    found = []
    while (frame := capture.read()) is not None:
        found.append(frame)
    capture.close()
    return found


class Fault:
    """What a fake capture does instead of giving a frame."""


BLOCK = Fault()
"""Never return, until the test ends."""

Item = Frame | Fault | Exception


class FakeCapture:
    """Gives what a list says: frames, faults, errors; then no more."""

    def __init__(
        self, items: Iterable[Item], *, fps: float = 30, promised: int = 0, interval_s: float = 0.0
    ) -> None:
        self.fps, self.promised, self.interval_s = fps, promised, interval_s
        self.closed = threading.Event()
        self.released = threading.Event()
        self._items: Iterator[Item] = iter(items)

    def read(self) -> Frame | None:
        if self.interval_s:
            self.released.wait(self.interval_s)
        item = next(self._items, None)
        if isinstance(item, Fault):
            self.released.wait(30)
            return None
        if isinstance(item, Exception):
            raise item
        return item

    def close(self) -> None:
        self.closed.set()


class FakeEncoder:
    """Keeps frames; loses those that ``loses`` names, in silence, as OpenCV does."""

    def __init__(self, path: Path, size: Size, loses: Callable[[int], bool]) -> None:
        self.path, self.size, self.loses = path, size, loses
        self.seen = 0
        self.kept: list[Frame] = []
        self.closed = False

    def write(self, frame: Frame) -> None:
        if frame.shape[:2] == self.size and not self.loses(self.seen):
            self.kept.append(frame)
        self.seen += 1

    def close(self) -> None:
        self.closed = True
        self.path.write_bytes(len(self.kept).to_bytes(4, "big"))


class FakeDisk:
    """Encoders whose files say how many frames they hold."""

    def __init__(self, loses: Callable[[int], bool] = lambda number: False) -> None:
        self.loses = loses
        self.encoders: list[FakeEncoder] = []

    def open(self, path: Path, fps: float, size: Size) -> Encoder:
        path.touch()
        self.encoders.append(FakeEncoder(path, size, self.loses))
        return self.encoders[-1]

    @staticmethod
    def count(path: Path) -> int:
        return int.from_bytes(path.read_bytes(), "big")
