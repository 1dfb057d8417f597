"""Count the multiply-accumulates of an operator from the shapes that it ran on."""

import math
from collections.abc import Sequence

Shapes = Sequence[Sequence[int]]

INTEGER = frozenset({
    "ConvInteger", "DynamicQuantizeMatMul", "MatMulInteger", "MatMulIntegerToFloat", "QGemm",
    "QLinearConv", "QLinearMatMul",
})  # fmt: skip
"""Operators whose arithmetic is that of integers."""

_CONVOLUTIONS = {"Conv": 1, "ConvInteger": 1, "QLinearConv": 3}
"""Which input the weights are."""

_GEMMS = {"Gemm": 1, "QGemm": 3}
"""Which input the weights are."""

_PRODUCTS = frozenset({
    "DynamicQuantizeMatMul", "MatMul", "MatMulInteger", "MatMulIntegerToFloat", "QLinearMatMul",
})  # fmt: skip


def macs(op: str, inputs: Shapes, outputs: Shapes) -> int:
    """Return multiply-accumulates of convolutions and matrix products; 0 for everything else.

    Args:
        op: as onnxruntime names it, without the prefix of its fused forms.
        inputs: shapes of the inputs in order.
        outputs: shapes of the outputs in order.
    """
    if op in _CONVOLUTIONS:
        return math.prod(outputs[0]) * math.prod(inputs[_CONVOLUTIONS[op]][1:])
    if op == "ConvTranspose":
        return math.prod(inputs[0]) * math.prod(inputs[1][1:])
    if op in _PRODUCTS:
        return math.prod(outputs[0]) * inputs[0][-1]
    if op in _GEMMS:  # either input may be transposed: (m k) (k n) (m n) is a square
        weights = math.prod(inputs[_GEMMS[op]])
        return math.isqrt(math.prod(inputs[0]) * weights * math.prod(outputs[0]))
    return 0
