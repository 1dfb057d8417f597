"""Where the photographs and data sets lie that some tests measure on; they are skipped without."""

import os
from pathlib import Path

FOLDER = Path(os.environ.get("VENTURI_DATA") or "VENTURI_DATA-names-no-folder")


def missing(path: Path) -> str:
    """Return the reason why a test that needs this file or folder is skipped."""
    return f"no {path}: set VENTURI_DATA to the folder of the data sets"
