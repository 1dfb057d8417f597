"""How many multiplications a graph needs per pixel, counted from the ONNX file."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx
from onnx import numpy_helper, shape_inference

Shapes = dict[str, Sequence[int]]


def kmac_per_pixel(graph: Path, inputs: Mapping[str, Sequence[int]], pixels: int) -> float:
    """Return thousands of multiply-accumulates per pixel of the picture.

    Convolutions and matrix products are counted, nothing else. graph: an ONNX file. inputs: the
    shape of every input. pixels: of the picture that those shapes stand for.

    Raises ValueError when the shape of something that counts cannot be told.
    """
    model = onnx.load(graph)
    shapes = _shapes(model, inputs)
    return sum(_macs(node, shapes) for node in model.graph.node) / pixels / 1000


def _shapes(model: onnx.ModelProto, inputs: Mapping[str, Sequence[int]]) -> Shapes:
    for tensor in model.graph.input:
        if tensor.name not in inputs:
            raise ValueError(f"no shape given for the input {tensor.name!r} of the graph")
        for axis, size in zip(tensor.type.tensor_type.shape.dim, inputs[tensor.name], strict=True):
            axis.dim_value = size
    for tensor in (*model.graph.output, *model.graph.value_info):
        tensor.type.tensor_type.ClearField("shape")  # symbolic sizes would stand in the way
    inferred = shape_inference.infer_shapes(model, data_prop=True).graph
    shapes: Shapes = {
        tensor.name: [axis.dim_value for axis in tensor.type.tensor_type.shape.dim]
        for tensor in (*inferred.input, *inferred.output, *inferred.value_info)
    }
    shapes |= {t.name: list(numpy_helper.to_array(t).shape) for t in model.graph.initializer}
    return shapes


def _macs(node: onnx.NodeProto, shapes: Shapes) -> int:
    match node.op_type:
        case "Conv" | "ConvInteger":
            return _product(node.output[0], shapes) * math.prod(_known(node.input[1], shapes)[1:])
        case "QLinearConv":
            return _product(node.output[0], shapes) * math.prod(_known(node.input[3], shapes)[1:])
        case "ConvTranspose":
            return _product(node.input[0], shapes) * math.prod(_known(node.input[1], shapes)[1:])
        case "MatMul" | "MatMulInteger":
            return _product(node.output[0], shapes) * _known(node.input[0], shapes)[-1]
        case "Gemm":
            transposed = any(a.name == "transA" and a.i for a in node.attribute)
            return (
                _product(node.output[0], shapes)
                * _known(node.input[0], shapes)[0 if transposed else -1]
            )
        case _:
            return 0


def _product(name: str, shapes: Shapes) -> int:
    return math.prod(_known(name, shapes))


def _known(name: str, shapes: Shapes) -> Sequence[int]:
    shape = shapes.get(name, ())
    if not shape or 0 in shape:
        raise ValueError(f"the shape of {name!r} cannot be told from the graph: {list(shape)}")
    return shape
