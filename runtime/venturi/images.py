"""Read and write image files: RGB or grey, 8 bits, upright, with a note on what was converted.

OpenCV is imported by the first call, and its BGR never leaves this module. What a picture cannot
carry is either converted with a note (16 bits, an opaque alpha channel) or refused (transparency,
floating point): nothing that can be seen is lost in silence. Metadata and colour profiles are not
carried.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from venturi._engine.arrays import Pixels, check_image
from venturi._io.files import write_atomically
from venturi._io.opencv import opencv
from venturi.errors import InputError

WRITABLE = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".pgm")
"""The file name endings that ``encode`` knows."""

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_PNG_COLOUR_TYPE = 25  # where the byte stands
_PNG_GREY_ALPHA, _PNG_COLOUR_ALPHA = 4, 6


@dataclass(frozen=True)
class Picture:
    """A picture as the models take it, and what was done to make it so."""

    pixels: Pixels
    """uint8 (H, W, 3) RGB, or (H, W) grey."""

    notes: tuple[str, ...] = ()
    """What was converted, one sentence each; empty when the file said exactly this."""


def read(path: str | os.PathLike[str]) -> Picture:
    """Read an image file.

    Raises:
        OSError: the file cannot be read.
        InputError: it holds no whole picture, or one that cannot be converted without loss of
            what can be seen.
    """
    return decode(Path(path).read_bytes(), name=os.fspath(path))


def write(path: str | os.PathLike[str], pixels: Pixels) -> None:
    """Write ``pixels``, uint8 (H, W, 3) RGB or (H, W), in the format of the path's ending.

    Raises:
        OSError: the file cannot be written; what stood there before still does.
        InputError: as ``encode``.
    """
    write_atomically(Path(path), encode(pixels, Path(path).suffix))


def decode(data: bytes, *, name: str) -> Picture:
    """Make a picture of an image file's bytes; ``name`` is what error messages call it.

    The orientation that a camera noted (EXIF) is applied. Grey files give grey pictures.

    Raises:
        InputError: as ``read``.
    """
    cv2 = _opencv()
    pixels = _imdecode(data, cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH)
    if pixels is None:
        raise InputError(
            f"{name}: {len(data)} bytes that are no picture, or only a part of one; expected a "
            "whole image file (PNG, JPEG, WebP, TIFF, ...): fetch or export it again"
        )
    if data.startswith(_PNG) and data[_PNG_COLOUR_TYPE] == _PNG_GREY_ALPHA:
        pixels = pixels[:, :, 0]
    notes = _check_alpha(data, name)
    if pixels.dtype == np.uint16:
        notes += ("16 bits per channel were rounded to 8",)
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if pixels.dtype != np.uint8:
        raise InputError(
            f"{name}: pixels of type {pixels.dtype}; expected 8 or 16 bits per channel: "
            "convert it first, so that you choose what black and white are"
        )
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    return Picture(np.ascontiguousarray(pixels), notes)


def encode(pixels: Pixels, suffix: str) -> bytes:
    """Make the bytes of an image file; ``suffix`` chooses the format (``.png``).

    Lossless where the format can be; JPEG has quality 95.

    Args:
        pixels: uint8 (H, W, 3) RGB or (H, W) grey, in any memory layout; never changed.
        suffix: one of ``WRITABLE``.

    Raises:
        InputError: the pixels are none of these, the suffix names no format that can be written,
            or the format cannot hold a picture of this size.
    """
    cv2 = _opencv()
    check_image(pixels)
    kind = suffix.lower()
    if kind not in WRITABLE:
        raise InputError(
            f"image format {suffix!r}: expected one of {', '.join(WRITABLE)}; "
            "choose one as the ending of the output"
        )
    options = {
        ".webp": [cv2.IMWRITE_WEBP_QUALITY, 101],  # above 100 means lossless
        ".jpg": [cv2.IMWRITE_JPEG_QUALITY, 95],
        ".jpeg": [cv2.IMWRITE_JPEG_QUALITY, 95],
    }.get(kind, [])
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.ndim == 3 else pixels
    try:
        done, data = cv2.imencode(kind, bgr, options)
    except cv2.error:
        done = False
    if not done:
        height, width = pixels.shape[:2]
        raise InputError(
            f"a picture of {width} × {height} pixels does not fit into {kind}; write .png instead"
        )
    return bytes(data)


def _check_alpha(data: bytes, name: str) -> tuple[str, ...]:
    """Say that an opaque alpha channel is dropped; refuse one that hides or fades a pixel."""
    if not _may_have_alpha(data):
        return ()
    pixels = _imdecode(data, _opencv().IMREAD_UNCHANGED)
    if pixels is None or pixels.ndim != 3 or pixels.shape[2] != 4:
        return ()
    alpha = pixels[:, :, 3]
    opaque = 1.0 if alpha.dtype.kind == "f" else np.iinfo(alpha.dtype.name).max
    transparent = int(np.count_nonzero(alpha != opaque))
    if transparent:
        raise InputError(
            f"{name}: {transparent} transparent pixels, of {alpha.size}; expected an opaque "
            "picture: lay it on a background colour first"
        )
    return ("an alpha channel, opaque everywhere, was dropped",)


def _may_have_alpha(data: bytes) -> bool:
    """Look for a reason to decode once more; True where only decoding can tell."""
    if data.startswith(_JPEG):
        return False
    if data.startswith(_PNG):
        return (
            data[_PNG_COLOUR_TYPE] in (_PNG_GREY_ALPHA, _PNG_COLOUR_ALPHA)
            or b"tRNS" in data[: data.find(b"IDAT")]
        )
    return True


def _imdecode(data: bytes, flags: int) -> NDArray[np.generic] | None:
    """Decode from memory: unlike ``imread``, this refuses half a file and takes any path."""
    cv2 = _opencv()
    if not data:
        return None
    try:
        pixels: NDArray[np.generic] | None = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None
    return pixels


def _opencv() -> ModuleType:
    return opencv("image files")
