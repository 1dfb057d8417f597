"""Store weights in as few bits as possible without loss, with a Cast back to float32.

Integers times a power of two, as in the entropy network, become int8; weights that float16 holds
exactly become float16. Both are verified for each weight. Other weights become float16 if the PSNR
shows no visible loss. onnxruntime computes whatever depends on constants alone when it loads a
file, so running the graph takes no longer.
"""

import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from export.parity import ParityError

LOSS_MAX_DB = 0.01
"""How much PSNR storing weights in float16 may cost."""

_SMALLEST = 256  # values; for fewer, a Cast takes as many bytes as it saves
_INT8_MAX = 127
_NO_EXPONENT = 2**15

Floats = NDArray[np.float32]


class Stored(NamedTuple):
    """PSNR of files as stored, and how much storage cost, both in dB."""

    psnr_db: float
    loss_db: float


def store_exactly(path: Path) -> None:
    """Store a file's weights in fewer bits where that is exact."""
    path.write_bytes(_packed(onnx.load(path), ()))


def store(paths: Sequence[Path], psnr_db: Callable[[], float]) -> Stored:
    """Store the weights of files in fewer bits, in float16 as far as the PSNR allows.

    The weights that float16 rounds most stay in float32, as many as necessary.

    Args:
        paths: files that are measured together.
        psnr_db: measures the files in their current state.
    """
    models = [onnx.load(path) for path in paths]
    names = _by_rounding(models)
    full_psnr_db = psnr_db()
    while True:
        for place, (path, model) in enumerate(zip(paths, models, strict=True)):
            path.write_bytes(_packed(model, {name for owner, name in names if owner == place}))
        stored_psnr_db = psnr_db()
        if full_psnr_db - stored_psnr_db <= LOSS_MAX_DB or not names:
            return Stored(stored_psnr_db, full_psnr_db - stored_psnr_db)
        names = names[: len(names) // 2]


def _by_rounding(models: Sequence[ModelProto]) -> list[tuple[int, str]]:
    """Return weights in float16's range, with the index of their model, smallest error first."""
    errors = {}
    for place, model in enumerate(models):
        for tensor in _weights(model):
            values = numpy_helper.to_array(tensor)
            with np.errstate(over="ignore"):
                rounding_error = values.astype(np.float16).astype(np.float32) - values
            error = float(
                np.square(rounding_error).sum() / max(float(np.square(values).sum()), 1e-30)
            )
            if np.isfinite(error):
                errors[place, tensor.name] = error
    return sorted(errors, key=lambda weight: errors[weight])


def _weights(model: ModelProto) -> Iterator[TensorProto]:
    """Yield the weights that may be stored in another form; not the scales of 8-bit tensors."""
    scales = {
        name
        for node in model.graph.node
        if node.op_type in {"QuantizeLinear", "DequantizeLinear"}
        for name in node.input
    }
    for tensor in model.graph.initializer:
        is_large = np.prod(tensor.dims) >= _SMALLEST
        if tensor.data_type == TensorProto.FLOAT and is_large and tensor.name not in scales:
            yield tensor


def _packed(model: ModelProto, rounded: Collection[str]) -> bytes:
    """Return a model as bytes, with the ``rounded`` weights in float16, others stored exactly."""
    packed = ModelProto()
    packed.CopyFrom(model)
    unpacking: list[NodeProto] = []
    for tensor in list(_weights(packed)):
        values = numpy_helper.to_array(tensor)
        parts = _parts(values, may_round=tensor.name in rounded)
        if parts:
            packed.graph.initializer.remove(tensor)
            unpacking += _unpack(packed, tensor.name, parts)
    nodes = [*unpacking, *packed.graph.node]
    del packed.graph.node[:]
    packed.graph.node.extend(nodes)
    onnx.checker.check_model(packed, full_check=True)
    data: bytes = packed.SerializeToString(deterministic=True)
    return data


def _parts(values: Floats, *, may_round: bool) -> list[NDArray[Any]]:
    """Return the factors of a weight, its int8 or float16 first; empty to leave it as it is.

    Raises:
        ParityError: the product of the factors is not the weight.
    """
    integer_parts = _integers(values)
    with np.errstate(over="ignore"):
        half = values.astype(np.float16)
    if integer_parts is None and (may_round or np.array_equal(half.astype(np.float32), values)):
        return [half]
    if integer_parts is None:
        return []
    integers, step = integer_parts
    if not np.array_equal(integers.astype(np.float32) * step, values):
        raise ParityError(
            f"a weight of shape {values.shape} differs from the product of its int8 and steps; "
            "expected the same values; no bundle was written"
        )
    return [integers, step]


def _integers(values: Floats) -> tuple[NDArray[np.int8], Floats] | None:
    """Split a weight into int8 and powers of two along one or two axes; None if impossible."""
    lowest = _lowest_bit(values)
    axes = range(values.ndim)
    axis_choices = [*itertools.combinations(axes, 1), *itertools.combinations(axes, 2)]
    for step_axes in axis_choices[: -1 if values.ndim == 2 else None]:
        others = tuple(axis for axis in axes if axis not in step_axes)
        exponent = lowest.min(axis=others, keepdims=True)
        step = np.ldexp(np.float32(1), np.where(exponent == _NO_EXPONENT, 0, exponent))
        integers = values / step
        if np.abs(integers).max() <= _INT8_MAX and step.size * 8 <= values.size:
            return integers.astype(np.int8), step.astype(np.float32)
    return None


def _lowest_bit(values: Floats) -> NDArray[np.int32]:
    """Return the exponent of the lowest bit that is set in each value; large for 0."""
    mantissa, exponent = np.frexp(values)
    whole = np.ldexp(mantissa, 24).astype(np.int64)
    zeros = np.frexp((whole & -whole).astype(np.float64))[1] - 1
    return np.where(values == 0, _NO_EXPONENT, exponent - 24 + zeros).astype(np.int32)


def _unpack(model: ModelProto, name: str, parts: Sequence[NDArray[Any]]) -> list[NodeProto]:
    """Add the factors of a weight to a model; return the nodes that multiply them."""
    stored, *steps = parts
    tensors = {f"{name}_stored": stored, **{f"{name}_step": step for step in steps}}
    model.graph.initializer.extend(
        numpy_helper.from_array(value, key) for key, value in tensors.items()
    )
    cast_name = f"{name}_whole" if steps else name
    cast = helper.make_node(
        "Cast", [f"{name}_stored"], [cast_name], name=f"Cast_{name}", to=TensorProto.FLOAT
    )
    product = [
        helper.make_node("Mul", [cast_name, f"{name}_step"], [name], name=f"Mul_{name}")
        for _ in steps
    ]
    return [cast, *product]
