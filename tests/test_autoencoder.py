"""The autoencoder on the tiny bundle: codes, pictures, streams, and what is refused."""

import dataclasses
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.bundles import AUTOENCODER, CODEC, edited, replace_file
from venturi import Autoencoder, BundleError, Codec, InputError, StreamError
from venturi._format import container
from venturi._format.tables import Tables

OVERHEAD = 25
"""Bytes of a stream around the payload of a small picture."""


def blocks(seed: int, count: int) -> NDArray[np.uint8]:
    """Pictures of four flat squares in levels that the tiny code holds exactly."""
    levels = 5 * np.random.default_rng(seed).integers(0, 52, (count, 2, 2))
    return levels.repeat(4, 1).repeat(4, 2).astype(np.uint8)


def test_codes_are_in_steps_of_rounding(autoencoder: Autoencoder) -> None:
    images = blocks(1, 5)
    codes = autoencoder.encode(images)
    assert codes.dtype == np.float32
    assert codes.shape == (5, 4)
    np.testing.assert_allclose(codes, images[:, ::4, ::4].reshape(5, 4) / 5, atol=1e-4)


def test_one_picture_is_a_batch_without_its_axis(autoencoder: Autoencoder) -> None:
    images = blocks(2, 3)
    codes = autoencoder.encode(images)
    assert autoencoder.encode(images[1]).shape == (4,)
    np.testing.assert_array_equal(autoencoder.encode(images[1]), codes[1])
    assert autoencoder.decode(codes[1]).shape == (8, 8)
    np.testing.assert_array_equal(autoencoder.decode(codes[1]), autoencoder.decode(codes)[1])


def test_reconstruction(autoencoder: Autoencoder) -> None:
    images = blocks(3, 300)  # more than one run of the graph
    np.testing.assert_array_equal(autoencoder.reconstruct(images), images)
    np.testing.assert_array_equal(autoencoder.reconstruct(images[7]), images[7])
    pictures = autoencoder.decode(autoencoder.encode(images))
    assert pictures.dtype == np.float32
    np.testing.assert_allclose(pictures, images / 255, atol=1e-6)


def test_streams_round_trip(autoencoder: Autoencoder) -> None:
    for image in blocks(4, 20):
        data = autoencoder.compress(image)
        np.testing.assert_array_equal(autoencoder.decompress(data), image)
        np.testing.assert_array_equal(autoencoder.decompress(memoryview(data)), image)


def test_every_byte_counts(autoencoder: Autoencoder) -> None:
    # Four numbers of 52 equally likely values are 22.8 bits; words of two bytes round that up.
    assert max(len(autoencoder.compress(image)) for image in blocks(5, 20)) <= OVERHEAD + 1 + 5


def test_header_of_a_stream(autoencoder: Autoencoder) -> None:
    info = container.read_header(autoencoder.compress(blocks(6, 1)[0]))
    assert info.header == container.Header(True, autoencoder.manifest.fingerprint, 0, 8, 8)
    assert info.chunks[0][0] == OVERHEAD


def test_numbers_beyond_the_tables_are_escaped(autoencoder: Autoencoder, tmp_path: Path) -> None:
    folder = shutil.copytree(AUTOENCODER, tmp_path / "narrow")
    tables = Tables.from_lists([[16384, 32768, 16383, 1]], [[0, 0, 0, 0]])
    replace_file(folder, "tables.bin", tables.to_bytes())
    narrow = Autoencoder(folder, threads=1)
    image = blocks(7, 1)[0]
    np.testing.assert_array_equal(narrow.decompress(narrow.compress(image)), image)
    with pytest.raises(StreamError, match="bundle"):
        autoencoder.decompress(narrow.compress(image))


def test_generates_the_same_pictures_from_the_same_seed(autoencoder: Autoencoder) -> None:
    drawn = autoencoder.generate(6, 1)
    assert drawn.dtype == np.uint8
    assert drawn.shape == (6, 8, 8)
    np.testing.assert_array_equal(drawn, autoencoder.generate(6, seed=1))
    np.testing.assert_array_equal(drawn[:2], autoencoder.generate(2, 1))
    assert (drawn != autoencoder.generate(6, 2)).any()


