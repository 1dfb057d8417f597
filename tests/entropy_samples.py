"""Tables and symbols that the tests of the entropy coder share."""

import math

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from venturi._entropy.payload import Segment
from venturi._format.tables import Tables

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For machines that do other work as well: how long an example takes is no error."""

SCALES = np.geomspace(0.12, 60, 24)


def gaussian(scale: float) -> list[int]:
    """Frequencies of a rounded Gaussian; none where nearly everything is 0."""
    if scale < 0.16:
        return []
    radius = math.ceil(4 * scale)
    edges = (np.arange(-radius, radius + 2) - 0.5) / (scale * math.sqrt(2))
    share = np.diff([math.erf(edge) for edge in edges]) / 2
    row = np.append(1 + np.floor(share * (2**16 - 2 * radius - 2)).astype(int), 1)
    row[radius] += 2**16 - row.sum()
    return [int(frequency) for frequency in row]


GAUSSIANS = Tables.from_lists([gaussian(scale) for scale in SCALES], [[1, 2], [3, 4]])
TINY = Tables.from_lists([[], [16384, 32768, 16383, 1], [1, 65533, 1, 1]], [[1, 0]])


def gaussian_segments(sizes: list[int], seed: int, middle: float = 6) -> list[Segment]:
    """Draw segments of symbols that follow the tables of GAUSSIANS."""
    random = np.random.default_rng(seed)
    segments = []
    for size in sizes:
        index = np.clip(np.rint(random.normal(middle, 4, size)), 0, 23).astype(np.uint8)
        symbols = np.rint(random.normal(0, 1, size) * SCALES[index]).astype(np.int32)
        symbols[GAUSSIANS.radius[index] == 0] = 0
        segments.append((symbols, index))
    return segments


def ideal_bytes(segments: list[Segment], tables: Tables) -> float:
    """What the symbols cost by the tables alone; they must need no escapes."""
    bits = 0.0
    for symbols, index in segments:
        coded = tables.radius[index] > 0
        entry = (tables.first_entry[index] + symbols + tables.radius[index])[coded]
        bits += float((16 - np.log2(tables.frequency[entry])).sum())
    return bits / 8


_EMPTY = np.empty(0, np.int64)
INT32 = st.integers(-(2**31), 2**31 - 1)


@st.composite
def tables(draw: st.DrawFn) -> Tables:
    """Any tables: empty ones, steep ones, and radii up to 40."""
    rows: list[NDArray[np.int64]] = []
    for _ in range(draw(st.integers(1, 5))):
        radius = draw(st.integers(0, 40))
        random = np.random.default_rng(draw(st.integers(0, 2**32)))
        rows.append(_row(random.integers(0, 99, 2 * radius + 2)) if radius else _EMPTY)
    return Tables.from_lists(rows, [[draw(st.integers(0, len(rows) - 1))]])


def _row(weights: NDArray[np.int64]) -> NDArray[np.int64]:
    share = weights**4
    row: NDArray[np.int64] = 1 + share * (2**16 - share.size) // max(1, share.sum())
    row[0] += 2**16 - row.sum()
    return row


@st.composite
def segments(draw: st.DrawFn, of: Tables) -> list[Segment]:
    """Up to four segments, of symbols likely and unlikely."""
    found = []
    for _ in range(draw(st.integers(0, 4))):
        random = np.random.default_rng(draw(st.integers(0, 2**32)))
        size = draw(st.integers(0, 400))
        index = random.integers(0, len(of.radius), size).astype(np.uint8)
        symbols = random.integers(-44, 45, size).astype(np.int32)
        for place, value in draw(st.dictionaries(st.integers(0, 399), INT32, max_size=4)).items():
            symbols[place:][:1] = value
        symbols[of.radius[index] == 0] = 0
        found.append((symbols, index))
    return found
