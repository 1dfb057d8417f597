import importlib
import struct
import sys
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

from venturi import InputError, images

DATA = Path(__file__).parent / "data" / "pictures"

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
    with pytest.raises(InputError, match=r"a\.tiff: 32 bits per channel; expected 8 to 16"):
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


def through_pillow(pixels: NDArray[np.uint8], kind: str, **options: Any) -> bytes:
    """What Pillow writes for RGB, grey or RGBA pixels."""
    out = BytesIO()
    Image.fromarray(pixels).save(out, kind, **options)
    return out.getvalue()


def test_ten_bits_are_rounded_with_a_note() -> None:
    """OpenCV reads this file as black."""
    picture = images.read(DATA / "ten-bits.avif")
    assert picture.pixels.shape == (512, 768, 3)
    assert picture.pixels.mean() == pytest.approx(102, abs=0.5)
    assert picture.notes == ("10 bits per channel were rounded to 8",)


def test_sixteen_bits_of_colour_are_rounded_not_cut() -> None:
    deep = np.array([[[129, 65407, 32768]]], np.uint16)
    for suffix in (".png", ".tiff"):
        picture = images.decode(file_of(deep, suffix), name="a")
        assert picture.pixels.tolist() == [[[128, 255, 1]]]
        assert picture.notes == ("16 bits per channel were rounded to 8",)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_upright(kind: str, orientation: int) -> None:
    """AVIF notes it in its container (irot, imir), the others in EXIF."""
    stored = photograph(48, 64)
    exif = Image.Exif()
    exif[JPEG_EXIF_ORIENTATION] = orientation
    options: dict[str, Any] = {"WEBP": {"lossless": True}}.get(kind, {})
    data = through_pillow(stored, kind, exif=exif, **options)
    upright = ImageOps.exif_transpose(Image.open(BytesIO(data)))
    np.testing.assert_array_equal(images.decode(data, name="a").pixels, np.asarray(upright))
    assert upright.size == ((64, 48) if orientation < 5 else (48, 64))


@pytest.mark.parametrize(("profile", "name"), [("display-p3", "p3"), ("adobe-rgb", "adobe")])
def test_a_profile_is_converted_to_srgb(profile: str, name: str) -> None:
    icc = (DATA / f"{profile}.icc").read_bytes()
    green = np.full((8, 8, 3), (60, 200, 60), np.uint8)
    picture = images.decode(through_pillow(green, "PNG", icc_profile=icc), name="a")
    assert picture.notes == (f"the colour profile {name!r} was converted to sRGB",)
    red, _, _ = (int(value) for value in picture.pixels[0, 0])
    assert red < 30  # more saturated in sRGB's numbers
    assert np.ptp(picture.pixels.reshape(-1, 3), axis=0).max() == 0


def test_a_grey_picture_of_a_grey_profile_stays_grey() -> None:
    grey = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = images.decode(
        through_pillow(photograph()[:, :, 0], "PNG", icc_profile=grey), name="a"
    )
    assert picture.pixels.ndim == 2
    assert picture.notes == (
        "the colour profile is damaged or of another kind of picture, and was ignored",
    )


def test_srgb_itself_and_junk_profiles() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = images.decode(through_pillow(photograph(), "PNG", icc_profile=srgb), name="a")
    np.testing.assert_array_equal(picture.pixels, photograph())
    assert picture.notes == ()
    junk = images.decode(through_pillow(photograph(), "PNG", icc_profile=b"junk" * 40), name="a")
    np.testing.assert_array_equal(junk.pixels, photograph())
    assert junk.notes == (
        "the colour profile is damaged or of another kind of picture, and was ignored",
    )


def test_cmyk_becomes_rgb_with_a_note() -> None:
    out = BytesIO()
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(out, "JPEG", quality=95)
    picture = images.decode(out.getvalue(), name="a")
    red, green, blue = picture.pixels.reshape(-1, 3).mean(0)
    assert red > 240
    assert max(green, blue) < 15
    assert picture.notes == ("CMYK without a colour profile was converted to RGB without one",)


def test_lab_becomes_srgb_with_a_note() -> None:
    out = BytesIO()
    lab = ImageCms.profileToProfile(
        Image.new("RGB", (8, 8), (200, 60, 30)),
        ImageCms.createProfile("sRGB"),
        ImageCms.createProfile("LAB"),
        outputMode="LAB",
    )
    assert lab is not None
    lab.save(out, "TIFF")
    picture = images.decode(out.getvalue(), name="a")
    assert np.abs(picture.pixels.astype(int) - (200, 60, 30)).max() <= 3
    assert picture.notes == ("the colour profile 'Lab identity built-in' was converted to sRGB",)
    plain = BytesIO()
    lab.info.clear()
    lab.save(plain, "TIFF")
    again = images.decode(plain.getvalue(), name="a")
    assert again.notes == ("Lab was converted to sRGB",)
    assert np.abs(again.pixels.astype(int) - (200, 60, 30)).max() <= 3


def animation(count: int = 3) -> bytes:
    frames = [Image.fromarray(np.full((8, 8, 3), 60 * i, np.uint8)) for i in range(count)]
    out = BytesIO()
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    return out.getvalue()


