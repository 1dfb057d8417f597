"""The stream: every damaged bit, missing byte and lie is noticed before anything is decoded."""

import re
import zlib
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.entropy_samples import PATIENT
from venturi._format import container
from venturi._format.container import Header, chunk, chunk_grid, pack, read_header
from venturi._format.varint import read_varint, write_varint
from venturi.errors import InputError, StreamError

FINGERPRINT = bytes(range(8))
SMALL = Header(grey=True, fingerprint=FINGERPRINT, quality_q8=12800, width=7, height=5)
WIDE = Header(grey=False, fingerprint=FINGERPRINT, quality_q8=256, width=2049, height=1025)
PAYLOADS = [b"zero", b"", b"two", b"3", b"four", b"zero"]

GOLDEN_SMALL = "564e54 01 01 0001020304050607 8064 07 05 03 540b037e 0ac33211 616263"


def read_all(data: bytes) -> list[bytes]:
    info = read_header(data)
    return [chunk(info, data, number) for number in range(len(info.chunks))]


def signed(head: bytes, rest: bytes = b"") -> bytes:
    """A stream whose header checksum is right, whatever it says."""
    return head + zlib.crc32(head).to_bytes(4, "little") + rest


def head(
    flags: int = 0,
    quality: int = 256,
    width: int = 1,
    height: int = 1,
    lengths: tuple[int, ...] = (0,),
) -> bytes:
    numbers = b"".join(map(write_varint, (quality, width, height, *lengths)))
    return b"VNT\x01" + bytes([flags]) + FINGERPRINT + numbers


def test_golden_bytes() -> None:
    assert pack(SMALL, [b"abc"]) == bytes.fromhex(GOLDEN_SMALL)


@pytest.mark.parametrize("kind", get_args(container.Data))
def test_round_trip(kind: type) -> None:
    data = kind(pack(WIDE, PAYLOADS))
    info = read_header(data)
    assert info.header == WIDE
    assert [length for _, length in info.chunks] == [len(payload) for payload in PAYLOADS]
    assert [chunk(info, data, number) for number in range(6)] == PAYLOADS


@settings(PATIENT, max_examples=100)
@given(
    grey=st.booleans(),
    fingerprint=st.binary(min_size=8, max_size=8),
    quality=st.one_of(st.just(0), st.integers(256, 25600)),
    width=st.integers(1, 65535),
    height=st.integers(1, 65535),
    payload=st.binary(max_size=300),
)
def test_any_header_comes_back(
    grey: bool, fingerprint: bytes, quality: int, width: int, height: int, payload: bytes
) -> None:
    header = Header(grey, fingerprint, quality, width, height)
    rows, columns = chunk_grid(width, height)
    payloads = [b""] * (rows * columns - 1) + [payload]
    data = pack(header, payloads)
    info = read_header(data, max_pixels=2**32)
    assert info.header == header
    assert chunk(info, data, rows * columns - 1) == payload


@pytest.mark.parametrize(
    ("width", "height", "grid"),
    [(1, 1, (1, 1)), (1024, 1024, (1, 1)), (1025, 1024, (1, 2)), (65535, 2048, (2, 64))],
)
def test_chunk_grid(width: int, height: int, grid: tuple[int, int]) -> None:
    assert chunk_grid(width, height) == grid


@pytest.mark.parametrize("data", [pack(SMALL, [b"payload"]), pack(WIDE, PAYLOADS)])
def test_every_flipped_bit_is_noticed(data: bytes) -> None:
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(StreamError):
            read_all(bytes(damaged))


@pytest.mark.parametrize("data", [pack(SMALL, [b"payload"]), pack(WIDE, PAYLOADS)])
def test_truncated_appended_and_glued_streams_are_refused(data: bytes) -> None:
    others = [data[:length] for length in range(len(data))]
    others += [data + b"\0", data + data, b"\0" + data]
    for other in others:
        with pytest.raises(StreamError):
            read_header(other)


