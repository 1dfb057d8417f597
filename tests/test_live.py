"""Live sessions: what they report, how they end, and that the file they leave always plays."""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections import namedtuple
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import bundles
from tests.clips import CALM, FakeCapture, FakeDisk, Frame, Item, frames, read_clip, write_clip
from venturi import Denoiser, VideoError
from venturi._cli import video
from venturi._cli.main import main
from venturi.video import live
from venturi.video.camera import Camera
from venturi.video.figures import Figures, percentiles
from venturi.video.live import Recorder
from venturi.video.reader import Shot
from venturi.video.window import Window
from venturi.video.writer import VideoWriter

BUNDLE = str(bundles.RECURRENT)


def test_percentiles_need_samples() -> None:
    assert percentiles([]) == "p50 n/a p90 n/a p99 n/a"
    assert percentiles([5.0] * 11) == "p50 5.0 p90 n/a p99 n/a"
    assert percentiles([5.0] * 64) == "p50 5.0 p90 5.0 p99 n/a"
    assert percentiles([*[1.0] * 600, *[9.0] * 62]) == "p50 1.0 p90 1.0 p99 9.0"


def test_a_line_every_second() -> None:
    figures = Figures(100.0)
    for i in range(20):
        figures.add(latency_ms=10 + i, age_ms=30)
    assert figures.line(100.9, dropped=3) is None
    assert figures.line(102.0, dropped=3) == (
        "10.0 fps, latency p50 19.5 p90 n/a p99 n/a ms, age 30 ms, 20 frames, 3 dropped"
    )
    assert figures.line(102.5, dropped=3) is None
    assert figures.line(103.0, dropped=4) == (
        "0.0 fps, latency p50 19.5 p90 n/a p99 n/a ms, age n/a, 20 frames, 4 dropped"
    )


class FakeSource:
    """Frames that came at given times."""

    def __init__(self, shown: Sequence[Frame]) -> None:
        self.shots = [Shot(frame, i, 10.0 + i / 10) for i, frame in enumerate(shown)]
        self.dropped = 0

    def next(self) -> Shot | None:
        return self.shots.pop(0) if self.shots else None


