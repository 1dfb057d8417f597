"""Standard input and output, which a shell may have closed."""

import os
import sys
from typing import BinaryIO

from venturi.errors import InputError

STANDARD = "-"
"""As an input: standard input. As an output: standard output."""

_closed: set[str] = set()


def open_closed_streams() -> None:
    """Open what the shell has closed (``>&-``), as nothing.

    Otherwise the next file that is opened takes the number of standard output, and what a library
    prints goes into it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is not None:
            continue
        while (opened := os.open(os.devnull, os.O_RDWR)) < number:
            pass
        setattr(sys, name, os.fdopen(opened, "w" if number else "r"))
        _closed.add(name)


def read_all() -> bytes:
    """Return all of standard input.

    Raises:
        InputError: it is closed.
    """
    if "stdin" in _closed:
        raise InputError("standard input is closed; expected a file or a pipe")
    return sys.stdin.buffer.read()


def starts_with(magic: bytes) -> bool:
    """Tell how standard input begins, and leave it there."""
    peek = getattr(getattr(sys.stdin, "buffer", None), "peek", None)
    return peek is not None and "stdin" not in _closed and peek(len(magic)).startswith(magic)


def binary_output() -> BinaryIO:
    """Return standard output for bytes.

    Raises:
        InputError: it is a terminal, or closed.
    """
    if "stdout" in _closed:
        raise InputError("standard output is closed; expected a file or a pipe")
    if sys.stdout.isatty():
        raise InputError(
            "standard output is a terminal, which cannot show binary data; "
            "expected a file or a pipe"
        )
    return sys.stdout.buffer


def write_all(data: bytes) -> None:
    """Write to standard output.

    Raises:
        InputError: it is a terminal, or closed.
    """
    output = binary_output()
    output.write(data)
    output.flush()