def test_a_chunk_belongs_to_its_place_and_stream() -> None:
    data, info = pack(WIDE, PAYLOADS), read_header(pack(WIDE, PAYLOADS))
    first, last = (slice(offset - 4, offset + 4) for offset, _ in (info.chunks[0], info.chunks[5]))
    moved = bytearray(data)
    moved[first], moved[last] = data[last], data[first]
    assert data[first][4:] == data[last][4:]
    with pytest.raises(StreamError, match="the checksum of chunk 0 of 6 does not match"):
        chunk(info, bytes(moved), 0)
    other = pack(Header(True, FINGERPRINT, 256, 2049, 1025), PAYLOADS)
    with pytest.raises(StreamError, match="chunk 5 of 6"):
        chunk(read_header(other), other[: last.start] + data[last], 5)


REFUSED = {
    "another file": (b"\x89PNG\r\n\x1a\n", r"first bytes are b'\\x89PN'; expected b'VNT'"),
    "nothing": (b"", "this is no Venturi container"),
    "another version": (
        b"VNT\x02" + bytes(30),
        "container version 2; expected 1; get a venturi that",
    ),
    "only a magic": (b"VNT", "the container ends after 3 bytes, in its header"),
    "no width": (signed(head(width=0)), r"picture of 0×1 pixels; expected 1\.\.65535"),
    "too high": (signed(head(height=65536)), r"picture of 1×65536 pixels; expected 1\.\.65535"),
    "reserved flags": (signed(head(flags=2), bytes(4)), "flags 0x02; expected 0 or 1"),
    "low quality": (signed(head(quality=255), bytes(4)), r"quality 255/256; expected 0 or 256\.\."),
    "high quality": (signed(head(quality=25601), bytes(4)), "quality 25601/256"),
    "long number": (head()[:13] + b"\x80\x82\0" + bytes(30), "malformed number at byte 13"),
    "huge number": (
        head()[:13] + b"\xff\xff\xff\xff\x7f" + bytes(9),
        "malformed number at byte 13",
    ),
    "endless number": (head()[:13] + b"\xff" * 30, "no end to the number at byte 13 of 43"),
    "payload missing": (signed(head(lengths=(2**32 - 1,))), "expected 4294967325; it is truncated"),
    "something appended": (pack(SMALL, [b""]) + b"!", "something follows it"),
    "wrong checksum": (head() + bytes(8), "the header's checksum does not match"),
}


@pytest.mark.parametrize(("data", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_errors_name_what_is_wrong(data: bytes, message: str) -> None:
    with pytest.raises(StreamError, match=message):
        read_header(data)


def test_too_many_pixels_are_refused_before_they_are_made() -> None:
    lengths = (0,) * 4096
    data = signed(head(width=65535, height=65535, lengths=lengths), bytes(4 * 4096))
    with pytest.raises(StreamError, match="expected at most 268435456 pixels; raise max_pixels"):
        read_header(data)
    assert len(read_header(data, max_pixels=65535**2).chunks) == 4096
    with pytest.raises(StreamError, match="at most 34 pixels"):
        read_header(pack(SMALL, [b""]), max_pixels=34)


@settings(PATIENT, max_examples=300)
@given(st.binary(max_size=80), st.integers(0, 20))
def test_hostile_bytes_only_raise_stream_error(data: bytes, kept: int) -> None:
    for candidate in (data, head()[:kept] + data, signed(head()[:kept] + data)):
        with pytest.raises(StreamError):
            read_header(candidate)


def test_impossible_headers_are_not_written() -> None:
    for header, message in (
        (Header(False, b"short", 256, 1, 1), "a fingerprint of 5 bytes; expected 8"),
        (Header(False, FINGERPRINT, 255, 1, 1), "quality 255/256"),
        (Header(False, FINGERPRINT, 256, 65536, 1), "65536×1 pixels; expected sides of 1..65535"),
        (Header(False, FINGERPRINT, 256, 1025, 1), "1 payloads; expected 1 × 2"),
    ):
        with pytest.raises(InputError, match=re.escape(message)):
            pack(header, [b""])


@settings(PATIENT)
@given(st.integers(0, 2**32 - 1))
def test_numbers_have_one_spelling(value: int) -> None:
    data = write_varint(value)
    assert read_varint(memoryview(b"!" + data + b"!"), 1) == (value, 1 + len(data))
    longer = data[:-1] + bytes([data[-1] | 128, 0])
    with pytest.raises(StreamError):
        read_varint(memoryview(longer), 0)
