"""Look into an ONNX file without loading it: refuse what a bundle's graph must not have.

A walk over the protobuf fields that matter; the rest is skipped. Refused are operators that are not
on the list, operators of other domains, functions, training graphs, sparse initializers and tensors
whose content lies in another file. The field numbers are those of onnx.proto (onnx/onnx, IR 10).
"""

from collections.abc import Iterator
from typing import NamedTuple

from venturi.errors import BundleError

OPERATORS = frozenset({
    "Abs", "Add", "ArgMax", "ArgMin", "AveragePool", "BatchNormalization", "Cast", "Ceil", "Clip",
    "Concat", "Constant", "ConstantOfShape", "Conv", "ConvTranspose", "CumSum", "DepthToSpace",
    "DequantizeLinear", "Div", "Equal", "Erf", "Exp", "Expand", "Flatten", "Floor", "GRU", "Gather",
    "Gelu", "Gemm", "GlobalAveragePool", "Greater", "GreaterOrEqual", "GroupNormalization",
    "HardSigmoid", "HardSwish", "Identity", "InstanceNormalization", "LSTM", "LayerNormalization",
    "LeakyRelu", "Less", "LessOrEqual", "Log", "MatMul", "Max", "MaxPool", "Min", "Mod", "Mul",
    "Neg", "Not", "PRelu", "Pad", "Pow", "QuantizeLinear", "Range", "Reciprocal", "ReduceMax",
    "ReduceMean", "ReduceMin", "ReduceSum", "Relu", "Reshape", "Resize", "Round", "Shape",
    "Sigmoid", "Sign", "Slice", "Softmax", "Softplus", "SpaceToDepth", "Split", "Sqrt", "Squeeze",
    "Sub", "Sum", "Tanh", "Transpose", "Unsqueeze", "Where",
})  # fmt: skip
"""Operators of the standard domain; none has a subgraph, none draws random numbers."""

DOMAINS = frozenset({"", "ai.onnx"})
MAX_DEPTH = 8

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_WIDTH = {_FIXED64: 8, _FIXED32: 4}


class _Field(NamedTuple):
    number: int
    integer: int | None
    content: memoryview | None


class _Refused(Exception):
    """Why a file is refused; becomes a BundleError that names the file."""


def check(data: bytes, name: str) -> None:
    """Walk an ONNX file.

    Args:
        data: the file.
        name: what to call it in a message.

    Raises:
        BundleError: the file is not ONNX, or has something that a bundle's graph must not have.
    """
    try:
        graphs = [_message(f) for f in _fields(memoryview(data)) if _model_field(f)]
        for graph in graphs:
            _check_graph(graph, 0)
    except _Refused as reason:
        raise BundleError(
            f"{name}: {reason}; expected an ONNX graph as python -m export writes it; "
            "export the bundle again or get another"
        ) from None
    if not graphs:
        raise BundleError(f"{name}: it has no graph; expected an ONNX file; get another bundle")


def _model_field(field: _Field) -> bool:
    if field.number in (20, 25):
        raise _Refused("it has functions or training graphs")
    if field.number == 8:
        for part in _fields(_message(field)):
            if part.number == 1:
                _check_domain(part)
    return field.number == 7


def _check_graph(graph: memoryview, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise _Refused(f"its graphs are nested more than {MAX_DEPTH} deep")
    for field in _fields(graph):
        if field.number == 1:
            _check_node(_message(field), depth)
        elif field.number == 5:
            _check_tensor(_message(field))
        elif field.number == 15:
            raise _Refused("it has sparse initializers")


def _check_node(node: memoryview, depth: int) -> None:
    for field in _fields(node):
        if field.number == 4:
            operator = _text(field)
            if operator not in OPERATORS:
                raise _Refused(f"operator {operator!r:.60} is not on the list of operators")
        elif field.number == 7:
            _check_domain(field)
        elif field.number == 5:
            for part in _fields(_message(field)):
                _check_attribute(part, depth)


def _check_attribute(part: _Field, depth: int) -> None:
    if part.number in (5, 10):
        _check_tensor(_message(part))
    elif part.number in (6, 11):
        _check_graph(_message(part), depth + 1)
    elif part.number in (22, 23):
        raise _Refused("it has sparse tensors")


def _check_tensor(tensor: memoryview) -> None:
    for field in _fields(tensor):
        if field.number == 13 or (field.number == 14 and field.integer != 0):
            raise _Refused("it has a tensor whose content lies in another file")


def _check_domain(field: _Field) -> None:
    domain = _text(field)
    if domain not in DOMAINS:
        raise _Refused(f"operator domain {domain!r:.60} is not the standard one")


def _message(field: _Field) -> memoryview:
    if field.content is None:
        raise _Refused(f"protobuf field {field.number} is not a message")
    return field.content


def _text(field: _Field) -> str:
    try:
        return str(_message(field), "utf-8")
    except UnicodeDecodeError:
        raise _Refused("a name is not UTF-8") from None


def _fields(data: memoryview) -> Iterator[_Field]:
    """Yield the fields of one protobuf message; content is a view, nothing is copied."""
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        number, wire = key >> 3, key & 7
        if not 0 < number < 2**29:  # other readers would take it modulo 2^32
            raise _Refused("it is not protobuf")
        if wire == _VARINT:
            integer, place = _varint(data, place)
            yield _Field(number, integer, None)
            continue
        if wire == _BYTES:
            size, place = _varint(data, place)
        elif wire in _WIDTH:
            size = _WIDTH[wire]
        else:
            raise _Refused("it is not protobuf of this kind")
        end = place + size
        if end > len(data):
            raise _Refused("it is truncated or not protobuf")
        yield _Field(number, None, data[place:end] if wire == _BYTES else None)
        place = end


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(data):
            raise _Refused("it is truncated or not protobuf")
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise _Refused("it is not protobuf")
