"""The codec on the tiny bundle: what goes in comes out, whatever the size, and targets are met."""

import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests import bundles
from venturi import Codec, InputError, StreamError
from venturi._format import container

SIZES = [(1, 1), (7, 5), (1, 300), (64, 64), (65, 63), (513, 257), (1030, 2100)]

Pixels = NDArray[np.uint8]


def picture(height: int, width: int) -> Pixels:
    """Smooth, with another phase in each colour, so that swapped axes or colours show."""
    row, column = np.mgrid[:height, :width]
    waves = [np.sin(column / 90 + phase) * np.cos(row / 70 - phase) for phase in (0, 1, 2)]
    return np.round(128 + 100 * np.stack(waves, axis=2)).astype(np.uint8)


def psnr_db(one: Pixels, other: Pixels) -> float:
    error = np.square(one.astype(np.float64) - other).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def enough_db(size: tuple[int, int]) -> float:
    """The tiny graphs darken the outermost pixels, as all that small pictures have."""
    return 34.0 if min(size) > 16 else 22.0


@pytest.mark.parametrize("size", SIZES)
def test_round_trip(codec: Codec, size: tuple[int, int]) -> None:
    image = picture(*size)
    decoded = codec.decompress(codec.compress(image, quality=90))
    assert (decoded.dtype, decoded.shape) == (image.dtype, image.shape)
    assert psnr_db(image, decoded) > enough_db(size)


@pytest.mark.parametrize("size", SIZES)
def test_grey_round_trip(codec: Codec, size: tuple[int, int]) -> None:
    image = picture(*size)[..., 0]
    data = codec.compress(image, quality=90)
    decoded = codec.decompress(data)
    assert container.read_header(data).header.grey
    assert (decoded.dtype, decoded.shape) == (image.dtype, image.shape)
    assert psnr_db(image, decoded) > enough_db(size)


def test_any_picture_is_representable(codec: Codec) -> None:
    rng = np.random.default_rng(7)
    for image in (
        rng.integers(0, 256, (70, 90, 3), np.uint8),
        rng.choice(np.array([0, 255], np.uint8), (70, 90, 3)),
        np.zeros((70, 90, 3), np.uint8),
        np.full((70, 90, 3), 255, np.uint8),
    ):
        for quality in (1, 100):
            data = codec.compress(image, quality=quality)
            assert codec.decompress(data).shape == image.shape


def test_flat_pictures_stay_flat(codec: Codec) -> None:
    for level in (0, 128, 255):
        image = np.full((200, 130, 3), level, np.uint8)
        decoded = codec.decompress(codec.compress(image, quality=100))
        # A symbol may be nearly a whole step off where rounding leans towards the cheaper one.
        assert np.abs(decoded[1:-1, 1:-1].astype(int) - level).max() <= 3


@pytest.mark.parametrize(
    "region",
    [(0, 0, 1, 1), (1029, 2099, 1, 1), (1000, 1000, 30, 60), (63, 64, 129, 1), (0, 0, 1030, 2100)],
)
def test_region_equals_the_same_part_of_the_whole(
    codec: Codec, region: tuple[int, int, int, int]
) -> None:
    data = codec.compress(picture(1030, 2100), quality=70)
    whole = codec.decompress(data)
    top, left, height, width = region
    part = codec.decompress(data, region=region)
    np.testing.assert_array_equal(part, whole[top : top + height, left : left + width])


def test_region_needs_only_its_own_chunks(codec: Codec) -> None:
    data = bytearray(codec.compress(picture(1030, 2100)))
    data[-1] ^= 1
    assert codec.decompress(data, region=(0, 0, 100, 100)).shape == (100, 100, 3)
    with pytest.raises(StreamError, match="chunk 5"):
        codec.decompress(data)


@pytest.mark.parametrize(
    "region",
    [(-1, 0, 5, 5), (0, 0, 0, 5), (0, 0, 101, 5), (96, 0, 5, 5), (0, 0, 5, -5), (0, 0, 5)],
)
def test_region_outside_is_refused(codec: Codec, region: Any) -> None:
    data = codec.compress(picture(100, 100))
    with pytest.raises(InputError, match="region"):
        codec.decompress(data, region=region)


def test_tiles_leave_no_seam(codec: Codec) -> None:
    image = picture(1030, 2100)
    tiled, single = Codec(bundles.CODEC, threads=1), Codec(bundles.CODEC, threads=1)
    tiled._transform.encoder_tile = 1024
    single._transform.encoder_tile = single._transform.decoder_tile = 4096
    data = tiled.compress(image)
    assert data == single.compress(image)
    expected = single.decompress(data)
    for side in (1024, 256):
        tiled._transform.decoder_tile = side
        np.testing.assert_array_equal(tiled.decompress(data), expected)


def test_tiles_without_margin_would_leave_seams() -> None:
    """The test above can fail: the tiny graphs do look into the next tile."""
    blind = Codec(bundles.CODEC, threads=1)
    data = blind.compress(picture(300, 300))
    expected = blind.decompress(data)
    blind.manifest.parameters["decoder_margin"] = 0  # type: ignore[index]
    blind._transform.decoder_tile = 64
    assert (blind.decompress(data) != expected).any()


