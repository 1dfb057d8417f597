"""The manifest of a bundle: what it is, which files it has, what was measured, where it is from.

Export writes it and the runtime reads it, with this one class. Reading is strict: a bundle may come
from anywhere, so unknown keys, wrong types and values that no graph could have are refused.
"""

import hashlib
import json
import math
import re
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self, TypeVar, cast

from venturi._bundle.tasks import FP32, STILL, TASKS, Task
from venturi.errors import BundleError

FORMAT_VERSION = 1
FILE_NAME = "manifest.json"
MAX_BYTES = 2**20
MAX_FILE_BYTES = 2**31 - 1

INT8_PAIR_SUM = "int8_largest_pair_sum"
"""What export measures of graphs in int8: the largest |sum| of two neighbouring products."""

PAIR_SUM_MAX = 2**15 - 1
"""The largest one that no processor clips: x86 without VNNI adds them in 16 bits."""

CARD, CARD_NAME = "card", "card.md"
"""The role and the name of the model card, which any bundle may have: Markdown, for people."""

_HUGE = 2**63  # integers stay within 64 bits, as every reader of JSON has them
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_VERSION = re.compile(r"(0|[1-9][0-9]{0,5})([.](0|[1-9][0-9]{0,5})){2}")


T = TypeVar("T")


@dataclass(frozen=True)
class FileEntry:
    """One file of a bundle.

    Attributes:
        path: relative to the bundle, with forward slashes.
        bytes: the file's size.
        sha256: of its content, 64 lower-case hexadecimal digits.
    """

    path: str
    bytes: int
    sha256: str

    def __post_init__(self) -> None:
        parts = self.path.split("/")
        if not _plain(self.path) or not all(parts) or {".", ".."} & set(parts):
            raise BundleError(
                f"manifest: file path {self.path!r}; expected a relative path inside the bundle "
                "such as 'encoder.onnx'; get the bundle from its source again"
            )
        if not 0 <= self.bytes <= MAX_FILE_BYTES:
            raise _refusal(f"files: {self.path}: bytes", self.bytes, f"0 to {MAX_FILE_BYTES}")
        if not _SHA256.fullmatch(self.sha256):
            raise _refusal(f"files: {self.path}: sha256", self.sha256, "64 digits of 0-9a-f")

    @classmethod
    def of(cls, folder: Path, path: str) -> Self:
        """Describe a file that lies in ``folder``."""
        data = (folder / path).read_bytes()
        return cls(path, len(data), hashlib.sha256(data).hexdigest())


@dataclass(frozen=True)
class Parent:
    """The model that another one was trained on from.

    Attributes:
        name: of its bundle.
        version: of the model.
        weights_sha256: of its weights, 64 lower-case hexadecimal digits.
    """

    name: str
    version: str
    weights_sha256: str

    def __post_init__(self) -> None:
        _check_name("parent: name", self.name)
        _check_version("parent: version", self.version)
        if not _SHA256.fullmatch(self.weights_sha256):
            expected = "64 digits of 0-9a-f"
            raise _refusal("parent: weights_sha256", self.weights_sha256, expected)


@dataclass(frozen=True)
class Pictures:
    """A collection of pictures that a model was trained on.

    Attributes:
        collection: what people call it.
        count: how many of its pictures were used; 0 is not known.
        licence: of the pictures, in words.
    """

    collection: str
    count: int
    licence: str

    def __post_init__(self) -> None:
        if self.count < 0:
            raise _refusal(f"pictures: {self.collection}: count", self.count, "at least 0")