def test_only_a_code_with_a_prior_generates(tmp_path: Path) -> None:
    folder = edited(
        AUTOENCODER, tmp_path / "plain", lambda m: m["parameters"].update(prior_deviation=0)
    )
    with pytest.raises(BundleError, match="variational"):
        Autoencoder(folder, threads=1).generate(1, 0)


@pytest.mark.parametrize(("n", "seed"), [(0, 0), (-1, 0), (1, -1), (1.5, 0), (1, None)])
def test_what_generate_refuses(autoencoder: Autoencoder, n: Any, seed: Any) -> None:
    with pytest.raises(InputError):
        autoencoder.generate(n, seed)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((8, 7), np.uint8),
        np.zeros((8, 8, 3), np.uint8),
        np.zeros((8, 8), np.float32),
        np.zeros((0, 8, 8), np.uint8),
        np.zeros(8, np.uint8),
        [[0] * 8] * 8,
        None,
    ],
)
def test_what_encode_refuses(autoencoder: Autoencoder, image: Any) -> None:
    for method in (autoencoder.encode, autoencoder.reconstruct, autoencoder.compress):
        with pytest.raises(InputError, match="expected uint8"):
            method(image)


def test_compress_takes_one_picture(autoencoder: Autoencoder) -> None:
    with pytest.raises(InputError, match="one picture"):
        autoencoder.compress(blocks(8, 2))


@pytest.mark.parametrize(
    "code", [[1, 2, 3], np.zeros((0, 4)), np.zeros((1, 1, 4)), [1, 2, 3, np.nan], "code", None]
)
def test_what_decode_refuses(autoencoder: Autoencoder, code: Any) -> None:
    with pytest.raises(InputError, match="code"):
        autoencoder.decode(code)


def test_no_damage_goes_unnoticed(autoencoder: Autoencoder) -> None:
    data = autoencoder.compress(blocks(9, 1)[0])
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(StreamError):
            autoencoder.decompress(damaged)
    for bad in (b"", data[:-1], data + b"\0", data + data):
        with pytest.raises(StreamError):
            autoencoder.decompress(bad)
    with pytest.raises(InputError, match="bytes"):
        autoencoder.decompress("text")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "header",
    [{"width": 9}, {"height": 4}, {"grey": False}, {"quality_q8": 256}, {"fingerprint": bytes(8)}],
)
def test_streams_of_other_models_are_refused(
    autoencoder: Autoencoder, header: dict[str, Any]
) -> None:
    data = autoencoder.compress(blocks(10, 1)[0])
    info = container.read_header(data)
    other = dataclasses.replace(info.header, **header)
    with pytest.raises(StreamError, match=r"expected|bundle"):
        autoencoder.decompress(container.pack(other, [container.chunk(info, data, 0)]))


def test_bundles_of_other_tasks_are_refused(autoencoder: Autoencoder) -> None:
    with pytest.raises(BundleError, match="is a codec; expected an autoencoder"):
        Autoencoder(CODEC)
    with pytest.raises(BundleError, match=r"venturi\.Autoencoder"):
        Codec(AUTOENCODER)


@pytest.mark.parametrize(
    "parameters", [{"code_numbers": 5}, {"height": 4}, {"height": 0}, {"prior_deviation": -1}]
)
def test_a_manifest_that_contradicts_its_graphs_is_refused(
    tmp_path: Path, parameters: dict[str, int]
) -> None:
    folder = edited(AUTOENCODER, tmp_path / "odd", lambda m: m["parameters"].update(parameters))
    with pytest.raises(BundleError):
        Autoencoder(folder, threads=1).decode(np.zeros((1, 4)))


def test_pickles_by_loading_again(autoencoder: Autoencoder) -> None:
    again = pickle.loads(pickle.dumps(autoencoder))
    assert repr(again) == repr(autoencoder)
    image = blocks(11, 1)[0]
    assert again.compress(image) == autoencoder.compress(image)


def test_fingerprint_is_of_decoder_and_tables(autoencoder: Autoencoder) -> None:
    files = dict(autoencoder.manifest.files)
    for role, differs in (("encoder", False), ("decoder", True), ("tables", True)):
        entry = dataclasses.replace(files[role], sha256="0" * 64)
        other = dataclasses.replace(autoencoder.manifest, files=files | {role: entry})
        assert (other.fingerprint != autoencoder.manifest.fingerprint) == differs
