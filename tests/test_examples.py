"""The example programs do what they say, started as a reader would start them."""

import os
import queue
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from examples import batch_folder, camera_loop
from tests import clips
from venturi import Codec, Denoiser, images

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"


def run(program: str, *arguments: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run an example from a folder that has nothing to do with the clone."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "runtime")}
    command = [sys.executable, str(EXAMPLES / program), *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def picture(seed: int, height: int = 64, width: int = 80) -> camera_loop.Frame:
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    return coarse.repeat(8, 0).repeat(8, 1)


def test_every_example_stands_in_the_index() -> None:
    index = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    links = set(re.findall(r"\]\(([^)#]+)\)", index))
    there = {path.name for path in EXAMPLES.iterdir() if not path.name.startswith((".", "__"))}
    assert {link.partition("/")[0] for link in links if not link.startswith("..")} == there - {
        "README.md"
    }
    assert all((EXAMPLES / link).exists() for link in links)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with four pictures at two depths, one file that is none, and one for nobody."""
    folder = tmp_path / "photos"
    (folder / "trip").mkdir(parents=True)
    for number, name in enumerate(["a.png", "a.jpg", "trip/b.PNG", "trip/ü c.webp"]):
        images.write(folder / name, picture(number))
    (folder / "trip" / "broken.jpg").write_bytes((folder / "a.jpg").read_bytes()[:300])
    (folder / "notes.txt").write_text("no picture", encoding="utf-8")
    return folder


def test_a_folder_is_compressed_and_bad_files_are_named(photos: Path, tmp_path: Path) -> None:
    first = run("batch_folder.py", "photos", "out", "--jobs", "2", folder=tmp_path)
    assert first.returncode == 1
    assert first.stdout == "5 pictures, 0 done already\n4 compressed, 1 failed\n"
    assert re.fullmatch(r"photos/trip/broken\.jpg: InputError: .+\n", first.stderr)
    written = {path.relative_to(tmp_path / "out").as_posix() for path in out_files(tmp_path)}
    assert written == {"a.png.vnt", "a.jpg.vnt", "trip/b.PNG.vnt", "trip/ü c.webp.vnt"}
    expected = Codec("photo", threads=1).compress(picture(0), quality=50)
    assert (tmp_path / "out" / "a.png.vnt").read_bytes() == expected

    (tmp_path / "out" / "a.jpg.vnt").unlink()
    images.write(photos / "trip" / "broken.jpg", picture(9))
    kept = {path: path.stat().st_mtime_ns for path in out_files(tmp_path)}
    second = run("batch_folder.py", "photos", "out", "--jobs", "2", folder=tmp_path)
    assert (second.returncode, second.stderr) == (0, "")
    assert second.stdout == "5 pictures, 3 done already\n2 compressed, 0 failed\n"
    assert len(out_files(tmp_path)) == 5
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def out_files(folder: Path) -> list[Path]:
    return [path for path in (folder / "out").rglob("*") if path.is_file()]


def test_a_batch_over_no_folder_says_so(tmp_path: Path) -> None:
    done = run("batch_folder.py", "nowhere", "out", folder=tmp_path)
    assert done.returncode == 2
    assert "nowhere is no folder" in done.stderr


def deadly(picture: Path, target: Path, quality: float) -> str:
    """Stands in for ``compress``: a picture whose decoder crashes."""
    if picture.name == "deadly":
        os._exit(11)
    return "" if picture.name != "bad" else "bad"


def test_a_picture_that_kills_its_process_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_folder, "compress", deadly)
    names = ["one", "bad", "two", "deadly", "three", "four", "five", "six"]
    todo = [(Path(name), Path()) for name in names]
    outcomes = {job[0].name: problem for job, problem in batch_folder.compress_all(todo, 50, 2)}
    assert outcomes.pop("bad") == "bad"
    assert outcomes.pop("deadly") == "it ended the process that read it"
    assert outcomes == dict.fromkeys(["one", "two", "three", "four", "five", "six"], "")


def test_a_synthetic_camera_is_cleaned_and_timed(tmp_path: Path) -> None:
    done = run(
        "camera_loop.py", "--source", "synthetic", "--bundle", "camera-fast",
        "--frames", "31", "--save", "clean.png", folder=tmp_path,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line.partition(",")[0] for line in lines] == ["30 frames", "in all 31 frames"]
    assert all(re.search(r"latency [\d.]+ ms \(median\), [\d.]+ ms \(95 %\)$", x) for x in lines)
    frames = camera_loop.synthetic()
    noisy = [next(frames) for _ in range(31)][-1]
    clean = images.read(tmp_path / "clean.png").pixels
    np.testing.assert_array_equal(clean, Denoiser("camera-fast").denoise(noisy))
    # The slope is the same in every row: what differs from row to row is noise.
    assert clean[:60].std(0).mean() < noisy[:60].std(0).mean() / 3


def test_every_frame_of_a_video_is_cleaned(tmp_path: Path) -> None:
    clip = clips.write_clip(tmp_path / "clip.mp4", 7)
    done = run("camera_loop.py", "--source", clip.name, "--save", "last.png", folder=tmp_path)
    assert done.stdout.startswith("in all 7 frames, latency")
    stream = Denoiser("camera-video").stream()
    cleaned = [stream.denoise(frame) for frame in clips.read_clip(clip)]
    np.testing.assert_array_equal(images.read(tmp_path / "last.png").pixels, cleaned[-1])


def test_a_source_without_frames_is_an_error(tmp_path: Path) -> None:
    done = run("camera_loop.py", "--source", "nothing.mp4", folder=tmp_path)
    assert done.returncode == 1
    assert "nothing.mp4: no frames" in done.stdout


class FakeCapture:
    """A camera that gives frames when it is told to, each filled with its number."""

    def __init__(self, number: int) -> None:
        self.go: queue.Queue[bool] = queue.Queue()
        self.count, self.released = 0, False
        captures.append(self)

    def read(self) -> tuple[bool, camera_loop.Frame | None]:
        if not self.go.get():
            return False, None
        self.count += 1
        return True, np.full((2, 2, 3), self.count, np.uint8)

    def release(self) -> None:
        self.released = True


captures: list[FakeCapture] = []


def test_a_live_camera_gives_its_newest_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cv2.VideoCapture", FakeCapture)
    frames = camera_loop.live(0)
    threading.Timer(0.05, lambda: captures[0].go.put(True)).start()
    assert next(frames)[0, 0, 0] == 1
    for more in (True, True, True, False):
        captures[0].go.put(more)
    while not captures[0].go.empty():  # once the end has been read, what came before was handed on
        time.sleep(0.001)
    assert [frame[0, 0, 0] for frame in frames] == [4]
    assert captures[0].released
