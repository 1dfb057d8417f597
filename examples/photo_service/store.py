"""Photos on disk: one file each, which appears whole or not at all and is never replaced."""

import os
import re
from pathlib import Path
from tempfile import NamedTemporaryFile

from .refusal import Refusal

# A list of what is allowed, not of what is forbidden: no dots, slashes, NULs or capitals, so no
# name leaves the folder, hides in it, or is the same file as another name on some systems.
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class Store:
    """A folder of photos by name; safe for several threads and processes at once."""

    def __init__(self, folder: Path) -> None:
        """Open the folder; make it if it is not there."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    def add(self, name: str, stream: bytes) -> None:
        """Keep a photo under a new name.

        Raises:
            Refusal: the name is not allowed or is taken.
            OSError: the disk is full, ...; nothing is kept then.
        """
        target = self._path(name)
        with NamedTemporaryFile(dir=self._folder, prefix=".upload-") as aside:
            aside.write(stream)
            aside.flush()
            os.fsync(aside.fileno())
            try:
                # Of two uploads of one name, a link lets exactly one win; a rename would let both.
                os.link(aside.name, target)
            except FileExistsError:
                raise Refusal(
                    409, f"there is a photo named {name!r}; choose another name"
                ) from None

    def get(self, name: str) -> bytes:
        """Return a photo's stream.

        Raises:
            Refusal: the name is not allowed, or there is no such photo.
        """
        try:
            return self._path(name).read_bytes()
        except FileNotFoundError:
            raise Refusal(404, f"there is no photo named {name!r}") from None

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise Refusal(
                422, "a name has 1 to 64 of a-z, 0-9, - and _, and begins with a letter or digit"
            )
        return self._folder / f"{name}.vnt"
