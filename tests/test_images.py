import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from venturi import InputError, images

JPEG_EXIF_ORIENTATION = 274


def photograph(height: int = 40, width: int = 60, channels: int = 3) -> NDArray[np.uint8]:
    """A smooth picture whose channels and corners differ."""
    rng = np.random.default_rng(7)
    small = rng.integers(0, 256, (5, 6, channels), np.uint8)
    return np.asarray(cv2.resize(small, (width, height)), np.uint8).reshape(height, width, channels)


def file_of(pixels: NDArray[np.generic], suffix: str = ".png") -> bytes:
    """What OpenCV writes for an array in its own channel order."""
    done, data = cv2.imencode(suffix, np.asarray(pixels))
    assert done
    return bytes(data)


def png(colour_type: int, row: bytes, width: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of one row, by hand, for the kinds that OpenCV cannot write."""
    header = struct.pack(">IIBBBBB", width, 1, 8, colour_type, 0, 0, 0)
    body = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(b"\0" + row)), (b"IEND", b"")]
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in body
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".PNG"])
def test_lossless_round_trip(tmp_path: Path, suffix: str) -> None:
    pixels = photograph()
    images.write(tmp_path / f"a{suffix}", pixels)
    picture = images.read(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(picture.pixels, pixels)
    assert picture.notes == ()


@pytest.mark.parametrize("dtype", [np.float32, np.uint16, np.int8, np.bool_])
def test_what_is_no_picture_is_not_written(tmp_path: Path, dtype: type[np.generic]) -> None:
    (tmp_path / "a.png").write_bytes(b"old")
    with pytest.raises(InputError, match=f"image is of dtype {np.dtype(dtype)}; expected uint8"):
        images.write(tmp_path / "a.png", photograph().astype(dtype))
    assert (tmp_path / "a.png").read_bytes() == b"old"


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg"])
def test_jpeg_is_close(suffix: str) -> None:
    pixels = photograph()
    picture = images.decode(images.encode(pixels, suffix), name="a")
    assert np.abs(picture.pixels.astype(int) - pixels).mean() < 3


def test_red_is_first() -> None:
    blue_green_red = np.zeros((2, 2, 3), np.uint8)
    blue_green_red[:, :, 2] = 255
    picture = images.decode(file_of(blue_green_red), name="a")
    assert picture.pixels[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".pgm"])
def test_grey_stays_grey(suffix: str) -> None:
    picture = images.decode(images.encode(photograph()[:, :, 0], suffix), name="a")
    assert picture.pixels.shape == (40, 60)


def test_a_path_beyond_ascii(tmp_path: Path) -> None:
    path = tmp_path / "Größe 大きさ.png"
    images.write(path, photograph())
    np.testing.assert_array_equal(images.read(path).pixels, photograph())


def test_sixteen_bits_are_rounded_with_a_note() -> None:
    deep = np.array([[0, 128, 129, 32768, 65406, 65407, 65535]], np.uint16)
    picture = images.decode(file_of(deep), name="a")
    assert picture.pixels.tolist() == [[0, 0, 1, 128, 254, 255, 255]]
    assert picture.notes == ("16 bits per channel were rounded to 8",)


def test_floating_point_is_refused() -> None:
    with pytest.raises(InputError, match=r"a\.tiff: pixels of type float32; expected 8 or 16"):
        images.decode(file_of(photograph().astype(np.float32), ".tiff"), name="a.tiff")


def test_opaque_alpha_is_dropped_with_a_note() -> None:
    pixels = photograph(channels=4)
    pixels[:, :, 3] = 255
    picture = images.decode(file_of(pixels), name="a")
    np.testing.assert_array_equal(picture.pixels, pixels[:, :, 2::-1])
    assert picture.notes == ("an alpha channel, opaque everywhere, was dropped",)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tiff"])
def test_transparency_is_refused(suffix: str) -> None:
    pixels = photograph(channels=4)
    pixels[:, :, 3] = 255
    pixels[0, :7, 3] = 254
    with pytest.raises(InputError, match=r"a: 7 transparent pixels, of 2400; .* background"):
        images.decode(cv2_file_lossless(pixels, suffix), name="a")


def cv2_file_lossless(pixels: NDArray[np.uint8], suffix: str) -> bytes:
    """As ``file_of``, with WebP's lossless mode so that alpha stays what it was."""
    options = [cv2.IMWRITE_WEBP_QUALITY, 101] if suffix == ".webp" else []
    return bytes(cv2.imencode(suffix, pixels, options)[1])


def test_sixteen_bit_alpha() -> None:
    pixels = photograph(channels=4).astype(np.uint16) * 257
    pixels[:, :, 3] = 65535
    assert len(images.decode(file_of(pixels), name="a").notes) == 2
    pixels[0, 0, 3] = 65534
    with pytest.raises(InputError, match="1 transparent pixels"):
        images.decode(file_of(pixels), name="a")


def test_grey_with_alpha() -> None:
    picture = images.decode(png(4, bytes([10, 255, 200, 255]), 2), name="a")
    assert picture.pixels.tolist() == [[10, 200]]
    assert len(picture.notes) == 1
    with pytest.raises(InputError, match="transparent"):
        images.decode(png(4, bytes([10, 255, 200, 0]), 2), name="a")


def test_palette_with_a_transparent_colour_is_refused() -> None:
    palette = (b"PLTE", bytes([255, 0, 0, 0, 255, 0]))
    assert images.decode(png(3, bytes([0, 1]), 2, palette), name="a").notes == ()
    with pytest.raises(InputError, match="1 transparent pixels, of 2"):
        images.decode(png(3, bytes([0, 1]), 2, palette, (b"tRNS", b"\xff\x00")), name="a")


def test_the_camera_held_upright() -> None:
    """Orientation 6: the stored picture is turned by a quarter to be seen."""
    stored = photograph(40, 60)
    ifd = struct.pack("<HHHII", 1, JPEG_EXIF_ORIENTATION, 3, 1, 6) + struct.pack("<I", 0)
    exif = b"Exif\0\0II*\0" + struct.pack("<I", 8) + ifd
    plain = images.encode(stored, ".jpg")
    tagged = plain[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + plain[2:]
    upright = images.decode(tagged, name="a").pixels
    assert upright.shape == (60, 40, 3)
    np.testing.assert_array_equal(upright, np.rot90(images.decode(plain, name="a").pixels, -1))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".tiff"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_a_part_of_a_file_is_refused(suffix: str, kept: float) -> None:
    whole = images.encode(photograph(200, 300), suffix)
    with pytest.raises(InputError, match=r"cut: .* only a part of one"):
        images.decode(whole[: int(kept * len(whole))], name="cut")


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"text" * 99])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match=f"junk: {len(data)} bytes that are no picture"):
        images.decode(data, name="junk")


def test_a_claim_of_ten_thousand_million_pixels_is_refused() -> None:
    bomb = bytearray(png(2, bytes(6), 2))
    bomb[16:24] = struct.pack(">II", 100_000, 100_000)
    bomb[29:33] = struct.pack(">I", zlib.crc32(bomb[12:29]))
    with pytest.raises(InputError, match="bomb"):
        images.decode(bytes(bomb), name="bomb")


@pytest.mark.parametrize("suffix", ["", ".xyz", ".vnt"])
def test_unknown_ending_names_the_known_ones(suffix: str) -> None:
    with pytest.raises(InputError, match=r"expected one of \.png"):
        images.encode(photograph(), suffix)


def test_a_format_too_small_names_another() -> None:
    with pytest.raises(InputError, match=r"20000 × 2 pixels does not fit into \.webp"):
        images.encode(np.zeros((2, 20000, 3), np.uint8), ".webp")


def test_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.xyz"
    path.write_bytes(b"old")
    with pytest.raises(InputError):
        images.write(path, photograph())
    assert path.read_bytes() == b"old"
