"""Weights in files: fewer bits, nothing lost."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from export import storage
from export.parity import run_file
from export.storage import store, store_exactly
from tests.weights import unpack

RNG = np.random.default_rng(0)
INTEGERS = RNG.integers(-127, 128, (40, 32)).astype(np.float32)
STEPS = np.exp2(-RNG.integers(3, 14, (40, 1))).astype(np.float32)


def product(path: Path, weight: NDArray[np.float32]) -> Path:
    """Write a model of a product with a matrix."""
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", size])
        for name, size in zip(("seen", "found"), weight.shape, strict=True)
    ]
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["seen", "weight"], ["found"])],
        "graph",
        ports[:1],
        ports[1:],
        [numpy_helper.from_array(weight, "weight")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, path)
    return path


def stored_types(path: Path) -> list[int]:
    return [tensor.data_type for tensor in onnx.load(path).graph.initializer]


def weight_of(path: Path) -> NDArray[np.generic]:
    model = onnx.load(path)
    unpack(model)
    (tensor,) = model.graph.initializer
    return numpy_helper.to_array(tensor)


@pytest.mark.parametrize(
    ("weight", "types"),
    [
        (INTEGERS, [TensorProto.INT8, TensorProto.FLOAT]),
        (INTEGERS * STEPS, [TensorProto.INT8, TensorProto.FLOAT]),
        ((INTEGERS * STEPS).T.copy(), [TensorProto.INT8, TensorProto.FLOAT]),
        (INTEGERS * 8, [TensorProto.INT8, TensorProto.FLOAT]),
        (np.zeros((40, 32), np.float32), [TensorProto.INT8, TensorProto.FLOAT]),
        (RNG.integers(-1000, 1000, (40, 32)).astype(np.float32) / 8, [TensorProto.FLOAT16]),
        (RNG.normal(0, 1, (40, 32)).astype(np.float32), [TensorProto.FLOAT]),
        (INTEGERS * 1e6, [TensorProto.FLOAT]),
        (INTEGERS[:7], [TensorProto.FLOAT]),  # too few to be worth it
    ],
)
def test_what_is_exact_is_stored_in_fewer_bits(
    weight: NDArray[np.float32], types: list[int], tmp_path: Path
) -> None:
    path = product(tmp_path / "product.onnx", weight)
    seen = {"seen": RNG.normal(0, 1, (5, len(weight))).astype(np.float32)}
    expected = run_file(path, seen)
    store_exactly(path)
    assert stored_types(path) == types
    np.testing.assert_array_equal(weight_of(path), weight)
    np.testing.assert_array_equal(run_file(path, seen), expected)


def test_onnxruntime_unpacks_as_it_loads(tmp_path: Path) -> None:
    """No Cast is left to run with every picture."""
    path = product(tmp_path / "product.onnx", INTEGERS * STEPS)
    store_exactly(path)
    assert [node.op_type for node in onnx.load(path).graph.node] == ["Cast", "Mul", "MatMul"]
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 3  # it warns that such a file is for this machine only
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    optimised = onnx.load(options.optimized_model_filepath)
    assert [node.op_type for node in optimised.graph.node] == ["MatMul"]


def test_float16_is_taken_where_the_psnr_allows_it(tmp_path: Path) -> None:
    weight = RNG.normal(0, 1, (40, 32)).astype(np.float32)
    path = product(tmp_path / "product.onnx", weight)
    found = store([path], lambda: 40 - 0.004 * (TensorProto.FLOAT16 in stored_types(path)))
    assert found.psnr_db == pytest.approx(39.996)
    assert found.loss_db == pytest.approx(0.004)
    np.testing.assert_array_equal(weight_of(path), weight.astype(np.float16).astype(np.float32))


def test_what_float16_would_hurt_stays_in_float32(tmp_path: Path) -> None:
    """Of two files, the one whose weights it rounds most."""
    coarse = RNG.normal(0, 1e-6, (40, 32)).astype(np.float32)
    fine = RNG.normal(0, 1, (40, 32)).astype(np.float32)
    paths = [product(tmp_path / f"{i}.onnx", value) for i, value in enumerate((coarse, fine))]

    def psnr_db() -> float:
        return 40 - (TensorProto.FLOAT16 in stored_types(paths[0]))

    found = store(paths, psnr_db)
    assert found.loss_db == 0
    assert [stored_types(path) for path in paths] == [[TensorProto.FLOAT], [TensorProto.FLOAT16]]


def test_what_float16_cannot_hold_stays_in_float32(tmp_path: Path) -> None:
    weight = RNG.normal(0, 1e5, (40, 32)).astype(np.float32)
    path = product(tmp_path / "product.onnx", weight)
    assert store([path], lambda: 40.0).loss_db == 0
    np.testing.assert_array_equal(weight_of(path), weight)


def test_steps_of_what_is_in_8_bits_stay_in_float32(tmp_path: Path) -> None:
    step = np.full(300, 0.013, np.float32)
    graph = helper.make_graph(
        [helper.make_node("DequantizeLinear", ["weight", "step"], ["found"], axis=0)],
        "graph",
        [],
        [helper.make_tensor_value_info("found", TensorProto.FLOAT, [300, 4])],
        [
            numpy_helper.from_array(np.ones((300, 4), np.int8), "weight"),
            numpy_helper.from_array(step, "step"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    path = tmp_path / "steps.onnx"
    onnx.save(model, path)
    store([path], lambda: 40.0)
    assert stored_types(path) == [TensorProto.INT8, TensorProto.FLOAT]


def test_smaller_than_before(tmp_path: Path) -> None:
    path = product(tmp_path / "product.onnx", INTEGERS * STEPS)
    before = path.stat().st_size
    store_exactly(path)
    assert path.stat().st_size < 0.4 * before
    assert storage.LOSS_MAX_DB == 0.01
