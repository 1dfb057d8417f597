"""Products of 8 bits on processors that clip the sum of two of them."""

import dataclasses

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from export.parity import ParityError
from export.quantise import Scale, quantised
from export.saturation import prove_unsaturated, rounded
from tests import bundles
from venturi import Manifest
from venturi._bundle.manifest import INT8_PAIR_SUM
from venturi._engine import graph, saturation
from venturi._engine.graph import Graph


def test_the_probe_is_a_product_of_matrices() -> None:
    ports = [
        helper.make_tensor_value_info(name, kind, shape)
        for name, kind, shape in (
            ("a", TensorProto.UINT8, [2, 4]),
            ("b", TensorProto.INT8, [4, 16]),
            ("y", TensorProto.INT32, [2, 16]),
        )
    ]
    node = helper.make_node("MatMulInteger", ["a", "b"], ["y"])
    made = helper.make_model(
        helper.make_graph([node], "probe", ports[:2], ports[2:]),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=8,
    )
    assert onnx.load_from_string(saturation._PRODUCT) == made


@pytest.mark.parametrize("may_saturate", [False, True])
def test_products_are_exact_where_they_may_saturate(*, may_saturate: bool) -> None:
    """A constant matrix: onnxruntime's exact way makes another of it while it loads the file."""
    model = onnx.load_from_string(saturation._PRODUCT)
    model.graph.initializer.append(
        onnx.numpy_helper.from_array(np.full((4, 16), 127, np.int8), "b")
    )
    del model.graph.input[1:]
    data = model.SerializeToString()
    product = Graph(data, "product", device="cpu", threads=1, may_saturate=may_saturate)
    (found,) = product.run(np.full((2, 4), 255, np.uint8))
    is_exact = may_saturate or not saturation.processor_saturates()
    assert (found == 4 * 255 * 127).all() == is_exact


def test_the_processor_is_asked_only_where_it_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    def never() -> bool:
        raise AssertionError

    monkeypatch.setattr(graph, "processor_saturates", never)
    Graph(saturation._PRODUCT, "product", device="cpu", threads=1)


@pytest.mark.parametrize(("largest", "proven"), [(32640.0, True), (32768.0, False), (None, False)])
def test_a_manifest_says_whether_it_is_proven(largest: float | None, *, proven: bool) -> None:
    manifest = Manifest.load(bundles.DENOISER)
    measured = {} if largest is None else {INT8_PAIR_SUM: largest}
    assert dataclasses.replace(manifest, measured=measured).never_saturates is proven


def pair_sums(kernel: NDArray[np.int8]) -> tuple[int, int]:
    """Return the largest and the smallest sum that ``vpmaddubsw`` can meet, one pair at a time."""
    values = kernel.transpose(1, 2, 0).ravel().astype(int).tolist()
    pairs = zip(values[::2], [*values[1::2], 0], strict=False)
    ends = [(255 * (max(a, 0) + max(b, 0)), 255 * (min(a, 0) + min(b, 0))) for a, b in pairs]
    return max(end[0] for end in ends), min(end[1] for end in ends)


@pytest.mark.parametrize("shape", [(24, 8, 3, 3), (24, 5, 1, 1), (8, 1, 3, 3), (6, 3, 2, 1)])
def test_no_pair_of_rounded_weights_leaves_16_bits(shape: tuple[int, ...]) -> None:
    weight = np.random.default_rng(0).normal(0, 1, shape).astype(np.float32)
    weight[0] = 1  # all the same: every pair is too large for ±127
    weight[1].flat[::2] *= -1
    found = rounded(weight, 0)
    for kernel in found.integers:
        high, low = pair_sums(kernel)
        assert high <= 2**15 - 1
        assert low >= -(2**15)
    assert abs(found.integers[0].astype(int)).max() == 64
    error = np.abs(found.integers * found.step[:, None, None, None] - weight)
    assert error[0].max() == pytest.approx(0, abs=1e-6)
    assert float(error.max()) < 0.12 * float(np.abs(weight).max())


def test_weights_of_opposite_signs_keep_all_of_8_bits() -> None:
    size = np.random.default_rng(3).uniform(0, 1, (4, 64)).astype(np.float32)
    weight = size * np.tile([1, -1], 32).astype(np.float32)
    for of, axis in ((weight[:, :, None, None], 0), (weight.T.copy(), 1)):
        found = rounded(of, axis)
        assert found.integers.shape == of.shape
        assert (found.step < 1.2 * size.max(1) / 127).all()
        integers = np.moveaxis(found.integers, axis, 0).reshape(4, 64)
        assert np.abs(integers * found.step[:, None] - weight).max() < 0.6 / 127


def test_the_step_is_the_one_that_loses_least() -> None:
    """Some pairs are cut to what fits, so that the others are rounded less."""
    weight = np.random.default_rng(1).normal(0, 1, (1, 576, 1, 1)).astype(np.float32)
    found = rounded(weight, 0)
    largest = float(np.abs(weight).max())
    assert largest / 127 < found.step[0] < 0.95 * largest / 64
    coarse = largest / 64
    error, other = (
        np.square(values - weight).sum()
        for values in (found.integers * found.step[0], np.rint(weight / coarse) * coarse)
    )
    assert error < 0.9 * other


def test_a_bias_can_ask_for_a_larger_step() -> None:
    weight = np.array([[1, -0.9], [1, -0.9]], np.float32)[:, :, None, None]
    assert rounded(weight, 0, np.array([0, 0.1], np.float32)).step[1] >= np.float32(0.1)


def convolution(weight: NDArray[np.float32]) -> ModelProto:
    """Return a model of one convolution in float32."""
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, None, None, None])
        for name in ("seen", "found")
    ]
    graph = helper.make_graph(
        [helper.make_node("Conv", ["seen", "weight"], ["found"])],
        "graph",
        ports[:1],
        ports[1:],
        [numpy_helper.from_array(weight, "weight")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def test_export_proves_it_and_the_proof_can_fail() -> None:
    weight = np.random.default_rng(0).normal(0, 1, (16, 32, 3, 3)).astype(np.float32)
    scale = Scale(np.float32(0.01), 0)
    made = quantised(convolution(weight), {"seen": scale, "found": scale})
    assert prove_unsaturated(made) == 32640
    (tensor,) = (t for t in made.graph.initializer if t.name == "weight_integers")
    integers = numpy_helper.to_array(tensor).copy()
    integers[5, 6:8, 1, 2] = 100, 29
    tensor.CopyFrom(numpy_helper.from_array(integers, tensor.name))
    with pytest.raises(ParityError, match="two products can reach 32895; expected at most 32767"):
        prove_unsaturated(made)
    integers[5, 6:8, 1, 2] = 100, -127
    tensor.CopyFrom(numpy_helper.from_array(integers, tensor.name))
    assert prove_unsaturated(made) <= 32767


def test_this_processor_agrees_with_the_proof() -> None:
    """At the largest activations, in sessions that are not told of saturation."""
    weight = np.abs(np.random.default_rng(2).normal(0, 1, (32, 16, 3, 3))).astype(np.float32)
    scale = Scale(np.float32(1), 0)
    sizes = Scale(np.float32(64), 0)
    made = quantised(convolution(weight), {"seen": scale, "found": sizes})
    graphs = [
        Graph(made.SerializeToString(), "conv", device="cpu", threads=1, may_saturate=told)
        for told in (False, True)
    ]
    image = np.full((1, 16, 9, 11), 255, np.float32)
    one, other = (made.run(image)[0] for made in graphs)
    np.testing.assert_array_equal(one, other)
    assert one.max() > 64
