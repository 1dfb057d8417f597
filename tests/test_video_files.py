"""Video files: each frame is there and they play, or there is none; also when things fail."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import venturi
from tests import bundles
from tests.clips import FakeDisk, Frame, frames, read_clip, write_clip
from tests.robustness.writing import _disk_full_after
from venturi import Denoiser, InputError, VideoError
from venturi._cli import video
from venturi._cli.main import main
from venturi.video.capture import open_capture
from venturi.video.recode import recode
from venturi.video.writer import ENCODERS, VideoWriter, count_frames, fitted

BUNDLE = str(bundles.RECURRENT)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write(writer: VideoWriter, shown: list[Frame]) -> None:
    for frame in shown:
        writer.write(frame)


@pytest.mark.parametrize("suffix", ENCODERS)
def test_every_format_holds_every_frame(tmp_path: Path, suffix: str) -> None:
    path = write_clip(tmp_path / f"clip{suffix}", 20)
    found = read_clip(path)
    assert len(found) == count_frames(path) == 20
    limit = 0 if suffix == ".mkv" else 6  # levels; FFV1 loses nothing
    for frame, expected in zip(found, frames(20), strict=True):
        assert abs(frame.astype(int) - expected).mean() <= limit
    assert names(tmp_path) == [path.name]


def test_nothing_is_there_before_the_end(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "a.avi", 30)
    write(writer, frames(3))
    assert not (tmp_path / "a.avi").exists()
    writer.discard()
    assert names(tmp_path) == []


def test_a_file_that_is_there_is_replaced_at_the_end(tmp_path: Path) -> None:
    old = tmp_path / "old.avi"
    old.write_bytes(b"old")
    old.chmod(0o640)
    link = tmp_path / "link.avi"
    link.symlink_to(old)
    writer = VideoWriter(link, 30)
    write(writer, frames(3))
    assert old.read_bytes() == b"old"
    writer.close()
    assert link.is_symlink()
    assert len(read_clip(old)) == 3
    assert old.stat().st_mode & 0o777 == 0o640
    assert names(tmp_path) == ["link.avi", "old.avi"]


def test_another_size_is_fitted_and_noted(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "a.mkv", 30)
    small, wide = frames(2), frames(2, 60, 200)
    write(writer, [*small, *wide, small[0][..., 0]])
    writer.close()
    found = read_clip(tmp_path / "a.mkv")
    assert [frame.shape for frame in found] == [(48, 64, 3)] * 5
    assert writer.notes == [
        "frames of 200 × 60 pixels were fitted into 64 × 48, the size of the first"
    ]
    assert found[2][:14].max() == found[2][-14:].max() == 0
    assert (
        abs(found[2][15:33].mean(axis=2) - fitted(wide[0], (48, 64))[15:33].mean(axis=2)).max() < 2
    )
    assert np.ptp(found[4], axis=2).max() <= 1


@pytest.mark.parametrize("size", [(1, 1), (480, 640), (37, 1000), (1000, 37), (5, 5)])
def test_what_is_fitted_keeps_its_proportions(size: tuple[int, int]) -> None:
    bright = np.full((50, 100, 3), 200, np.uint8)
    shown = fitted(bright, size)
    assert shown.shape == (*size, 3)
    rows, columns = np.flatnonzero(shown.any((1, 2))), np.flatnonzero(shown.any((0, 2)))
    assert abs(rows.size * 2 - columns.size) <= 2
    assert rows.size == size[0] or columns.size == size[1]


def test_odd_sides_are_noted(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "a.avi", 30)
    write(writer, frames(2, 49, 65))
    writer.close()
    assert [frame.shape for frame in read_clip(tmp_path / "a.avi")] == [(48, 64, 3)] * 2
    assert len(writer.notes) == 1
    assert writer.notes[0].startswith("65 × 49 pixels: sides of a video are even")


@pytest.mark.parametrize(
    ("name", "error", "part"),
    [
        ("a.webm", InputError, r"'\.webm': expected one of \.mp4"),
        ("a", InputError, "expected one of"),
        ("absent/a.mp4", OSError, "no such folder"),
        ("folder.mp4", InputError, "no regular file"),
    ],
)
def test_what_cannot_be_written_is_refused_at_once(
    tmp_path: Path, name: str, error: type[Exception], part: str
) -> None:
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(error, match=part):
        VideoWriter(tmp_path / name, 30)


def test_no_frame_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"a\.mp4: no frame to write"):
        VideoWriter(tmp_path / "a.mp4", 30).close()
    assert names(tmp_path) == []


def test_a_missing_codec_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENCODERS, ".mp4", "none")
    writer = VideoWriter(tmp_path / "a.mp4", 30)
    with pytest.raises(VideoError, match=r"\.mp4 video of 64 × 48 pixels, coded as none, .* \.avi"):
        writer.write(frames(1)[0])
    writer.discard()
    assert names(tmp_path) == []


def lossy(tmp_path: Path, loses: Callable[[int], bool]) -> VideoWriter:
    disk = FakeDisk(loses)
    return VideoWriter(tmp_path / "a.mp4", 30, open_encoder=disk.open, count=disk.count)


def test_frames_that_are_lost_in_silence_are_noticed(tmp_path: Path) -> None:
    writer = lossy(tmp_path, lambda number: number == 4)
    write(writer, frames(6))
    with pytest.raises(VideoError, match=r"a\.mp4: 5 of 6 frames are in the file, it was not kept"):
        writer.close()
    assert names(tmp_path) == []


def test_a_part_is_kept_on_demand(tmp_path: Path) -> None:
    writer = lossy(tmp_path, lambda number: number >= 4)
    write(writer, frames(6))
    with pytest.raises(VideoError, match=r"4 of 6 frames are in the file, it was kept"):
        writer.close(keep_part=True)
    assert FakeDisk.count(tmp_path / "a.mp4") == 4
    assert names(tmp_path) == ["a.mp4"]


def test_a_part_without_frames_is_not_kept(tmp_path: Path) -> None:
    writer = lossy(tmp_path, lambda _: True)
    write(writer, frames(6))
    with pytest.raises(VideoError, match=r"0 of 6 frames are in the file, it was not kept"):
        writer.close(keep_part=True)
    assert names(tmp_path) == []


@pytest.mark.parametrize("suffix", ENCODERS)
def test_a_full_disk_leaves_a_video_that_plays(tmp_path: Path, suffix: str) -> None:
    room = [100 * 2**20]
    writer = VideoWriter(tmp_path / f"a{suffix}", 30, free=lambda folder: room[0])
    write(writer, frames(5))
    room[0] = 2**20
    with pytest.raises(VideoError, match=r"the disk is full, with 1 MiB left .*after 5 frames"):
        writer.write(frames(1)[0])
    writer.close()
    assert len(read_clip(writer.path)) == 5


@contextlib.contextmanager
def tiny_disk(folder: Path, megabytes: int) -> Iterator[None]:
    """Mount a file system of a few MB; skips where that is not allowed."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("only root may mount a small file system")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    with tiny_disk(tmp_path, 7):
        writer = VideoWriter(tmp_path / "a.mkv", 30)
        noise = np.random.default_rng(0).integers(0, 256, (100, 120, 160, 3), np.uint8)
        with pytest.raises(VideoError, match="the disk is full"):
            write(writer, list(noise))
        writer.close(keep_part=True)
        assert len(read_clip(tmp_path / "a.mkv")) == writer.frames > 10
        assert names(tmp_path) == ["a.mkv"]


