"""Cameras that fail, videos that are cut short: it is told, and what is written plays."""

import contextlib
import io
import tempfile
from pathlib import Path

import numpy as np

from tests.bundles import DENOISER
from tests.clips import BLOCK, HASTE, FakeCapture, Frame, Item, frames, read_clip, write_clip
from tests.robustness.tally import Tally, row
from venturi import VideoError
from venturi._cli.jobs import quiet_libraries
from venturi._cli.main import main
from venturi.video import live
from venturi.video.camera import Camera
from venturi.video.capture import Capture
from venturi.video.writer import VideoWriter

FAULTS = ("gone", "blocked", "broken", "frozen", "another size", "slow")


@row(
    "cameras",
    "a camera gone, blocked, broken, frozen, slow, or of another size",
    "told, opened again, given up in the end; the output plays, whole",
    short=3, full=60,
)  # fmt: skip
def fail_cameras(tally: Tally, count: int) -> None:
    """Let a camera fail twice in random ways, come back, and stay away at last."""
    random = np.random.default_rng(11)
    for _ in range(count):
        faults = [FAULTS[place] for place in random.integers(len(FAULTS), size=2)]
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / ("out.avi" if random.random() < 0.5 else "out.mp4")
            _run(tally, [_camera(fault) for fault in faults], path, ", ".join(faults))


def _camera(fault: str) -> FakeCapture:
    good = frames(4)
    items: dict[str, list[Item]] = {
        "gone": [*good],
        "blocked": [*good, BLOCK],
        "broken": [*good, RuntimeError("burnt")],
        "frozen": [*good, *[good[-1]] * 200],
        "another size": [*good, *frames(4, 96, 90)],
        "slow": [*good],
    }
    return FakeCapture(items[fault], interval_s=0.05 if fault == "slow" else 0.01)


def _run(tally: Tally, cameras: list[FakeCapture], path: Path, what: str) -> None:
    left = list(cameras)

    def opening() -> Capture:
        if not left:
            raise VideoError("no camera")
        return left.pop(0)

    lines: list[str] = []
    source = Camera("camera", opening, patience=HASTE, say=lines.append)
    writer = VideoWriter(path, 30)

    def record(frame: Frame, shot: object) -> bool:
        writer.write(frame)
        return True

    tally.refuses(what, lambda: live.run(source, lambda f: f, [record]), VideoError, "given up")
    tally.holds(f"{what}: nobody was told", len(lines) >= len(cameras))
    source.close()
    for camera in cameras:
        camera.released.set()
    written = writer.frames
    writer.close()
    tally.holds(f"{what}: only {written} frames", written >= len(cameras))
    tally.same(f"{what}: frames that play", len(read_clip(path)), written)
    tally.same(f"{what}: litter", [file.name for file in path.parent.iterdir()], [path.name])


@row(
    "videos",
    "a video cut short anywhere",
    "what can be read is written and plays; message and exit code say how many frames",
    short=5, full=300,
)  # fmt: skip
def cut_videos(tally: Tally, count: int) -> None:
    """Cut a video anywhere: the exit code is 0 only for a whole one; what is written plays."""
    random = np.random.default_rng(12)
    total = 30
    with tempfile.TemporaryDirectory() as name, quiet_libraries():
        folder = Path(name)
        for suffix in (".avi", ".mp4"):
            whole = write_clip(folder / f"whole{suffix}", total).read_bytes()
            (folder / f"whole{suffix}").unlink()
            for length in {0, 1, len(whole), *random.integers(len(whole), size=count).tolist()}:
                _clean_cut(tally, folder, whole[:length], suffix, total)


def _clean_cut(tally: Tally, folder: Path, data: bytes, suffix: str, total: int) -> None:
    source, out = folder / f"in{suffix}", folder / "out.avi"
    source.write_bytes(data)
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        code = main(["denoise", str(source), str(out), "--bundle", str(DENOISER)])
    what = f"{len(data)} bytes of a {suffix}"
    lines = said.getvalue().count("\n")
    tally.holds(f"{what}: {lines} lines and code {code}", lines == 1 or (lines, code) == (0, 0))
    written = len(read_clip(out)) if out.exists() else 0
    tally.holds(f"{what}: {written} frames and code {code}", (code == 0) == (written >= total - 1))
    if code and written:
        tally.holds(f"{what}: untold", f"{written} of {total} frames" in said.getvalue())
    source.unlink()
    out.unlink(missing_ok=True)
    tally.same(f"{what}: litter", [file.name for file in folder.iterdir()], [])
