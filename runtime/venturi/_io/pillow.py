"""Pillow with its plugins, imported by the first call that touches an image file."""

import contextlib
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from importlib import import_module
from io import BytesIO
from typing import Any

from venturi._layout import MAX_PIXELS, MAX_SIDE
from venturi.errors import InputError

FORMATS = (
    *("PNG", "JPEG", "MPO", "WEBP", "TIFF", "BMP", "GIF", "PPM", "AVIF"),
    *("JPEG2000", "TGA", "QOI", "ICO", "HEIF", "JXL"),
)
"""What is opened. Pillow knows more; EPS, for one, would start another program."""

_DECODER_ERRORS = (
    *(OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error),
    *(ArithmeticError, LookupError, TypeError, AttributeError, RuntimeError),
)
"""What Pillow and its plugins raise on damaged files."""

_PLUGINS = {
    "HEIF": ("HEIC", "pillow_heif", "pillow-heif"),
    "JXL": ("JPEG XL", "pillow_jxl", "pillow-jxl-plugin"),
}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_lock = threading.Lock()


def pillow() -> Any:
    """Import ``PIL.Image``.

    Raises:
        ImportError: Pillow is not installed; the command that does so is named.
    """
    return _imported("PIL.Image", "image files need Pillow")


def _imported(module: str, need: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise ImportError(
            f"{need}, which is not installed: pip install 'venturi[images]'"
        ) from error


def colour_management() -> Any:
    """Import ``PIL.ImageCms``: Little CMS, which Pillow's wheels hold."""
    return import_module("PIL.ImageCms")


def jpeg_warnings(data: bytes) -> tuple[str, ...]:
    """Return libjpeg's warning of a damaged JPEG, which Pillow does not report.

    Raises:
        ImportError: simplejpeg is not installed; the command that does so is named.
    """
    strict = _imported("simplejpeg", "JPEG files need simplejpeg")
    try:
        # The smallest picture that it can make: every symbol is read, and little else is done.
        strict.decode_jpeg(data, colorspace="GRAY", min_height=1, min_width=1, min_factor=8)
    except ValueError as error:
        if "Unsupported" not in str(error):
            return (f"the file is damaged, says its decoder: {error}",)
    return ()


def opened(data: bytes, name: str) -> tuple[Any, tuple[str, ...]]:
    """Open an image file's bytes.

    Returns:
        A ``PIL.Image.Image`` whose header is read and no pixel yet, and Pillow's warnings.

    Raises:
        InputError: they are no picture, one of a kind that nothing installed reads, or too large.
    """
    module = pillow()
    kind = _plugin_for(data)
    if kind is not None and not _register(kind):
        format_name, _, package = _PLUGINS[kind]
        raise InputError(
            f"{name}: a {format_name} picture, which Pillow reads with the package {package}; "
            f"expected it to be installed: pip install {package}"
        )
    # Pillow's own limit is a module's variable, and lower than ours; warnings are global as well.
    with _lock, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        limit, module.MAX_IMAGE_PIXELS = module.MAX_IMAGE_PIXELS, None
        try:
            image = module.open(BytesIO(data), formats=_known(module))
            image.getexif()
        except _DECODER_ERRORS as error:
            raise not_whole(data, name, error) from error
        finally:
            module.MAX_IMAGE_PIXELS = limit
    width, height = image.size
    if not (1 <= min(width, height) <= max(width, height) <= MAX_SIDE) or (
        width * height > MAX_PIXELS
    ):
        raise InputError(
            f"{name}: a picture of {width} × {height} pixels; expected sides of 1 to {MAX_SIDE} "
            f"and at most {MAX_PIXELS} pixels in all: make it smaller first"
        )
    return image, tuple(dict.fromkeys(str(warning.message) for warning in caught))


@contextlib.contextmanager
def decoding(data: bytes, name: str) -> Iterator[None]:
    """Raise InputError where Pillow finds a file cut short or damaged."""
    try:
        yield
    except _DECODER_ERRORS as error:
        raise not_whole(data, name, error) from error


def not_whole(data: bytes, name: str, error: Exception) -> InputError:
    """Return the error of a file that is no picture, or not all of one."""
    reason = str(error).partition("<")[0].strip() or type(error).__name__
    return InputError(
        f"{name}: {len(data)} bytes that are no picture, or only a part of one ({reason}); "
        "expected a whole image file (PNG, JPEG, WebP, AVIF, TIFF, ...): fetch or export it again"
    )


def _plugin_for(data: bytes) -> str | None:
    """Return the format of a file that Pillow reads with a plugin only."""
    if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS and b"avif" not in data[8:32]:
        return "HEIF"
    if data.startswith(b"\xff\x0a") or data.startswith(b"\0\0\0\x0cJXL \r\n\x87\n"):
        return "JXL"
    return None


def _register(kind: str) -> bool:
    """Make Pillow read a format; False where the plugin is not installed."""
    _, module, _ = _PLUGINS[kind]
    try:
        plugin = import_module(module)  # JPEG XL's registers itself
    except ModuleNotFoundError:
        return False
    if kind == "HEIF":
        plugin.register_heif_opener()
    return True


def _known(module: Any) -> list[str]:
    module.init()
    return [kind for kind in FORMATS if kind in module.OPEN]
