"""Salvage: what is whole of a damaged stream comes back exactly, and the rest is named."""

import numpy as np
import pytest
from numpy.typing import NDArray

from venturi import Codec, InputError, StreamError
from venturi._format import container

MARGIN = 64
GREY = 128

Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def image() -> Pixels:
    """Three chunks beside each other, whose last one is narrow."""
    row, column = np.mgrid[:100, :2100]
    return np.stack([row * 2, column % 256, (row + column) % 199], axis=2).astype(np.uint8)


@pytest.fixture(scope="module")
def data(codec: Codec, image: Pixels) -> bytes:
    return codec.compress(image, quality=60)


def flipped(data: bytes, *chunks: int) -> bytes:
    """The stream with one bit of each of these chunks flipped."""
    damaged = bytearray(data)
    for offset, length in (container.read_header(data).chunks[number] for number in chunks):
        damaged[offset + length // 2] ^= 4
    return bytes(damaged)


def assert_salvaged(codec: Codec, data: bytes, damaged: bytes, lost: list[slice]) -> None:
    expected = codec.decompress(data)
    found = codec.salvage(damaged)
    assert [slice(left, left + width) for _, left, _, width in found.damaged] == lost
    assert all((top, height) == (0, len(expected)) for top, _, height, _ in found.damaged)
    for columns in lost:
        expected[:, columns] = GREY
    np.testing.assert_array_equal(found.image, expected)


def test_a_whole_stream_has_no_damage(codec: Codec, data: bytes) -> None:
    assert_salvaged(codec, data, data, [])


@pytest.mark.parametrize(
    ("chunk", "lost"),
    [
        (0, slice(0, 1024 + MARGIN)),
        (1, slice(1024 - MARGIN, 2048 + MARGIN - 12)),
        (2, slice(2048 - MARGIN, 2100)),
    ],
)
def test_one_damaged_chunk_leaves_the_others(
    codec: Codec, data: bytes, chunk: int, lost: slice
) -> None:
    assert_salvaged(codec, data, flipped(data, chunk), [lost])


def test_two_damaged_chunks(codec: Codec, data: bytes) -> None:
    lost = [slice(0, 1024 + MARGIN), slice(2048 - MARGIN, 2100)]
    assert_salvaged(codec, data, flipped(data, 0, 2), lost)


def test_a_stream_cut_off_keeps_what_came_before(codec: Codec, data: bytes) -> None:
    info = container.read_header(data)
    lost = slice(2048 - MARGIN, 2100)
    for length in (len(data) - 1, info.chunks[2][0], info.chunks[2][0] - 3):
        with pytest.raises(StreamError, match="truncated"):
            codec.decompress(data[:length])
        assert_salvaged(codec, data, data[:length], [lost])


def test_what_follows_a_stream_is_left_out(codec: Codec, data: bytes) -> None:
    assert_salvaged(codec, data, data + b"something else", [])


def test_a_forged_checksum_does_not_hide_damage(codec: Codec, data: bytes) -> None:
    info = container.read_header(data)
    payloads = [container.chunk(info, data, number) for number in range(3)]
    payloads[1] = payloads[1][:-3]
    forged = container.pack(info.header, payloads)
    lost = [slice(1024 - MARGIN, 2100)]
    assert_salvaged(codec, data, forged, lost)


def test_grey_stays_grey(codec: Codec, image: Pixels) -> None:
    data = codec.compress(image[..., 0])
    assert codec.salvage(flipped(data, 0)).image.ndim == 2


def test_a_damaged_header_is_refused(codec: Codec, data: bytes) -> None:
    first = container.read_header(data).chunks[0][0] - 4
    for position in range(first):
        damaged = bytearray(data)
        damaged[position] ^= 1
        with pytest.raises(StreamError):
            codec.salvage(damaged)
        with pytest.raises(StreamError):
            codec.salvage(data[:position])


def test_the_limits_hold(codec: Codec, data: bytes) -> None:
    with pytest.raises(StreamError, match="expected at most 1000"):
        codec.salvage(data, max_pixels=1000)
    with pytest.raises(InputError, match="data is a str"):
        codec.salvage("a.vnt")  # type: ignore[arg-type]


def test_decompress_refuses_before_it_decodes(
    codec: Codec, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decoded(*_: object) -> None:
        pytest.fail("a chunk was decoded")

    monkeypatch.setattr(codec._coder, "decode", decoded)
    with pytest.raises(StreamError, match="chunk 2 of 3"):
        codec.decompress(flipped(data, 2))
