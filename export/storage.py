"""Weights as files hold them: in as few bits as lose nothing, with a Cast back to float32.

Integers times a power of two, as the entropy network has them, become int8; what float16 holds
exactly, float16; both are proven for each weight. Other weights become float16 where pixels show
that nothing is lost. onnxruntime computes what depends on constants alone once, as it loads a file,
so that nothing takes longer afterwards.
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
"""What float16 may cost of the PSNR."""

_SMALLEST = 256  # values; below it a Cast takes as much as it saves
_INT8_MAX = 127
_NO_EXPONENT = 2**15

Floats = NDArray[np.float32]


class Stored(NamedTuple):
    """PSNR of files as they are stored, and how much they lost by it, both in dB."""

    psnr_db: float
    loss_db: float


def store_exactly(path: Path) -> None:
    """Store a file's weights in fewer bits where that is exact."""
    path.write_bytes(_packed(onnx.load(path), ()))


def store(paths: Sequence[Path], psnr_db: Callable[[], float]) -> Stored:
    """Store the weights of files in fewer bits, in float16 as far as the PSNR allows.

    Weights that float16 rounds most stay in float32, as many as need be.

    Args:
        paths: files that are measured together.
        psnr_db: measures them as they lie there.
    """
    models = [onnx.load(path) for path in paths]
    names = _by_rounding(models)
    whole = psnr_db()
    while True:
        for place, (path, model) in enumerate(zip(paths, models, strict=True)):
            path.write_bytes(_packed(model, {name for of, name in names if of == place}))
        found = psnr_db()
        if whole - found <= LOSS_MAX_DB or not names:
            return Stored(found, whole - found)
        names = names[: len(names) // 2]


def _by_rounding(models: Sequence[ModelProto]) -> list[tuple[int, str]]:
    """Return weights that float16 can hold, with the place of their model: the best held first."""
    errors = {}
    for place, model in enumerate(models):
        for tensor in _weights(model):
            values = numpy_helper.to_array(tensor)
            with np.errstate(over="ignore"):
                beside = values.astype(np.float16).astype(np.float32) - values
            error = float(np.square(beside).sum() / max(float(np.square(values).sum()), 1e-30))
            if np.isfinite(error):
                errors[place, tensor.name] = error
    return sorted(errors, key=lambda weight: errors[weight])


def _weights(model: ModelProto) -> Iterator[TensorProto]:
    """Yield what may be stored in another form: not the steps of what is in 8 bits."""
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
    """Return a file in which weights are stored in fewer bits: these rounded, others exactly."""
    made = ModelProto()
    made.CopyFrom(model)
    unpacking: list[NodeProto] = []
    for tensor in list(_weights(made)):
        values = numpy_helper.to_array(tensor)
        parts = _parts(values, may_round=tensor.name in rounded)
        if parts:
            made.graph.initializer.remove(tensor)
            unpacking += _unpack(made, tensor.name, parts)
    nodes = [*unpacking, *made.graph.node]
    del made.graph.node[:]
    made.graph.node.extend(nodes)
    onnx.checker.check_model(made, full_check=True)
    data: bytes = made.SerializeToString(deterministic=True)
    return data


def _parts(values: Floats, *, may_round: bool) -> list[NDArray[Any]]:
    """Return what a weight is the product of, its integers or float16 first; nothing: leave it.

    Raises:
        ParityError: the product is not the weight, though it must be.
    """
    found = _integers(values)
    with np.errstate(over="ignore"):
        half = values.astype(np.float16)
    if found is None and (may_round or np.array_equal(half.astype(np.float32), values)):
        return [half]
    if found is None:
        return []
    integers, step = found
    if not np.array_equal(integers.astype(np.float32) * step, values):
        raise ParityError(
            f"a weight of shape {values.shape} is not what its int8 and steps make; "
            "expected the same values; no bundle was written"
        )
    return [integers, step]


def _integers(values: Floats) -> tuple[NDArray[np.int8], Floats] | None:
    """Return int8 and powers of two, along an axis or two, whose product a weight is; or None."""
    lowest = _lowest_bit(values)
    axes = range(values.ndim)
    kept_axes = [*itertools.combinations(axes, 1), *itertools.combinations(axes, 2)]
    for kept in kept_axes[: -1 if values.ndim == 2 else None]:
        others = tuple(axis for axis in axes if axis not in kept)
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
    """Add the parts of a weight to a model; return the nodes that make it of them."""
    stored, *steps = parts
    tensors = {f"{name}_stored": stored, **{f"{name}_step": step for step in steps}}
    model.graph.initializer.extend(
        numpy_helper.from_array(value, key) for key, value in tensors.items()
    )
    whole = f"{name}_whole" if steps else name
    cast = helper.make_node(
        "Cast", [f"{name}_stored"], [whole], name=f"Cast_{name}", to=TensorProto.FLOAT
    )
    product = [
        helper.make_node("Mul", [whole, f"{name}_step"], [name], name=f"Mul_{name}") for _ in steps
    ]
    return [cast, *product]