def test_a_session_cleans_every_frame_it_gets() -> None:
    seen: list[tuple[int, int]] = []

    def sink(frame: Frame, shot: Shot) -> bool:
        seen.append((int(frame[0, 0, 0]), shot.number))
        return True

    shown = [np.full((4, 4, 3), i, np.uint8) for i in range(5)]
    assert live.run(FakeSource(shown), lambda frame: frame + 100, [sink, sink]) == 5
    assert seen == [(100 + i // 2, i // 2) for i in range(10)]


def test_a_session_reports_what_it_measures() -> None:
    now = [10.0]

    def clean(frame: Frame) -> Frame:
        now[0] += 0.25
        return frame

    lines: list[str] = []
    live.run(FakeSource(frames(8)), clean, [], say=lines.append, clock=lambda: now[0])
    assert lines[0] == (
        "4.0 fps, latency p50 n/a p90 n/a p99 n/a ms, age 475 ms, 4 frames, 0 dropped"
    )
    assert len(lines) == 2


def test_a_session_ends_after_enough_frames() -> None:
    source = FakeSource(frames(8))
    assert live.run(source, lambda frame: frame, [], max_frames=3) == 3
    assert len(source.shots) == 5


def test_a_session_ends_when_a_sink_says_so() -> None:
    shown: list[int] = []

    def last(frame: Frame, shot: Shot) -> bool:
        shown.append(shot.number)
        return True

    assert live.run(FakeSource(frames(8)), lambda f: f, [lambda *_: False, last]) == 1
    assert shown == [0]


def copies(times: Sequence[float], tmp_path: Path, fps: float = 10) -> list[int]:
    """How often each frame is written, by when it was taken."""
    disk = FakeDisk()
    writer = VideoWriter(tmp_path / "a.avi", fps, open_encoder=disk.open, count=disk.count)
    recorder, counts = Recorder(writer, fps), []
    for i, seconds in enumerate(times):
        before = writer.frames
        assert recorder(frames(1)[0], Shot(frames(1)[0], i, seconds))
        counts.append(writer.frames - before)
    writer.discard()
    return counts


def test_a_recording_keeps_time(tmp_path: Path) -> None:
    assert copies([5.0, 5.1, 5.2, 5.3], tmp_path) == [1, 1, 1, 1]
    assert copies([5.0, 5.16, 5.13, 5.38], tmp_path) == [1, 1, 1, 1]  # jitter below a frame
    assert copies([5.0, 5.5, 5.6], tmp_path) == [1, 5, 1]  # four were dropped
    assert copies([5.0, 5.05, 5.1, 5.15, 5.2, 5.25], tmp_path).count(0) >= 2  # twice the rate


@pytest.mark.parametrize("rate", [4, 7.5, 10, 13, 30])
def test_a_recording_is_as_long_as_the_session(tmp_path: Path, rate: float) -> None:
    total = sum(copies([i / rate for i in range(int(20 * rate))], tmp_path))
    assert abs(total - 200) <= 3


def test_a_long_gap_is_cut_out(tmp_path: Path) -> None:
    assert copies([0.0, 3600.0, 3600.1], tmp_path) == [1, 100, 1]


def window(monkeypatch: pytest.MonkeyPatch, key: int = -1, visible: float = 1.0) -> list[Any]:
    """Let OpenCV have windows; return what is shown in them."""
    import cv2

    shown: list[Any] = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(cv2, "namedWindow", lambda *_: None)
    monkeypatch.setattr(cv2, "imshow", lambda title, frame: shown.append((title, frame)))
    monkeypatch.setattr(cv2, "waitKey", lambda _: key)
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: visible)
    monkeypatch.setattr(cv2, "destroyWindow", shown.append)
    return shown


@pytest.mark.parametrize(
    ("key", "visible", "going"),
    [(-1, 1, True), (ord("x"), 1, True), (ord("q"), 1, False), (27, 1, False), (-1, 0, False)],
)
def test_a_window_shows_and_ends(
    monkeypatch: pytest.MonkeyPatch, key: int, visible: float, going: bool
) -> None:
    shown = window(monkeypatch, key, visible)
    frame = frames(1)[0]
    opened = Window("title")
    assert opened(frame, Shot(frame, 0, 0.0)) is going
    opened.close()
    assert shown[0][0] == shown[1] == "title"
    np.testing.assert_array_equal(shown[0][1], frame[..., ::-1])


def test_without_a_screen_or_windows_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    import cv2

    def none(*_: object) -> None:
        raise cv2.error("not implemented")

    monkeypatch.setattr(cv2, "namedWindow", none)
    monkeypatch.setenv("DISPLAY", ":0")
    with pytest.raises(VideoError, match="pip install opencv-python"):
        Window("title")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    if sys.platform == "linux":
        with pytest.raises(VideoError, match="no screen"):
            Window("title")


Run = Callable[..., int]


@pytest.fixture
def denoise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: main(
        ["denoise", "--camera", *arguments, "--bundle", BUNDLE, "--threads", "1"]
    )


def use(monkeypatch: pytest.MonkeyPatch, captures: Sequence[FakeCapture | Exception]) -> None:
    """Let the command line find fake cameras, one for each opening, the last for all further."""
    left = list(captures)

    def opening() -> FakeCapture:
        capture = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(capture, Exception):
            raise capture
        return capture

    def made(source: str, *, say: Callable[[str], None], stop: threading.Event) -> Camera:
        return Camera(f"camera {source}", opening, patience=CALM, say=say, stop=stop)

    monkeypatch.setattr(video, "camera", made)


def test_the_command_on_a_file(
    denoise: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_clip(tmp_path / "in.avi", 30, fps=20)
    assert denoise("in.avi", "--output", "out.mkv", "--strength", "1.5") == 0
    lines = capsys.readouterr().err.splitlines()
    found = read_clip(tmp_path / "out.mkv")
    assert abs(len(found) - 30) <= 1
    assert lines[-1] == "venturi: in.avi: 30 frames cleaned" or "dropped" in lines[-3]
    pattern = r"venturi: [\d.]+ fps, latency p50 \S+ p90 n/a p99 n/a ms, age \d+ ms, \d+ frames"
    assert re.match(pattern, lines[0])
    first = Denoiser(BUNDLE, threads=1).denoise(read_clip(tmp_path / "in.avi")[0], strength=1.5)
    np.testing.assert_array_equal(found[0], first)


def test_max_frames(denoise: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_clip(tmp_path / "in.avi", 30, fps=15)
    assert denoise("in.avi", "--max-frames", "4") == 0
    assert capsys.readouterr().err.splitlines()[-1] == "venturi: in.avi: 4 frames cleaned"
    assert [path.name for path in tmp_path.iterdir()] == ["in.avi"]


def test_a_bundle_without_memory_is_noted(
    denoise: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_clip(tmp_path / "in.avi", 3, fps=30)
    still = str(bundles.DENOISER)
    assert main(["denoise", "--camera", "in.avi", "--bundle", still]) == 0
    assert "tiny-denoiser has no memory" in capsys.readouterr().err


def test_a_cut_file_is_told(
    denoise: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = write_clip(tmp_path / "in.avi", 30)
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    assert denoise("in.avi", "--output", "out.mp4") == 1
    assert "frames are missing that its header promises" in capsys.readouterr().err
    assert len(read_clip(tmp_path / "out.mp4")) > 5


GONE = VideoError("camera 0: does not open")


def late(items: Sequence[Item]) -> FakeCapture:
    return FakeCapture(items, fps=20, interval_s=0.05)


FAULTS: dict[str, tuple[list[Item], str]] = {
    "gone": ([*frames(10)], "it gives no more frames; opening it again"),
    "broken": ([*frames(10), RuntimeError("burnt")], "burnt; opening it again"),
    "changing size": ([*frames(5), *frames(5, 96, 90)], "were fitted into 64 × 48"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("suffix", [".avi", ".mp4"])
def test_the_output_plays_whatever_happens(
    denoise: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fault: str,
    suffix: str,
) -> None:
    items, says = FAULTS[fault]
    use(monkeypatch, [late(items), GONE])
    assert denoise("0", "--output", f"out{suffix}") == 1
    error = capsys.readouterr().err
    assert says in error
    assert re.fullmatch("venturi: error: camera 0: .* 3 attempts; .*", error.splitlines()[-1])
    assert len(read_clip(tmp_path / f"out{suffix}")) >= 9
    assert [path.name for path in tmp_path.iterdir()] == [f"out{suffix}"]


def test_a_full_disk_ends_the_session_and_the_output_plays(
    denoise: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    usage = namedtuple("usage", "free")
    room = iter([*[usage(2**40)] * 6, *[usage(2**20)] * 100])
    monkeypatch.setattr(shutil, "disk_usage", lambda _: next(room))
    use(monkeypatch, [late(frames(100))])
    assert denoise("0", "--output", "out.mp4") == 1
    lines = capsys.readouterr().err.splitlines()
    assert "venturi: out.mp4: 6 frames" in lines
    assert lines[-1].startswith("venturi: error: out.mp4: the disk is full")
    assert len(read_clip(tmp_path / "out.mp4")) == 6


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("97",), "camera 97: does not open"),
        (("absent.mp4",), "absent.mp4: no such camera or file"),
        (("in.avi", "--output", "out.gif"), "video format '.gif'"),
        (("in.avi", "--output", "./in.avi"), "in.avi: is an input and an output"),
        (("in.avi", "--output", "absent/out.mp4"), "no such folder"),
        (("in.avi", "--strength", "9"), "strength is 9.0"),
        (("in.avi", "--device", "abacus"), "abacus"),
    ],
)
def test_failures_are_one_line(
    denoise: Run,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    part: str,
) -> None:
    write_clip(tmp_path / "in.avi", 3)
    assert denoise(*arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("venturi: error: ")
    assert part in line
    assert [path.name for path in tmp_path.iterdir()] == ["in.avi"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_session_and_the_file_is_whole(
    tmp_path: Path, number: signal.Signals
) -> None:
    write_clip(tmp_path / "in.avi", 900, fps=30)
    arguments = ["denoise", "--camera", "in.avi", "--output", "out.mp4", "--bundle", BUNDLE]
    environment = {**os.environ, "PYTHONPATH": str(bundles.DATA.parents[1] / "runtime")}
    with subprocess.Popen(
        [sys.executable, "-m", "venturi", *arguments],
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert " fps, latency " in process.stderr.readline()
        process.send_signal(number)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "in.avi: " in error.splitlines()[-1]
    assert 10 < len(read_clip(tmp_path / "out.mp4")) < 900
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.avi", "out.mp4"]


def test_a_second_signal_does_not_wait() -> None:
    stop = threading.Event()
    with pytest.raises(KeyboardInterrupt), video.stopping(stop):
        signal.raise_signal(signal.SIGTERM)
        assert stop.is_set()
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_other_threads_leave_signals_alone() -> None:
    caught: list[BaseException] = []

    def elsewhere() -> None:
        try:
            with video.stopping(threading.Event()):
                pass
        except BaseException as error:  # noqa: BLE001 - none is expected
            caught.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert caught == []


def test_options_of_files_and_cameras_are_told_apart() -> None:
    others = ("output", "max_frames", "codec", "bitrate", "crf", "input_format", "size")
    given = argparse.Namespace(camera=None, display=False, paths=[], output_format=None)
    vars(given).update(dict.fromkeys(others))
    video.check_camera_arguments(given)
    given.camera = "0"
    video.check_camera_arguments(given)