def test_a_quota_that_nobody_can_see_is_noticed_at_the_end(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (30, 120, 160, 3), np.uint8)
    for suffix in (".avi", ".mp4"):
        writer = VideoWriter(tmp_path / f"a{suffix}", 30)
        with _disk_full_after(60_000):
            write(writer, list(noise))
            with pytest.raises(VideoError, match="of 30 frames are in the file") as refusal:
                writer.close(keep_part=True)
        if "it was kept" in str(refusal.value):
            assert len(read_clip(writer.path)) > 0
            writer.path.unlink()
        assert names(tmp_path) == []


Run = Callable[..., int]


@pytest.fixture
def denoise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: main(["denoise", *arguments, "--bundle", BUNDLE, "--threads", "1"])


def test_the_command_cleans_with_a_stream(
    denoise: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_clip(tmp_path / "in.avi", 8)
    assert denoise("in.avi", "out.mkv", "--strength", "0.5") == 0
    assert capsys.readouterr() == ("", "")
    stream = Denoiser(BUNDLE, threads=1).stream()
    recode("in.avi", tmp_path / "clean.mkv", lambda frame: stream.denoise(frame, 0.5))
    for expected, found in zip(
        read_clip(tmp_path / "clean.mkv"), read_clip(tmp_path / "out.mkv"), strict=True
    ):
        np.testing.assert_array_equal(found, expected)
    capture = open_capture("out.mkv")
    assert capture.fps == 30
    capture.close()


def test_videos_and_pictures_into_a_folder(denoise: Run, tmp_path: Path) -> None:
    from venturi import images

    write_clip(tmp_path / "one.AVI", 3)
    (tmp_path / "two.ts").write_bytes(write_clip(tmp_path / "x.mp4", 3).read_bytes())
    images.write(tmp_path / "three.jpg", frames(1)[0])
    assert denoise("one.AVI", "two.ts", "three.jpg", "out/") == 0
    assert names(tmp_path / "out") == ["one.avi", "three.png", "two.mp4"]


def cut(path: Path, share: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def test_what_is_left_of_a_cut_video_is_written(
    denoise: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut(write_clip(tmp_path / "in.avi", 30), 0.6)
    assert denoise("in.avi", "out.mp4") == 1
    left = len(read_clip(tmp_path / "out.mp4"))
    assert 5 < left < 25
    error = capsys.readouterr().err
    place = re.match(r"venturi: error: in\.avi: ends too early, after (\d\.\d\d) s \(", error)
    assert place is not None
    assert float(place[1]) == pytest.approx(left / 30, abs=0.05)
    assert f"the first {left} frames are in out.mp4" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (
            ("cut.mp4", "out.mp4"),
            "cut.mp4: has no video stream; expected one: it is a sound file, or a video that",
        ),
        (("absent.mp4", "out.mp4"), "absent.mp4: No such file"),
        (("in.avi", "out.png"), "video format '.png': expected one of .mp4"),
        (("in.avi", "absent/out.mp4"), "no such folder"),
        (("in.avi", "in.avi"), "is an input and an output"),
        (("in.avi", "out.mp4", "--strength", "7"), "strength is 7.0"),
        (("in.avi", "out.mp4", "--max-frames", "3"), "--max-frames: is for --camera"),
        (("in.avi", "out.mp4", "--display"), "--display: is for --camera"),
        (("in.avi", "--camera", "0"), "in.avi: a path beside --camera"),
        (("--camera", "in.avi", "-o", "out.avi", "--crf", "9"), "--crf: is for video files"),
        (("--camera", "in.avi", "-o", "out.avi", "--codec", "ffv1"), "--codec: is for video"),
        (("in.avi", "out.mp4", "--input-format", "y4m"), "--input-format: is for standard input"),
        (("in.avi", "out.mp4", "--size", "8x8"), "--size: expected with --input-format rawvideo"),
    ],
)
def test_failures_are_one_line_and_leave_nothing(
    denoise: Run,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    part: str,
) -> None:
    write_clip(tmp_path / "in.avi", 4)
    cut(write_clip(tmp_path / "cut.mp4", 10), 0.5)
    capfd.readouterr()
    assert denoise(*arguments) == 1
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("venturi:")]
    assert len(lines) == 1
    assert part in lines[0]
    assert names(tmp_path) == ["cut.mp4", "in.avi"]


