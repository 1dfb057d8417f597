"""Write files until killed: python _writer.py FILES_PY FOLDER WAY (run by the tests).

WAY is ``hidden`` to write as systems do that have no nameless files, ``any`` for what there is.
"""

import runpy
import sys
from pathlib import Path

SIZE = 400_000


def content(number: int) -> bytes:
    """Return what a file may hold: one byte, over and over."""
    return bytes([number % 256]) * SIZE


def main(module: str, folder: str, way: str) -> None:
    names = runpy.run_path(module)
    write = names["write_atomically"]
    if way == "hidden":
        write.__globals__["_HANDLES"] = Path("/nowhere")
    number = 0
    while True:
        write(Path(folder) / "replaced", content(number))
        write(Path(folder) / f"new-{number}", content(number))
        if number == 0:
            print("ready", flush=True)
        number += 1


if __name__ == "__main__":
    main(*sys.argv[1:])
