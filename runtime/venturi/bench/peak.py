"""The machine's own peak: how fast onnxruntime multiplies matrices on a device.

The graphs are written here, field by field as onnx.proto numbers them, so that a device needs no
onnx package: an fp32 product of 1024 × 1024 matrices eight times over, and one of uint8 by int8.
On a device with a memory of its own the time to copy the operands counts, so its peak is a lower
bound.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from venturi._engine.graph import Graph
from venturi._format.varint import write_varint
from venturi.bench.clock import Clock
from venturi.bench.scenarios import Limits, single_stream
from venturi.errors import BundleError, DeviceError

SIDE = 1024
CHAIN = 8
SECONDS = 1.0

_FLOAT, _UINT8, _INT8, _INT32 = 1, 2, 3, 6  # TensorProto.DataType
_OPSET, _IR_VERSION = 13, 7


def fp32_gmac_per_s(clock: Clock, *, device: str, threads: int) -> float | None:
    """Return the best rate of fp32 multiply-accumulates, or None where the device has none."""
    rng = np.random.default_rng(0)
    left = rng.random((SIDE, SIDE), np.float32)
    right = rng.random((SIDE, SIDE), np.float32) / np.float32(SIDE / 2)  # keeps the products small
    nodes = [("MatMul", f"{place}", "right", f"{place + 1}") for place in range(CHAIN)]
    model = _model(nodes, [("0", _FLOAT), ("right", _FLOAT)], (str(CHAIN), _FLOAT))
    return _rate(model, [left, right], CHAIN, clock, device=device, threads=threads)


def int8_gmac_per_s(clock: Clock, *, device: str, threads: int) -> float | None:
    """Return the best rate of uint8 × int8 multiply-accumulates, or None where there is none."""
    rng = np.random.default_rng(0)
    left = rng.integers(0, 256, (SIDE, SIDE), np.uint8)
    right = rng.integers(-128, 128, (SIDE, SIDE), np.int8)
    nodes = [("MatMulInteger", "0", "right", "1")]
    model = _model(nodes, [("0", _UINT8), ("right", _INT8)], ("1", _INT32))
    return _rate(model, [left, right], 1, clock, device=device, threads=threads)


def _rate(
    model: bytes,
    operands: Sequence[NDArray[np.generic]],
    products: int,
    clock: Clock,
    *,
    device: str,
    threads: int,
) -> float | None:
    try:
        graph = Graph(model, "matrix product", device=device, threads=threads)
        graph.run(*operands)
        limits = Limits(SECONDS, samples=5)
        outcome = single_stream(lambda _: graph.run(*operands), clock, limits)
    except (BundleError, DeviceError):  # the device has no such operator
        return None
    best_s = min(outcome.samples_ms) / 1000
    return round(products * SIDE**3 / best_s / 1e9, 1)


def _model(
    nodes: Sequence[tuple[str, str, str, str]],
    inputs: Sequence[tuple[str, int]],
    output: tuple[str, int],
) -> bytes:
    """Return a ModelProto of nodes (operator, left, right, result) on square matrices."""
    graph = b"".join(
        _bytes(1, _text(1, left) + _text(1, right) + _text(2, result) + _text(4, op))
        for op, left, right, result in nodes
    )
    graph += _text(2, "matrix product")
    graph += b"".join(_bytes(11, _matrix(*tensor)) for tensor in inputs)
    graph += _bytes(12, _matrix(*output))
    return _integer(1, _IR_VERSION) + _bytes(7, graph) + _bytes(8, _integer(2, _OPSET))


def _matrix(name: str, kind: int) -> bytes:
    """Return a ValueInfoProto of a square matrix."""
    side = _bytes(1, _integer(1, SIDE))
    tensor = _integer(1, kind) + _bytes(2, side + side)
    return _text(1, name) + _bytes(2, _bytes(1, tensor))


def _integer(field: int, value: int) -> bytes:
    return write_varint(field << 3) + write_varint(value)


def _bytes(field: int, content: bytes) -> bytes:
    return write_varint(field << 3 | 2) + write_varint(len(content)) + content


def _text(field: int, value: str) -> bytes:
    return _bytes(field, value.encode())
