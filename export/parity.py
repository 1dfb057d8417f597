"""Compare the file that ships, reloaded and optimised as users get it, with the PyTorch model."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.generic]


class ParityError(Exception):
    """The exported file computes something else than the model it was made from."""


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

    A difference is divided by max(1, m), m being the magnitude of the value itself or the largest
    one of its tensor. The second is for values that are sums of large ones: what cancels out leaves
    the rounding of what was there before. A module and cases in float64 give the reference without
    its own rounding; the file gets float32 all the same.
    """
    worst = 0.0
    for case in cases:
        wanted = module(*case)
        wanted = wanted if isinstance(wanted, tuple) else (wanted,)
        found = run_file(path, {n: x.float().numpy() for n, x in zip(names, case, strict=True)})
        for one, two in zip(found, wanted, strict=True):
            reference = two.numpy().astype(np.float64)
            if one.shape != reference.shape:
                raise ParityError(f"{path.name}: shape {one.shape}; expected {reference.shape}")
            magnitude = np.abs(reference)
            scale = np.maximum(1, magnitude.max() if relative_to == "tensor" else magnitude)
            error = np.abs(one.astype(np.float64) - reference) / scale
            worst = max(worst, float(error.max()))
    return worst


def require(path: Path, error: float, tolerance: float) -> None:
    """Raise :class:`ParityError` when an error is beyond its tolerance."""
    if not error <= tolerance:
        raise ParityError(
            f"{path.name} differs from PyTorch by {error:.3g}; expected at most {tolerance:.3g}; "
            "no bundle was written"
        )
