"""Read and write image files: RGB or grey, 8 bits, upright, in sRGB.

A note says what was converted on the way: another depth, a colour profile, an opaque alpha channel,
one frame of several. What the models cannot represent is refused: transparency, unless a background
is given, and floating-point pixels. Nothing visible is lost silently.

Pillow is imported by the first call. It reads 16 bits per colour channel as 8 by dropping bits, so
OpenCV reads those; HEIC and JPEG XL need Pillow's plugins for them.
"""

import os
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from venturi._engine.arrays import Colour, Pixels, check_image
from venturi._io.colour import eight_bits, laid_on, to_srgb
from venturi._io.files import write_atomically
from venturi._io.opencv import opencv
from venturi._io.pillow import decoding, jpeg_warnings, not_whole, opened, pillow
from venturi.errors import InputError

_FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {"compress_level": 4}),
    ".jpg": ("JPEG", {"quality": 95}),
    ".jpeg": ("JPEG", {"quality": 95}),
    ".webp": ("WEBP", {"lossless": True, "quality": 50}),
    ".bmp": ("BMP", {}),
    ".tif": ("TIFF", {"compression": "tiff_lzw"}),
    ".tiff": ("TIFF", {"compression": "tiff_lzw"}),
    ".ppm": ("PPM", {}),
    ".pgm": ("PPM", {}),
}

WRITABLE = tuple(_FORMATS)
"""The file name endings that ``encode`` knows."""

READABLE = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".webp", ".avif", ".heic", ".heif", ".jxl", ".tif", ".tiff"),
    *(".bmp", ".gif", ".ppm", ".pgm", ".pnm", ".jp2", ".tga", ".qoi", ".ico", ".mpo"),
)
"""The file name endings that are taken from folders."""

_TIFF_BITS = 258
_PNG_BITS = 24  # where the byte stands


@dataclass(frozen=True)
class Picture:
    """A picture as the models take it, and notes of what was converted."""

    pixels: Pixels
    """uint8 (H, W, 3) RGB, or (H, W) grey."""

    notes: tuple[str, ...] = ()
    """What was converted, one sentence each; empty when the file said exactly this."""


class _Samples(NamedTuple):
    """Decoded samples: a Pillow image of 8 bits without alpha, and its alpha, if there is one."""

    image: Any
    alpha: NDArray[Any] | None
    notes: tuple[str, ...]


def read(
    path: str | os.PathLike[str], *, background: Colour | None = None, frame: int | None = None
) -> Picture:
    """Read an image file; see ``decode``.

    Raises:
        OSError: the file cannot be read.
        InputError: as ``decode``.
    """
    data = Path(path).read_bytes()
    return decode(data, name=os.fspath(path), background=background, frame=frame)


def write(path: str | os.PathLike[str], pixels: Pixels) -> None:
    """Write ``pixels``, uint8 (H, W, 3) RGB or (H, W), in the format of the path's ending.

    Raises:
        OSError: the file cannot be written; what stood there before still does.
        InputError: as ``encode``.
    """
    write_atomically(Path(path), encode(pixels, Path(path).suffix))


def decode(
    data: bytes, *, name: str, background: Colour | None = None, frame: int | None = None
) -> Picture:
    """Decode an image file.

    The orientation tag of the file is applied, and colours are converted to sRGB. Grey files
    give grey pictures.

    Args:
        data: the file.
        name: what error messages call it.
        background: the colour behind transparent pixels; None refuses them.
        frame: which frame of an animation or page of a document, from 0; None takes the first and
            says so.

    Raises:
        InputError: it holds no whole picture, or one that cannot be converted without loss of
            what can be seen, or has no such frame.
    """
    image, warnings = _opened(data, name)
    notes = warnings + _choose(image, frame, data, name)
    with decoding(data, name):
        image.load()
    samples = _samples(image, data, name)
    notes += samples.notes
    upright, colour_notes = to_srgb(samples.image, image.info.get("icc_profile"))
    pixels = np.asarray(upright)
    alpha_notes: tuple[str, ...] = ()
    if samples.alpha is not None:
        pixels, alpha_notes = _without_alpha(pixels, samples.alpha, background, name)
    return Picture(
        np.ascontiguousarray(_turned(pixels, image)), (*notes, *colour_notes, *alpha_notes)
    )


def encode(pixels: Pixels, suffix: str) -> bytes:
    """Encode an image file; ``suffix`` chooses the format (``.png``).

    The result is lossless if the format can be; JPEG has quality 95.

    Args:
        pixels: uint8 (H, W, 3) RGB or (H, W) grey, in any memory layout; never changed.
        suffix: one of ``WRITABLE``.

    Raises:
        InputError: the pixels are none of these, the suffix names no format that can be written,
            or the format cannot hold a picture of this size.
    """
    check_image(pixels)
    if suffix.lower() not in _FORMATS:
        raise InputError(
            f"image format {suffix!r}: expected one of {', '.join(WRITABLE)}; "
            "choose one as the ending of the output"
        )
    kind, options = _FORMATS[suffix.lower()]
    image = pillow().fromarray(np.ascontiguousarray(pixels))
    if suffix.lower() == ".pgm":
        image = image.convert("L")
    out = BytesIO()
    try:
        image.save(out, kind, **options)
    except (OSError, ValueError) as error:
        height, width = pixels.shape[:2]
        raise InputError(
            f"a picture of {width} × {height} pixels does not fit into {suffix.lower()}; "
            "write .png instead"
        ) from error
    return out.getvalue()


