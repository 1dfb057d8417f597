"""Requests that a service on the internet gets sooner or later, with the right answer to each."""

import struct
import zlib
from typing import NamedTuple

from .limits import Limits


class Attack(NamedTuple):
    """A request and the statuses that are right for it.

    Attributes:
        title: what it tries.
        method: of HTTP.
        path: with its query, percent-encoded.
        body: bytes.
        statuses: one of these must come back.
    """

    title: str
    method: str
    path: str
    body: bytes
    statuses: tuple[int, ...]


def attacks(jpeg: bytes, stream: bytes, limits: Limits) -> list[Attack]:
    """Return the attacks.

    Args:
        jpeg: a picture.
        stream: a .vnt file that the service would take.
        limits: of the service.
    """
    uploads = [
        ("nothing", b"", 415),
        ("no picture", b"GIF89a is what I am not" * 50, 415),
        ("a script", b"<svg onload=alert(1)>", 415),
        ("half a JPEG", jpeg[: len(jpeg) // 2], 422),
        ("a JPEG's first bytes", jpeg[:20], 415),
        ("a bomb", bomb_png(12_000), 413),
        ("a bomb of no bytes", _png(2**31 - 1, b""), 413),
        ("too many bytes", bytes(limits.max_bytes + 1), 413),
        ("half a stream", stream[: len(stream) // 2], 422),
        ("a stream and more", stream + b"more", 422),
        ("a stream's first bytes", stream[:3], 422),
        ("a flipped bit in a stream", _flipped(stream, len(stream) * 3 // 4), 422),
        ("a flipped bit in a header", _flipped(stream, 15), 422),
        ("a stream of another model", _signed(stream[:5] + bytes(8), 64, 64), 422),
        ("a stream of 4 gigapixels", _signed(stream[:13], 65535, 65535), 413),
    ]
    attacks = [Attack(title, "PUT", "/photos/evil", body, (s,)) for title, body, s in uploads]
    attacks += [
        Attack(f"name {name}", "PUT", f"/photos/{name}", jpeg, (404, 422)) for name in NAMES
    ]
    attacks += [
        Attack(f"read {name}", "GET", f"/photos/{name}.vnt", b"", (404, 422)) for name in NAMES
    ]
    attacks += [
        Attack("a quality", "PUT", "/photos/evil?quality=1e9", jpeg, (422,)),
        Attack("another ending", "GET", "/photos/first.exe", b"", (422,)),
        Attack("another method", "DELETE", "/photos/first.png", b"", (405,)),
    ]
    attacks += [
        Attack(f"region {region}", "GET", f"/photos/first.png?region={region}", b"", (422,))
        for region in REGIONS
    ]
    return attacks


NAMES = (
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e",
    "%2fetc%2fpasswd",
    "..%5c..%5cwindows",
    "evil%00",
    "evil%0d%0aSet-Cookie:%20a=b",
    ".hidden",
    "-rf",
    "x" * 300,
    "%f0%9f%93%b7",
    "CON",
)
REGIONS = (
    "0,0,0,0",
    "-1,-1,9,9",
    "0,0,99999999999999999999,1",
    "1,2,3",
    "nan,0,1,1",
    "",
    "0,0,1,1,1",
)


def bomb_png(side: int) -> bytes:
    """Return a small PNG of side × side grey pixels."""
    packer = zlib.compressobj(9)
    row = bytes(1 + side)
    data = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    return _png(side, data)


def _png(side: int, data: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )


def _flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :]


def _signed(head: bytes, width: int, height: int) -> bytes:
    """Return a .vnt file without payloads whose header has the right checksum."""
    chunks = -(-width // 1024) * -(-height // 1024)
    head += b"".join(_leb128(number) for number in (50 * 256, width, height)) + bytes(chunks)
    crc = zlib.crc32(head)
    parts = [head, struct.pack("<I", crc)]
    for number in range(chunks):
        parts.append(struct.pack("<I", zlib.crc32(struct.pack("<II", crc, number))))
    return b"".join(parts)


def _leb128(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])
