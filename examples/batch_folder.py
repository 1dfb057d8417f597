"""Compress every picture of a folder, on all cores, and go on where the last run stopped.

    python batch_folder.py photos compressed --quality 60 --jobs 4

``photos/a/b.jpg`` becomes ``compressed/a/b.jpg.vnt``. Files that cannot be compressed are named at
the end, and the exit code is 1; run it again after mending them.
"""

import argparse
import os
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from multiprocessing import get_context
from pathlib import Path

from venturi import Codec, VenturiError, images

ENDINGS = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}

Job = tuple[Path, Path]
"""A picture and the file to make of it."""


def main() -> int:
    """Compress a folder; return 1 if a file failed."""
    parser = argparse.ArgumentParser(description="Compress every picture of a folder.")
    parser.add_argument("source", type=Path, help="a folder with pictures, at any depth")
    parser.add_argument("target", type=Path, help="the folder for the .vnt files")
    parser.add_argument("--quality", type=float, default=50, help="1 to 100 (default 50)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    arguments = parser.parse_args()
    if not arguments.source.is_dir():
        parser.error(f"{arguments.source} is no folder; name the one that has the pictures")

    jobs = list(plan(arguments.source, arguments.target))
    todo = [job for job in jobs if not job[1].exists()]  # a file that exists is whole: see _write
    print(f"{len(jobs)} pictures, {len(jobs) - len(todo)} done already")
    failures = {}
    for (picture, _), problem in compress_all(todo, arguments.quality, arguments.jobs):
        if problem:
            failures[picture] = problem
    print(f"{len(todo) - len(failures)} compressed, {len(failures)} failed")
    for picture, problem in sorted(failures.items()):
        print(f"{picture}: {problem}", file=sys.stderr)
    return 1 if failures else 0


def plan(source: Path, target: Path) -> Iterator[Job]:
    """Yield the jobs. The whole name is kept: a.png and a.jpg must not become one file."""
    for path in sorted(source.rglob("*")):
        if path.suffix.lower() in ENDINGS and path.is_file():
            relative = path.relative_to(source)
            yield path, target / relative.with_name(f"{relative.name}.vnt")


def compress_all(todo: list[Job], quality: float, jobs: int) -> Iterator[tuple[Job, str]]:
    """Yield each job as it ends, with what went wrong, or an empty string.

    A process that dies (out of memory, a crash in a decoder) takes the whole pool with it, and
    nobody can tell which picture it was. Those in question are tried again one at a time: the one
    that ends its process again is to blame.
    """
    rest = deque(todo)
    while rest:
        suspects = []
        for job, problem in _in_pool(rest, quality, jobs):
            if problem is None:
                suspects.append(job)
            else:
                yield job, problem
        for suspect in suspects:
            for job, problem in _in_pool(deque([suspect]), quality, 1):
                yield job, "it ended the process that read it" if problem is None else problem


def _in_pool(rest: deque[Job], quality: float, jobs: int) -> Iterator[tuple[Job, str | None]]:
    """Take jobs from ``rest`` and yield each with its problem, until a process dies.

    The jobs that were under way then are the last, each with None.
    """
    running: dict[Future[str], Job] = {}
    # "spawn" starts clean processes: forked ones would share the locks of our threads.
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        try:
            while rest or running:
                while rest and len(running) < 2 * jobs:  # few, so that few are suspected
                    future = pool.submit(compress, *rest[0], quality)
                    running[future] = rest.popleft()
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    problem = future.result()
                    yield running.pop(future), problem
        except BrokenProcessPool:
            yield from ((job, None) for job in running.values())


@cache
def open_codec() -> Codec:
    """Open the codec, once per process; one thread each, since every core has a process."""
    return Codec("photo", threads=1)


def compress(picture: Path, target: Path, quality: float) -> str:
    """Compress one picture; return what went wrong, or an empty string."""
    codec = open_codec()  # what goes wrong here goes wrong for every picture: let it end the run
    try:
        pixels = images.read(picture).pixels
        _write(target, codec.compress(pixels, quality=quality))
    except (VenturiError, OSError, MemoryError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _write(target: Path, data: bytes) -> None:
    """Write aside and rename, so that a run that is killed leaves no half file under the name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f"{target.name}.part")
    aside.write_bytes(data)
    aside.replace(target)


if __name__ == "__main__":
    raise SystemExit(main())
