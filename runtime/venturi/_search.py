"""Find the quality that meets a target in few passes, each of which costs an encoding."""

from collections.abc import Callable

PASSES = 8


def largest(
    gap: Callable[[int], float], low: int, high: int, *, slope: float, close: float
) -> int | None:
    """Return the largest position found whose gap is not positive; None if there is none.

    False position on a gap that grows with the position, at most ``PASSES`` + 1 evaluations.

    Args:
        gap: how far beyond the target a position is, negative where it is met.
        low: the first position.
        high: the last position.
        slope: a guess of the gap's growth from one position to the next.
        close: a gap in [-close, 0] is good enough.
    """
    below: tuple[int, float] | None = None
    above: tuple[int, float] | None = None
    place = (low + high) // 2
    for _ in range(PASSES):
        found = gap(place)
        if found <= 0:
            below = place, found
        else:
            above = place, found
        done = -close <= found <= 0 or place == (high if found <= 0 else low)
        if done or (below and above and above[0] - below[0] <= 1):
            break
        place = _next(below, above, low, high, slope, close)
    if below is None and above is not None and above[0] > low:
        below = (low, 0.0) if gap(low) <= 0 else None
    return below[0] if below else None


def _next(
    below: tuple[int, float] | None,
    above: tuple[int, float] | None,
    low: int,
    high: int,
    slope: float,
    close: float,
) -> int:
    """Aim a little below the target: by the guess of the slope, or between the two sides."""
    if below and above:
        span = above[0] - below[0]
        share = (-below[1] - close / 2) / (above[1] - below[1])
        step = round(span * min(max(share, 0.05), 0.95))
        return below[0] + min(max(step, 1), span - 1)
    if below:
        return min(high, below[0] + max(1, round(-below[1] / slope)))
    assert above
    return max(low, above[0] - max(1, round((above[1] + close) / slope)))
