"""From a PyTorch module to an ONNX file: named, dynamic, without paths, reproducible."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
import torch
from onnx import ModelProto
from torch import Tensor, nn

from export.shuffle import spread

OPSET = 18


@dataclass(frozen=True)
class Port:
    """An input or output of a graph: its name and the names of its axes; an int is a fixed size."""

    name: str
    axes: tuple[str | int, ...]


def export_graph(
    module: nn.Module,
    examples: Sequence[Tensor],
    inputs: Sequence[Port],
    outputs: Sequence[Port],
    path: Path,
) -> None:
    """Write a module as ONNX, opset 18, with the ports' names and axes.

    Every ``DepthToSpace`` becomes the DCR kind: the convolutions before it must have their channels
    in that order (:func:`block_major`). For a batch of one it is replaced by transpositions
    (:mod:`export.shuffle`).

    Raises:
        ValueError: the exporter gave another opset, or wrote weights outside the file.
    """
    dynamic = tuple(
        {i: torch.export.Dim.DYNAMIC for i, axis in enumerate(port.axes) if isinstance(axis, str)}
        for port in inputs
    )
    program = torch.onnx.export(
        module.eval(),
        tuple(examples),
        dynamo=True,
        opset_version=OPSET,
        dynamic_shapes=dynamic,
        input_names=[port.name for port in inputs],
        output_names=[port.name for port in outputs],
        external_data=False,
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    _name_sizes(model, inputs)
    _name_axes(model, {port.name: port for port in (*inputs, *outputs)})
    _clean(model)
    spread(model)
    _number(model)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


def _name_sizes(model: ModelProto, inputs: Sequence[Port]) -> None:
    """Express the sizes of intermediate tensors in terms of the ports' axes.

    From equal expressions onnxruntime (its ``NchwcTransformer``) knows that tensors have the same
    size, and adds them in the layout of its convolutions; otherwise it converts both back first.
    """
    axes: dict[str, str] = {}
    for value, port in zip(model.graph.input, inputs, strict=True):
        for dim, axis in zip(value.type.tensor_type.shape.dim, port.axes, strict=True):
            if dim.dim_param and isinstance(axis, str):
                axes.setdefault(dim.dim_param, axis)
    for value in model.graph.value_info:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param:
                dim.dim_param = re.sub(
                    r"[A-Za-z_]\w*", lambda name: axes.get(name[0], name[0]), dim.dim_param
                )


def _name_axes(model: ModelProto, ports: Mapping[str, Port]) -> None:
    for value in (*model.graph.input, *model.graph.output):
        dims = value.type.tensor_type.shape.dim
        port = ports[value.name]
        if len(dims) != len(port.axes):
            raise ValueError(f"{value.name} has {len(dims)} axes; expected {port.axes}")
        for dim, axis in zip(dims, port.axes, strict=True):
            if isinstance(axis, str):
                dim.dim_param = axis
            elif dim.dim_value != axis:
                raise ValueError(f"{value.name} has a size of {dim}; expected {axis}")


def _clean(model: ModelProto) -> None:
    version = {entry.domain: entry.version for entry in model.opset_import}.get("")
    if version != OPSET:
        raise ValueError(f"the exporter gave opset {version}; expected {OPSET}: pin torch and onnx")
    model.producer_name, model.producer_version = "venturi", ""
    model.doc_string = model.graph.doc_string = ""
    del model.metadata_props[:], model.graph.metadata_props[:]
    del model.functions[:]
    model.graph.name = "graph"
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
        for attribute in node.attribute:
            attribute.doc_string = ""
            if node.op_type == "DepthToSpace" and attribute.name == "mode":
                attribute.s = b"DCR"
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        del value.metadata_props[:]
    for tensor in model.graph.initializer:
        del tensor.metadata_props[:]
        if tensor.external_data:
            raise ValueError(f"weight {tensor.name} lies outside the file; expected it inside")


def _number(model: ModelProto) -> None:
    for i, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}_{i}"


def block_major(channels: int, block: int) -> Tensor:
    """Return int64 (channels,): the order that turns PyTorch's pixel shuffle into DCR.

    ``weight[block_major(…)]`` of a convolution, followed by a DCR DepthToSpace, equals ``weight``
    followed by :func:`torch.nn.functional.pixel_shuffle`.
    """
    order = torch.arange(channels).view(channels // block**2, block**2)
    return order.t().reshape(-1)