@dataclass(frozen=True)
class Manifest:
    """What a bundle's ``manifest.json`` says.

    Attributes:
        name: what people call the bundle, in lower case.
        task: ``codec``, ``denoiser`` or ``autoencoder``.
        description: one sentence for people.
        channels: of a picture, 3 for RGB.
        stride: the graphs take sides that are multiples of it, in pixels.
        files: the graphs and tables by role, such as ``encoder``.
        parameters: numbers that steer the runtime, by name; margins and sides are in pixels.
        measured: errors and quality as export measured them; the unit ends each name.
        provenance: licence, recipe and whatever else tells where the weights come from.
        version: of the model, which has nothing to do with that of the code: three numbers.
        parent: the model whose weights the training began with; None is none.
        pictures: what the model was trained on, by collection.
        format_version: of the bundle, as FORMAT.md describes it.

    Raises:
        BundleError: a value is none of these.
    """

    name: str
    task: str
    description: str
    channels: int
    stride: int
    files: Mapping[str, FileEntry]
    parameters: Mapping[str, int]
    measured: Mapping[str, float]
    provenance: Mapping[str, str | int | float]
    version: str
    parent: Parent | None
    pictures: tuple[Pictures, ...]
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        if self.format_version != FORMAT_VERSION:
            raise BundleError(
                f"manifest: format_version is {self.format_version}; this version of venturi reads "
                f"{FORMAT_VERSION}; install the version of venturi that the bundle was made for"
            )
        _check_name("name", self.name)
        _check_version("version", self.version)
        if self.task not in TASKS:
            raise _refusal("task", self.task, "one of " + ", ".join(sorted(TASKS)))
        task = TASKS[self.task]
        if self.channels not in task.channels:
            raise _refusal("channels", self.channels, f"one of {task.channels}")
        if self.stride not in task.strides:
            raise _refusal("stride", self.stride, f"one of {task.strides}")
        self._check_files(task)
        self._check_parameters(task)

    def _check_files(self, task: Task) -> None:
        files = frozenset(self.files)
        if files - {CARD} != task.expected_files(files):
            possible = sorted({CARD, *task.possible_files})
            expected = f"exactly {sorted(task.roles)}, besides {possible} or none of them"
            raise _refusal("files", sorted(self.files), expected)
        if STILL in self.files and not self.is_recurrent:
            raise _refusal("files", sorted(self.files), f"{STILL!r} of a recurrent denoiser alone")
        if CARD in self.files and self.files[CARD].path != CARD_NAME:
            raise _refusal("files: card: path", self.files[CARD].path, f"{CARD_NAME!r}")
        paths = [entry.path for entry in self.files.values()]
        if len({path.casefold() for path in paths} | {FILE_NAME}) != len(paths) + 1:
            raise _refusal("files: paths", paths, "a file of its own for each role")

    def _check_parameters(self, task: Task) -> None:
        allowed = task.parameters
        if set(task.recurrent) & set(self.parameters):
            allowed = {**allowed, **task.recurrent}
        if set(self.parameters) != set(allowed):
            raise _refusal("parameters", sorted(self.parameters), f"exactly {sorted(allowed)}")
        for name, values in allowed.items():
            if self.parameters[name] not in values:
                raise _refusal(f"parameters: {name}", self.parameters[name], f"in {values}")
        if self.parameters.get("margin", 0) % self.stride:
            margin = self.parameters["margin"]
            raise _refusal("parameters: margin", margin, f"a multiple of the stride, {self.stride}")
        if self.stride % self.parameters.get("state_stride", 1):
            state_stride = self.parameters["state_stride"]
            expected = f"a divisor of the stride, {self.stride}"
            raise _refusal("parameters: state_stride", state_stride, expected)

    @property
    def precisions(self) -> tuple[str, ...]:
        """The arithmetic that the bundle can run in: ``fp32``, and ``int8`` where it has that."""
        variants = TASKS[self.task].variants
        return FP32, *(
            name for name, files in variants.items() if set(files.values()) & set(self.files)
        )

    def variant(self, role: str, precision: str) -> str:
        """Return the role of the file that does a role's work in a precision of the bundle's."""
        return TASKS[self.task].variants.get(precision, {}).get(role, role)

    @property
    def never_saturates(self) -> bool:
        """Whether export has proven that sums of two products in int8 graphs fit 16 bits."""
        return self.measured.get(INT8_PAIR_SUM, math.inf) <= PAIR_SUM_MAX

    @property
    def is_recurrent(self) -> bool:
        """Whether the graph carries state from frame to frame."""
        return "state_channels" in self.parameters

    @property
    def fingerprint(self) -> bytes:
        """The 8 bytes by which a container names the files that can read it."""
        roles = (role for role in TASKS[self.task].decoder_roles if role in self.files)
        entries = (self.files[role] for role in roles)
        digests = b"".join(bytes.fromhex(entry.sha256) for entry in entries)
        return hashlib.sha256(digests).digest()[:8]

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read ``manifest.json`` of a bundle.

        Raises:
            BundleError: it is not there, or not a manifest.
        """
        path = Path(folder) / FILE_NAME
        try:
            is_regular = stat.S_ISREG(path.lstat().st_mode)
            data = _first_bytes(path) if is_regular else b""
        except OSError as error:
            raise _no_bundle(path, str(error.strerror)) from error
        if not is_regular:  # to open a pipe may take for ever; a link's content lies elsewhere
            raise _no_bundle(path, "no regular file")
        try:
            return cls.from_json(data)
        except BundleError as error:
            raise BundleError(f"{path}: {error}") from error

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read a manifest from JSON.

        Raises:
            BundleError: the text is not a manifest.
        """
        values = _parse(text)
        _expect_keys((field.name for field in fields(cls)), "manifest", values)
        files = _mapping("files", values["files"], dict)
        pictures = _typed("pictures", values["pictures"], list)
        parent = values["parent"]
        measured = _mapping("measured", values["measured"], int | float)
        return cls(
            name=_typed("name", values["name"], str),
            task=_typed("task", values["task"], str),
            description=_typed("description", values["description"], str),
            channels=_typed("channels", values["channels"], int),
            stride=_typed("stride", values["stride"], int),
            files={role: _record(FileEntry, f"files: {role}", of) for role, of in files.items()},
            parameters=_mapping("parameters", values["parameters"], int),
            measured={name: float(value) for name, value in measured.items()},
            provenance=_mapping("provenance", values["provenance"], str | int | float),
            version=_typed("version", values["version"], str),
            parent=None if parent is None else _record(Parent, "parent", parent),
            pictures=tuple(_record(Pictures, "pictures", entry) for entry in pictures),
            format_version=_typed("format_version", values["format_version"], int),
        )

    def to_json(self) -> str:
        """Return the manifest as JSON: the same manifest, the same text.

        Raises:
            BundleError: a value is not finite, or the text is longer than a reader takes.
        """
        try:
            text = json.dumps(asdict(self), sort_keys=True, indent=2, allow_nan=False) + "\n"
        except ValueError as error:
            raise BundleError(
                f"manifest {self.name!r}: {error}; expected finite numbers; measure it again"
            ) from error
        if len(text.encode()) > MAX_BYTES:
            raise _refusal("the text", f"{len(text.encode())} bytes", f"at most {MAX_BYTES}")
        return text


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _no_bundle(path: Path, actual: str) -> BundleError:
    return BundleError(
        f"{path}: {actual}; expected a bundle: a folder with a {FILE_NAME}, "
        "as python -m export writes it"
    )


