"""The autoencoder on the tiny bundle: codes, pictures, streams, and what is refused."""

import dataclasses
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from venturi import Autoencoder, BundleError, Codec, InputError, Manifest, StreamError
from venturi._bundle.manifest import FileEntry
from venturi._format import container
from venturi._format.tables import Tables

DATA = Path(__file__).parent / "data"
TINY = DATA / "tiny_autoencoder"
OVERHEAD = 25
"""Bytes of a stream around the payload of a small picture."""


@pytest.fixture(scope="module")
def tiny() -> Autoencoder:
    return Autoencoder(TINY, threads=1)


def blocks(seed: int, count: int) -> NDArray[np.uint8]:
    """Pictures of four flat squares in levels that the tiny code holds exactly."""
    levels = 5 * np.random.default_rng(seed).integers(0, 52, (count, 2, 2))
    return levels.repeat(4, 1).repeat(4, 2).astype(np.uint8)


def changed(folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """A copy of the tiny bundle with another manifest."""
    shutil.copytree(TINY, folder)
    values = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    change(values)
    (folder / "manifest.json").write_text(json.dumps(values), encoding="utf-8")
    return folder


def refreshed(folder: Path) -> None:
    """Write the hashes of a bundle's files anew."""
    manifest = Manifest.load(folder)
    files = {role: FileEntry.of(folder, entry.path) for role, entry in manifest.files.items()}
    text = dataclasses.replace(manifest, files=files).to_json()
    (folder / "manifest.json").write_text(text, encoding="utf-8")


def test_codes_are_in_steps_of_rounding(tiny: Autoencoder) -> None:
    images = blocks(1, 5)
    codes = tiny.encode(images)
    assert codes.dtype == np.float32
    assert codes.shape == (5, 4)
    np.testing.assert_allclose(codes, images[:, ::4, ::4].reshape(5, 4) / 5, atol=1e-4)


def test_one_picture_is_a_batch_without_its_axis(tiny: Autoencoder) -> None:
    images = blocks(2, 3)
    codes = tiny.encode(images)
    assert tiny.encode(images[1]).shape == (4,)
    np.testing.assert_array_equal(tiny.encode(images[1]), codes[1])
    assert tiny.decode(codes[1]).shape == (8, 8)
    np.testing.assert_array_equal(tiny.decode(codes[1]), tiny.decode(codes)[1])


def test_reconstruction(tiny: Autoencoder) -> None:
    images = blocks(3, 300)  # more than one run of the graph
    np.testing.assert_array_equal(tiny.reconstruct(images), images)
    np.testing.assert_array_equal(tiny.reconstruct(images[7]), images[7])
    pictures = tiny.decode(tiny.encode(images))
    assert pictures.dtype == np.float32
    np.testing.assert_allclose(pictures, images / 255, atol=1e-6)


def test_streams_round_trip(tiny: Autoencoder) -> None:
    for image in blocks(4, 20):
        data = tiny.compress(image)
        np.testing.assert_array_equal(tiny.decompress(data), image)
        np.testing.assert_array_equal(tiny.decompress(memoryview(data)), image)


def test_every_byte_counts(tiny: Autoencoder) -> None:
    # Four numbers of 52 equally likely values are 22.8 bits; words of two bytes round that up.
    assert max(len(tiny.compress(image)) for image in blocks(5, 20)) <= OVERHEAD + 1 + 5


def test_header_of_a_stream(tiny: Autoencoder) -> None:
    info = container.read_header(tiny.compress(blocks(6, 1)[0]))
    assert info.header == container.Header(True, tiny.manifest.fingerprint, 0, 8, 8)
    assert info.chunks[0][0] == OVERHEAD


def test_numbers_beyond_the_tables_are_escaped(tiny: Autoencoder, tmp_path: Path) -> None:
    folder = shutil.copytree(TINY, tmp_path / "narrow")
    tables = Tables.from_lists([[16384, 32768, 16383, 1]], [[0, 0, 0, 0]])
    (folder / "tables.bin").write_bytes(tables.to_bytes())
    refreshed(folder)
    narrow = Autoencoder(folder, threads=1)
    image = blocks(7, 1)[0]
    np.testing.assert_array_equal(narrow.decompress(narrow.compress(image)), image)
    with pytest.raises(StreamError, match="bundle"):
        tiny.decompress(narrow.compress(image))


def test_generates_the_same_pictures_from_the_same_seed(tiny: Autoencoder) -> None:
    drawn = tiny.generate(6, 1)
    assert drawn.dtype == np.uint8
    assert drawn.shape == (6, 8, 8)
    np.testing.assert_array_equal(drawn, tiny.generate(6, seed=1))
    np.testing.assert_array_equal(drawn[:2], tiny.generate(2, 1))
    assert (drawn != tiny.generate(6, 2)).any()


def test_only_a_code_with_a_prior_generates(tmp_path: Path) -> None:
    folder = changed(tmp_path / "plain", lambda m: m["parameters"].update(prior_deviation=0))
    with pytest.raises(BundleError, match="variational"):
        Autoencoder(folder, threads=1).generate(1, 0)


@pytest.mark.parametrize(("n", "seed"), [(0, 0), (-1, 0), (1, -1), (1.5, 0), (1, None)])
def test_what_generate_refuses(tiny: Autoencoder, n: Any, seed: Any) -> None:
    with pytest.raises(InputError):
        tiny.generate(n, seed)


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
def test_what_encode_refuses(tiny: Autoencoder, image: Any) -> None:
    for method in (tiny.encode, tiny.reconstruct, tiny.compress):
        with pytest.raises(InputError, match="expected uint8"):
            method(image)


def test_compress_takes_one_picture(tiny: Autoencoder) -> None:
    with pytest.raises(InputError, match="one picture"):
        tiny.compress(blocks(8, 2))


@pytest.mark.parametrize(
    "code", [[1, 2, 3], np.zeros((0, 4)), np.zeros((1, 1, 4)), [1, 2, 3, np.nan], "code", None]
)
def test_what_decode_refuses(tiny: Autoencoder, code: Any) -> None:
    with pytest.raises(InputError, match="code"):
        tiny.decode(code)


def test_no_damage_goes_unnoticed(tiny: Autoencoder) -> None:
    data = tiny.compress(blocks(9, 1)[0])
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(StreamError):
            tiny.decompress(damaged)
    for bad in (b"", data[:-1], data + b"\0", data + data):
        with pytest.raises(StreamError):
            tiny.decompress(bad)
    with pytest.raises(InputError, match="bytes"):
        tiny.decompress("text")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "header",
    [{"width": 9}, {"height": 4}, {"grey": False}, {"quality_q8": 256}, {"fingerprint": bytes(8)}],
)
def test_streams_of_other_models_are_refused(tiny: Autoencoder, header: dict[str, Any]) -> None:
    data = tiny.compress(blocks(10, 1)[0])
    info = container.read_header(data)
    other = dataclasses.replace(info.header, **header)
    with pytest.raises(StreamError, match=r"expected|bundle"):
        tiny.decompress(container.pack(other, [container.chunk(info, data, 0)]))


