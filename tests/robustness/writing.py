"""Full disks, missing permissions and killed processes: the old file or the new one."""

import contextlib
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.robustness._writer import SIZE, content
from tests.robustness.inputs import run_command
from tests.robustness.processes import start
from tests.robustness.subjects import picture
from tests.robustness.tally import Tally, row
from venturi import images
from venturi._io import files
from venturi._io.files import write_atomically

NOBODY = 65534
FULL = Path("/dev/full")
NO_MOUNT = 99


@row(
    "full",
    "a full disk",
    "OSError; the old file, nothing beside it",
    short=10, full=2_000,
)  # fmt: skip
def fill_disks(tally: Tally, count: int) -> None:
    """Let the disk fill up after some bytes of a file."""
    chance = random.Random(9)
    with tempfile.TemporaryDirectory() as name:
        target = Path(name) / "file"
        for _ in range(count):
            target.write_bytes(b"old")
            with _disk_full_after(chance.randrange(SIZE)):
                tally.refuses("a full disk", partial(write_atomically, target, content(1)), OSError)
            tally.holds("not the old file", target.read_bytes() == b"old")
            tally.same("litter", [path.name for path in Path(name).iterdir()], ["file"])
        if FULL.exists():
            tally.refuses("/dev/full", partial(write_atomically, FULL, b"x"), OSError)
        _compress_to_a_full_disk(tally, Path(name))
    _fill_a_real_one(tally, count)


def _fill_a_real_one(tally: Tally, count: int) -> None:
    """Fill a disk of 1 MB in memory, where this process may mount one; it goes with its process."""
    tally.figures["real_disks"] = 0
    if os.geteuid() or shutil.which("unshare") is None:
        return
    mount = f'mount -t tmpfs -o size=1m tmpfs "$1" || exit {NO_MOUNT}; shift; exec "$@"'
    with tempfile.TemporaryDirectory() as name:
        command = ["unshare", "--mount", "sh", "-c", mount, "sh", name, sys.executable, "-m"]
        found = start([*command, "tests.robustness._disk", name, str(count)])
    if found.returncode == NO_MOUNT or found.stderr.startswith(b"unshare:"):
        return
    tally.figures["real_disks"] = 1
    tally.take(found)


def _compress_to_a_full_disk(tally: Tally, folder: Path) -> None:
    image, out = folder / "image.png", folder / "out.vnt"
    images.write(image, picture(64, 64))
    with _disk_full_after(20):
        tally.same("exit code", run_command("compress", image, out), 1)
    tally.holds("something was written", not out.exists())


@contextlib.contextmanager
def _disk_full_after(size: int) -> Iterator[None]:
    """Let no file grow beyond a size; Python turns the signal into an OSError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@row(
    "denied",
    "permission denied",
    "OSError; the old file, nothing beside it",
    short=1, full=1,
)  # fmt: skip
def deny(tally: Tally, _: int) -> None:
    """Take the permission to write away."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "folder"
        folder.mkdir()
        Path(name).chmod(0o755)
        (folder / "file").write_bytes(b"old")
        folder.chmod(0o555)
        with _without_privilege():
            for target in (folder / "file", folder / "new"):
                tally.refuses(
                    target.name, partial(write_atomically, target, b"new"), PermissionError
                )
        tally.same("file", (folder / "file").read_bytes(), b"old")
        tally.same("names", [path.name for path in folder.iterdir()], ["file"])
        folder.chmod(0o755)
        tally.refuses("a folder", partial(write_atomically, folder, b"new"), OSError)
        tally.refuses("none", partial(write_atomically, folder / "no" / "file", b"new"), OSError)


@contextlib.contextmanager
def _without_privilege() -> Iterator[None]:
    """Be nobody for a while, if root: nothing is denied to root."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


@row(
    "killed",
    "SIGKILL while writing",
    "the old file or the new one, never half; no litter after the next write",
    short=5, full=100,
)  # fmt: skip
def kill(tally: Tally, count: int) -> None:
    """Kill processes while they write; count what they leave for the next write to clean."""
    tally.figures["left_until_the_next_write"] = 0
    for folder in _killed(count, "any"):
        left = _check_files(tally, folder)
        tally.figures["left_until_the_next_write"] += len(left)
        before = {path.name for path in folder.iterdir()} - left
        write_atomically(folder / "replaced", b"next")
        tally.same("litter", {path.name for path in folder.iterdir()}, before)


@row(
    "killed-hidden",
    "SIGKILL while writing, where no file can be nameless",
    "the old file or the new one, never half; at most a hidden one",
    short=5, full=100,
)  # fmt: skip
def kill_hidden(tally: Tally, count: int) -> None:
    """Kill processes that write hidden files first, as where no file can be nameless."""
    tally.figures["hidden_files_left"] = 0
    for folder in _killed(count, "hidden"):
        left = _check_files(tally, folder)
        tally.figures["hidden_files_left"] += len(left)
        tally.holds(f"{left}", len(left) <= 1 and all(name.endswith(".tmp") for name in left))


def _killed(count: int, way: str) -> Iterator[Path]:
    """Yield folders in which processes wrote until they were killed."""
    chance = random.Random(10)
    for _ in range(count):
        with tempfile.TemporaryDirectory() as name:
            _kill_a_writer(Path(name), way, chance.uniform(0, 0.03))
            yield Path(name)


def _kill_a_writer(folder: Path, way: str, seconds: float) -> None:
    script = Path(__file__).with_name("_writer.py")
    command = [sys.executable, "-I", "-S", str(script), files.__file__, str(folder), way]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(seconds)
        process.kill()


def _check_files(tally: Tally, folder: Path) -> set[str]:
    """Check that every file with a name is whole; return the hidden ones."""
    hidden = {path.name for path in folder.iterdir() if path.name.startswith(".")}
    for path in folder.iterdir():
        data = path.read_bytes()
        whole = len(data) == SIZE and data == data[:1] * SIZE
        tally.holds(f"half of {path.name}", whole or path.name in hidden)
    return hidden
