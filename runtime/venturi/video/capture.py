"""Open cameras, network streams and video files with OpenCV."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from venturi._engine.arrays import Pixels
from venturi._io.opencv import opencv
from venturi.errors import VideoError

READABLE = (
    ".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".wmv", ".flv",
    ".3gp", ".ogv", ".y4m", ".mjpeg",
)  # fmt: skip
"""The file name endings that are taken for videos."""

DEFAULT_FPS = 30.0
_FPS_MAX = 1000.0


class Capture(Protocol):
    """A source of frames that is open."""

    @property
    def fps(self) -> float:
        """Frames per second; a default where the source does not say."""

    @property
    def promised(self) -> int:
        """How many frames the header of the file announces; 0 if unknown."""

    def read(self) -> Pixels | None:
        """Return the next frame, uint8 (H, W, 3) RGB, or None when there is no more.

        May block for as long as the source does.
        """

    def close(self) -> None:
        """Release the source."""


def is_recorded(source: str) -> bool:
    """Return whether a source is a video file, which ends, not a camera or a network address."""
    return not source.isdecimal() and "://" not in source and Path(source).is_file()


def named(source: str) -> str:
    """Return what messages call a source."""
    return f"camera {source}" if source.isdecimal() else source


def open_capture(source: str) -> Capture:
    """Open a camera by index or device path, a video file, or an address such as RTSP.

    Raises:
        VideoError: there is none, or OpenCV cannot read it.
    """
    cv2 = opencv("cameras and videos")
    if source.isdecimal():
        device: int | str = int(source)
    elif "://" in source or Path(source).exists():
        device = source
    else:
        raise VideoError(
            f"{source}: no such camera or file; expected a camera's number, a device path, a video "
            "file or an address such as rtsp://…; look at what is connected"
        )
    try:
        opened = cv2.VideoCapture(device)
    except cv2.error:
        opened = None
    if opened is None or not opened.isOpened():
        raise VideoError(_not_opened(source))
    return _OpenCVCapture(cv2, opened)


def _not_opened(source: str) -> str:
    if is_recorded(source):
        return (
            f"{source}: no video that this OpenCV can read, or one cut short before its index; "
            "expected a whole video file: copy or export it again"
        )
    return (
        f"{named(source)}: does not open; expected a camera or stream that is connected, is not "
        "in use elsewhere and that you may read"
    )


class _OpenCVCapture:
    """A capture that OpenCV has opened."""

    def __init__(self, cv2: Any, opened: Any) -> None:
        self._cv2, self._opened = cv2, opened

    @property
    def fps(self) -> float:
        fps = float(self._opened.get(self._cv2.CAP_PROP_FPS))
        return fps if 0 < fps <= _FPS_MAX else DEFAULT_FPS

    @property
    def promised(self) -> int:
        return max(0, int(self._opened.get(self._cv2.CAP_PROP_FRAME_COUNT)))

    def read(self) -> Pixels | None:
        try:
            has_frame, frame = self._opened.read()
        except self._cv2.error:
            return None
        if not has_frame or frame is None:
            return None
        conversion = self._cv2.COLOR_GRAY2RGB if frame.ndim == 2 else self._cv2.COLOR_BGR2RGB
        pixels: Pixels = self._cv2.cvtColor(frame, conversion)
        return pixels

    def close(self) -> None:
        self._opened.release()


class Paced:
    """A recorded video that returns its frames at the speed of a camera."""

    def __init__(
        self,
        capture: Capture,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take over ``capture``; the first frame is due at once."""
        self._capture, self._clock, self._sleep = capture, clock, sleep
        self._start: float | None = None
        self._given = 0

    @property
    def fps(self) -> float:
        """As the file says."""
        return self._capture.fps

    @property
    def promised(self) -> int:
        """As the file says."""
        return self._capture.promised

    def read(self) -> Pixels | None:
        """Return the next frame once it is due."""
        frame = self._capture.read()
        now = self._clock()
        if self._start is None:
            self._start = now
        due = self._start + self._given / self.fps
        self._given += 1
        if frame is not None and due > now:
            self._sleep(due - now)
        return frame

    def close(self) -> None:
        """Close the file."""
        self._capture.close()