def _choose(image: Any, frame: int | None, data: bytes, name: str) -> tuple[str, ...]:
    """Go to a frame of a file that has several."""
    with decoding(data, name):
        count = getattr(image, "n_frames", 1)
    if frame is not None and not 0 <= frame < count:
        raise InputError(
            f"{name}: frame {frame} was asked for; expected 0 to {count - 1}, which it has"
        )
    if frame is not None:
        with decoding(data, name):
            image.seek(frame)
    elif count > 1:
        return (f"the first of {count} frames or pages was taken; choose with frame",)
    return ()


def _samples(image: Any, data: bytes, name: str) -> _Samples:
    """Split an image into colour of 8 bits and alpha of any depth."""
    bits = _bits(image, data)
    notes: tuple[str, ...] = ()
    if bits > 8:
        notes = (f"{bits} bits per channel were rounded to 8",)
    if image.format in ("JPEG", "MPO"):
        notes += jpeg_warnings(data)
    if image.mode in ("I", "F"):
        raise _too_deep(32, name)
    if image.mode.startswith("I;16"):
        deep = eight_bits(np.asarray(image).astype(np.uint16))
        return _Samples(pillow().fromarray(deep), None, notes)
    if bits == 16 and image.format in ("PNG", "TIFF"):
        return _sixteen(image, data, name, notes)
    if image.mode == "1":
        image = image.convert("L")
    elif image.mode in ("P", "PA"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    elif image.has_transparency_data:
        image = image.convert("LA" if image.mode in ("L", "LA") else "RGBA")
    if image.mode in ("LA", "RGBA", "La", "RGBa"):
        image = image.convert({"La": "LA", "RGBa": "RGBA"}.get(image.mode, image.mode))
        alpha = np.asarray(image.getchannel("A"))
        return _Samples(image.convert("L" if image.mode == "LA" else "RGB"), alpha, notes)
    return _Samples(image.convert("RGB") if image.mode == "RGBX" else image, None, notes)


def _sixteen(image: Any, data: bytes, name: str, notes: tuple[str, ...]) -> _Samples:
    """Read 16 bits per colour channel, of which Pillow would drop half."""
    deep = _opencv_samples(data)
    if deep is None or deep.dtype != np.uint16 or deep.shape[:2] != image.size[::-1]:
        raise not_whole(data, name, ValueError("16 bits per channel"))
    alpha = deep[:, :, 3] if deep.ndim == 3 and deep.shape[2] == 4 else None
    colour = deep if deep.ndim == 2 else deep[:, :, 2::-1]
    if image.mode in ("L", "LA") and colour.ndim == 3:
        colour = colour[:, :, 0]
    flat = np.ascontiguousarray(eight_bits(colour))
    return _Samples(pillow().fromarray(flat), alpha, notes)


def _opened(data: bytes, name: str) -> tuple[Any, tuple[str, ...]]:
    """Open a file; name the depth of the TIFF files that Pillow cannot identify."""
    try:
        return opened(data, name)
    except InputError:
        if data[:4] in (b"II*\0", b"MM\0*"):
            deep = _opencv_samples(data)
            if deep is not None and deep.dtype.itemsize > 2:
                raise _too_deep(8 * deep.dtype.itemsize, name) from None
        raise


def _opencv_samples(data: bytes) -> NDArray[Any] | None:
    """Decode with OpenCV, which keeps every bit: BGR(A) or grey; None where it cannot."""
    cv2 = opencv("pictures of 16 bits per channel", extra="images")
    try:
        samples: NDArray[Any] | None = cv2.imdecode(
            np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED
        )
    except cv2.error:
        return None
    return samples


def _too_deep(bits: int, name: str) -> InputError:
    return InputError(
        f"{name}: {bits} bits per channel; expected 8 to 16: convert it first, so that you choose "
        "what black and white are"
    )


def _bits(image: Any, data: bytes) -> int:
    """Return the bits per channel that a file has, as its header tells."""
    match image.format:
        case "PNG":
            return data[_PNG_BITS]
        case "TIFF":
            return int(max(image.tag_v2.get(_TIFF_BITS, (8,))))
        case "AVIF":
            return _av1_bits(data)
        case _ if image.mode.startswith("I;16"):
            return 16
        case _:
            return int(image.info.get("bit_depth", 8))


def _av1_bits(data: bytes) -> int:
    """Read an AVIF file's depth from its ``av1C`` box (AV1 in ISOBMFF, section 2.3)."""
    place = data.find(b"av1C")
    flags = data[place + 6] if 0 <= place < len(data) - 6 else 0
    if not flags & 0x40:
        return 8
    return 12 if flags & 0x20 else 10


def _without_alpha(
    pixels: Pixels, alpha: NDArray[Any], background: Colour | None, name: str
) -> tuple[Pixels, tuple[str, ...]]:
    """Drop an opaque alpha channel; lay others on the background, or refuse them."""
    transparent = int(np.count_nonzero(alpha != np.iinfo(alpha.dtype.name).max))
    if not transparent:
        return pixels, ("an alpha channel, opaque everywhere, was dropped",)
    if background is None:
        raise InputError(
            f"{name}: {transparent} transparent pixels, of {alpha.size}; expected an opaque "
            "picture: choose a background colour"
        )
    shallow = eight_bits(alpha) if alpha.dtype == np.uint16 else alpha
    note = f"{transparent} transparent pixels were laid on the background {background}"
    return laid_on(pixels, shallow, background), (note,)


def _turned(pixels: Pixels, image: Any) -> Pixels:
    """Turn a picture upright, following its EXIF orientation (AVIF's is read as such)."""
    orientation = image.getexif().get(0x0112)  # of any type, in a damaged file
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels
