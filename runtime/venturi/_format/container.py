"""The container of a compressed picture: a checked header and one payload per chunk.

    magic | version | flags | fingerprint | quality | width | height | chunk lengths | CRC-32
    then per chunk: CRC-32 | payload

FORMAT.md gives the reason for each field.
"""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from venturi._format.varint import read_varint, write_varint
from venturi._layout import (
    CHUNK,
    MAX_PIXELS,
    MAX_SIDE,
    NO_QUALITY_Q8,
    QUALITY_MAX,
    QUALITY_MIN,
    QUALITY_SCALE,
)
from venturi.errors import InputError, StreamError

MAGIC = b"VNT"
VERSION = 1
QUALITY_Q8 = range(QUALITY_MIN * QUALITY_SCALE, QUALITY_MAX * QUALITY_SCALE + 1)

_GREY = 1
_FIXED = len(MAGIC) + 1 + 1 + 8
_DAMAGED = "the bytes are damaged; get the file from its source again"

Data = bytes | bytearray | memoryview


@dataclass(frozen=True)
class Header:
    """What a container says about its picture.

    Attributes:
        grey: the picture has one channel, stored as three equal ones.
        fingerprint: 8 bytes that name the decoder side of the bundle.
        quality_q8: the quality in 1/256, 256..25600; 0 for a model without a quality.
        width: pixels, 1..65535.
        height: pixels, 1..65535.
    """

    grey: bool
    fingerprint: bytes
    quality_q8: int
    width: int
    height: int

    @property
    def quality(self) -> float | None:
        """1 to 100, or None for a model without a quality."""
        return None if self.quality_q8 == NO_QUALITY_Q8 else self.quality_q8 / QUALITY_SCALE


@dataclass(frozen=True)
class StreamInfo:
    """A checked header and where the chunks are.

    Attributes:
        header: what the container says about its picture.
        chunks: (offset, bytes) of each payload in the container, in raster order of the chunks.
        crc: the CRC-32 of the header, with which those of the chunks begin.
    """

    header: Header
    chunks: tuple[tuple[int, int], ...]
    crc: int


