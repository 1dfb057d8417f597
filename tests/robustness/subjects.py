"""What the rows are tried on: the tiny bundles, some pictures and their streams."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from tests.bundles import AUTOENCODER, CODEC, DENOISER
from tests.robustness.tally import Pixels
from venturi import Autoencoder, Codec, Denoiser
from venturi._bundle.load import Bundle
from venturi._entropy.payload import encode
from venturi._format import container
from venturi._format.tables import Tables
from venturi._format.varint import write_varint

Model = Autoencoder | Codec | Denoiser
BUNDLES: Mapping[Path, type[Model]] = {
    CODEC: Codec,
    DENOISER: Denoiser,
    AUTOENCODER: Autoencoder,
}


@cache
def codec() -> Codec:
    return Codec(CODEC, threads=1)


@cache
def denoiser() -> Denoiser:
    return Denoiser(DENOISER, threads=1)


@cache
def autoencoder() -> Autoencoder:
    return Autoencoder(AUTOENCODER, threads=1)


def picture(height: int, width: int, seed: int = 0) -> Pixels:
    """Smooth with some noise, another in each colour."""
    row, column = np.mgrid[:height, :width]
    waves = [
        128 + 80 * np.sin(column / 40 + phase) * np.cos(row / 30 - phase) for phase in range(3)
    ]
    noise = np.random.default_rng(seed).normal(0, 8, (height, width, 3))
    return np.clip(np.stack(waves, axis=2) + noise, 0, 255).astype(np.uint8)


@cache
def small() -> bytes:
    """A stream of a few dozen bytes."""
    return codec().compress(np.full((9, 12, 3), 90, np.uint8), quality=5)


@cache
def large() -> bytes:
    """A stream of one chunk and many symbols."""
    return codec().compress(picture(400, 600), quality=95)


@cache
def wide() -> bytes:
    """A stream of four chunks."""
    return codec().compress(picture(40, 3100), quality=50)


@cache
def beyond(symbol: int) -> bytes:
    """A stream of one hyper-latent that is not 0, and nothing after it."""
    bundle = Bundle.load(CODEC, task="codec")
    tables = Tables.from_bytes(bundle.files["tables"])
    at = int(np.argmax(tables.radius[tables.hyper_index[-1]] > 0))
    hyper = np.zeros(tables.hyper_index.shape[1], np.int32)
    hyper[at] = symbol
    payload = encode([(hyper, tables.hyper_index[-1])], tables)
    return forged((25600, 64, 64, len(payload)), [payload])


@cache
def grid() -> bytes:
    """A stream of two rows of three chunks."""
    return codec().compress(picture(1100, 2100), quality=50)


def payloads(data: bytes) -> list[bytes]:
    info = container.read_header(data)
    return [container.chunk(info, data, number) for number in range(len(info.chunks))]


def flipped(data: bytes, bit: int) -> bytes:
    damaged = bytearray(data)
    damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


def place(data: bytes, byte: int) -> str:
    """Return how an error must name the place of a byte."""
    for number, (offset, length) in enumerate(container.read_header(data).chunks):
        if offset - 4 <= byte < offset + length:
            return f"chunk {number} of"
    return ""


def forged(
    numbers: Sequence[int],
    chunks: Sequence[bytes] = (),
    *,
    version: int = 1,
    flags: int = 0,
    fingerprint: bytes | None = None,
) -> bytes:
    """Write a stream whose checksums are right, whatever it says.

    Args:
        numbers: quality, width, height and the lengths of the chunks, true or not.
        chunks: the payloads.
        version: of the format.
        flags: one byte.
        fingerprint: that of the tiny codec, unless given.
    """
    head = container.MAGIC + bytes([version, flags])
    head += codec().manifest.fingerprint if fingerprint is None else fingerprint
    head += b"".join(map(write_varint, numbers))
    crc = zlib.crc32(head)
    return head + crc.to_bytes(4, "little") + b"".join(_signed(crc, chunks))


def _signed(header_crc: int, chunks: Sequence[bytes]) -> Iterator[bytes]:
    for number, payload in enumerate(chunks):
        covered = header_crc.to_bytes(4, "little") + number.to_bytes(4, "little") + payload
        yield zlib.crc32(covered).to_bytes(4, "little") + payload
