"""Work on a batch of files: pair inputs with outputs, do a job for each, report what fails."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from venturi import images
from venturi._cli.progress import Progress
from venturi._io.files import write_atomically
from venturi.errors import InputError, VenturiError

STANDARD = "-"
"""As an input: standard input. As an output: standard output."""

Notes = tuple[str, ...]
Work = Callable[[bytes, str, str], tuple[bytes, Notes]]
"""From an input's bytes, its name and the output's suffix to the output's bytes and notes."""
Job = Callable[[str, str], Notes]
"""From an input to an output, both by name, with notes."""

FAILURES = (VenturiError, OSError, ImportError, MemoryError)


def plan(paths: Sequence[str], suffix: Callable[[str], str]) -> list[tuple[str, str]]:
    """Pair every input with its output, before any work is done.

    The last path is the output: a file or ``-`` for one input, a folder for several. In a folder,
    which is made when it is not there, each output is named after its input.

    Args:
        paths: the inputs and the output.
        suffix: from an input's name to the ending of its output in a folder.

    Raises:
        InputError: an output has no name, two would be one file, or one is an input.
    """
    *inputs, output = paths
    if len(inputs) == 1 and not _is_folder(output):
        jobs = [(inputs[0], output)]
        _check_distinct(jobs)
        return jobs
    if output == STANDARD or Path(output).is_file():
        raise InputError(
            f"output {output}: expected a folder for {len(inputs)} inputs, as the last argument"
        )
    if STANDARD in inputs:
        raise InputError("standard input: has no name for a file in a folder; name the output file")
    jobs = [(name, str(Path(output) / (Path(name).stem + suffix(name)))) for name in inputs]
    _check_distinct(jobs)
    Path(output).mkdir(parents=True, exist_ok=True)
    return jobs


def _is_folder(output: str) -> bool:
    return output.endswith(("/", os.sep)) or Path(output).is_dir()


def _check_distinct(jobs: Sequence[tuple[str, str]]) -> None:
    writers = {Path(name).resolve(): name for name, _ in jobs if name != STANDARD}
    outputs: dict[Path, str] = {}
    for name, output in jobs:
        if output == STANDARD:
            continue
        path = Path(output).resolve()
        if path in writers and path.is_file():
            raise InputError(f"{output}: is an input and an output; choose another output")
        if path in outputs:
            raise InputError(
                f"{outputs[path]} and {name}: both would become {output}; expected different "
                "names, or two commands with two folders"
            )
        outputs[path] = name


def with_bytes(work: Work) -> Job:
    """Return the job that reads an input, works on it and writes the output."""

    def job(name: str, output: str) -> Notes:
        suffix = ".png" if output == STANDARD else Path(output).suffix
        data, notes = work(read(name), _shown(name), suffix)
        _write(output, data)
        return notes

    return job


def run(jobs: Sequence[tuple[str, str]], job: Job) -> int:
    """Do every job, also after one has failed; 0 when all of them worked."""
    progress = Progress(len(jobs))
    progress.draw()
    failures = 0
    for name, output in jobs:
        try:
            for note in job(name, output):
                progress.say(f"venturi: note: {_shown(name)}: {note}")
        except BrokenPipeError:
            raise
        except FAILURES as error:
            failures += 1
            progress.say(f"venturi: error: {naming(name, error)}")
        progress.advance()
    return 1 if failures else 0


def read(name: str) -> bytes:
    """Return the bytes of an input."""
    if name == STANDARD:
        return sys.stdin.buffer.read()
    return Path(name).read_bytes()


def _write(output: str, data: bytes) -> None:
    if output == STANDARD:
        if sys.stdout.isatty():
            raise InputError(
                "standard output is a terminal, which cannot show binary data; "
                "expected a file or a pipe"
            )
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    try:
        write_atomically(Path(output), data)
    except OSError as error:
        raise OSError(error.errno, f"cannot write: {error.strerror}", output) from error


def decode_picture(data: bytes, name: str) -> images.Picture:
    """Decode an image file while what its library prints is discarded."""
    with quiet_libraries():
        return images.decode(data, name=name)


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keep what libpng and its like print themselves off standard error.

    They write to the descriptor, not through Python; what matters of it is in our own errors.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _shown(name: str) -> str:
    return "standard input" if name == STANDARD else name


def naming(name: str, error: BaseException) -> str:
    """Put the input's name before an error that does not have it yet."""
    line = one_line(error)
    return line if _shown(name) in line else f"{_shown(name)}: {line}"


def one_line(error: BaseException) -> str:
    """Return an error as one line."""
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    elif isinstance(error, MemoryError):
        text = f"not enough memory: {error}" if str(error) else "not enough memory"
    else:
        text = str(error) or type(error).__name__
    return " ".join(text.split())
