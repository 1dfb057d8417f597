"""The command line: ``venturi compress``, ``decompress``, ``denoise``, ``info`` and ``bench``.

    inputs (files or -)  ->  a job for each  ->  outputs (a file, a folder or -), written aside and
                                                 renamed
    a camera             ->  denoise         ->  a window, a video

Exit code: 0 when everything worked, 1 when something failed (each failure is one line on standard
error, and the other inputs are still done), 2 when the command line itself is wrong, 130 when
interrupted, 141 when the reader of standard output has gone. Notes and the progress bar go to
standard error.
"""

import os
import sys
from collections.abc import Sequence

from venturi._cli.jobs import FAILURES, naming, one_line
from venturi._cli.parser import parse
from venturi._cli.standard import open_closed_streams

_SIGPIPE = 141
"""As a shell reports a program that SIGPIPE ended."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; ``argv`` defaults to the process's arguments.

    Raises:
        SystemExit: with code 2 for a command line that cannot be understood, and with code 0
            after ``--help`` and ``--version``.
    """
    open_closed_streams()
    arguments = parse(argv)
    try:
        code = int(arguments.run(arguments))
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print("venturi: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone; keep the interpreter from complaining as it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _SIGPIPE
    except FAILURES as error:
        subject = getattr(arguments, "subject", None)
        line = one_line(error) if subject is None else naming(subject, error)
        print(f"venturi: error: {line}", file=sys.stderr)
        return 1
