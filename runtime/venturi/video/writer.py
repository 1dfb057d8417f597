"""Write a video to a temporary file, check that every frame is in it, and move it into place.

OpenCV's writer silently drops frames of another size, reports success on a full disk, and leaves a
file without an index if it is not closed. So frames are scaled to one size here, free disk space is
monitored so that the file can be closed, and the written frames are counted.
"""

import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from venturi._engine.arrays import Pixels
from venturi._io.files import put_in_place, resolved
from venturi._io.opencv import opencv
from venturi.errors import InputError, VideoError

ENCODERS = {".mp4": "mp4v", ".m4v": "mp4v", ".mov": "mp4v", ".avi": "MJPG", ".mkv": "FFV1"}
"""The file name endings that can be written, and how frames are coded; FFV1 loses nothing."""

_RESERVE = 4 * 2**20
_RESERVE_FOR_FRAME = 64  # bytes of the index, written last
Size = tuple[int, int]


class Encoder(Protocol):
    """What takes frames of one size, (height, width), and writes them to a file."""

    def write(self, frame: Pixels) -> None:
        """Take uint8 (H, W, 3) RGB."""

    def close(self) -> None:
        """Finish the file."""


class VideoWriter:
    """A video file that appears when it is closed, and not before.

    A process that is killed leaves a hidden file beside it, which may still be playable.

    Attributes:
        path: the file.
        frames: written so far.
        notes: what was done to frames that did not fit, one sentence each.
    """

    def __init__(
        self,
        path: Path,
        fps: float,
        *,
        open_encoder: "Callable[[Path, float, Size], Encoder] | None" = None,
        count: "Callable[[Path], int] | None" = None,
        free: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
    ) -> None:
        """Check what can be checked; the file is begun with the first frame.

        Args:
            path: of the file; its ending chooses the format, one of ``ENCODERS``.
            fps: frames per second.
            open_encoder, count, free: the interface to OpenCV and to the disk.

        Raises:
            InputError: the ending names no format that can be written.
            OSError: the folder is not there.
        """
        check_writable(path)
        self.path, self.frames = path, 0
        self.notes: list[str] = []
        self._fps = fps
        self._open = open_encoder or open_opencv
        self._count_in = count or count_frames
        self._free = free
        self._target = resolved(path)
        self._aside = self._target.with_name(
            f".venturi-{secrets.token_hex(8)}.tmp{path.suffix.lower()}"
        )
        self._encoder: Encoder | None = None
        self._size: Size = (0, 0)

    def write(self, frame: Pixels) -> None:
        """Write a frame, uint8 (H, W, 3) RGB or (H, W) grey.

        A frame of another size than the first is scaled to fit, on black, with a note.

        Raises:
            VideoError: no encoder, or no more room to finish the file: close it now.
        """
        self._expect_room(frame)
        if frame.ndim == 2:
            frame = np.repeat(frame[..., None], 3, axis=2)
        if self._encoder is None:
            self._begin(frame.shape[:2])
        if frame.shape[:2] != self._size:
            frame = self._fit(frame)
        assert self._encoder is not None
        self._encoder.write(frame)
        self.frames += 1

    def close(self, *, keep_part: bool = False) -> None:
        """Finish the file, count its frames and move it into place.

        Args:
            keep_part: keep a file that plays but lacks frames; the error is raised all the same.

        Raises:
            VideoError: a frame is not in the file, or there was none.
            OSError: it cannot be moved into place.
        """
        encoder, self._encoder = self._encoder, None
        if encoder is None:
            raise VideoError(f"{self.path}: no frame to write; expected one at least")
        try:
            encoder.close()
            counted = self._count_in(self._aside)
            if counted == self.frames or (counted and keep_part):
                put_in_place(self._aside, self._target)
        finally:
            self.discard()
        if counted != self.frames:
            note = "it was kept" if counted and keep_part else "it was not kept"
            raise VideoError(
                f"{self.path}: {counted} of {self.frames} frames are in the file, {note}; expected "
                "all: free the disk, or choose another ending or folder"
            )

    def discard(self) -> None:
        """Leave nothing behind, unless the file is in place already."""
        encoder, self._encoder = self._encoder, None
        if encoder is not None:
            encoder.close()
        self._aside.unlink(missing_ok=True)

    def _begin(self, size: Size) -> None:
        self._size = size
        self._encoder = self._open(self._aside, self._fps, size)
        if size[0] % 2 or size[1] % 2:
            self.notes.append(
                f"{size[1]} × {size[0]} pixels: sides of a video are even, so the last column or "
                "row was cut"
            )

    def _fit(self, frame: Pixels) -> Pixels:
        height, width = frame.shape[:2]
        note = (
            f"frames of {width} × {height} pixels were fitted into "
            f"{self._size[1]} × {self._size[0]}, the size of the first"
        )
        if note not in self.notes:
            self.notes.append(note)
        return fitted(frame, self._size)

    def _expect_room(self, frame: Pixels) -> None:
        needed = _RESERVE + 2 * frame.size + _RESERVE_FOR_FRAME * self.frames
        free = self._free(self._target.parent)
        if free < needed:
            raise VideoError(
                f"{self.path}: the disk is full, with {free >> 20} MiB left of the "
                f"{-(-needed >> 20)} MiB that finishing the file may take, after {self.frames} "
                "frames; free some, or choose another folder"
            )


