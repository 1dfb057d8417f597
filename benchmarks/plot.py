"""Plots drawn as SVG: a file of its own, or inside a page, whose colours and font they take then.

Colours are CSS variables with a fallback (`var(--ink, #222)`), so that a dark page can set them.
"""

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

Point = tuple[float, float]
Curve = Sequence[Point]

COLOURS = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00",
    "#56b4e9", "#7a4fbf", "#777777", "#b2243c",
)  # fmt: skip
"""Of the curves; Okabe and Ito's first, which the colour-blind tell apart."""

WIDTH = 460
LEFT, RIGHT, TOP, BOTTOM = 58, 20, 34, 44
AREA = 262
"""Height of the area with the curves, in pixels."""

_LINE = 19
_STYLE = (
    "svg.plot text{font:13px system-ui,sans-serif;fill:var(--ink,#222)}"
    "svg.plot text.soft{fill:var(--soft,#666)}svg.plot text.title{font-size:14px;font-weight:600}"
    "svg.plot .grid{stroke:var(--line,#ddd);stroke-width:1}svg.plot .paper{fill:var(--card,#fff)}"
    "svg.plot .mark{stroke:var(--card,#fff);stroke-width:1}"
)


@dataclass(frozen=True)
class Axis:
    """One axis: what it shows, its ends, its ticks, and whether it is logarithmic."""

    title: str
    low: float
    high: float
    ticks: Sequence[float]
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """Return where a value lies, 0 at the low end and 1 at the high one."""
        if self.logarithmic:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def x(self, value: float) -> float:
        """Return where a value lies from left to right, in pixels."""
        return round(LEFT + self.place(value) * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        """Return where a value lies from top to bottom, in pixels."""
        return round(TOP + (1 - self.place(value)) * AREA, 1)


def logarithmic(title: str, values: Iterable[float]) -> Axis:
    """Return an axis that holds all values, which are above 0, with some room beside them."""
    numbers = list(values)
    low, high = min(numbers) / 1.15, max(numbers) * 1.15
    if high / low < 4:
        low, high = low / 2, high * 2
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if high / low < 2000 else (1,)
    ticks = [step * 10.0**decade for decade in decades for step in steps]
    return Axis(title, low, high, [t for t in ticks if low <= t <= high], logarithmic=True)


def linear(title: str, values: Iterable[float]) -> Axis:
    """Return an axis from a round number below all values to one above, in round steps."""
    numbers = list(values)
    span = max(max(numbers) - min(numbers), abs(numbers[0]) / 20, 1e-6)
    power = 10.0 ** math.floor(math.log10(span / 4))
    step = next(power * factor for factor in (1, 2, 5, 10) if span / (power * factor) <= 6)
    first, last = math.floor(min(numbers) / step), math.ceil(max(numbers) / step)
    ticks = [round(number * step, 10) for number in range(first, max(last, first + 1) + 1)]
    return Axis(title, ticks[0], ticks[-1], ticks)


def rate_distortion(curves: Mapping[str, Curve], *, title: str, quality: str) -> str:
    """Return an SVG of quality in dB over the rate in bits per pixel (logarithmic).

    curves: by name, (bpp, dB) points; the first is drawn thicker.
    """
    shown = {name: [p for p in points if 0.05 <= p[0] <= 4] for name, points in curves.items()}
    shown = {name: sorted(points) for name, points in shown.items() if points}
    if not shown:
        return frame(title, "", AREA)
    points = [point for curve in shown.values() for point in curve]
    x = logarithmic("bits per pixel", (rate for rate, _ in points))
    y = linear(quality, (value for _, value in points))
    lines = [line(name, curve, x, y, n) for n, (name, curve) in enumerate(shown.items())]
    under, height = legend(list(shown), AREA + TOP + BOTTOM)
    return frame(title, axes(x, y) + "".join(lines) + under, height)


def line(name: str, points: Curve, x: Axis, y: Axis, index: int) -> str:
    """Return a curve with a dot at each point. index: of its colour; the first is thicker."""
    places = [(x.x(rate), y.y(value)) for rate, value in points]
    path = "L".join(f"{px} {py}" for px, py in places)
    dots = [
        dot(px, py, index, f"{name}: {rate:.3g} {x.title}, {value:.2f}")
        for (px, py), (rate, value) in zip(places, points, strict=True)
    ]
    width = 3 if index == 0 else 1.6
    stroke = f'style="stroke:{colour(index)}" stroke-width="{width}"'
    return f'<path d="M{path}" fill="none" {stroke}/>{"".join(dots)}'


def axes(x: Axis, y: Axis) -> str:
    """Return the grid, the numbers at it and the titles of two axes."""
    parts = []
    for tick in x.ticks:
        at = x.x(tick)
        parts.append(f'<path class="grid" d="M{at} {TOP}V{TOP + AREA}"/>')
        parts.append(text(at, TOP + AREA + 18, number(tick), "middle", kind="soft"))
    for tick in y.ticks:
        at = y.y(tick)
        parts.append(f'<path class="grid" d="M{LEFT} {at}H{WIDTH - RIGHT}"/>')
        parts.append(text(LEFT - 7, at + 4, number(tick), "end", kind="soft"))
    parts.append(text((LEFT + WIDTH - RIGHT) / 2, TOP + AREA + 36, x.title, "middle", kind="soft"))
    turn = f'transform="translate(13 {TOP + AREA / 2}) rotate(-90)"'
    parts.append(f'<text class="soft" {turn} text-anchor="middle">{html.escape(y.title)}</text>')
    return "".join(parts)


def number(value: float) -> str:
    """Return a number as it stands at an axis."""
    return f"{value:g}".replace("-", "−")


def legend(names: Sequence[str], top: float) -> tuple[str, float]:
    """Return names beside their colours, in two columns, and where it ends, in pixels."""
    columns = 1 if any(len(name) > 25 for name in names) else 2
    parts = []
    for index, name in enumerate(names):
        left = 12 + (index % columns) * (WIDTH - 12) / columns
        at = top + 12 + index // columns * _LINE
        parts.append(
            f'<path d="M{left} {at - 4}h18" style="stroke:{colour(index)}" '
            f'stroke-width="{3.5 if index == 0 else 2}"/>' + text(left + 24, at, name, "start")
        )
    return "".join(parts), top + math.ceil(len(names) / columns) * _LINE + 10


def dot(x: float, y: float, index: int, about: str, *, radius: float = 3) -> str:
    """Return a dot that says what it is when the mouse rests on it."""
    return (
        f'<circle cx="{x}" cy="{y}" r="{radius}" class="mark" style="fill:{colour(index)}">'
        f"<title>{html.escape(about)}</title></circle>"
    )


def colour(index: int) -> str:
    """Return the CSS colour of a curve."""
    number = index % len(COLOURS)
    return f"var(--curve-{number},{COLOURS[number]})"


def text(x: float, y: float, words: str, anchor: str, *, kind: str = "") -> str:
    """Return words at a place. anchor: start, middle or end."""
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}"{named}>{html.escape(words)}</text>'


def frame(title: str, content: str, height: float, *, hint: str = "") -> str:
    """Return the whole SVG around its content. hint: a word on which side is better."""
    head = text(10, 20, title, "start", kind="title")
    head += text(WIDTH - RIGHT, TOP + AREA + 36, hint, "end", kind="soft") if hint else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="plot" viewBox="0 0 {WIDTH} {height:g}" '
        f'role="img"><title>{html.escape(title)}</title><style>{_STYLE}</style>'
        f'<rect class="paper" width="{WIDTH}" height="{height:g}"/>{head}{content}</svg>\n'
    )
