"""The plots that only the report has: quality against time, distributions, bars, the roofline."""

import html
from collections.abc import Mapping, Sequence

from benchmarks import plot
from benchmarks.plot import AREA, BOTTOM, LEFT, RIGHT, TOP, WIDTH, Axis

BINS = 72
_DASHES = 'style="stroke:var(--soft,#666)" stroke-width="2" stroke-dasharray="6 4"'
STRIP = 56
"""Height of one distribution, in pixels."""

BAR = 17
"""Height of one bar, in pixels; the words above it have as much."""


def scatter(
    points: Mapping[str, plot.Point], *, title: str, x: str, y: str, hint: str = "better: up, left"
) -> str:
    """Return an SVG of one dot for each name, over a logarithmic time.

    points: by name, (time, quality). x, y: titles of the axes. hint: which side is better.
    """
    shown = {name: point for name, point in points.items() if point[0] > 0}
    if not shown:
        return plot.frame(title, "", AREA)
    across = plot.logarithmic(x, (time for time, _ in shown.values()))
    up = plot.linear(y, (quality for _, quality in shown.values()))
    dots = [
        plot.dot(
            across.x(time),
            up.y(quality),
            index,
            f"{name}: {time:.3g} {x}, {quality:.4g} {y}",
            radius=7 if index == 0 else 5,
        )
        for index, (name, (time, quality)) in enumerate(shown.items())
    ]
    under, height = plot.legend(list(shown), AREA + TOP + BOTTOM)
    return plot.frame(title, plot.axes(across, up) + "".join(dots) + under, height, hint=hint)


def distributions(
    samples: Mapping[str, Sequence[float]],
    marks: Mapping[str, Mapping[str, float]],
    *,
    title: str,
) -> str:
    """Return an SVG of a histogram for each name, one below the other, on one axis of time.

    samples: by name, latencies in ms. marks: by name, percentiles to point at, such as `p50`.
    """
    shown = {name: sorted(values) for name, values in samples.items() if values}
    if not shown:
        return plot.frame(title, "", AREA)
    axis = plot.logarithmic("ms", (s for values in shown.values() for s in (values[0], values[-1])))
    parts = [
        _distribution(name, values, marks.get(name, {}), axis, TOP + 8 + STRIP * number)
        for number, (name, values) in enumerate(shown.items())
    ]
    bottom = TOP + 8 + STRIP * len(shown)
    for tick in axis.ticks:
        at = axis.x(tick)
        parts.insert(0, f'<path class="grid" d="M{at} {TOP}V{bottom}"/>')
        parts.append(plot.text(at, bottom + 17, plot.number(tick), "middle", kind="soft"))
    parts.append(plot.text(WIDTH - RIGHT, bottom + 34, "ms", "end", kind="soft"))
    return plot.frame(title, "".join(parts), bottom + BOTTOM)


def _distribution(
    name: str, values: Sequence[float], marks: Mapping[str, float], axis: Axis, top: float
) -> str:
    counts = [0] * BINS
    for value in values:
        counts[min(int(axis.place(value) * BINS), BINS - 1)] += 1
    width, base = (WIDTH - LEFT - RIGHT) / BINS, top + STRIP - 10
    bars = "".join(
        f"M{LEFT + n * width:.1f} {base}v{-(4 + 20 * count / max(counts)):.1f}h{width:.1f}V{base}z"
        for n, count in enumerate(counts)
        if count
    )
    said = " · ".join(f"{mark} {value:.4g}" for mark, value in marks.items()) + " ms"
    parts = [
        f'<path d="M{LEFT} {base}H{WIDTH - RIGHT}" class="grid"/>',
        f'<path d="{bars}" style="fill:{plot.colour(0)}" fill-opacity=".75"><title>'
        f"{len(values)} samples, {values[0]:.4g} to {values[-1]:.4g} ms</title></path>",
        plot.text(10, top + 13, f"{name}: {said}" if marks else name, "start", kind="soft"),
    ]
    for value in marks.values():
        at = axis.x(value)
        mark = f'd="M{at} {base + 3}V{base - 25}" style="stroke:{plot.colour(1)}" stroke-width="2"'
        parts.append(f"<path {mark}/>")
    return "".join(parts)


