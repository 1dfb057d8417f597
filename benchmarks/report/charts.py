"""The plots that only the report has: quality against time, latency distributions, the roofline."""

from collections.abc import Mapping, Sequence

from benchmarks import plot
from benchmarks.plot import AREA, BOTTOM, LEFT, RIGHT, TOP, WIDTH, Axis

BINS = 72
STRIP = 56
"""Height of one distribution, in pixels."""


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
        dashes = 'style="stroke:var(--soft,#666)" stroke-width="2" stroke-dasharray="6 4"'
        parts.append(f'<path d="M{LEFT} {at}H{WIDTH - RIGHT}" {dashes}/>')
        words = f"{name}: {peak:.0f} GMAC/s"
        parts.append(plot.text(LEFT + 6, at - 6, words, "start", kind="soft"))
    for index, (name, (work, reached)) in enumerate(points.items()):
        about = f"{name}: {work:.3g} kMAC per pixel, {reached:.4g} GMAC/s"
        parts.append(plot.dot(x.x(work), y.y(reached), index, about, radius=6))
    under, height = plot.legend(list(points), AREA + TOP + BOTTOM)
    return plot.frame(title, "".join(parts) + under, height)
