"""The error between a picture and its reconstruction, both in [0, 1]."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Error = dict[str, float | None]
Pair = tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]


def error(pairs: Iterable[Pair]) -> Error:
    """Return ``mse``, ``psnr_db`` (None if nothing is lost) and ``max_abs`` over all pairs.

    Args:
        pairs: pictures in [0, 1] of the same shape: the original and its reconstruction.
    """
    total, count, largest = 0.0, 0, 0.0
    for clean, back in pairs:
        difference = np.abs(back.astype(np.float64) - clean)
        total += float(np.square(difference).sum())
        count += difference.size
        largest = max(largest, float(difference.max()))
    mse = total / count
    psnr_db = round(-10 * math.log10(mse), 4) if mse else None
    return {"mse": float(f"{mse:.6g}"), "psnr_db": psnr_db, "max_abs": round(largest, 6)}


def unit(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return uint8 pixels in [0, 1]."""
    return image.astype(np.float32) / np.float32(255)
