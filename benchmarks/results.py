"""Results as JSON files: a versioned schema, keys in one order, so that a regression is a diff."""

import json
from pathlib import Path
from typing import Any

from benchmarks import schema
from venturi import Manifest
from venturi._io.files import write_atomically
from venturi.bench.text import table as table

SCHEMA_VERSION = schema.VERSION
FOLDER = Path(__file__).parent / "results"
"""The committed results, which the documents are written from."""

OWN = Path("results")
"""Where a measurement goes unless a file is named: below the current folder, ignored by git."""

Results = dict[str, Any]


def described(manifest: Manifest) -> dict[str, str]:
    """Return which bundle was measured: its name, and the fingerprint of what it was."""
    return {"name": manifest.name, "fingerprint": manifest.fingerprint.hex()}


def write(path: Path, results: Results) -> None:
    """Write results.

    Raises ValueError for numbers that are not finite, or when they are not as the schema says.
    """
    text = json.dumps(results, indent=2, ensure_ascii=False, allow_nan=False)
    schema.check(results)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, (text + "\n").encode())


def read(path: Path) -> Results:
    """Read results of this schema.

    Raises ValueError when the file holds something else.
    """
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: {error}; expected results that a benchmark wrote") from error
    if not isinstance(results, dict):
        raise ValueError(f"{path}: {type(results).__name__}; expected an object")
    try:
        schema.check(results)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return dict(results)
