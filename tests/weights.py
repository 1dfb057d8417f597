"""Weights of graphs as the graphs compute with them, however files store them."""

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, helper, numpy_helper


def unpack(model: ModelProto) -> None:
    """Make initializers in float32 of the weights that Casts, and products after them, make."""
    values: dict[str, NDArray[np.generic]] = {
        tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer
    }
    for node in list(model.graph.node):
        if node.op_type in {"Cast", "Mul"} and set(node.input) <= values.keys():
            first, *others = (values[name] for name in node.input)
            if node.op_type == "Cast":
                first = first.astype(helper.tensor_dtype_to_np_dtype(node.attribute[0].i))
            for other in others:
                first = np.multiply(first, other)
            values[node.output[0]] = first
            model.graph.node.remove(node)
            model.graph.initializer.append(numpy_helper.from_array(first, node.output[0]))
    used = {name for node in model.graph.node for name in node.input}
    for tensor in list(model.graph.initializer):
        if tensor.name not in used:
            model.graph.initializer.remove(tensor)
