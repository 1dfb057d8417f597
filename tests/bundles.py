"""The tiny bundles of tests/data, and copies of them that differ in one thing."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from venturi import Manifest
from venturi._bundle.manifest import FileEntry

DATA = Path(__file__).parent / "data"
CODEC = DATA / "tiny_codec"
DENOISER = DATA / "tiny_denoiser"
RECURRENT = DATA / "tiny_recurrent"
AUTOENCODER = DATA / "tiny_autoencoder"

Values = dict[str, Any]
"""A manifest as JSON holds it."""


def edited(source: Path, folder: Path, edit: Callable[[Values], object]) -> Path:
    """Copy a bundle and edit the values of its manifest, which is not checked."""
    shutil.copytree(source, folder)
    edit_manifest(folder, edit)
    return folder


def edit_manifest(folder: Path, edit: Callable[[Values], object]) -> None:
    """Edit the values of a bundle's manifest in place."""
    path = folder / "manifest.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    edit(values)
    path.write_text(json.dumps(values), encoding="utf-8")


def refresh(folder: Path, **added: str) -> None:
    """Write the sizes and hashes of a bundle's files anew; ``added`` names files of new roles."""
    manifest = Manifest.load(folder)
    names = {role: entry.path for role, entry in manifest.files.items()} | added
    files = {role: FileEntry.of(folder, name) for role, name in names.items()}
    text = dataclasses.replace(manifest, files=files).to_json()
    (folder / "manifest.json").write_text(text, encoding="utf-8")


def replace_file(folder: Path, name: str, content: bytes) -> None:
    """Put another file in a bundle, with a manifest that agrees."""
    (folder / name).write_bytes(content)
    refresh(folder)


def copy_with_other_tables(folder: Path) -> Path:
    """Copy the tiny codec, with other tables in its last bucket of qualities."""
    shutil.copytree(CODEC, folder)
    replace_file(folder, "tables.bin", (CODEC / "tables.bin").read_bytes()[:-1] + b"\x03")
    return folder
