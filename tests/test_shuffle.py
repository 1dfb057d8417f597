"""DepthToSpace spread into moves: the same values, whatever the sizes, and only for one picture."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import ModelProto, TensorProto, helper

from export.shuffle import spread


def shuffling(batch: int | str, channels: int, *blocks: int) -> ModelProto:
    """Return a model of one DCR DepthToSpace after another."""
    shapes: list[tuple[int | str, ...]] = [(batch, channels, "h", "w"), (batch, "c", "H", "W")]
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in zip(("x", "y"), shapes, strict=True)
    ]
    names = ["x", *(f"between{i}" for i in range(len(blocks) - 1)), "y"]
    nodes = [
        helper.make_node("DepthToSpace", [old], [new], blocksize=block, mode="DCR")
        for old, new, block in zip(names, names[1:], blocks, strict=False)
    ]
    graph = helper.make_graph(nodes, "graph", ports[:1], ports[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def run(model: ModelProto, x: np.ndarray) -> np.ndarray:
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return np.asarray(session.run(None, {"x": x})[0])


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 5), (8, 2)])
@pytest.mark.parametrize("blocks", [(2,), (4,), (2, 4), (8,)])
def test_the_values_are_the_same(blocks: tuple[int, ...], height: int, width: int) -> None:
    channels = 3 * int(np.prod(blocks)) ** 2
    x = np.random.default_rng(0).random((1, channels, height, width), np.float32)
    model = shuffling(1, channels, *blocks)
    expected = run(model, x)
    spread(model)
    assert "DepthToSpace" not in {node.op_type for node in model.graph.node}
    np.testing.assert_array_equal(run(model, x), expected)


@pytest.mark.parametrize("batch", [2, "batch"])
def test_a_batch_is_left_as_it_is(batch: int | str) -> None:
    model = shuffling(batch, 12, 2)
    before = model.SerializeToString()
    spread(model)
    assert model.SerializeToString() == before
