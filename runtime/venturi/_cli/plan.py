"""Pair the inputs of a command with its outputs, so that no file is ever lost.

One rule for all commands: an output is named with ``-o``; without it the last path is the output
where it cannot be anything else. An input is never an output, and a file that exists is replaced
only with ``--force``.
"""

import argparse
import glob
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from venturi._cli.standard import STANDARD
from venturi.errors import InputError


class Pair(NamedTuple):
    """One file to read and the one to write, by name."""

    input: str
    output: str


@dataclass(frozen=True)
class Kind:
    """What a command reads and writes.

    Attributes:
        inputs: file name endings that are taken from folders.
        outputs: endings that an output may have.
        suffix: from an input's name to the ending of its output in a folder.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    suffix: Callable[[str], str]


class _Input(NamedTuple):
    """An input, and its path relative to the folder that was named."""

    name: str
    below: Path


def plan(arguments: argparse.Namespace, kind: Kind) -> list[Pair]:
    """Pair every input with its output, before any work is done.

    Folders among the inputs stand for the files in them, and patterns for what they match. The
    output is a file or ``-`` for one input, else a folder, which is created if it is missing.

    Args:
        arguments: the command line: ``paths``, ``output``, ``recursive``, ``force`` and
            ``skip_existing``.
        kind: of the command.

    Raises:
        InputError: an output is missing, exists, is an input, or is another pair's as well.
    """
    input_paths, output = _split(arguments.paths, arguments.output, kind)
    inputs = [entry for name in input_paths for entry in _expanded(name, kind, arguments.recursive)]
    single = len(inputs) == 1 and not _is_folder(output) and Path(input_paths[0]).is_dir() is False
    if single:
        pairs = [Pair(inputs[0].name, output)]
        if output != STANDARD:
            _check_suffix(output, kind)
    else:
        pairs = _into_folder(inputs, output, kind)
    _check_distinct(pairs)
    pairs = _new(pairs, force=arguments.force, skip=arguments.skip_existing)
    if not single:
        for pair in pairs:
            Path(pair.output).parent.mkdir(parents=True, exist_ok=True)
    return pairs


def check_new(output: str, *, force: bool) -> None:
    """Refuse to replace a file, unless asked to.

    Raises:
        InputError: there is one.
    """
    if not force and Path(output).is_file():
        raise InputError(
            f"{output}: exists; expected a new file; choose another name or add --force"
        )


def _split(paths: Sequence[str], output: str | None, kind: Kind) -> tuple[list[str], str]:
    """Separate the inputs from the output."""
    if output is not None:
        return [*paths], output
    *inputs, last = paths
    if not inputs:
        raise InputError(f"{last}: no output; expected -o OUTPUT, a file or a folder")
    is_new_folder = not Path(last).suffix and not Path(last).is_file()
    if last == STANDARD or _is_folder(last) or is_new_folder:
        return inputs, last
    if len(inputs) == 1 and Path(last).suffix.lower() in kind.outputs:
        return inputs, last
    if len(inputs) == 1:
        _check_suffix(last, kind)
    raise InputError(
        f"{last}: taken for an input, so there is no output; expected a folder for several inputs: "
        "add -o FOLDER"
    )


def _check_suffix(output: str, kind: Kind) -> None:
    if Path(output).suffix.lower() not in kind.outputs:
        raise InputError(
            f"{output}: expected an output that ends in {', '.join(kind.outputs)}, a folder or -"
        )


def _expanded(name: str, kind: Kind, recursive: bool) -> Iterator[_Input]:
    """Yield what a path stands for: itself, the files in a folder, or what a pattern matches."""
    path = Path(name)
    if name == STANDARD or path.is_file():
        yield _Input(name, Path(path.name))
    elif path.is_dir():
        files = _files(path, recursive)
        matching = sorted(file for file in files if file.suffix.lower() in kind.inputs)
        if not matching:
            raise InputError(
                f"{name}: a folder without files that end in {', '.join(kind.inputs)}; expected "
                f"some{'' if recursive else '; add --recursive to include subfolders'}"
            )
        yield from (_Input(str(file), file.relative_to(path)) for file in matching)
    elif glob.has_magic(name):
        paths = glob.glob(name, recursive=recursive)  # noqa: PTH207 (it takes absolute patterns)
        matches = sorted(match for match in paths if Path(match).is_file())
        if not matches:
            raise InputError(f"{name}: matches no file; expected a pattern that does")
        yield from (_Input(match, Path(Path(match).name)) for match in matches)
    else:
        yield _Input(name, Path(path.name))  # its own error comes when it is read


def _files(folder: Path, recursive: bool) -> Iterator[Path]:
    """Yield the files of a folder; links to folders are not followed, so that there is no loop."""
    for parent, folders, names in os.walk(folder):
        if not recursive:
            folders.clear()
        yield from (Path(parent) / name for name in names if (Path(parent) / name).is_file())


def _is_folder(output: str) -> bool:
    return output.endswith(("/", os.sep)) or Path(output).is_dir()


def _into_folder(inputs: Sequence[_Input], output: str, kind: Kind) -> list[Pair]:
    if output == STANDARD or Path(output).is_file():
        raise InputError(f"output {output}: expected a folder for {len(inputs)} inputs")
    if any(entry.name == STANDARD for entry in inputs):
        raise InputError("standard input: has no name for a file in a folder; name the output file")
    return [
        Pair(entry.name, str(Path(output) / entry.below.with_suffix("")) + kind.suffix(entry.name))
        for entry in inputs
    ]


def _check_distinct(pairs: Sequence[Pair]) -> None:
    """Refuse an output that is an input, or that two inputs would have."""
    writers = {os.path.realpath(name): name for name, _ in pairs if name != STANDARD}
    outputs: dict[str, str] = {}
    for name, output in pairs:
        if output == STANDARD:
            continue
        path = os.path.realpath(output)
        if path in writers and Path(path).is_file():
            raise InputError(f"{output}: is an input and an output; choose another output")
        if path in outputs:
            raise InputError(
                f"{outputs[path]} and {name}: both would become {output}; expected different "
                "names, or two commands with two folders"
            )
        outputs[path] = name


def _new(pairs: Sequence[Pair], *, force: bool, skip: bool) -> list[Pair]:
    """Return the pairs to do; skip or refuse those whose output exists, unless ``force``."""
    if skip:
        return [pair for pair in pairs if not Path(pair.output).is_file()]
    for pair in pairs:
        if pair.output != STANDARD:
            check_new(pair.output, force=force)
    return [*pairs]