def test_an_animation_gives_its_first_frame_with_a_note_or_any_on_request() -> None:
    first = images.decode(animation(), name="a")
    assert first.pixels[0, 0, 0] == 0
    assert "the first of 3 frames or pages was taken; choose with frame" in first.notes
    last = images.decode(animation(), name="a", frame=2)
    assert last.pixels[0, 0, 0] == 120
    assert not any("first of" in note for note in last.notes)
    with pytest.raises(InputError, match="a: frame 3 was asked for; expected 0 to 2"):
        images.decode(animation(), name="a", frame=3)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")
@pytest.mark.parametrize("kind", ["GIF", "TIFF", "PNG"])
@pytest.mark.parametrize("kept", [0.3, 0.5, 0.7, 0.9])
def test_an_animation_cut_short_is_refused_frame_by_frame(kind: str, kept: float) -> None:
    frames = [Image.fromarray(photograph(channels=3)[:, ::turn].copy()) for turn in (1, -1, 1)]
    out = BytesIO()
    frames[0].save(out, kind, save_all=True, append_images=frames[1:])
    cut = out.getvalue()[: int(kept * len(out.getvalue()))]
    with pytest.raises(InputError, match=r"a: .*(no picture|which it has)"):
        images.decode(cut, name="a", frame=2)


@pytest.mark.parametrize("value", [b"abc", b"\6\1\1\1"])
def test_an_orientation_that_is_no_number_is_none(value: bytes) -> None:
    """Of the type BYTE or ASCII instead of SHORT, with more values than one."""
    kind = 2 if value.isalpha() else 1
    entry = struct.pack("<HHHI", 1, JPEG_EXIF_ORIENTATION, kind, 4) + value.ljust(4, b"\0")
    exif = b"Exif\0\0II*\0\x08\0\0\0" + entry + bytes(4)
    data = through_pillow(photograph(), "PNG", exif=exif)
    np.testing.assert_array_equal(images.decode(data, name="a").pixels, photograph())


def test_what_the_decoder_of_a_jpeg_warns_of_reaches_the_user() -> None:
    data = bytearray(images.encode(photograph(200, 300), ".jpg"))
    middle = len(data) // 2
    data[middle : middle + 40] = bytes(range(40))
    picture = images.decode(bytes(data), name="a")
    assert picture.pixels.shape == (200, 300, 3)
    assert [note for note in picture.notes if "the file is damaged, says its decoder" in note]


def test_transparency_is_laid_on_a_background_on_request() -> None:
    pixels = np.zeros((1, 3, 4), np.uint8)
    pixels[0, :, 0] = 200
    pixels[0, :, 3] = 255, 0, 51
    picture = images.decode(through_pillow(pixels, "PNG"), name="a", background=(255, 255, 255))
    assert picture.pixels.tolist() == [[[200, 0, 0], [255, 255, 255], [244, 204, 204]]]
    assert picture.notes == ("2 transparent pixels were laid on the background (255, 255, 255)",)


def test_grey_stays_grey_on_a_grey_background_only() -> None:
    data = png(4, bytes([10, 255, 200, 0]), 2)
    assert images.decode(data, name="a", background=(9, 9, 9)).pixels.tolist() == [[10, 9]]
    on_red = images.decode(data, name="a", background=(255, 0, 0)).pixels
    assert on_red.tolist() == [[[10, 10, 10], [255, 0, 0]]]


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC picture, .* pip install pillow-heif"),
        (b"\xff\x0a" + bytes(30), "JPEG XL picture, .* pip install pillow-jxl-plugin"),
    ],
)
def test_a_missing_plugin_is_named(
    monkeypatch: pytest.MonkeyPatch, start: bytes, said: str
) -> None:
    for module in ("pillow_heif", "pillow_jxl"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=f"phone: a {said}"):
        images.decode(start, name="phone")


@pytest.mark.parametrize(
    ("module", "data"),
    [
        ("PIL.Image", file_of(photograph())),
        ("simplejpeg", file_of(photograph(), ".jpg")),
        ("cv2", file_of(photograph().astype(np.uint16))),
    ],
)
def test_a_missing_package_names_the_extra_that_has_it(
    monkeypatch: pytest.MonkeyPatch, module: str, data: bytes
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"need .*: pip install 'venturi\[images\]'"):
        images.decode(data, name="a")


@pytest.mark.parametrize("kind", ["HEIF", "JXL"])
def test_heic_and_jpeg_xl_are_read(kind: str) -> None:
    plugin = {"HEIF": "pillow_heif", "JXL": "pillow_jxl"}[kind]
    module = importlib.import_module(plugin)
    if kind == "HEIF":
        module.register_heif_opener()
    picture = images.decode(through_pillow(photograph(64, 80), kind, quality=95), name="a")
    assert np.abs(picture.pixels.astype(int) - photograph(64, 80)).mean() < 4


def test_formats_that_run_programs_are_not_opened() -> None:
    """Pillow gives EPS to Ghostscript."""
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n"
    with pytest.raises(InputError, match="no picture"):
        images.decode(eps, name="a")
