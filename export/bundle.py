"""Write a bundle aside and rename it whole: a failure leaves none, or the old one."""

import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from venturi.manifest import FileEntry, Manifest

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
    channels: int = 3,
) -> Manifest:
    """Make a bundle at ``folder``, replacing the one that is there once the new one is complete.

    ``write_files`` writes all files into the folder it is given and returns what it measured; the
    rest is for the manifest, ``files`` being file names by role.
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
        )
        (new / "manifest.json").write_text(manifest.to_json(), encoding="utf-8")
        if folder.exists():
            Manifest.load(folder)  # refuses to replace a folder that is no bundle
            shutil.move(folder, Path(aside) / "old")
        new.rename(folder)
    return manifest
