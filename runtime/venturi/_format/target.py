"""Find the quality that meets a target in few passes, each of which costs an encoding."""

from collections.abc import Callable, Sequence

PASSES = 8

Point = tuple[int, float]


def largest(
    gap: Callable[[int], float], low: int, high: int, *, slope: float, close: float
) -> int | None:
    """Return the largest position found whose gap is not positive; None if there is none.

    Secants, with a bisection where they creep; at most ``PASSES`` + 1 evaluations.

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
    """Aim a little past the target from one side, so that the next point is on the other."""
    place, gap = points[-1]
    if len(points) > 1:
        slope = (gap - points[-2][1]) / (place - points[-2][0]) or slope
    step = max(1, round((abs(gap) + close) / abs(slope) * 1.2))
    return place - step if gap > 0 else place + step
