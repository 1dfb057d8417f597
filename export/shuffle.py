"""DepthToSpace as transpositions: onnxruntime's operator runs in one thread, value by value.

A DCR block holds the colours of its pixels in order, so in a channels-last layout, to which
onnxruntime converts after a convolution, a row of a block is contiguous. The values are the same,
in a third of the time.
"""

from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, helper, numpy_helper


def spread(model: ModelProto) -> None:
    """Replace each DCR DepthToSpace of a batch of one by transpositions; change nothing else."""
    inferred = onnx.shape_inference.infer_shapes(model).graph
    values = (*inferred.input, *inferred.value_info, *inferred.output)
    shapes = {value.name: value.type.tensor_type.shape.dim for value in values}
    nodes: list[NodeProto] = []
    for node in model.graph.node:
        if node.op_type == "DepthToSpace" and shapes[node.input[0]][0].dim_value == 1:
            channels = shapes[node.input[0]][1].dim_value
            nodes += _moves(model, node, channels)
        else:
            nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _moves(model: ModelProto, node: NodeProto, channels: int) -> list[NodeProto]:
    """Return the replacement of a node; the comments give the shape after each step."""
    block = next(item.i for item in node.attribute if item.name == "blocksize")
    name = node.output[0]
    nodes: list[NodeProto] = []

    def reshape(*sizes: int) -> None:  # 0 keeps the size at that place, -1 is the rest
        shape = f"{name}_shape_{len(nodes)}"
        model.graph.initializer.append(numpy_helper.from_array(np.array(sizes, np.int64), shape))
        add("Reshape", shape)

    def transpose(*axes: int) -> None:
        add("Transpose", perm=axes)

    def add(operator: str, *constants: str, **attributes: Any) -> None:
        source = nodes[-1].output[0] if nodes else node.input[0]
        output = f"{name}_moved_{len(nodes)}"
        nodes.append(helper.make_node(operator, [source, *constants], [output], **attributes))

    depth = channels // block**2
    transpose(0, 2, 3, 1)  # 1, h, w, block · block · depth
    reshape(0, 0, 0, block, block * depth)
    transpose(1, 3, 0, 2, 4)  # h, block, 1, w, block · depth
    reshape(0, 0, -1, depth)  # h, block, w · block, depth
    reshape(1, -1, 0, 0)  # 1, h · block, w · block, depth
    transpose(0, 3, 1, 2)
    nodes[-1].output[0] = name
    return nodes
