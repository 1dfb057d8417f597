"""Write files until killed: python _writer.py FILES_PY FOLDER (run by the tests)."""

import runpy
import sys
from pathlib import Path

SIZE = 400_000


def content(number: int) -> bytes:
    """Return what a file may hold: one byte, over and over."""
    return bytes([number % 256]) * SIZE


def main(module: str, folder: str) -> None:
    write = runpy.run_path(module)["write_atomically"]
    number = 0
    while True:
        write(Path(folder) / "replaced", content(number))
        write(Path(folder) / f"new-{number}", content(number))
        if number == 0:
            print("ready", flush=True)
        number += 1


if __name__ == "__main__":
    main(*sys.argv[1:])
