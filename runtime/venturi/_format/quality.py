"""The quality knob: what people turn, what streams carry and what graphs take.

People give 1 to 100. A stream carries its level, the same in 1/256, so every decoder works out the
same numbers from it.
"""

import numpy as np

from venturi._engine.arrays import Planes
from venturi._engine.checks import real
from venturi.errors import InputError

MIN, MAX, DEFAULT = 1, 100, 50.0
SCALE = 256
LOWEST, HIGHEST = MIN * SCALE, MAX * SCALE


def to_level(quality: float) -> int:
    """Return a quality in 1/256, as streams carry it.

    Raises:
        InputError: it is not between 1 and 100.
    """
    value = real("quality", quality)
    if not MIN <= value <= MAX:
        raise InputError(f"quality is {quality!r}; expected {MIN} to {MAX}; 50 is a good start")
    return round(value * SCALE)


def to_byte(level: int) -> int:
    """Return what the entropy network takes for a quality in 1/256: 0 to 255."""
    return (level - LOWEST) * 255 // (HIGHEST - LOWEST)


def to_input(level: int) -> Planes:
    """Return what encoder and decoder take for a quality in 1/256: float32 (1,) in [0, 1]."""
    return np.array([(level / SCALE - MIN) / (MAX - MIN)], "f4")
