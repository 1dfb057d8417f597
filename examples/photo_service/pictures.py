"""Uploads to .vnt files and back to pictures; everything here is CPU work for a thread."""

import io

from PIL import Image

from venturi import Codec, InputError, Region, StreamError, images, probe

from .limits import Limits
from .refusal import Refusal

FORMATS = ("JPEG", "PNG", "WEBP")  # each further one is a further decoder to attack
STREAM_MAGIC = b"VNT"

Image.MAX_IMAGE_PIXELS = None  # its warning is replaced by our own, smaller limit


def to_stream(codec: Codec, upload: bytes, quality: int, limits: Limits) -> bytes:
    """Return the .vnt file to keep for an upload.

    Args:
        codec: compresses it.
        upload: a JPEG, PNG or WebP file, or a .vnt file, which is kept as it is.
        quality: 1 to 100, for a picture.
        limits: ``max_pixels`` is observed.

    Raises:
        Refusal: it is none of these, damaged, or too large.
    """
    try:
        if upload.startswith(STREAM_MAGIC):
            header = probe(upload)
            _check_size(header.width, header.height, limits)
            # Only a stream that decodes is worth keeping, and this is the time to find out.
            codec.decompress(upload, max_pixels=limits.max_pixels)
            return upload
        _check_size(*_size(upload), limits)
        return codec.compress(images.decode(upload, name="the upload").pixels, quality=quality)
    except (InputError, StreamError) as error:
        raise Refusal(422, str(error)) from error


def _size(upload: bytes) -> tuple[int, int]:
    """Return width and height from the header: 100 kB of PNG can hold a gigabyte of pixels."""
    try:
        # Pillow decodes nothing before it is asked for pixels.
        with Image.open(io.BytesIO(upload), formats=FORMATS) as header:
            return header.size
    except (OSError, ValueError, SyntaxError):  # what Pillow raises for bytes it cannot read
        raise Refusal(415, f"expected a whole {', '.join(FORMATS)} or .vnt file") from None


def _check_size(width: int, height: int, limits: Limits) -> None:
    if width * height > limits.max_pixels:
        most = limits.max_pixels
        raise Refusal(413, f"{width} x {height} pixels; expected at most {most} in all")


def to_picture(codec: Codec, stream: bytes, suffix: str, region: Region | None) -> bytes:
    """Return a photo, or a part of it, as an image file.

    Args:
        codec: decompresses it.
        stream: what ``to_stream`` returned.
        suffix: ``.png`` or ``.jpg``.
        region: top, left, height and width in pixels; None for the whole.

    Raises:
        Refusal: the region does not lie in the picture.
        StreamError: the file has been damaged since.
    """
    try:
        return images.encode(codec.decompress(stream, region=region), suffix)
    except InputError as error:
        raise Refusal(422, str(error)) from error
