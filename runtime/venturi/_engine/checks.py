"""Check numbers that callers pass."""

import math
import operator

from venturi.errors import InputError


def integer(name: str, value: int) -> int:
    """Return an argument as an int, or raise InputError."""
    try:
        return operator.index(value)
    except TypeError as error:
        raise InputError(f"{name} has {value!r}; expected an integer; round it") from error


def real(name: str, value: float) -> float:
    """Return an argument as a finite float, or raise InputError."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{name} is {value!r}; expected a number; convert it") from error
    if not math.isfinite(number):
        raise InputError(f"{name} is {number}; expected a finite number; choose one")
    return number
