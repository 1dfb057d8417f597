"""Clean camera frames as they come, and say how long that takes.

    python camera_loop.py                       # the first camera
    python camera_loop.py --source clip.mp4     # a video file, every frame
    python camera_loop.py --source synthetic    # a made-up noisy camera, to try it without one
    python camera_loop.py --show                # in a window (needs opencv-python)

This is the loop to build into your own program. ``venturi denoise --camera`` is the finished tool:
it also opens cameras again that fail, and records.
"""

import argparse
import contextlib
import queue
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from venturi import Denoiser

Frame = NDArray[np.uint8]

SYNTHETIC_SIZE = 240, 320
NOISE = 20.0


def synthetic() -> Iterator[Frame]:
    """Yield frames of a square that moves over a slope, under noise, for ever."""
    height, width = SYNTHETIC_SIZE
    rng = np.random.default_rng(0)
    slope = np.linspace(40, 200, width)[None, :, None] + np.zeros((height, 1, 3))
    for number in range(10**9):
        scene = slope.copy()
        left = 2 * number % (width - 60)
        scene[height // 3 : height // 3 + 60, left : left + 60] = (220, 80, 60)
        noisy = scene + rng.normal(0, NOISE, scene.shape)
        yield noisy.clip(0, 255).astype(np.uint8)


def recorded(path: str) -> Iterator[Frame]:
    """Yield every frame of a video file, uint8 (H, W, 3) RGB."""
    capture = cv2.VideoCapture(path)
    while (frame := _read(capture)) is not None:
        yield frame
    capture.release()


def live(number: int) -> Iterator[Frame]:
    """Yield the newest frame of a camera, uint8 (H, W, 3) RGB.

    A thread reads all the time: drivers queue frames, and a loop that is slower than the camera
    would see an ever older world. Frames that come while another is being cleaned are dropped.
    """
    capture = cv2.VideoCapture(number)
    newest: queue.Queue[Frame | None] = queue.Queue(1)
    leaving = threading.Event()

    def keep_reading() -> None:
        frame = _read(capture)
        while frame is not None and not leaving.is_set():
            with contextlib.suppress(queue.Empty):
                newest.get_nowait()  # the one before it has become too old
            newest.put(frame)
            frame = _read(capture)
        newest.put(None)

    reader = threading.Thread(target=keep_reading, daemon=True)
    reader.start()
    try:
        while (frame := newest.get()) is not None:
            yield frame
    finally:
        leaving.set()
        with contextlib.suppress(queue.Empty):
            newest.get_nowait()  # so that the thread can say its last word
        reader.join(timeout=2)
        capture.release()


def _read(capture: cv2.VideoCapture) -> Frame | None:
    there, frame = capture.read()
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8) if there else None


def frames_of(source: str) -> Iterator[Frame]:
    """Return the frames of a camera's number, a video file or ``synthetic``."""
    if source == "synthetic":
        return synthetic()
    return live(int(source)) if source.isdecimal() else recorded(source)


def main() -> int:
    """Clean frames until the source, a limit or the user ends it."""
    parser = argparse.ArgumentParser(description="Clean camera frames as they come.")
    parser.add_argument("--source", default="0", help="camera number, video file or 'synthetic'")
    parser.add_argument("--bundle", default="camera-video", help="the denoiser (camera-video)")
    parser.add_argument("--strength", type=float, default=1.0, help="0 to 3 (default 1)")
    parser.add_argument("--frames", type=int, help="stop after so many")
    parser.add_argument("--save", type=Path, help="write the last clean frame here (.png)")
    parser.add_argument("--show", action="store_true", help="show frames; q ends it")
    arguments = parser.parse_args()

    # One stream per camera: it carries what it knows from frame to frame.
    stream = Denoiser(arguments.bundle).stream()
    latencies_ms: list[float] = []
    clean: Frame | None = None
    for frame in frames_of(arguments.source):
        start = time.perf_counter()
        clean = stream.denoise(frame, arguments.strength)
        latencies_ms.append(1000 * (time.perf_counter() - start))
        if len(latencies_ms) % 30 == 0:
            print(f"{len(latencies_ms)} frames, {summary(latencies_ms[-30:])}", flush=True)
        if arguments.show and _show(clean):
            break
        if len(latencies_ms) == arguments.frames:
            break
    if clean is None:
        print(f"{arguments.source}: no frames; look at the camera or the file")
        return 1
    print(f"in all {len(latencies_ms)} frames, {summary(latencies_ms)}")
    if arguments.save:
        cv2.imwrite(str(arguments.save), cv2.cvtColor(clean, cv2.COLOR_RGB2BGR))
    return 0


def summary(latencies_ms: list[float]) -> str:
    """Return the latency of most frames and of the slow ones."""
    median, slow = np.percentile(latencies_ms, (50, 95))
    return f"latency {median:.1f} ms (median), {slow:.1f} ms (95 %)"


def _show(frame: Frame) -> bool:
    """Show a frame; True when the user has pressed q."""
    cv2.imshow("camera", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    return cv2.waitKey(1) == ord("q")


if __name__ == "__main__":
    raise SystemExit(main())