def test_quality_buys_fidelity(codec: Codec) -> None:
    image = picture(300, 400)
    streams = [codec.compress(image, quality=quality) for quality in (1, 30.5, 60, 100)]
    sizes = [len(data) for data in streams]
    fidelity = [psnr_db(image, codec.decompress(data)) for data in streams]
    assert sizes == sorted(set(sizes))
    assert fidelity == sorted(set(fidelity))


def test_default_quality_is_50(codec: Codec) -> None:
    image = picture(64, 64)
    assert codec.compress(image) == codec.compress(image, quality=50)
    assert container.read_header(codec.compress(image)).header.quality_q8 == 50 * 256


@pytest.mark.parametrize("quality", [0, 0.99, 100.5, -1, float("nan"), float("inf"), "best"])
def test_impossible_quality_is_refused(codec: Codec, quality: Any) -> None:
    with pytest.raises(InputError, match="quality"):
        codec.compress(picture(8, 8), quality=quality)


@pytest.mark.parametrize("share", [0.3, 0.5, 0.8])
def test_max_bytes_takes_the_best_quality_that_fits(
    codec: Codec, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = picture(300, 400)
    least, most = (len(codec.compress(image, quality=quality)) for quality in (1, 100))
    budget = round(least + share * (most - least))
    passes = count_passes(codec, monkeypatch)
    data = codec.compress(image, max_bytes=budget)
    assert len(passes) <= 9
    assert len(data) <= budget
    level = container.read_header(data).header.quality_q8
    # The tiny codec has 16 steps of quality: the next one is at most 8 away.
    assert len(codec.compress(image, quality=min(level / 256 + 8, 100))) > budget


def test_max_bytes_that_everything_fits_gives_the_best_quality(codec: Codec) -> None:
    image = picture(64, 64)
    assert codec.compress(image, max_bytes=10**9) == codec.compress(image, quality=100)


def test_max_bytes_that_just_fits_gives_the_lowest_quality(codec: Codec) -> None:
    image = picture(300, 400)
    least = codec.compress(image, quality=1)
    assert len(codec.compress(image, max_bytes=len(least))) <= len(least)


def test_impossible_max_bytes_names_what_is_possible(codec: Codec) -> None:
    image = picture(64, 64)
    least = len(codec.compress(image, quality=1))
    with pytest.raises(InputError, match=rf"max_bytes is 20; expected at least {least}"):
        codec.compress(image, max_bytes=20)
    for budget in (0, -5, 1.5):
        with pytest.raises(InputError, match="max_bytes"):
            codec.compress(image, max_bytes=budget)  # type: ignore[arg-type]


@pytest.mark.parametrize("grey", [False, True])
def test_min_psnr_is_reached_at_the_lowest_quality(
    codec: Codec, grey: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = picture(300, 400)[..., 0] if grey else picture(300, 400)
    passes = count_passes(codec, monkeypatch)
    data = codec.compress(image, min_psnr_db=38)
    assert len(passes) <= 9
    assert psnr_db(image, codec.decompress(data)) >= 38
    level = container.read_header(data).header.quality_q8
    lower = codec.decompress(codec.compress(image, quality=level / 256 - 8))
    assert psnr_db(image, lower) < 38


def test_impossible_min_psnr_names_what_is_possible(codec: Codec) -> None:
    with pytest.raises(InputError, match=r"min_psnr_db is 90\.0; expected at most \d\d\.\d\d"):
        codec.compress(picture(64, 64), min_psnr_db=90)
    with pytest.raises(InputError, match="min_psnr_db"):
        codec.compress(picture(64, 64), min_psnr_db=float("nan"))


def test_two_targets_are_refused(codec: Codec) -> None:
    with pytest.raises(InputError, match="quality and max_bytes are given together"):
        codec.compress(picture(64, 64), quality=50, max_bytes=1000)


def count_passes(codec: Codec, monkeypatch: pytest.MonkeyPatch) -> list[None]:
    passes: list[None] = []
    chunks = codec._chunks

    def counted(image: Pixels, level: int) -> Any:
        passes.append(None)
        return chunks(image, level)

    monkeypatch.setattr(codec, "_chunks", counted)
    return passes


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((8, 8, 3), np.float32),
        np.full((8, 8, 3), np.nan),
        np.zeros((8, 8, 3), np.uint16),
        np.zeros((8, 8, 3), ">u2"),
        np.zeros((8, 8, 3), np.int8),
        np.zeros((8, 8, 3), bool),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 8, 1), np.uint8),
        np.zeros((1, 8, 8, 3), np.uint8),
        np.zeros(8, np.uint8),
        np.zeros((0, 8, 3), np.uint8),
        np.zeros((8, 0), np.uint8),
        np.zeros((1, 65536), np.uint8),
        [[[0, 0, 0]]],
        None,
    ],
)
def test_what_is_no_picture_is_refused(codec: Codec, image: Any) -> None:
    with pytest.raises(InputError, match=r"image is .*; expected uint8"):
        codec.compress(image)


