"""A stream has one meaning: nothing that differs between machines changes what it decodes to.

What differs is the order of float sums: by the number of threads, by what onnxruntime fuses, by
tiles, by the processor. The first three are tried as they are; weights that are off by 1e-4 stand
for the last, since no processor is off by as much. Golden streams hold the expected symbols.
"""

import dataclasses
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from tests import make_golden
from tests.decoded import decode, readdressed
from tests.test_golden import BUNDLES, golden, index
from tests.weights import unpack
from venturi import Codec, Manifest, Observer, StreamError
from venturi._bundle.manifest import FileEntry

LEVELS = ("ORT_DISABLE_ALL", "ORT_ENABLE_BASIC", "ORT_ENABLE_EXTENDED", "ORT_ENABLE_ALL")
RELATIVE = 1e-4
FLOAT_GRAPHS = ("encoder", "decoder")
WEIGHTED = {"Conv", "ConvTranspose", "Gemm", "MatMul"}


class AtLevel(Observer):
    """Makes sessions optimise their graphs as little or as much as asked for."""

    def __init__(self, level: str) -> None:
        self.level = getattr(onnxruntime.GraphOptimizationLevel, level)
        self.graphs: list[str] = []

    def opening(self, graph: str, options: Any) -> None:
        options.graph_optimization_level = self.level
        self.graphs.append(graph)


def perturbed(
    source: Path, folder: Path, roles: Collection[str], relative: float = RELATIVE
) -> Codec:
    """Open a copy of a bundle whose weights in some graphs are off by a share of themselves."""
    shutil.copytree(source, folder)
    rng = np.random.default_rng(4)
    for role in roles:
        path = folder / f"{role.replace('_', '-')}.onnx"
        model = onnx.load(path)
        unpack(model)
        nodes = [node for node in model.graph.node if node.op_type in WEIGHTED]
        weights = {name for node in nodes for name in node.input}
        for tensor in model.graph.initializer:
            if tensor.name in weights:
                value = numpy_helper.to_array(tensor)
                off = value * (1 + relative * rng.uniform(-1, 1, value.shape))
                tensor.CopyFrom(numpy_helper.from_array(off.astype(np.float32), tensor.name))
        onnx.save(model, path)
    manifest = Manifest.load(source)
    files = {
        role: FileEntry.of(folder, entry.path) if role in roles else entry
        for role, entry in manifest.files.items()
    }
    changed = dataclasses.replace(manifest, files=files)
    (folder / "manifest.json").write_text(changed.to_json(), encoding="utf-8")
    return Codec(folder, threads=1)


def expect_golden_symbols(bundle: str, codec: Codec) -> None:
    """Compare with what the plain decoder found when the golden streams were written."""
    for name, expected in index(bundle)["streams"].items():
        found = decode(codec, readdressed(golden(bundle, name), codec))
        assert found.digests == expected["symbols"], name
        sampled = np.array(make_golden.sample(found.pixels))
        assert np.abs(sampled - expected["pixels"]).max() <= 1, name


@pytest.mark.parametrize("bundle", BUNDLES)
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_any_number_of_threads(bundle: str, threads: int) -> None:
    expect_golden_symbols(bundle, Codec(BUNDLES[bundle], threads=threads))


@pytest.mark.parametrize("bundle", BUNDLES)
@pytest.mark.parametrize("level", LEVELS)
def test_any_optimisation_of_the_graphs(bundle: str, level: str) -> None:
    observer = AtLevel(level)
    expect_golden_symbols(bundle, Codec(BUNDLES[bundle], threads=2, observer=observer))
    assert len(observer.graphs) == 5


@pytest.mark.parametrize("bundle", BUNDLES)
@pytest.mark.parametrize("side", [256, 1024, 2**20])
def test_any_tiles(bundle: str, side: int) -> None:
    codec = Codec(BUNDLES[bundle], threads=1)
    codec._transform.encoder_tile = codec._transform.decoder_tile = side
    expect_golden_symbols(bundle, codec)


@pytest.mark.parametrize("bundle", BUNDLES)
def test_tiled_streams_are_those_of_the_whole(bundle: str) -> None:
    whole, tiled = (Codec(BUNDLES[bundle], threads=2) for _ in range(2))
    whole._transform.encoder_tile = whole._transform.decoder_tile = 2**20
    tiled._transform.encoder_tile = tiled._transform.decoder_tile = 1024
    image = make_golden.waves(1090, 1250)
    meant = decode(whole, whole.compress(image, quality=70))
    found = decode(tiled, tiled.compress(image, quality=70))
    assert found.digests == meant.digests
    assert np.abs(found.pixels.astype(int) - meant.pixels).max() <= 1


@pytest.mark.parametrize("bundle", BUNDLES)
def test_float_graphs_that_are_off(bundle: str, tmp_path: Path) -> None:
    codec = perturbed(BUNDLES[bundle], tmp_path / "off", FLOAT_GRAPHS)
    assert codec.manifest.fingerprint != Manifest.load(BUNDLES[bundle]).fingerprint
    expect_golden_symbols(bundle, codec)


@pytest.mark.parametrize("bundle", BUNDLES)
def test_streams_of_an_encoder_that_is_off(bundle: str, tmp_path: Path) -> None:
    """What one machine writes, another reads: symbols are those that the writer meant."""
    off = perturbed(BUNDLES[bundle], tmp_path / "off", ["encoder"], 10 * RELATIVE)
    exact = Codec(BUNDLES[bundle], threads=1)
    same = []
    for pixels, quality in make_golden.PICTURES.values():
        data = off.compress(pixels, quality=quality)
        same.append(data == exact.compress(pixels, quality=quality))
        meant, found = decode(off, data), decode(exact, data)
        assert found.digests == meant.digests
        np.testing.assert_array_equal(found.pixels, meant.pixels)
    assert not all(same)  # off by enough for some symbols to be others


@pytest.mark.parametrize("bundle", BUNDLES)
def test_an_entropy_graph_that_is_off_would_be_noticed(bundle: str, tmp_path: Path) -> None:
    """The tests above can fail: these are the sums that must be exact."""
    codec = perturbed(BUNDLES[bundle], tmp_path / "off", ["entropy_first"])
    changed = 0
    for name, expected in index(bundle)["streams"].items():
        try:
            found = decode(codec, readdressed(golden(bundle, name), codec))
            changed += found.digests != expected["symbols"]
        except StreamError:
            changed += 1
    assert changed > 0