def bars(
    values: Mapping[str, Mapping[str, float]],
    *,
    title: str,
    unit: str,
    limit: tuple[str, float] | None = None,
) -> str:
    """Return an SVG of bars from 0 to the right, in groups with a name above each.

    values: by group, then by series, each of which has a colour. limit: name and value of a line
    that bars should not cross.
    """
    numbers = [value for group in values.values() for value in group.values()]
    if not numbers:
        return plot.frame(title, "", AREA)
    # The longest bar leaves room for its number.
    axis = plot.linear(unit, [0, 1.12 * max(numbers), *([limit[1]] if limit else ())])
    series = list(dict.fromkeys(name for group in values.values() for name in group))
    parts, top = [], TOP + 8.0
    for name, group in values.items():
        parts.append(plot.text(LEFT, top + 12, name, "start", kind="soft"))
        for number, (kind, value) in enumerate(group.items(), 1):
            about = f"{name}, {kind}: {value:.4g} {unit}"
            parts.append(_bar(axis.x(value), top + number * BAR, value, series.index(kind), about))
        top += (1.4 + len(group)) * BAR
    for tick in axis.ticks:
        at = axis.x(tick)
        parts.insert(0, f'<path class="grid" d="M{at} {TOP}V{top}"/>')
        parts.append(plot.text(at, top + 17, plot.number(tick), "middle", kind="soft"))
    if limit:
        parts.append(_limit(*limit, axis.x(limit[1]), top))
    parts.append(plot.text(WIDTH - RIGHT, top + 34, unit, "end", kind="soft"))
    under, height = plot.legend(series, top + BOTTOM) if len(series) > 1 else ("", top + BOTTOM)
    return plot.frame(title, "".join(parts) + under, height)


def _bar(right: float, top: float, value: float, index: int, about: str) -> str:
    shape = f"M{LEFT} {top}H{max(right, LEFT + 1)}v{BAR - 4}H{LEFT}z"
    return (
        f'<path d="{shape}" style="fill:{plot.colour(index)}"><title>{html.escape(about)}</title>'
        f"</path>{plot.text(right + 5, top + 11, _short(value), 'start', kind='soft')}"
    )


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _limit(name: str, value: float, at: float, bottom: float) -> str:
    line = f'<path d="M{at} {TOP}V{bottom}" {_DASHES}/>'
    return line + plot.text(at - 6, TOP + 12, f"{name}: {value:g}", "end", kind="soft")


def lines(curves: Mapping[str, plot.Curve], *, title: str, x: str, y: str) -> str:
    """Return an SVG of curves over linear axes. curves: by name; the first is drawn thicker."""
    points = [point for curve in curves.values() for point in curve]
    if not points:
        return ""
    across = plot.linear(x, (place for place, _ in points))
    up = plot.linear(y, (value for _, value in points))
    drawn = [
        plot.line(name, curve, across, up, index)
        for index, (name, curve) in enumerate(curves.items())
    ]
    under, height = plot.legend(list(curves), AREA + TOP + BOTTOM)
    return plot.frame(title, plot.axes(across, up) + "".join(drawn) + under, height)


def roofline(points: Mapping[str, plot.Point], peaks: Mapping[str, float], *, title: str) -> str:
    """Return an SVG of what graphs reach, over their arithmetic, below what the machine can do.

    points: by name, (kMAC per pixel, GMAC/s). peaks: by name, GMAC/s of a matrix product.
    """
    if not points:
        return plot.frame(title, "", AREA)
    x = plot.logarithmic("kMAC per pixel", (work for work, _ in points.values()))
    y = plot.logarithmic("GMAC/s", [*(reached for _, reached in points.values()), *peaks.values()])
    parts = [plot.axes(x, y)]
    for name, peak in peaks.items():
        at = y.y(peak)
        parts.append(f'<path d="M{LEFT} {at}H{WIDTH - RIGHT}" {_DASHES}/>')
        words = f"{name}: {peak:.0f} GMAC/s"
        parts.append(plot.text(LEFT + 6, at - 6, words, "start", kind="soft"))
    for index, (name, (work, reached)) in enumerate(points.items()):
        about = f"{name}: {work:.3g} kMAC per pixel, {reached:.4g} GMAC/s"
        parts.append(plot.dot(x.x(work), y.y(reached), index, about, radius=6))
    under, height = plot.legend(list(points), AREA + TOP + BOTTOM)
    return plot.frame(title, "".join(parts) + under, height)
