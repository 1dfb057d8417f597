"""Find the quality that meets a size or a fidelity in few passes, each of which is an encoding."""

import math
from collections.abc import Callable, Sequence

from venturi._engine.checks import integer, real
from venturi._format.quality import HIGHEST, LOWEST
from venturi._layout import QUALITY_SCALE
from venturi.errors import InputError

PASSES = 8

_LOSSLESS_DB = 100.0  # stands for the PSNR of a lossless picture, which is infinite

Point = tuple[int, float]


def within_bytes(compress: Callable[[int], bytes], max_bytes: int) -> bytes:
    """Return the container of the best quality that is not longer than ``max_bytes``.

    Args:
        compress: from a quality in 1/256 to a container.
        max_bytes: at least 1.

    Raises:
        InputError: the lowest quality takes more.
    """
    budget = integer("max_bytes", max_bytes)
    if budget < 1:
        raise InputError(f"max_bytes is {budget}; expected at least 1; raise it")
    tried: dict[int, bytes] = {}

    def gap(level: int) -> float:
        tried[level] = compress(level)
        return math.log(len(tried[level])) - math.log(budget)

    level = largest(gap, LOWEST, HIGHEST, slope=0.035 / QUALITY_SCALE, close=0.01)
    if level is None:
        least = min(len(data) for data in tried.values())
        raise InputError(
            f"max_bytes is {budget}; expected at least {least}, what this picture takes at "
            "quality 1; raise it or make the picture smaller"
        )
    return tried[level]


def reaching_psnr(compress: Callable[[int], tuple[bytes, float]], min_psnr_db: float) -> bytes:
    """Return the container of the lowest quality whose picture is close enough.

    Args:
        compress: from a quality in 1/256 to a container and the PSNR of its picture in dB.
        min_psnr_db: in dB.

    Raises:
        InputError: the highest quality does not reach it.
    """
    goal = real("min_psnr_db", min_psnr_db)
    tried: dict[int, tuple[bytes, float]] = {}

    def gap(place: int) -> float:  # places run from the best quality down
        tried[place] = compress(LOWEST + HIGHEST - place)
        return min(max(goal - tried[place][1], -_LOSSLESS_DB), _LOSSLESS_DB)

    place = largest(gap, LOWEST, HIGHEST, slope=0.15 / QUALITY_SCALE, close=0.05)
    if place is None:
        best = max(psnr_db for _, psnr_db in tried.values())
        raise InputError(
            f"min_psnr_db is {goal}; expected at most {best:.2f}, what this picture reaches "
            "at quality 100; lower it"
        )
    return tried[place][0]


def largest(
    gap: Callable[[int], float], low: int, high: int, *, slope: float, close: float
) -> int | None:
    """Return the largest position tried whose gap is not positive; None if there is none.

    The secant method, with bisection where it converges slowly; at most ``PASSES`` + 1 evaluations.

    Args:
        gap: how far beyond the target a position is, negative where it is met; grows with the
            position.
        low: the first position.
        high: the last position.
        slope: a guess of the gap's growth from one position to the next.
        close: a gap in [-close, 0] is good enough.
    """
    points: list[Point] = []
    while len(points) < PASSES and not _is_done(points, low, high, close):
        place = min(max(_next(points, low, high, slope, close), low), high)
        points.append((place, gap(place)))
    below, above = _sides(points)
    if below is None and above and above[0] > low and gap(low) <= 0:
        return low
    return below[0] if below else None


def _sides(points: Sequence[Point]) -> tuple[Point | None, Point | None]:
    """Return the last point that meets the target and the first one that does not."""
    below = max((point for point in points if point[1] <= 0), default=None)
    above = min((point for point in points if point[1] > 0), default=None)
    return below, above


def _is_done(points: Sequence[Point], low: int, high: int, close: float) -> bool:
    below, above = _sides(points)
    if below and (below[1] >= -close or below[0] == high):
        return True
    if above and above[0] == low:
        return True
    return bool(below and above and above[0] - below[0] <= 1)


def _next(points: Sequence[Point], low: int, high: int, slope: float, close: float) -> int:
    if not points:
        return (low + high) // 2
    below, above = _sides(points)
    if not (below and above):
        return _beyond(points, slope, close)
    span = above[0] - below[0]
    if len(points) > 2 and (points[-1][1] > 0) == (points[-2][1] > 0):
        return below[0] + span // 2
    share = (-below[1] - close / 2) / (above[1] - below[1])
    return below[0] + min(max(round(span * min(max(share, 0.05), 0.95)), 1), span - 1)


def _beyond(points: Sequence[Point], slope: float, close: float) -> int:
    """Aim slightly beyond the target, so that the next point is on its other side."""
    place, gap = points[-1]
    if len(points) > 1:
        slope = (gap - points[-2][1]) / (place - points[-2][0]) or slope
    step = max(1, round((abs(gap) + close) / abs(slope) * 1.2))
    return place - step if gap > 0 else place + step
