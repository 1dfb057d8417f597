"""Products of 8 bits on processors that clip the sum of two of them."""

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from venturi import Manifest
from venturi._bundle.manifest import INT8_PAIR_SUM
from venturi._engine import graph, saturation
from venturi._engine.graph import Graph

TINY = Path(__file__).parent / "data" / "tiny_denoiser"


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
    manifest = Manifest.load(TINY)
    measured = {} if largest is None else {INT8_PAIR_SUM: largest}
    assert dataclasses.replace(manifest, measured=measured).never_saturates is proven
