"""Write files so that a reader finds the old file or the new one, and never half of either."""

import contextlib
import os
import secrets
from pathlib import Path


def write_atomically(path: Path, data: bytes) -> None:
    """Write ``data`` aside, in the folder of ``path``, and rename it into place.

    A link is followed, so that the file behind it changes and the link stays. What is no regular
    file (a device, a pipe) cannot be renamed over and is written directly. A file that exists keeps
    its permissions.

    Raises:
        OSError: the folder is missing, the disk is full, ...; ``path`` is then as it was, and
            nothing is left beside it.
    """
    target = path.resolve()
    if target.exists() and not target.is_file():
        target.write_bytes(data)
        return
    aside = target.with_name(f".venturi-{secrets.token_hex(8)}.tmp")
    try:
        _write_through(aside, data)
        with contextlib.suppress(OSError):  # a new file, or a file system without permissions
            aside.chmod(target.stat().st_mode & 0o7777)
        aside.replace(target)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def _write_through(path: Path, data: bytes) -> None:
    """Create ``path`` and return once its bytes are on the disk."""
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system lets folders be opened."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
