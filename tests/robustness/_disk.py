"""Fill a small disk: python -m tests.robustness._disk FOLDER COUNT (run by the tests).

Prints what was tried, and what was lost.
"""

import random
import shutil
import sys
from functools import partial
from pathlib import Path

from tests.robustness._writer import SIZE, content
from tests.robustness.inputs import run_command
from tests.robustness.subjects import picture
from tests.robustness.tally import Tally, outcome
from venturi import images
from venturi._io.files import write_atomically

PAGE = 4096
OLD = b"old" * 5000


def fill(tally: Tally, folder: Path, count: int) -> None:
    """Write files onto a disk that has less and less room, most often too little."""
    chance = random.Random(12)
    room = chance.sample(range(2 * SIZE // PAGE), 2 * SIZE // PAGE)
    refused = 0
    for number in range(count):
        pages = room[number % len(room)]
        target = folder / "file"
        target.write_bytes(OLD)
        _leave(folder, pages * PAGE)
        error = outcome(partial(write_atomically, target, content(1)))
        refused += error is not None
        expected = content(1) if error is None else OLD
        tally.holds(f"{pages} pages: {error!r}", error is None or isinstance(error, OSError))
        tally.holds(f"{pages} pages: half a file", target.read_bytes() == expected)
        _check_names(tally, folder, "file")
    tally.holds("the disk was never full", refused > 0)
    tally.holds("the disk was always full", refused < count)
    _use_commands(tally, folder)


def _use_commands(tally: Tally, folder: Path) -> None:
    """Let the command line run out of room."""
    _leave(folder, 40 * PAGE)
    images.write(folder / "image.png", picture(64, 64))
    _leave(folder, 0)
    tally.same("compress", run_command("compress", folder / "image.png", folder / "out.vnt"), 1)
    _check_names(tally, folder, "file", "image.png")
    _leave(folder, 4 * PAGE)
    tally.same("compress", run_command("compress", folder / "image.png", folder / "out.vnt"), 0)
    _leave(folder, 0)
    tally.same("decompress", run_command("decompress", folder / "out.vnt", folder / "b.png"), 1)
    _check_names(tally, folder, "file", "image.png", "out.vnt")


def _leave(folder: Path, size: int) -> None:
    """Fill the disk until there is this room, and no more."""
    filler = folder / "filler"
    filler.unlink(missing_ok=True)
    free = shutil.disk_usage(folder).free
    with filler.open("wb", buffering=0) as file:
        while free > size:
            free -= file.write(bytes(min(1 << 16, free - size)))


def _check_names(tally: Tally, folder: Path, *expected: str) -> None:
    names = sorted(path.name for path in folder.iterdir())
    tally.same("litter", names, sorted(("filler", *expected)))


def main(folder: str, count: str) -> None:
    tally = Tally()
    fill(tally, Path(folder), int(count))
    print(tally.to_json())


if __name__ == "__main__":
    main(*sys.argv[1:])
