"""Round weights to 8 bits so that no processor saturates their products, and prove it.

x86 without VNNI multiplies unsigned by signed bytes with ``vpmaddubsw``, which adds two products in
16 bits and clips the sum. onnxruntime's kernels (MLAS: ``QgemmU8S8KernelAvx2``,
``QgemvU8S8KernelAvx2``, ``ConvSymKernelAvx2`` and those for AVX-512 without VNNI) reduce
convolutions over (row, column, channel) of a kernel and products of matrices over the rows of the
right one, and add the values at 2 k and 2 k + 1 of that order. Activations reach 255, so two
weights of the same sign may add up to 128 at most; of opposite signs, any are fine. Depthwise
convolutions multiply in 16 bits and would be exact without this.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, numpy_helper

from export.parity import ParityError
from venturi._bundle.manifest import PAIR_SUM_MAX

_WEIGHT_MAX = 127
_ACTIVATION_MAX = 255
_PAIR_MAX = PAIR_SUM_MAX // _ACTIVATION_MAX
_STEPS = np.linspace(1, _WEIGHT_MAX / (_PAIR_MAX // 2), 64)
"""Candidate steps, relative to the one that just represents the largest weight. With the last, any
two weights fit."""

Integers = NDArray[np.int8]
Floats = NDArray[np.float32]


class RoundedWeight(NamedTuple):
    """int8 q of a channel stands for q * step."""

    integers: Integers
    step: Floats


def rounded(weight: Floats, axis: int, least: Floats | float = 0.0) -> RoundedWeight:
    """Round a weight to int8, one step for each channel, so that no pair of products is clipped.

    Each channel gets the step with the smallest error: with a small step some pairs are reduced to
    fit, with a large one every weight is coarser.

    Args:
        weight: of a convolution, channels first, or the right matrix of a product, channels last.
        axis: of the channels.
        least: the smallest step of each channel.
    """
    rows = _reduced(weight, axis)
    smallest = np.maximum(np.abs(rows).max(1), 1e-8) / _WEIGHT_MAX
    steps = np.maximum(np.multiply.outer(_STEPS, smallest), least).astype(np.float32)
    errors = [np.square(_fitting(rows, step) * step[:, None] - rows).sum(1) for step in steps]
    best = np.argmin(errors, axis=0)
    step = np.asarray(steps[best, np.arange(len(best))], np.float32)
    return RoundedWeight(_restored(_fitting(rows, step), weight.shape, axis), step)


def prove_unsaturated(model: ModelProto) -> float:
    """Return the largest |sum of two products| that any input can cause in a model in 8 bits.

    Raises:
        ParityError: it does not fit 16 bits.
    """
    integers = {
        node.output[0]: node.input[0]
        for node in model.graph.node
        if node.op_type == "DequantizeLinear"
    }
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    worst = 0.0
    for node in model.graph.node:
        if node.op_type in {"Conv", "MatMul"} and integers.get(node.input[1]) in values:
            name = integers[node.input[1]]
            pairs = _pair_sums(_reduced(values[name], int(node.op_type == "MatMul")))
            worst = max(worst, _ACTIVATION_MAX * float(np.abs(pairs).max()))
    if worst > PAIR_SUM_MAX:
        raise ParityError(
            f"the variant in 8 bits: two products can reach {worst:.0f}; expected at most "
            f"{PAIR_SUM_MAX}, which no processor clips; no bundle was written"
        )
    return worst


def _fitting(rows: Floats, step: Floats) -> NDArray[np.int64]:
    """Return rows in steps, with both weights of a pair reduced where their sum is too large."""
    integers = np.rint(rows / step[:, None]).clip(-_WEIGHT_MAX, _WEIGHT_MAX).astype(np.int64)
    pairs = _in_pairs(integers)
    beyond = (np.abs(pairs.sum(2)) - _PAIR_MAX).clip(0) * (pairs.prod(2) > 0)
    half = beyond // 2
    reduction = np.stack([half, beyond - half], 2)
    fitting: NDArray[np.int64] = pairs - np.sign(pairs) * reduction
    return fitting.reshape(len(rows), -1)[:, : rows.shape[1]]


def _pair_sums(rows: NDArray[np.generic]) -> NDArray[np.int64]:
    """Return, for each pair, the sums of its positive and of its negative weights."""
    pairs = _in_pairs(rows.astype(np.int64))
    return np.stack([pairs.clip(0).sum(2), pairs.clip(None, 0).sum(2)])


def _in_pairs(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    even = np.pad(rows, ((0, 0), (0, rows.shape[1] % 2)))
    return even.reshape(len(rows), -1, 2)


def _reduced(weight: NDArray[np.float32], axis: int) -> Floats:
    """Return a weight as (channels, values) in the order in which kernels add its products."""
    return np.moveaxis(np.moveaxis(weight, axis, 0), 1, -1).reshape(weight.shape[axis], -1)


def _restored(rows: NDArray[np.int64], shape: tuple[int, ...], axis: int) -> Integers:
    """Return rows in the order of a weight."""
    channels, inputs, *kernel = (shape[axis], *np.delete(shape, axis))
    values = np.moveaxis(rows.reshape(channels, *kernel, inputs), -1, 1)
    return np.moveaxis(values, 0, axis).astype(np.int8)
