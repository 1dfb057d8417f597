"""What a codec decodes a stream to on its way to pixels: symbols, hashed as golden files are."""

import dataclasses
import hashlib
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from venturi import Codec
from venturi._entropy import latents
from venturi._entropy.payload import Decoder
from venturi._format import container

SEGMENTS = 4
"""Of a chunk."""

Pixels = NDArray[np.uint8]


class Decoded(NamedTuple):
    """The symbols of each segment, chunk after chunk, and the pixels."""

    segments: list[NDArray[np.int32]]
    pixels: Pixels

    @property
    def digests(self) -> list[str]:
        """The SHA-256 of each chunk's symbols, in the order of coding."""
        chunks = range(0, len(self.segments), SEGMENTS)
        parts = [self.segments[first : first + SEGMENTS] for first in chunks]
        joined = [b"".join(s.astype("<i4").tobytes() for s in part) for part in parts]
        return [hashlib.sha256(data).hexdigest() for data in joined]


class _Recording(Decoder):
    """The real entropy decoder, which notes the symbols."""

    segments: list[NDArray[np.int32]]

    def decode(self, table_index: NDArray[np.uint8]) -> NDArray[np.int32]:
        symbols = super().decode(table_index)
        self.segments.append(symbols.copy())
        return symbols


def decode(codec: Codec, data: bytes) -> Decoded:
    """Decompress a stream and keep its symbols."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_Recording, "segments", [], raising=False)
        patch.setattr(latents, "Decoder", _Recording)
        pixels = codec.decompress(data)
        return Decoded(_Recording.segments, pixels)


def readdressed(data: bytes, codec: Codec) -> bytes:
    """Return a stream with the same payloads and the fingerprint of another codec's bundle."""
    info = container.read_header(data)
    payloads = [container.chunk(info, data, number) for number in range(len(info.chunks))]
    header = dataclasses.replace(info.header, fingerprint=codec.manifest.fingerprint)
    return container.pack(header, payloads)
