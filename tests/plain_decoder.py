"""A second decoder, written from FORMAT.md alone, to be read: it proves that document.

    python -m tests.plain_decoder BUNDLE STREAM    # the symbols of each chunk, counted

Slow, and without most of the checks that a reader of strangers' bytes needs. It shares no line with
venturi: the stream is taken apart byte by byte, symbols are decoded one at a time with Python's
integers, and the entropy graphs are interpreted by the reference evaluator of the onnx package, in
NumPy. It stops where floating point begins: at the latents that decoder.onnx draws the picture
from.
"""

import hashlib
import json
import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

CHUNK = 1024
ORDER = 0, 3, 1, 2
QUARTERS = [0], [1], [2, 3]
ENTROPY = "entropy_first", "entropy_second", "entropy_third"


@dataclass(frozen=True)
class Header:
    """The fields of a stream before its first chunk."""

    grey: bool
    fingerprint: bytes
    quality: int
    width: int
    height: int


@dataclass(frozen=True)
class Chunk:
    """What one payload holds.

    Attributes:
        symbols: those of the four segments, in the order of coding.
        latents: int16 (M, 4 h, 4 w), in 1/16.
    """

    symbols: tuple[list[int], ...]
    latents: NDArray[np.int16]


class Bytes:
    """Takes fields from the front of some bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.place = 0

    def take(self, count: int) -> bytes:
        taken = self.data[self.place : self.place + count]
        assert len(taken) == count, "the bytes end too early"
        self.place += count
        return taken

    def fixed(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def leb128(self) -> int:
        value, shift = 0, 0
        while True:
            byte = self.fixed(1)
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                assert byte or shift == 7, "a number is longer than needed"
                return value

    def rest(self) -> bytes:
        return self.take(len(self.data) - self.place)


def read_stream(data: bytes) -> tuple[Header, list[bytes]]:
    """Return the header and the payload of each chunk."""
    stream = Bytes(data)
    assert stream.take(3) == b"VNT"
    assert stream.fixed(1) == 1, "another version"
    flags = stream.fixed(1)
    assert flags in (0, 1)
    fingerprint = stream.take(8)
    quality, width, height = stream.leb128(), stream.leb128(), stream.leb128()
    rows, columns = -(-height // CHUNK), -(-width // CHUNK)
    lengths = [stream.leb128() for _ in range(rows * columns)]
    header_crc = zlib.crc32(data[: stream.place])
    assert stream.fixed(4) == header_crc
    payloads = []
    for number, length in enumerate(lengths):
        chunk_crc = stream.fixed(4)
        payload = stream.take(length)
        covered = header_crc.to_bytes(4, "little") + number.to_bytes(4, "little") + payload
        assert chunk_crc == zlib.crc32(covered)
        payloads.append(payload)
    assert not stream.rest()
    return Header(bool(flags & 1), fingerprint, quality, width, height), payloads


class Tables:
    """tables.bin: ``frequencies[t]`` of each table, ``hyper_index[bucket][channel]``."""

    def __init__(self, data: bytes) -> None:
        file = Bytes(data)
        self.frequencies: list[list[int]] = []
        for _ in range(file.fixed(2)):
            radius = file.fixed(2)
            count = 2 * radius + 2 if radius else 0
            self.frequencies.append([file.fixed(2) for _ in range(count)])
            assert sum(self.frequencies[-1]) == (65536 if radius else 0)
        buckets, channels = file.fixed(2), file.fixed(2)
        self.hyper_index = [[file.fixed(1) for _ in range(channels)] for _ in range(buckets)]
        assert not file.rest()


class Payload:
    """One payload, decoded segment by segment."""

    def __init__(self, payload: bytes, tables: Tables) -> None:
        fields = Bytes(payload)
        head = fields.fixed(1)
        doublings, state_bytes = head & 15, (head >> 5 & 3) + 1
        escape_bytes = fields.leb128() if head & 16 else 0
        self.rows = [fields.leb128() for _ in range(doublings)]
        self.states = [fields.fixed(state_bytes) for _ in range(1 << doublings)]
        coded = fields.rest()
        middle = len(coded) - escape_bytes
        self.words = [
            int.from_bytes(coded[place : place + 2], "little") for place in range(0, middle, 2)
        ]
        self.escapes = Bytes(coded[middle:])
        self.tables = tables.frequencies

    def segment(self, tables: list[int]) -> list[int]:
        """Return one symbol for each table number; those of empty tables are 0 and not coded."""
        symbols = [0] * len(tables)
        places = [place for place, table in enumerate(tables) if self.tables[table]]
        while places:
            lanes = len(self.states)
            for lane, place in enumerate(places[:lanes]):
                symbols[place] = self._symbol(lane, self.tables[tables[place]])
            places = places[lanes:]
            self._end_of_row()
        return symbols

    def end(self) -> None:
        """Check that nothing is left."""
        assert self.states == [0]
        assert not self.words
        assert not self.escapes.rest()

    def _symbol(self, lane: int, frequencies: list[int]) -> int:
        slot = self.states[lane] % 65536
        entry, start = 0, 0
        while slot >= start + frequencies[entry]:
            start += frequencies[entry]
            entry += 1
        state = frequencies[entry] * (self.states[lane] >> 16) + slot - start
        if state < 65536 and self.words:
            state = state << 16 | self.words.pop(0)
        self.states[lane] = state
        radius = len(frequencies) // 2 - 1
        if entry <= 2 * radius:
            return entry - radius
        escape = self.escapes.leb128()
        magnitude = radius + 1 + (escape >> 1)
        return -magnitude if escape & 1 else magnitude

    def _end_of_row(self) -> None:
        if len(self.states) == 1:
            return
        self.rows[0] -= 1
        if self.rows[0] == 0:
            half = len(self.states) // 2
            assert all(state >> 16 == 1 for state in self.states[half:])
            self.words = [state & 65535 for state in self.states[half:]] + self.words
            self.states = self.states[:half]
            del self.rows[0]


class PlainDecoder:
    """Decodes the streams of one bundle to symbols and latents."""

    def __init__(self, bundle: Path) -> None:
        manifest: dict[str, Any] = json.loads((bundle / "manifest.json").read_bytes())
        files = {
            role: (bundle / entry["path"]).read_bytes() for role, entry in manifest["files"].items()
        }
        decoder_side = (files[role] for role in ("decoder", *ENTROPY, "tables"))
        digests = b"".join(hashlib.sha256(content).digest() for content in decoder_side)
        self.fingerprint = hashlib.sha256(digests).digest()[:8]
        self.tables = Tables(files["tables"])
        self.first, self.second, self.third = (ReferenceEvaluator(files[role]) for role in ENTROPY)
        self.latent_channels = int(manifest["parameters"]["latent_channels"])
        self.hyper_channels = int(manifest["parameters"]["hyper_channels"])

    def decode(self, data: bytes) -> tuple[Header, list[Chunk]]:
        """Decode a stream; chunks are in raster order."""
        header, payloads = read_stream(data)
        assert header.fingerprint == self.fingerprint, "the stream is another bundle's"
        sizes = chunk_sizes(header.width, header.height)
        return header, [
            self._chunk(payload, *size, header.quality)
            for payload, size in zip(payloads, sizes, strict=True)
        ]

    def _chunk(self, payload: bytes, h: int, w: int, quality: int) -> Chunk:
        """Decode a chunk of 64 h × 64 w pixels."""
        q = (quality - 256) * 255 // 25344
        coded = Payload(payload, self.tables)
        row = self.tables.hyper_index[q * len(self.tables.hyper_index) // 256]
        z = coded.segment([table for table in row for _ in range(h * w)])
        assert all(-127 <= symbol <= 127 for symbol in z)
        hyper = np.array(z, np.float32).reshape(1, self.hyper_channels, h, w)
        latents = np.zeros((self.latent_channels, 4 * h, 4 * w), np.int16)
        shared, features, *choice = _run(
            self.first, hyper_latent=hyper, quality=np.array([q], np.float32)
        )
        symbols = [self._step(coded, latents, choice, 0)]
        choice = _run(self.second, features=features, context=taken(latents, [0]))
        symbols.append(self._step(coded, latents, choice, 1))
        choice = _run(self.third, shared=shared, context=taken(latents, [0, 1]))
        symbols.append(self._step(coded, latents, choice, 2))
        coded.end()
        return Chunk((z, *symbols), latents)

    def _step(
        self, coded: Payload, latents: NDArray[np.int16], choice: list[NDArray[Any]], step: int
    ) -> list[int]:
        """Decode the places of a step into the latents; return their symbols."""
        mean, table = (numbers.flatten().tolist() for numbers in choice)
        symbols = coded.segment(table)
        places = places_of(latents.shape, QUARTERS[step])
        for place, symbol, middle in zip(places, symbols, mean, strict=True):
            latents[place] = min(max(16 * symbol + middle, -32768), 32767)
        return symbols


def _run(graph: ReferenceEvaluator, **inputs: NDArray[Any]) -> list[NDArray[Any]]:
    return [np.asarray(output) for output in graph.run(None, inputs)]


def chunk_sizes(width: int, height: int) -> Iterator[tuple[int, int]]:
    """Yield h and w of each chunk: its sides are 64 h and 64 w pixels, padding included."""
    for top in range(0, height, CHUNK):
        for left in range(0, width, CHUNK):
            sides = min(CHUNK, height - top), min(CHUNK, width - left)
            yield -(-sides[0] // 64), -(-sides[1] // 64)


def places_of(shape: tuple[int, ...], quarters: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Yield (channel, row, column) of the latents of quarters, in the order of coding."""
    channels, height, width = shape
    for c in range(channels):
        group = next(g for g in range(4) if c < channels * (g + 1) // 4)
        for quarter in quarters:
            place = ORDER[group] ^ ORDER[quarter]
            for i in range(place // 2, height, 2):
                for j in range(place % 2, width, 2):
                    yield c, i, j


def taken(latents: NDArray[np.int16], quarters: Sequence[int]) -> NDArray[np.float32]:
    """Return the latents of quarters as the graphs take them, (1, M, height, width / 2)."""
    channels, height, width = latents.shape
    values = [latents[place] for place in places_of(latents.shape, quarters)]
    size = 1, channels, len(quarters) * height // 2, width // 2
    return np.array(values, np.float32).reshape(size)


def main(bundle: str, stream: str) -> None:
    header, chunks = PlainDecoder(Path(bundle)).decode(Path(stream).read_bytes())
    print(header)
    for number, chunk in enumerate(chunks):
        counts = [f"{len(part)} ({np.count_nonzero(part)} not 0)" for part in chunk.symbols]
        print(f"chunk {number}: symbols of the segments: {', '.join(counts)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