def test_a_bar_counts_frames(
    denoise: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_clip(tmp_path / "in.avi", 4)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert denoise("in.avi", "out.avi") == 0
    error = capsys.readouterr().err
    assert "[############............] 2/4" in error
    assert error.endswith("4/4\n")
    cut(write_clip(tmp_path / "in.avi", 40), 0.6)
    assert denoise("in.avi", "out.avi", "--force") == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("venturi: error: in.avi: ")


@pytest.fixture
def heeded() -> Iterator[None]:
    """Let children heed SIGINT, also where the tests run in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeded")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    write_clip(tmp_path / "in.avi", 400, height=240, width=320)
    command = [sys.executable, "-m", "venturi", "denoise", "in.avi", "out.mp4", "--bundle", BUNDLE]
    environment = {**os.environ, "PYTHONPATH": str(bundles.DATA.parents[1] / "runtime")}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE
    ) as process:
        deadline = time.monotonic() + 60
        while len(names(tmp_path)) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(number)
        _, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (130, b"venturi: interrupted\n")
    assert names(tmp_path) == ["in.avi"]


@pytest.mark.usefixtures("heeded")
def test_an_interruption_does_not_wait_for_the_videos_of_other_processes(tmp_path: Path) -> None:
    for name in ("a.avi", "b.avi"):
        write_clip(tmp_path / name, 400, height=240, width=320)
    command = [sys.executable, "-m", "venturi", "denoise", "a.avi", "b.avi", "-o", "out/"]
    environment = {**os.environ, "PYTHONPATH": str(bundles.DATA.parents[1] / "runtime")}
    with subprocess.Popen(
        [*command, "--jobs", "2", "--bundle", BUNDLE],
        cwd=tmp_path, env=environment, stderr=subprocess.PIPE, start_new_session=True,
    ) as process:  # fmt: skip
        deadline = time.monotonic() + 60
        while len([*tmp_path.glob("out/.*")]) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (130, b"venturi: interrupted\n")
    assert names(tmp_path / "out") == []


@pytest.mark.parametrize(
    ("words", "bundle"),
    [
        (["a.png", "b.png"], "camera"),
        (["a.mp4", "b.mp4"], "camera-video"),
        (["a.png", "a.mp4", "folder"], "camera-video"),
        (["--camera", "0"], "camera-video"),
        (["--camera", "0", "--precision", "int8"], "camera-video"),
        (["a.mp4", "b.mp4", "--bundle", "mine"], "mine"),
    ],
)
def test_what_moves_is_cleaned_with_a_memory(
    words: list[str], bundle: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)  # an output folder is made
    opened: list[str] = []

    def opening(name: str, **options: object) -> Denoiser:
        opened.append(name)
        raise InputError("enough")

    monkeypatch.setattr(video, "Denoiser", opening)
    assert main(["denoise", *words]) == 1
    assert opened == [bundle]


def piped(folder: Path, command: str, data: bytes) -> subprocess.CompletedProcess[bytes]:
    line = command.replace("venturi denoise", f"{sys.executable} -m venturi denoise")
    line += f" --bundle {BUNDLE}"
    runtime = str(Path(venturi.__file__).parents[1])
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"],
        cwd=folder, env={"PYTHONPATH": runtime, "PATH": os.environ["PATH"]},
        input=data, capture_output=True, timeout=120, check=False,
    )  # fmt: skip


def test_y4m_through_pipes_is_recognised(tmp_path: Path) -> None:
    recode(str(write_clip(tmp_path / "in.avi", 4)), tmp_path / "in.y4m", lambda frame: frame)
    done = piped(tmp_path, "venturi denoise - -", (tmp_path / "in.y4m").read_bytes())
    assert (done.returncode, done.stderr) == (0, b"")
    (tmp_path / "out.y4m").write_bytes(done.stdout)
    assert count_frames(tmp_path / "out.y4m") == 4


def test_raw_frames_through_pipes(tmp_path: Path) -> None:
    data = np.random.default_rng(0).integers(0, 256, 3 * 64 * 48 * 3 // 2, np.uint8).tobytes()
    command = "venturi denoise - - --input-format rawvideo --size 64x48 --pix-fmt nv12"
    done = piped(tmp_path, command, data)
    assert (done.returncode, done.stderr, len(done.stdout)) == (0, b"", len(data))
    for wrong in ("--input-format rawvideo", "--input-format mjpeg --size 64x48"):
        done = piped(tmp_path, f"venturi denoise - - {wrong}", data)
        assert done.returncode == 1
        assert done.stderr.startswith(b"venturi: error: --size: expected with --input-format")


def test_an_output_to_a_pipe_does_not_wait_for_standard_input(tmp_path: Path) -> None:
    """It may be a terminal, from which nothing comes."""
    write_clip(tmp_path / "in.avi", 2)
    command = f"exec 3< <(sleep 60); venturi denoise in.avi - <&3 --bundle {BUNDLE}; kill $!; echo"
    done = piped(tmp_path, command, b"")
    assert done.stdout.startswith(b"YUV4MPEG2")


def test_a_reader_of_frames_that_has_gone_ends_the_command_quietly(tmp_path: Path) -> None:
    write_clip(tmp_path / "in.avi", 60, height=240, width=320)
    command = f"(venturi denoise in.avi - --bundle {BUNDLE}; echo $? >code) | head -c 9; true"
    done = piped(tmp_path, command, b"")
    assert done.stderr == b""
    assert (tmp_path / "code").read_text() == "141\n"
