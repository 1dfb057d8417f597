"""The scale of qualities: for people, in containers, and as an input of graphs.

People give 1 to 100. A container stores the level, the same in 1/256, so that every decoder derives
the same numbers from it.
"""

import numpy as np

from venturi._engine.arrays import Planes
from venturi._engine.checks import real
from venturi._layout import QUALITY_MAX, QUALITY_MIN, QUALITY_SCALE
from venturi.errors import InputError

DEFAULT = 50.0
LOWEST, HIGHEST = QUALITY_MIN * QUALITY_SCALE, QUALITY_MAX * QUALITY_SCALE


def to_level(quality: float) -> int:
    """Return a quality in 1/256, as containers store it.

    Raises:
        InputError: it is not between 1 and 100.
    """
    value = real("quality", quality)
    if not QUALITY_MIN <= value <= QUALITY_MAX:
        raise InputError(
            f"quality is {quality!r}; expected {QUALITY_MIN} to {QUALITY_MAX}; 50 is a good start"
        )
    return round(value * QUALITY_SCALE)


def to_byte(level: int) -> int:
    """Return what the entropy network takes for a quality in 1/256: 0 to 255."""
    return (level - LOWEST) * 255 // (HIGHEST - LOWEST)


def to_input(level: int) -> Planes:
    """Return what encoder and decoder take for a quality in 1/256: float32 (1,) in [0, 1]."""
    quality = level / QUALITY_SCALE
    return np.array([(quality - QUALITY_MIN) / (QUALITY_MAX - QUALITY_MIN)], np.float32)
