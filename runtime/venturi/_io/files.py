"""Write files so that a reader finds the old file or the new one, and never half of either.

Where the system has files without a name (Linux: O_TMPFILE), the bytes are written to one, which
gets its name once they are on the disk: a process that is killed while writing leaves nothing
behind. To replace an existing file, the new one has a second name for the moment between two system
calls; a kill in that moment leaves a complete, hidden file, which the next write of the same file
removes. Elsewhere a hidden file is written beside the target and renamed, and a kill may leave it.
"""

import contextlib
import errno
import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

_ATTEMPTS = 10
_HANDLES = Path("/proc/self/fd")


def write_atomically(path: Path, data: bytes) -> None:
    """Write ``data`` aside, in the folder of ``path``, and move it into place.

    A link is followed, so that the file behind it changes and the link stays. Anything but a
    regular file (a device, a pipe) cannot be replaced and is written directly. An existing file
    keeps its permissions. Of several writers at once, one wins.

    Raises:
        OSError: the folder is missing, the disk is full, ...; ``path`` is then as it was, and
            nothing is left beside it.
    """
    target = resolved(path)
    if target.exists() and not target.is_file():
        target.write_bytes(data)
        return
    with _opened(target.parent) as folder:
        if folder is None or not _write_nameless(folder, target, data):
            _write_hidden(target, data)
        if folder is not None:
            with contextlib.suppress(OSError):  # makes the name itself durable, where it can
                os.fsync(folder)


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int | None]:
    """Open a folder, where the system lets folders be opened."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _write_nameless(folder: int, target: Path, data: bytes) -> bool:
    """Write a file that gets its name last; False where that cannot be done."""
    if not hasattr(os, "O_TMPFILE") or not _HANDLES.is_dir():
        return False
    for _ in range(_ATTEMPTS):
        try:
            descriptor = os.open(target.parent, os.O_TMPFILE | os.O_WRONLY, 0o666)
        except OSError:  # a file system without such files
            return False
        with os.fdopen(descriptor, "wb"):
            keep_owner_and_mode(descriptor, target)
            _fill(descriptor, data)
            try:
                if _name(descriptor, folder, target.name) or _replace(descriptor, folder, target):
                    return True
            except OSError:  # a file system where they cannot get a name
                return False
    return False


def _name(descriptor: int, folder: int, name: str) -> bool:
    """Give a nameless file its name; False if there is a file of that name."""
    try:
        # Only with a folder's descriptor does Python follow the link that /proc has for the file.
        os.link(_HANDLES / str(descriptor), name, dst_dir_fd=folder, follow_symlinks=True)
    except FileExistsError:
        return False
    return True


def _replace(descriptor: int, folder: int, target: Path) -> bool:
    """Put a nameless file in the place of ``target``; False if another writer came between.

    The second name is derived from the first, so that one left by a kill is found again.
    """
    digest = hashlib.sha256(os.fsencode(target.name)).hexdigest()
    aside = target.with_name(f".venturi-{digest[:16]}.tmp")
    aside.unlink(missing_ok=True)
    try:
        if not _name(descriptor, folder, aside.name):
            return False
        aside.replace(target)
    except FileNotFoundError:  # another writer took the second name away
        return False
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    return True


def _write_hidden(target: Path, data: bytes) -> None:
    """Write a hidden file beside the target and rename it."""
    aside = target.with_name(f".venturi-{secrets.token_hex(8)}.tmp")
    try:
        with aside.open("xb", buffering=0) as file:
            _fill(file.fileno(), data)
            keep_owner_and_mode(file.fileno(), target)
        aside.replace(target)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def keep_owner_and_mode(descriptor: int, target: Path) -> None:
    """Give a new file the owner, the group and the permissions of the one that it replaces.

    Each where the system lets us. Special bits (setuid and its like) are never carried to new
    content.
    """
    try:
        old = target.stat()
    except OSError:
        return  # a new file
    if hasattr(os, "fchown"):
        with contextlib.suppress(OSError):  # somebody else's, and we are not root
            os.fchown(descriptor, old.st_uid, old.st_gid)
    if hasattr(os, "fchmod"):
        with contextlib.suppress(OSError):  # a file system without permissions
            os.fchmod(descriptor, old.st_mode & 0o777)


def put_in_place(aside: Path, target: Path) -> None:
    """Move a finished file to its name, durably, in the place of one that is there.

    Raises:
        OSError: it cannot be moved.
    """
    with aside.open("rb") as file:
        keep_owner_and_mode(file.fileno(), target)
        os.fsync(file.fileno())
    aside.replace(target)


def resolved(path: Path) -> Path:
    """Follow links to the file that a path means.

    Raises:
        OSError: they lead in a circle.
    """
    try:
        return path.resolve()
    except RuntimeError as error:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path)) from error


def _fill(descriptor: int, data: bytes) -> None:
    """Write the bytes, and return once they are on the disk."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    os.fsync(descriptor)
