"""Pillow reads and writes .vnt files once this module is imported.

    import venturi.plugins.pillow

    image = Image.open("photo.vnt")              # a shipped bundle's file; the bundle is found
    image.save("small.vnt", quality=50)          # or max_bytes=20_000, min_psnr_db=38

``Image.open`` reads the header alone; pixels are decoded when they are needed. ``save`` takes what
:meth:`venturi.Codec.compress` takes, and ``codec=`` for a codec that is open already or a bundle's
path.
"""

import os
from functools import lru_cache
from typing import IO, Any

import numpy as np
from PIL import Image, ImageFile

from venturi.codec import Codec
from venturi.errors import InputError, StreamError
from venturi.probe import Probe, probe

FORMAT, SUFFIX, MIME = "VENTURI", ".vnt", "image/x-venturi"
_MAGIC = b"VNT"
_TARGETS = "quality", "max_bytes", "min_psnr_db"


class VenturiImageFile(ImageFile.ImageFile):
    """A .vnt file as Pillow opens it."""

    format = FORMAT
    format_description = "Venturi learned image compression"

    def _open(self) -> None:
        assert self.fp is not None
        self._data: bytes | None = self.fp.read()
        try:
            self._probe = probe(self._data)
        except StreamError as error:
            raise SyntaxError(str(error)) from error  # Pillow's sign for "not this format"
        self._mode = "L" if self._probe.is_grey else "RGB"
        self._size = self._probe.width, self._probe.height
        self.info["quality"] = self._probe.quality
        self.info["fingerprint"] = self._probe.fingerprint

    def load(self) -> Any:
        """Decode the pixels, once.

        Raises:
            OSError: the file is damaged, or no installed bundle has its decoder.
        """
        if self._data is not None:
            data, self._data = self._data, None
            try:
                pixels = _codec(_bundle_of(self._probe)).decompress(data)
            except StreamError as error:
                raise OSError(str(error)) from error
            self.im = Image.fromarray(pixels).im
            self.tile = []
            if getattr(self, "_exclusive_fp", False) and self.fp is not None:
                self.fp.close()  # as Pillow does where it opened the file itself
            self.fp = None
        return super().load()


def _bundle_of(header: Probe) -> str:
    if header.bundle is None:
        raise StreamError(
            f"the file needs the decoder {header.fingerprint}, which no installed bundle has; "
            "decompress it with Codec and the bundle that wrote it"
        )
    return header.bundle


@lru_cache(maxsize=4)
def _codec(bundle: str) -> Codec:
    return Codec(bundle)


def _accept(prefix: bytes) -> bool:
    return prefix.startswith(_MAGIC)


def _save(image: Image.Image, file: IO[bytes], filename: str | bytes) -> None:
    if image.mode not in ("L", "RGB"):
        raise OSError(f"cannot write mode {image.mode} as {FORMAT}; convert it to L or RGB first")
    options: dict[str, Any] = getattr(image, "encoderinfo", {})
    codec = options.get("codec", "photo")
    if isinstance(codec, str | os.PathLike):
        codec = _codec(os.fspath(codec))
    target = {name: options[name] for name in _TARGETS if options.get(name) is not None}
    try:
        file.write(codec.compress(np.asarray(image), **target))
    except InputError as error:
        raise ValueError(str(error)) from error


def register() -> None:
    """Register .vnt files with Pillow; importing this module does so."""
    Image.register_open(FORMAT, VenturiImageFile, _accept)
    Image.register_save(FORMAT, _save)
    Image.register_extension(FORMAT, SUFFIX)
    Image.register_mime(FORMAT, MIME)


register()
