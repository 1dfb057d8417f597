"""Compare the exported file, loaded and optimised as users load it, with the PyTorch model."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[Any]

_PIXEL_TOLERANCE = 0.51
"""Levels between a pixel and PyTorch's value before rounding, which alone accounts for 0.5."""

_BORDER_TOLERANCE = 4.0
"""The same for the 8-bit form before rounding, which computes borders differently."""


class ParityError(Exception):
    """The exported file does not compute what the model computes."""


def run_file(path: Path, inputs: Mapping[str, Array]) -> list[Array]:
    """Run an ONNX file on the CPU with all optimisations."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return list(session.run(None, dict(inputs)))


@torch.no_grad()
def largest_difference(
    path: Path,
    names: Sequence[str],
    module: Callable[..., Tensor | tuple[Tensor, ...]],
    cases: Sequence[Sequence[Tensor]],
    *,
    relative_to: Literal["value", "tensor"] = "value",
) -> float:
    """Return the largest |ONNX − PyTorch| over all cases and outputs, relative above 1.

    A difference is divided by max(1, m), where m is the magnitude of the value or the largest
    magnitude of its tensor. The latter is for sums of large values that cancel out and keep their
    rounding errors. With a module and cases in float64, the reference has no rounding errors; the
    file always gets float32.
    """
    worst = 0.0
    for case in cases:
        reference = module(*case)
        reference = reference if isinstance(reference, tuple) else (reference,)
        exported = run_file(path, {n: x.float().numpy() for n, x in zip(names, case, strict=True)})
        for one, two in zip(exported, reference, strict=True):
            worst = max(worst, difference(path, one, two.numpy(), relative_to=relative_to))
    return worst


def difference(
    path: Path,
    exported: Array,
    reference: Array,
    *,
    relative_to: Literal["value", "tensor"] = "value",
) -> float:
    """Return the difference of one output from PyTorch's: see :func:`largest_difference`."""
    reference_values = reference.astype(np.float64)
    magnitude = np.abs(reference_values)
    scale = np.maximum(1, magnitude.max() if relative_to == "tensor" else magnitude)
    return float((_distance(path, exported, reference_values) / scale).max())


def pixel_difference(path: Path, pixels: Array, reference: Tensor) -> float:
    """Return the largest |pixel − PyTorch| in levels; rounding alone gives 0.5.

    Args:
        path: of the file, for the message.
        pixels: uint8 (H, W, 3), as the file gave them.
        reference: float32 (1, 3, H, W), 1 for the level 255; clipped to [0, 1].
    """
    levels = 255 * reference[0].permute(1, 2, 0).double().clamp(0, 1).numpy()
    return float(_distance(path, pixels, levels).max())


def _distance(path: Path, exported: Array, reference: NDArray[np.float64]) -> NDArray[np.float64]:
    if exported.shape != reference.shape:
        raise ParityError(f"{path.name}: shape {exported.shape}; expected {reference.shape}")
    distance: NDArray[np.float64] = np.abs(exported.astype(np.float64) - reference)
    return distance


def require(path: Path, error: float, tolerance: float) -> None:
    """Raise :class:`ParityError` when an error is beyond its tolerance."""
    if not error <= tolerance:
        raise ParityError(
            f"{path.name} differs from PyTorch by {error:.3g}; expected at most {tolerance:.3g}; "
            "no bundle was written"
        )


def require_pixels(path: Path, levels: float, *, for_int8: bool) -> None:
    """Raise :class:`ParityError` when pixels are too far off, by as many levels."""
    require(path, levels, _BORDER_TOLERANCE if for_int8 else _PIXEL_TOLERANCE)
