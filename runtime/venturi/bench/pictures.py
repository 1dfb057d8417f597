"""Real pictures to measure on: a small photograph that comes with the package, or your own files.

A model's time can depend on its input (the entropy coder's does), and zeros are the easiest input
there is. The photograph, ``street.png``, is a street at night in 204 × 136 pixels: ``gb82-018``,
scaled down; its author gave it away under CC0 1.0. The shipped models were not trained on it: it
is of the twentieth of the photographs that training kept for validation. Its content is finer than
a camera's at this size and, mirrored until it fills a frame, it repeats itself; take your own
pictures for figures of quality.
"""

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from venturi._engine.arrays import Pixels
from venturi.errors import BundleError

SHIPPED = Path(__file__).with_name("street.png")
NOTE = (
    "the photograph that comes with venturi, mirrored to fill the size; the shipped models were "
    "not trained on it: --images takes your own"
)
NOISE_LEVELS = 15.0

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_UP = 2  # the row filter that adds the row above


def shipped() -> Pixels:
    """Return the photograph that comes with the package: uint8 (H, W, 3) RGB.

    Its PNG is written with one filter only, so that NumPy decodes it: devices may have nothing
    that reads images.

    Raises:
        BundleError: the file is damaged.
    """
    data = SHIPPED.read_bytes()
    try:
        chunks = dict(_chunks(data))
        width, height = (int.from_bytes(chunks[b"IHDR"][at : at + 4], "big") for at in (0, 4))
        rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, -1)
    except (KeyError, ValueError, zlib.error) as error:
        raise _damaged(str(error)) from error
    if rows.shape[1] != 1 + 3 * width or not (rows[:, 0] == _UP).all():
        raise _damaged(f"{rows.shape[1]} bytes in a row")
    return np.cumsum(rows[:, 1:], axis=0, dtype=np.uint8).reshape(height, width, 3)


def fitted(image: Pixels, width: int, height: int) -> Pixels:
    """Return a picture of exactly this size: its middle, or mirrored at its borders until it fits.

    Args:
        image: uint8 (H, W, 3) RGB or (H, W) grey.
        width: in pixels.
        height: in pixels.

    Returns:
        uint8 (height, width, 3) RGB.
    """
    colour = np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image
    rows, columns = colour.shape[:2]
    top, left = max(0, rows - height) // 2, max(0, columns - width) // 2
    part = colour[top : top + height, left : left + width]
    missing = [(0, height - part.shape[0]), (0, width - part.shape[1]), (0, 0)]
    return np.ascontiguousarray(np.pad(part, missing, mode="symmetric"))


def grey(image: Pixels) -> Pixels:
    """Return the brightness (BT.601) of uint8 (H, W, 3) RGB as uint8 (H, W)."""
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    grey: Pixels = np.rint(image @ weights).astype(np.uint8)
    return grey


def noisy(image: Pixels, *, seed: int) -> Pixels:
    """Add Gaussian noise of NOISE_LEVELS grey levels, the same for the same seed and size."""
    noise = np.random.default_rng(seed).normal(0, NOISE_LEVELS, image.shape)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def read(paths: Sequence[Path]) -> list[Pixels]:
    """Read picture files; this needs the extra ``images``.

    Raises:
        OSError: a file cannot be read.
        InputError: a file is no picture.
        ImportError: Pillow, or what it needs for a file, is not installed.
    """
    from venturi import images

    return [images.read(path).pixels for path in paths]


def _chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Return a PNG's chunks by name, their checksums compared."""
    if not data.startswith(_SIGNATURE):
        raise ValueError("no PNG signature")
    chunks, place = [], len(_SIGNATURE)
    while place < len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        body, check = data[place + 4 : place + 8 + size], data[place + 8 + size : place + 12 + size]
        if zlib.crc32(body) != int.from_bytes(check, "big"):
            raise ValueError(f"checksum of the chunk at byte {place}")
        chunks.append((body[:4], body[4:]))
        place += 12 + size
    return chunks


def _damaged(reason: str) -> BundleError:
    return BundleError(f"{SHIPPED}: {reason}; expected the file as shipped; install venturi again")