def _plain(path: str) -> bool:
    return path.isascii() and path.isprintable() and not set(path) & set('\\:*?"<>|')


def _refusal(thing: str, value: object, expected: str) -> BundleError:
    shown = repr(value)
    shown = shown if len(shown) <= 200 else shown[:200] + "…"
    return BundleError(
        f"manifest: {thing} is {shown}; expected {expected}; get the bundle from its source again"
    )


def _parse(text: str | bytes) -> dict[str, Any]:
    if len(text) > MAX_BYTES:
        raise _refusal("the text", "longer", f"at most {MAX_BYTES} bytes")
    try:
        text = text if isinstance(text, str) else text.decode("utf-8")
        values = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        reason = str(error) or type(error).__name__
        raise BundleError(
            f"manifest: {reason}; expected UTF-8 JSON; get the bundle from its source again"
        ) from error
    parsed: dict[str, Any] = _typed("the text", values, dict)
    return parsed


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError(f"a key occurs twice among {[key for key, _ in pairs]!r:.200}")
    return values


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a finite number")


def _typed(thing: str, value: Any, kind: Any) -> Any:
    is_bool = isinstance(value, bool)  # bool is an int for isinstance, and never meant here
    is_infinite = isinstance(value, float) and not math.isfinite(value)
    is_huge = isinstance(value, int) and abs(value) >= _HUGE
    if is_bool or is_infinite or is_huge or not isinstance(value, kind):
        raise _refusal(thing, value, f"a finite {getattr(kind, '__name__', kind)}")
    return value


def _mapping(thing: str, value: Any, kind: Any) -> dict[str, Any]:
    values = _typed(thing, value, dict)
    return {name: _typed(f"{thing}: {name}", item, kind) for name, item in values.items()}


def _record(cls: Callable[..., T], thing: str, values: Any) -> T:
    """Make a record of a mapping that has exactly its fields, each a string or an integer."""
    kinds = {field.name: field.type for field in fields(cast(Any, cls))}
    _expect_keys(kinds, thing, values)
    return cls(**{name: _typed(f"{thing}: {name}", values[name], kinds[name]) for name in kinds})


def _check_name(thing: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise _refusal(thing, name, "1 to 64 of a-z 0-9 . _ -")


def _check_version(thing: str, version: str) -> None:
    if not _VERSION.fullmatch(version):
        raise _refusal(thing, version, "three numbers such as '0.9.1'")


def _expect_keys(names: Iterable[str], thing: str, values: Any) -> None:
    expected = set(names)
    if set(_typed(thing, values, dict)) != expected:
        odd = sorted(set(values) ^ expected)
        raise _refusal(thing, f"different in {odd}", f"exactly the keys {sorted(expected)}")