def check_writable(path: Path) -> None:
    """Refuse a video that can never be written.

    Raises:
        InputError: the ending names no format, or the path is no regular file.
        OSError: the folder is not there.
    """
    if path.suffix.lower() not in ENCODERS:
        raise InputError(
            f"video format {path.suffix!r}: expected one of {', '.join(ENCODERS)}; "
            "choose one as the ending of the output"
        )
    check_place(path)


def check_place(path: Path) -> None:
    """Refuse a path where no file can be put.

    Raises:
        InputError: something else than a regular file is there.
        OSError: the folder is not there.
    """
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: is no regular file; expected a name for one")
    folder = resolved(path).parent
    if not folder.is_dir():
        raise FileNotFoundError(2, "cannot write: no such folder", str(folder))


def fitted(frame: Pixels, size: Size) -> Pixels:
    """Scale a frame, uint8 (H, W, 3), to fit into ``size`` with its proportions, on black."""
    cv2 = opencv("videos")
    scale = min(size[0] / frame.shape[0], size[1] / frame.shape[1])
    height, width = (
        max(1, min(limit, round(scale * side)))
        for limit, side in zip(size, frame.shape[:2], strict=True)
    )
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    out = np.zeros((*size, 3), np.uint8)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    out[top : top + height, left : left + width] = cv2.resize(
        frame, (width, height), interpolation=way
    )
    return out


def open_opencv(path: Path, fps: float, size: Size) -> Encoder:
    """Begin a file with OpenCV.

    Raises:
        VideoError: this OpenCV lacks the encoder, or the size does not fit it.
    """
    cv2 = opencv("videos")
    code = ENCODERS[path.suffix]
    try:
        opened = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), fps, size[::-1])
    except cv2.error:
        opened = None
    if opened is None or not opened.isOpened():
        path.unlink(missing_ok=True)
        others = ", ".join(suffix for suffix in ENCODERS if suffix != path.suffix)
        raise VideoError(
            f"a {path.suffix} video of {size[1]} × {size[0]} pixels, coded as {code}, cannot be "
            f"begun: this OpenCV has no such encoder, or the folder cannot be written; try the "
            f"ending {others}, or install the opencv-python-headless of the package index"
        )
    return _OpenCVEncoder(cv2, opened)


class _OpenCVEncoder:
    """What OpenCV opened for writing."""

    def __init__(self, cv2: Any, opened: Any) -> None:
        self._cv2, self._opened = cv2, opened

    def write(self, frame: Pixels) -> None:
        self._opened.write(self._cv2.cvtColor(frame, self._cv2.COLOR_RGB2BGR))

    def close(self) -> None:
        self._opened.release()


def count_frames(path: Path) -> int:
    """Count the frames of a video file by reading it, whatever its header says; 0 if it is none."""
    cv2 = opencv("videos")
    raw = [cv2.CAP_PROP_FORMAT, -1]  # what is coded counts, without the time of decoding it
    opened = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, raw)
    if not opened.isOpened():
        opened = cv2.VideoCapture(str(path))
    count = 0
    while opened.grab():
        count += 1
    opened.release()
    return count