def chunk_grid(width: int, height: int) -> tuple[int, int]:
    """Return (rows, columns) of the chunks of 1024 × 1024 pixels that cover a picture."""
    return -(-height // CHUNK), -(-width // CHUNK)


def pack(header: Header, payloads: Sequence[bytes]) -> bytes:
    """Return the container of a picture.

    Args:
        header: of the picture.
        payloads: one per chunk of 1024 × 1024 pixels, in raster order.

    Raises:
        InputError: a field of the header, or the number of payloads, is not possible.
    """
    problem = _problem(header)
    rows, columns = chunk_grid(header.width, header.height)
    if not problem and len(payloads) != rows * columns:
        problem = f"{len(payloads)} payloads; expected {rows} × {columns} for this size"
    if problem:
        raise InputError(f"cannot write a container with {problem}")
    numbers = (header.quality_q8, header.width, header.height, *map(len, payloads))
    head = MAGIC + bytes([VERSION, _GREY * header.grey]) + header.fingerprint
    head += b"".join(map(write_varint, numbers))
    crc = zlib.crc32(head)
    parts = [head, struct.pack("<I", crc)]
    for number, payload in enumerate(payloads):
        parts += [struct.pack("<I", _chunk_crc(crc, number, payload)), payload]
    return b"".join(parts)


def read_header(
    data: Data, *, max_pixels: int = MAX_PIXELS, check_length: bool = True
) -> StreamInfo:
    """Read and check a header; nothing is allocated for the picture and no payload is read.

    Args:
        data: the whole container.
        max_pixels: refuse pictures with more pixels than this.
        check_length: refuse a container that is truncated or followed by bytes; pass False to
            salvage one.

    Raises:
        InputError: the data are no bytes.
        StreamError: these are not the bytes of exactly one container, or the picture is too large.
    """
    view = _view(data)
    _check_magic(bytes(view[:_FIXED]))
    quality_q8, position = read_varint(view, _FIXED)
    width, position = read_varint(view, position)
    height, position = read_varint(view, position)
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise StreamError(f"picture of {width}×{height} pixels; expected 1..{MAX_SIDE}; {_DAMAGED}")
    rows, columns = chunk_grid(width, height)
    lengths = []
    for _ in range(rows * columns):
        length, position = read_varint(view, position)
        lengths.append(length)
    crc = _read_crc(view, position)
    if crc != zlib.crc32(view[:position]):
        raise StreamError(f"the header's checksum does not match; {_DAMAGED}")
    header = _header(bytes(view[:_FIXED]), quality_q8, width, height)
    if width * height > max_pixels:
        raise StreamError(
            f"picture of {width}×{height} pixels; expected at most {max_pixels} pixels; "
            "raise max_pixels if you trust where it comes from"
        )
    places, end = _places(lengths, position + 4)
    if check_length:
        _check_length(len(view), end)
    return StreamInfo(header, places, crc)


def chunk(info: StreamInfo, data: Data, number: int) -> bytes:
    """Return the payload of one chunk.

    Args:
        info: what read_header said of the same data.
        data: the whole container.
        number: 0..len(info.chunks) - 1, in raster order.

    Raises:
        StreamError: the payload is damaged.
    """
    offset, length = info.chunks[number]
    view = _view(data)
    payload = bytes(view[offset : offset + length])
    if _read_crc(view, offset - 4) != _chunk_crc(info.crc, number, payload):
        raise StreamError(
            f"the checksum of chunk {number} of {len(info.chunks)} does not match; {_DAMAGED}"
        )
    return payload


def _view(data: Data) -> memoryview:
    """Return a view of bytes of any kind, copied only if they are not contiguous."""
    if not isinstance(data, bytes | bytearray | memoryview):
        raise InputError(f"data is a {type(data).__name__}; expected bytes; read the file")
    try:
        view = memoryview(data)
    except ValueError as error:
        raise InputError(
            "data is a released memoryview; expected bytes; release it after the call"
        ) from error
    return view.cast("B") if view.c_contiguous else memoryview(bytes(view))


def _check_magic(head: bytes) -> None:
    if head[:3] != MAGIC:
        raise StreamError(
            f"the first bytes are {head[:3]!r}; expected {MAGIC!r}; this is no Venturi container"
        )
    if head[3:4] and head[3] != VERSION:
        raise StreamError(
            f"container version {head[3]}; expected {VERSION}; "
            "get a venturi that reads this version"
        )
    if len(head) < _FIXED:
        raise StreamError(f"the container ends after {len(head)} bytes, in its header; {_DAMAGED}")


def _read_crc(view: memoryview, position: int) -> int:
    if position + 4 > len(view):
        raise StreamError(f"the container ends at byte {len(view)}, before a checksum; {_DAMAGED}")
    value: int = struct.unpack_from("<I", view, position)[0]
    return value


def _header(fixed: bytes, quality_q8: int, width: int, height: int) -> Header:
    flags = fixed[4]
    header = Header(bool(flags & _GREY), fixed[5:], quality_q8, width, height)
    problem = _problem(header)
    if flags & ~_GREY:
        problem = f"flags {flags:#04x}; expected 0 or {_GREY}"
    if problem:
        raise StreamError(
            f"the header has {problem}; get a venturi that knows this, or other bytes"
        )
    return header


def _problem(header: Header) -> str:
    """Return what is impossible in a header, or an empty text."""
    if len(header.fingerprint) != 8:
        return f"a fingerprint of {len(header.fingerprint)} bytes; expected 8"
    if header.quality_q8 != NO_QUALITY_Q8 and header.quality_q8 not in QUALITY_Q8:
        return f"quality {header.quality_q8}/256; expected 0 or 256..25600"
    if not (1 <= header.width <= MAX_SIDE and 1 <= header.height <= MAX_SIDE):
        return f"{header.width}×{header.height} pixels; expected sides of 1..{MAX_SIDE}"
    return ""


def _places(lengths: list[int], position: int) -> tuple[tuple[tuple[int, int], ...], int]:
    """Return (offset, bytes) of the payloads, and where the last one ends."""
    places = []
    for length in lengths:
        places.append((position + 4, length))
        position += 4 + length
    return tuple(places), position


def _check_length(size: int, expected: int) -> None:
    if expected > size:
        raise StreamError(f"the container has {size} bytes; expected {expected}; it is truncated")
    if expected < size:
        raise StreamError(
            f"the container has {size} bytes; expected {expected}; "
            "something follows it: cut that off, or get the file from its source again"
        )


def _chunk_crc(header_crc: int, number: int, payload: bytes) -> int:
    """Return a CRC-32 that is valid only in this container and at this place."""
    return zlib.crc32(payload, zlib.crc32(struct.pack("<II", header_crc, number)))
