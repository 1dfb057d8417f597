"""Write a bundle to a temporary folder, then rename it: a failure leaves the old one, or none."""

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from export.card import card
from venturi._bundle.manifest import (
    CARD,
    CARD_NAME,
    FILE_NAME,
    FileEntry,
    Manifest,
    Parent,
    Pictures,
)
from venturi.errors import BundleError

Measured = dict[str, float]


def write_bundle(
    folder: Path,
    write_files: Callable[[Path], Measured],
    *,
    name: str,
    task: str,
    description: str,
    stride: int,
    files: Mapping[str, str],
    parameters: Mapping[str, int],
    provenance: Mapping[str, str | int | float],
    version: str,
    parent: Parent | None,
    pictures: tuple[Pictures, ...],
    channels: int = 3,
) -> Manifest:
    """Make a bundle at ``folder``, replacing the one that is there once the new one is complete.

    ``write_files`` writes all files into the folder it is given and returns what it measured; the
    rest is for the manifest, ``files`` being file names by role.

    Raises:
        BundleError: the folder is there and is no bundle.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".bundle-") as aside:
        new = Path(aside) / "new"
        new.mkdir()
        measured = write_files(new)
        manifest = Manifest(
            name=name,
            task=task,
            description=description,
            channels=channels,
            stride=stride,
            files={role: FileEntry.of(new, path) for role, path in files.items()},
            parameters=parameters,
            measured=measured,
            provenance=provenance,
            version=version,
            parent=parent,
            pictures=pictures,
        )
        (new / CARD_NAME).write_text(card(manifest), encoding="utf-8", newline="\n")
        manifest = replace(manifest, files={**manifest.files, CARD: FileEntry.of(new, CARD_NAME)})
        (new / "manifest.json").write_text(manifest.to_json(), encoding="utf-8")
        if folder.exists():
            _require_bundle(folder)
            shutil.move(folder, Path(aside) / "old")
        new.rename(folder)
    return manifest


def _require_bundle(folder: Path) -> None:
    """Refuse to replace a folder that is no bundle; one of another release is one."""
    try:
        known = json.loads((folder / FILE_NAME).read_bytes())
    except (OSError, ValueError):
        known = None
    if not isinstance(known, dict) or not {"format_version", "task", "files"} <= known.keys():
        raise BundleError(
            f"{folder} is no bundle; expected one, to be replaced, or no such folder; "
            "export to another folder"
        )