def test_bundles_of_other_tasks_are_refused(tiny: Autoencoder) -> None:
    with pytest.raises(BundleError, match="is a codec; expected an autoencoder"):
        Autoencoder(DATA / "tiny_codec")
    with pytest.raises(BundleError, match=r"venturi\.Autoencoder"):
        Codec(TINY)


@pytest.mark.parametrize(
    "parameters", [{"code_numbers": 5}, {"height": 4}, {"height": 0}, {"prior_deviation": -1}]
)
def test_a_manifest_that_contradicts_its_graphs_is_refused(
    tmp_path: Path, parameters: dict[str, int]
) -> None:
    folder = changed(tmp_path / "odd", lambda m: m["parameters"].update(parameters))
    with pytest.raises(BundleError):
        Autoencoder(folder, threads=1).decode(np.zeros((1, 4)))


def test_pickles_by_loading_again(tiny: Autoencoder) -> None:
    again = pickle.loads(pickle.dumps(tiny))
    assert repr(again) == repr(tiny)
    image = blocks(11, 1)[0]
    assert again.compress(image) == tiny.compress(image)


def test_fingerprint_is_of_decoder_and_tables(tiny: Autoencoder) -> None:
    files = dict(tiny.manifest.files)
    for role, differs in (("encoder", False), ("decoder", True), ("tables", True)):
        entry = dataclasses.replace(files[role], sha256="0" * 64)
        other = dataclasses.replace(tiny.manifest, files=files | {role: entry})
        assert (other.fingerprint != tiny.manifest.fingerprint) == differs
