"""ONNX graphs that take and give uint8 frames: conversions alone, and put around a denoiser."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, compose, helper, numpy_helper

PIXELS: Sequence[str | int] = ("height", "width", 3)
PLANES: Sequence[str | int] = (1, 3, "height", "width")
BEFORE, AFTER = "before/", "after/"

Node = tuple[str, list[str], str, dict[str, Any]]

CAST_FIRST: Sequence[Node] = (
    ("Cast", ["pixels"], "floats", {"to": TensorProto.FLOAT}),
    ("Mul", ["floats", "scale"], "scaled", {}),
    ("Transpose", ["scaled"], "turned", {"perm": [2, 0, 1]}),
    ("Unsqueeze", ["turned", "front"], "planes", {}),
)
"""Convert where the pixels lie, then move four bytes for each value."""

TURN_FIRST: Sequence[Node] = (
    ("Transpose", ["pixels"], "turned", {"perm": [2, 0, 1]}),
    ("Cast", ["turned"], "floats", {"to": TensorProto.FLOAT}),
    ("Mul", ["floats", "scale"], "scaled", {}),
    ("Unsqueeze", ["scaled", "front"], "planes", {}),
)
"""Move one byte for each value, then convert."""

_LEVELS: Sequence[Node] = (
    ("Mul", ["planes", "full"], "levels", {}),
    ("Add", ["levels", "half"], "raised", {}),
    ("Clip", ["raised", "low", "full"], "clipped", {}),
)
CAST_LAST: Sequence[Node] = (
    *_LEVELS,
    ("Squeeze", ["clipped", "front"], "flat", {}),
    ("Transpose", ["flat"], "turned", {"perm": [1, 2, 0]}),
    ("Cast", ["turned"], "pixels", {"to": TensorProto.UINT8}),
)
TURN_LAST: Sequence[Node] = (
    *_LEVELS,
    ("Squeeze", ["clipped", "front"], "flat", {}),
    ("Cast", ["flat"], "bytes", {"to": TensorProto.UINT8}),
    ("Transpose", ["bytes"], "pixels", {"perm": [1, 2, 0]}),
)

_CONSTANTS = {
    "scale": np.float32(1 / 255),
    "full": np.float32(255),
    "half": np.float32(0.5),
    "low": np.float32(0),
    "front": np.array([0], np.int64),
}


def conversion(nodes: Sequence[Node], like: ModelProto) -> ModelProto:
    """Return the graph of a conversion, in the versions of another model."""
    inwards = nodes[-1][2] == "planes"
    pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, PIXELS)
    planes = helper.make_tensor_value_info("planes", TensorProto.FLOAT, PLANES)
    used = {name for _, taken, _, _ in nodes for name in taken}
    graph = helper.make_graph(
        [helper.make_node(kind, taken, [given], **more) for kind, taken, given, more in nodes],
        "conversion",
        [pixels if inwards else planes],
        [planes if inwards else pixels],
        [
            numpy_helper.from_array(np.asarray(value), name)
            for name, value in _CONSTANTS.items()
            if name in used
        ],
    )
    version = {entry.domain: entry.version for entry in like.opset_import}[""]
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", version)], ir_version=like.ir_version
    )


def around(denoiser: ModelProto, before: Sequence[Node], after: Sequence[Node]) -> ModelProto:
    """Put conversions around a denoiser: ``before/pixels`` and ``strength`` to ``after/pixels``."""
    merged = _merge(_prefixed(before, denoiser, BEFORE), denoiser, (f"{BEFORE}planes", "frame"))
    whole = _merge(merged, _prefixed(after, denoiser, AFTER), ("clean", f"{AFTER}planes"))
    onnx.checker.check_model(whole)
    return whole


def _prefixed(nodes: Sequence[Node], like: ModelProto, prefix: str) -> ModelProto:
    return compose.add_prefix(conversion(nodes, like), prefix)


def _merge(first: ModelProto, second: ModelProto, joint: tuple[str, str]) -> ModelProto:
    return compose.merge_models(first, second, io_map=[joint])
