"""Process a batch of files, in one process or several, and report failures."""

import argparse
import contextlib
import json
import multiprocessing
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path

from venturi import images
from venturi._cli import standard
from venturi._cli.plan import Pair
from venturi._cli.progress import Progress
from venturi._cli.signals import handled
from venturi._cli.standard import STANDARD
from venturi._io.files import write_atomically
from venturi.errors import VenturiError

Notes = tuple[str, ...]
Work = Callable[[bytes, str, str], tuple[bytes, Notes]]
"""From an input's bytes, its name and the output's suffix to the output's bytes and notes."""
Job = Callable[[str, str], Notes]
"""From an input to an output, both by name, with notes."""
Maker = Callable[[argparse.Namespace], Job]
"""From the command line to the job for each file; opens the model. A function of a module."""

FAILURES = (VenturiError, OSError, ImportError, MemoryError)


@dataclass(frozen=True)
class Outcome:
    """What became of one input, as ``--json`` prints it.

    Attributes:
        input, output: by name.
        notes: what was converted or left out.
        error: one line, or None.
    """

    input: str
    output: str
    notes: Notes = ()
    error: str | None = None


def with_bytes(work: Work) -> Job:
    """Return the job that reads an input, works on it and writes the output."""

    def job(name: str, output: str) -> Notes:
        suffix = ".png" if output == STANDARD else Path(output).suffix
        data, notes = work(read(name), _shown(name), suffix)
        _write(output, data)
        return notes

    return job


def run(batch: Sequence[Pair], maker: Maker, arguments: argparse.Namespace) -> int:
    """Do the job for every pair, even if one fails; return 0 if all worked, else 1.

    Args:
        batch: inputs and outputs.
        maker: of the job.
        arguments: the command line: ``jobs``, ``quiet`` and ``json`` are read here.
    """
    progress = Progress(0 if arguments.quiet or arguments.json else len(batch))
    progress.draw()
    failures = 0
    for outcome in _outcomes(batch, maker, arguments):
        if arguments.json:
            print(json.dumps(asdict(outcome)), flush=True)
        elif outcome.error is not None:
            progress.say(f"venturi: error: {outcome.error}")
        if not (arguments.quiet or arguments.json):
            for note in outcome.notes:
                progress.say(f"venturi: note: {escaped(_shown(outcome.input))}: {note}")
        failures += outcome.error is not None
        progress.advance()
    return 1 if failures else 0


def _outcomes(
    batch: Sequence[Pair], maker: Maker, arguments: argparse.Namespace
) -> Iterator[Outcome]:
    """Yield the outcome of each pair, in order.

    Raises:
        VenturiError: a worker process died.
    """
    count = min(arguments.jobs, len(batch))
    if count <= 1:
        job = maker(arguments)
        yield from (_attempt(job, pair) for pair in batch)
        return
    if arguments.threads is None:
        arguments.threads = max(1, available_cores() // count)
    # Processes, not threads: libraries that print to standard error are silenced per process.
    with ProcessPoolExecutor(
        count, multiprocessing.get_context("spawn"), _start, (maker, arguments)
    ) as pool:
        try:
            # Workers inherit it, where they can; a Ctrl-C in these milliseconds is lost.
            with handled(signal.SIG_IGN, signal.SIGINT):
                outcomes = pool.map(_work, batch)
            yield from outcomes
        except BrokenProcessPool as error:
            raise VenturiError(
                f"one of {count} worker processes died, most often because memory ran out; "
                "expected all to live: choose fewer --jobs; --skip-existing goes on from here"
            ) from error
        except BaseException:
            for worker in multiprocessing.active_children():  # a video may have hours to go
                worker.terminate()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


_opened: Callable[[], Job]  # of a worker process


def _start(maker: Maker, arguments: argparse.Namespace) -> None:
    """Prepare a worker process; Ctrl-C is the parent's to handle.

    The model is opened by the first work: only an error from there reaches the parent.
    """
    global _opened
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _opened = cache(partial(maker, arguments))


def _work(pair: Pair) -> Outcome:
    try:
        return _attempt(_opened(), pair)
    except KeyboardInterrupt:  # terminated, and a video has removed what it began
        os._exit(1)


def _attempt(job: Job, pair: Pair) -> Outcome:
    """Do one job; warnings of libraries become notes."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        try:
            notes, error = job(pair.input, pair.output), None
        except BrokenPipeError:
            raise
        except FAILURES as failure:
            notes, error = (), naming(pair.input, failure)
    warning_texts = (" ".join(str(warning.message).split()) for warning in caught)
    return Outcome(pair.input, pair.output, (*notes, *dict.fromkeys(warning_texts)), error)


def available_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def read(name: str) -> bytes:
    """Return the bytes of an input."""
    if name == STANDARD:
        return standard.read_all()
    return Path(name).read_bytes()


def _write(output: str, data: bytes) -> None:
    if output == STANDARD:
        standard.write_all(data)
        return
    try:
        write_atomically(Path(output), data)
    except OSError as error:
        raise OSError(error.errno, f"cannot write: {error.strerror}", output) from error


def decode_picture(data: bytes, name: str, arguments: argparse.Namespace) -> images.Picture:
    """Decode an image file; discard what its library prints."""
    with quiet_libraries():
        return images.decode(
            data, name=name, background=arguments.background, frame=arguments.frame
        )


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Discard what libpng and similar libraries print to standard error.

    They write to the descriptor, not through Python. Our own errors say what matters.
    """
    sys.stderr.flush()
    stderr_copy = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as null:
            os.dup2(null.fileno(), 2)
        yield
    finally:
        os.dup2(stderr_copy, 2)
        os.close(stderr_copy)


def _shown(name: str) -> str:
    return "standard input" if name == STANDARD else name


def naming(name: str, error: BaseException) -> str:
    """Put the input's name before an error that does not have it yet."""
    line, shown = one_line(error), escaped(_shown(name))
    return line if shown in line else f"{shown}: {line}"


def one_line(error: BaseException) -> str:
    """Return an error as one line that is safe to print to a terminal."""
    if isinstance(error, OSError) and error.strerror:
        return escaped(f"{error.filename}: {error.strerror}" if error.filename else error.strerror)
    if isinstance(error, MemoryError):
        text = f"not enough memory: {error}" if str(error) else "not enough memory"
    else:
        text = str(error) or type(error).__name__
    return escaped(" ".join(text.split()))


def escaped(text: str) -> str:
    """Escape control characters and line breaks, which file names may contain."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
