"""Locate a bundle by name or path, and return its files once they are proven intact.

A graph with a flipped bit usually loads and silently produces another picture, and a graph can
refer to files outside its folder. So each file is read once, its size and hash are compared with
the manifest, and graphs are checked (:mod:`venturi._bundle.onnx_walk`) before onnxruntime gets the
same bytes.
"""

import contextlib
import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from venturi._bundle import onnx_walk
from venturi._bundle.manifest import CARD, FILE_NAME, FileEntry, Manifest
from venturi.errors import BundleError, InputError, StreamError

SHIPPED = Path(__file__).parents[1] / "models"


@dataclass(frozen=True)
class Bundle:
    """A bundle whose files have been checked.

    Attributes:
        source: the name or absolute path that opens it again.
        manifest: its manifest.
        files: the content of each file by role.
    """

    source: str
    manifest: Manifest
    files: Mapping[str, bytes]

    @classmethod
    def load(cls, bundle: str | os.PathLike[str], *, task: str) -> Self:
        """Locate a bundle, check it and read its files.

        Args:
            bundle: the name of a shipped bundle such as ``photo``, or the path of a folder (write
                ``./photo`` for a folder that has the name of a shipped bundle).
            task: the task that the bundle must be for.

        Raises:
            BundleError: there is no such bundle, it is for another task, or a file is not what the
                manifest says.
        """
        folder = locate(bundle)
        manifest = Manifest.load(folder)
        if manifest.task != task:
            raise BundleError(
                f"bundle {os.fspath(bundle)!r} is {_a(manifest.task)}; "
                f"expected {_a(task)}; "
                f"open it with venturi.{manifest.task.capitalize()} or choose another"
            )
        files = {role: _read(folder, entry) for role, entry in manifest.files.items()}
        for role, entry in manifest.files.items():
            if entry.path.endswith(".onnx"):
                onnx_walk.check(files[role], entry.path)
            elif role not in ("tables", CARD):
                raise BundleError(
                    f"{folder / entry.path}: the {role} of a bundle; expected a name that ends in "
                    ".onnx; export the bundle again"
                )
        source = folder.name if folder.parent == SHIPPED else str(folder)
        return cls(source, manifest, files)


def shipped() -> list[str]:
    """Return the names of the bundles that came with the package."""
    return sorted(path.parent.name for path in SHIPPED.glob(f"*/{FILE_NAME}"))


def check_fingerprint(manifest: Manifest, fingerprint: bytes) -> None:
    """Refuse a container that another bundle wrote.

    Raises:
        StreamError: the fingerprint in the container is not that of the bundle; the message says
            where the right one may be.
    """
    if fingerprint != manifest.fingerprint:
        raise StreamError(
            f"the container was written with bundle {fingerprint.hex()}; this {manifest.task} has "
            f"{manifest.name!r}, {manifest.fingerprint.hex()}; {_whereabouts(fingerprint)}"
        )


def shipped_with(fingerprint: bytes) -> str | None:
    """Return the name of the shipped bundle with this fingerprint, or None."""
    for name in shipped():
        with contextlib.suppress(BundleError):  # a damaged one is no answer
            if Manifest.load(SHIPPED / name).fingerprint == fingerprint:
                return name
    return None


def _whereabouts(fingerprint: bytes) -> str:
    name = shipped_with(fingerprint)
    if name is not None:
        return f"open the bundle {name!r}, which came with this venturi"
    return (
        "none that came with this venturi has it: open the bundle that wrote it, or install the "
        "venturi that it came with"
    )


def locate(bundle: str | os.PathLike[str]) -> Path:
    """Return the absolute folder of a bundle, shipped or not.

    Raises:
        BundleError: there is none; the shipped ones are named.
        InputError: the argument is neither a name nor a path.
    """
    text = os.fspath(bundle) if isinstance(bundle, str | os.PathLike) else bundle
    if not isinstance(text, str):
        raise InputError(f"bundle is {bundle!r:.200}; expected a name or a path; pass a str")
    if text in shipped():
        return SHIPPED / text
    folder = Path(text).absolute()
    if not text or not _is_folder(folder):
        names = ", ".join(shipped()) or "none"
        raise BundleError(
            f"bundle {text!r}: no such bundle; expected the name of a shipped one ({names}) "
            f"or the path of a folder with a {FILE_NAME}"
        )
    return folder


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name too long, say
        return False


def _read(folder: Path, entry: FileEntry) -> bytes:
    path = folder / entry.path
    try:
        _refuse_links(folder, entry.path)
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            raise _damage(path, "it is no regular file", "one")
        if status.st_size != entry.bytes:
            raise _damage(path, f"{status.st_size} bytes", f"{entry.bytes}, says the manifest")
        with path.open("rb") as file:
            data = file.read(entry.bytes + 1)
    except OSError as error:
        raise _damage(path, str(error.strerror), "a file that can be read") from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != entry.sha256:
        raise _damage(path, f"sha256 {digest}", f"{entry.sha256}, says the manifest")
    return data


def _refuse_links(folder: Path, relative: str) -> None:
    """Refuse symbolic links inside a bundle: their content would lie somewhere else."""
    path = folder
    for part in relative.split("/"):
        path = path / part
        if path.is_symlink():
            raise BundleError(
                f"{path}: a symbolic link; expected a file inside the bundle; "
                "copy the bundle with its links followed (cp -RL)"
            )


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _damage(path: Path, actual: str, expected: str) -> BundleError:
    return BundleError(
        f"{path}: {actual}; expected {expected}; get the bundle from its source again"
    )
