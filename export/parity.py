"""Compare the exported file, reloaded and optimised as for users, with the PyTorch model."""

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
"""The same of what is to be rounded, for the sake of its border; it loses about as much then."""


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
    rounding errors. A module and cases in float64 give a reference without rounding errors of its
    own; the file gets float32 in any case.
    """
    worst = 0.0
    for case in cases:
        wanted = module(*case)
        wanted = wanted if isinstance(wanted, tuple) else (wanted,)
        found = run_file(path, {n: x.float().numpy() for n, x in zip(names, case, strict=True)})
        for one, two in zip(found, wanted, strict=True):
            worst = max(worst, difference(path, one, two.numpy(), relative_to=relative_to))
    return worst


def difference(
    path: Path, found: Array, wanted: Array, *, relative_to: Literal["value", "tensor"] = "value"
) -> float:
    """Return the difference of one output from PyTorch's: see :func:`largest_difference`."""
    reference = wanted.astype(np.float64)
    magnitude = np.abs(reference)
    scale = np.maximum(1, magnitude.max() if relative_to == "tensor" else magnitude)
    return float((_distance(path, found, reference) / scale).max())


def pixel_difference(path: Path, pixels: Array, wanted: Tensor) -> float:
    """Return the largest |pixel − PyTorch| in levels; rounding alone gives 0.5.

    Args:
        path: of the file, for the message.
        pixels: uint8 (H, W, 3), as the file gave them.
        wanted: float32 (1, 3, H, W), 1 for the level 255; what goes beyond [0, 1] is clipped.
    """
    levels = 255 * wanted[0].permute(1, 2, 0).double().clamp(0, 1).numpy()
    return float(_distance(path, pixels, levels).max())


def _distance(path: Path, found: Array, wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    if found.shape != wanted.shape:
        raise ParityError(f"{path.name}: shape {found.shape}; expected {wanted.shape}")
    distance: NDArray[np.float64] = np.abs(found.astype(np.float64) - wanted)
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
