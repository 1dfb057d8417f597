"""Results as JSON files: records whose types are checked when built, written and read.

A record is a dataclass that takes its own fields and no others, with exactly their types; JSON keys
keep the order of the fields, so that a regression is a diff.
"""

import json
import re
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, cast, dataclass_transform

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from venturi import Manifest
from venturi._io.files import write_atomically

VERSION: Final = 2
FOLDER = Path(__file__).parent / "results"
"""The committed results, which the documents are written from."""

OWN = Path("results")
"""Where a measurement goes unless a file is named: below the current folder, ignored by git."""

T = TypeVar("T")

_STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
_NUMBERS = re.compile(r"\[\s+([-+\d.eE,\s]+?)\s+\]")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def record(kind: type[T]) -> type[T]:
    """Make a class a frozen dataclass that checks its fields and refuses others."""
    return cast("type[T]", dataclass(frozen=True, kw_only=True, config=_STRICT)(kind))


@record
class Machine:
    """What was measured on, as venturi.bench.machine describes it."""

    cpu: str
    cpu_flags: list[str]
    cpus_usable: int
    cgroup_quota_cpus: float | None
    governor: str | None
    load_average: list[float]
    system: str
    python: str
    versions: dict[str, str]
    numpy_simd: str
    entropy_coder: str


@record
class Environment(Machine):
    """A machine, the day (ISO 8601), and how many threads the measured calls may use."""

    measured_on: str
    threads: int

    @property
    def busy(self) -> str | None:
        """Return a note if other work was running, since times do not count then."""
        load = self.load_average[0]
        if load <= 0.5:
            return None
        return f"load average {load} before the run: other work ran, so the times are upper bounds"


@record
class Bundle:
    """Which bundle was measured: its name, and the fingerprint of what it was."""

    name: str
    fingerprint: str

    @classmethod
    def of(cls, manifest: Manifest) -> "Bundle":
        """Describe a bundle by its manifest."""
        return cls(name=manifest.name, fingerprint=manifest.fingerprint.hex())


@record
class PictureSet:
    """A folder of pictures, by name, and how many of them were taken."""

    folder: str
    pictures: int


@record
class Times:
    """Repeated calls in ms: the plain median, and the percentiles with enough samples."""

    samples: int
    median_ms: float
    p50_ms: float | None
    p90_ms: float | None
    p99_ms: float | None


@record
class Result:
    """What every benchmark writes.

    schema_version: of the records; one that changes what a name means gets another.
    """

    schema_version: Literal[2] = VERSION
    benchmark: str


@record
class Measured(Result):
    """The results of one run on one machine. notes: sentences for the reader."""

    environment: Environment
    notes: list[str]


def checked(kind: type[T], values: object) -> T:
    """Return plain values as a record.

    Raises ValueError that names the first place where they differ from the record.
    """
    return _parsed(kind, json.dumps(values, allow_nan=False).encode())


def text(result: object) -> str:
    """Return a record as JSON, lists of numbers on one line.

    Raises ValueError when its values have been changed to what the record does not allow.
    """
    kind = type(result)
    values = TypeAdapter(kind).dump_python(result, mode="json", warnings=False)
    written = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False)
    _parsed(kind, written.encode())
    return _NUMBERS.sub(lambda numbers: f"[{' '.join(numbers[1].split())}]", written) + "\n"


def write(path: Path, result: object) -> None:
    """Write a record as a JSON file, making its folder.

    Raises ValueError as `text` does.
    """
    data = text(result).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, data)


def read(path: Path, kind: type[T]) -> T:
    """Return the record that a file holds.

    Raises ValueError that names the file and the first place where it differs from the record.
    """
    try:
        return _parsed(kind, path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _parsed(kind: type[T], data: bytes) -> T:
    try:
        return TypeAdapter(kind).validate_json(data)
    except ValidationError as error:
        raise ValueError(_first(error)) from error


def _first(error: ValidationError) -> str:
    """Return the first thing that is wrong, as one line."""
    wrong: dict[str, Any] = dict(error.errors(include_url=False)[0])
    place = ".".join(map(str, wrong["loc"])) or "results"
    if wrong["type"] == "missing":
        return f"{place} is missing: measure again"
    if wrong["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        return f"{place} is no field of these results: measure again"
    expected = wrong["msg"].replace("Input should be", "expected")
    return f"{place} is {str(wrong['input'])[:40]!r}; {expected}: measure again"
