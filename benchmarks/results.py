"""Results as JSON files: one schema number, keys in one order, so that a regression is a diff."""

import json
from pathlib import Path
from typing import Any

from venturi.bench.text import table as table
from venturi.files import write_atomically

SCHEMA_VERSION = 1
FOLDER = Path(__file__).parent / "results"

Results = dict[str, Any]


def write(path: Path, results: Results) -> None:
    """Write results; refuses numbers that are not finite."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(path, (text + "\n").encode())


def read(path: Path) -> Results:
    """Read results of this schema.

    Raises ValueError when the file holds something else.
    """
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: {error}; expected results that a benchmark wrote") from error
    version = results.get("schema_version") if isinstance(results, dict) else None
    if version != SCHEMA_VERSION:
        raise ValueError(
            f"{path}: schema_version is {version!r}; expected {SCHEMA_VERSION}: measure it again"
        )
    return dict(results)