def test_any_memory_layout_is_taken_and_nothing_is_changed(codec: Codec) -> None:
    image = picture(90, 70)
    expected = codec.compress(image)
    frozen = image.copy()
    frozen.setflags(write=False)
    bgr = image[..., ::-1].copy()
    layouts = {
        "read-only": frozen,
        "Fortran": np.asfortranarray(image),
        "reversed view": bgr[..., ::-1],
        "strided": np.repeat(image, 2, axis=1)[:, ::2],
        "planes": np.ascontiguousarray(image.transpose(2, 0, 1)).transpose(1, 2, 0),
        "another byte order": image.astype(">u1"),
    }
    for name, layout in layouts.items():
        assert codec.compress(layout) == expected, name
        np.testing.assert_array_equal(layout, image, err_msg=name)


def test_bytes_of_any_kind_are_taken(codec: Codec) -> None:
    image = picture(20, 30)
    data = codec.compress(image)
    expected = codec.decompress(data)
    np.testing.assert_array_equal(codec.decompress(bytearray(data)), expected)
    np.testing.assert_array_equal(codec.decompress(memoryview(data)), expected)
    with pytest.raises(InputError, match="data is a str"):
        codec.decompress("a.vnt")  # type: ignore[arg-type]


def test_another_bundle_is_named(codec: Codec, tmp_path: Path) -> None:
    other = Codec(bundles.copy_with_other_tables(tmp_path / "other"), threads=1)
    data = codec.compress(picture(20, 30))
    with pytest.raises(StreamError) as caught:
        other.decompress(data)
    assert codec.manifest.fingerprint.hex() in str(caught.value)
    assert other.manifest.fingerprint.hex() in str(caught.value)
    assert "none that came with this venturi has it" in str(caught.value)


def test_another_bundle_that_is_shipped_is_named(
    codec: Codec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Codec(bundles.copy_with_other_tables(tmp_path / "other"), threads=1)
    shutil.copytree(bundles.CODEC, tmp_path / "models" / "photo")
    (tmp_path / "models" / "broken").mkdir()
    (tmp_path / "models" / "broken" / "manifest.json").write_text("{")
    monkeypatch.setattr("venturi._bundle.load.SHIPPED", tmp_path / "models")
    with pytest.raises(StreamError, match="open the bundle 'photo', which came with"):
        other.decompress(codec.compress(picture(20, 30)))


def test_every_flipped_bit_is_noticed(codec: Codec) -> None:
    data = codec.compress(picture(64, 64), quality=30)
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 1 << position % 8
        with pytest.raises(StreamError):
            codec.decompress(damaged)


def test_a_forged_checksum_ends_in_an_error_or_a_picture(codec: Codec) -> None:
    """An attacker can compute checksums: never another exception, never a crash."""
    rng = np.random.default_rng(3)
    header = container.Header(False, codec.manifest.fingerprint, 50 * 256, 100, 100)
    payload = container.chunk(*_first(codec.compress(picture(100, 100))))
    for trial in range(200):
        damaged = bytearray(payload)
        for position in rng.integers(0, len(payload), 1 + trial % 4):
            damaged[position] = rng.integers(256)
        forged = container.pack(header, [bytes(damaged[: rng.integers(1, len(payload) + 1)])])
        try:
            assert codec.decompress(forged).shape == (100, 100, 3)
        except StreamError as error:
            assert "chunk 0" in str(error)


def _first(data: bytes) -> tuple[container.StreamInfo, bytes, int]:
    return container.read_header(data), data, 0


def test_a_picture_too_large_is_refused_before_it_is_decoded(codec: Codec) -> None:
    data = codec.compress(picture(100, 100))
    with pytest.raises(StreamError, match="100 x 100 pixels; expected at most 9999"):
        codec.decompress(data, max_pixels=9999)
    assert codec.decompress(data, region=(0, 0, 50, 50), max_pixels=2500).shape == (50, 50, 3)


def test_a_stream_without_quality_is_refused(codec: Codec) -> None:
    header = container.Header(False, codec.manifest.fingerprint, 0, 8, 8)
    with pytest.raises(StreamError, match="quality"):
        codec.decompress(container.pack(header, [b""]))


def test_pickles_by_its_arguments(codec: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(bundles.CODEC.parent)
    relative = Codec("tiny_codec", threads=1)
    monkeypatch.chdir("/")
    twin = pickle.loads(pickle.dumps(relative))
    assert repr(twin) == repr(codec)
    image = picture(40, 50)
    assert twin.compress(image) == codec.compress(image)


def test_threads_share_one_codec(codec: Codec) -> None:
    images = [picture(40 + 30 * (i % 5), 200 - 20 * i) for i in range(8)]
    expected = [codec.decompress(codec.compress(image)) for image in images]
    with ThreadPoolExecutor(8) as pool:
        streams = pool.map(codec.compress, images * 3)
        for found, wanted in zip(pool.map(codec.decompress, streams), expected * 3, strict=True):
            np.testing.assert_array_equal(found, wanted)
