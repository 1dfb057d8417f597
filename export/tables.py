"""The frequency tables of the entropy coder: one per scale index, fitted to photographs."""

import math

import numpy as np
from numpy.typing import NDArray

from train.networks.codec import SCALE_COUNT, SCALE_MAX, SCALE_MIN
from venturi._format.tables import Tables
from venturi._layout import PRECISION_BITS

TOTAL = 2**PRECISION_BITS
RADIUS_PER_SCALE = 4.5
SKIP_BELOW = 0.002
PRIOR_COUNT = 2000.0
COUNT_RADIUS = math.ceil(RADIUS_PER_SCALE * SCALE_MAX)


def gaussian(scale: float, radius: int) -> NDArray[np.float64]:
    """Return the probabilities of -radius … radius and of all others, (2 radius + 2,)."""
    edges = (np.arange(-radius, radius + 2) - 0.5) / scale / math.sqrt(2)
    cumulative = np.array([0.5 * math.erfc(-edge) for edge in edges])
    inside = np.diff(cumulative)
    return np.append(inside, max(0.0, 1 - inside.sum()))


def frequencies(probability: NDArray[np.float64]) -> NDArray[np.uint16]:
    """Return integers, each at least 1, that sum to 2^16 and follow the probabilities."""
    floor = np.ones(len(probability), np.int64)
    share = probability / probability.sum() * (TOTAL - len(probability))
    whole = np.floor(share).astype(np.int64)
    largest_rest = np.argsort(whole - share, kind="stable")[
        : TOTAL - len(probability) - whole.sum()
    ]
    whole[largest_rest] += 1
    integers: NDArray[np.uint16] = (floor + whole).astype(np.uint16)
    return integers


def scale_tables(counts: NDArray[np.int64] | None) -> list[NDArray[np.uint16]]:
    """Return a table per scale index; empty means "always zero".

    Args:
        counts: int64 (64, 2 COUNT_RADIUS + 1), occurrences of each symbol at each index on
            photographs; the Gaussian counts as 2000 more. None uses the Gaussian alone.
    """
    tables: list[NDArray[np.uint16]] = []
    for index in range(SCALE_COUNT):
        scale = SCALE_MIN * (SCALE_MAX / SCALE_MIN) ** (index / (SCALE_COUNT - 1))
        radius = max(1, math.ceil(RADIUS_PER_SCALE * scale))
        probability = gaussian(scale, radius)
        if 1 - probability[radius] < SKIP_BELOW:
            tables.append(np.empty(0, np.uint16))
            continue
        tables.append(frequencies(_blend(probability, radius, counts, index)))
    return tables


def _blend(
    prior: NDArray[np.float64], radius: int, counts: NDArray[np.int64] | None, index: int
) -> NDArray[np.float64]:
    if counts is None:
        return prior
    row = (counts[index] + counts[index, ::-1]).astype(np.float64)
    middle = len(row) // 2
    inside = row[middle - radius : middle + radius + 1]
    occurrences = np.append(inside, row.sum() - inside.sum())
    return occurrences + PRIOR_COUNT * prior


def build(counts: NDArray[np.int64] | None, hyper_index: NDArray[np.uint8]) -> Tables:
    """Return the codec's tables."""
    return Tables(tuple(scale_tables(counts)), hyper_index)
