"""Curves drawn as SVG: a file of its own, or inside a page."""

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Curve = Sequence[tuple[float, float]]

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9")
WIDTH, HEIGHT = 640, 420
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 34, 46


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


def rate_distortion(curves: Mapping[str, Curve], *, title: str, quality: str) -> str:
    """Return an SVG of quality in dB over the rate in bits per pixel (logarithmic).

    curves: by name, (bpp, dB) points; the first is drawn thicker.
    """
    shown = {name: [p for p in points if 0.05 <= p[0] <= 4] for name, points in curves.items()}
    shown = {name: sorted(points) for name, points in shown.items() if points}
    if not shown:
        return _frame(title, "")
    rates = [rate for points in shown.values() for rate, _ in points]
    values = [value for points in shown.values() for _, value in points]
    ticks = [t for t in (0.05, 0.1, 0.2, 0.5, 1, 2, 4) if min(rates) / 1.3 <= t <= max(rates) * 1.3]
    x = Axis("bits per pixel", min(rates) / 1.1, max(rates) * 1.1, ticks, logarithmic=True)
    low, high = math.floor(min(values)), max(math.ceil(max(values)), math.floor(min(values)) + 1)
    step = max(1, (high - low) // 8)
    y = Axis(quality, low, high, range(low, high + 1, step))
    lines = [_line(points, x, y, index) for index, points in enumerate(shown.values())]
    return _frame(title, _axes(x, y) + "".join(lines) + _legend(list(shown)))


def _x(axis: Axis, value: float) -> float:
    return round(LEFT + axis.place(value) * (WIDTH - LEFT - RIGHT), 1)


def _y(axis: Axis, value: float) -> float:
    return round(HEIGHT - BOTTOM - axis.place(value) * (HEIGHT - TOP - BOTTOM), 1)


def _axes(x: Axis, y: Axis) -> str:
    parts = []
    for tick in x.ticks:
        if x.low <= tick <= x.high:
            at = _x(x, tick)
            parts.append(f'<path class="grid" d="M{at} {TOP}V{HEIGHT - BOTTOM}"/>')
            parts.append(_text(at, HEIGHT - BOTTOM + 18, f"{tick:g}", "middle"))
    for tick in y.ticks:
        at = _y(y, tick)
        parts.append(f'<path class="grid" d="M{LEFT} {at}H{WIDTH - RIGHT}"/>')
        parts.append(_text(LEFT - 8, at + 4, f"{tick:g}", "end"))
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(_text(middle, HEIGHT - 8, x.title, "middle"))
    turn = f'transform="translate(16 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)"'
    parts.append(f'<text {turn} text-anchor="middle">{html.escape(y.title)}</text>')
    return "".join(parts)


def _line(points: Curve, x: Axis, y: Axis, index: int) -> str:
    colour, width = _style(index)
    places = [(_x(x, rate), _y(y, value)) for rate, value in points]
    path = "L".join(f"{px} {py}" for px, py in places)
    dots = "".join(f'<circle cx="{px}" cy="{py}" r="2.5" fill="{colour}"/>' for px, py in places)
    return f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>{dots}'


def _legend(names: Sequence[str]) -> str:
    start, height = WIDTH - RIGHT - 220, 18 * len(names) + 8
    box = f'x="{start - 8}" y="{HEIGHT - BOTTOM - height}" width="228" height="{height}"'
    parts = [f'<rect {box} fill="#fff" fill-opacity="0.85"/>']
    for index, name in enumerate(names):
        colour, width = _style(index)
        at = HEIGHT - BOTTOM - 14 - 18 * (len(names) - 1 - index)
        parts.append(
            f'<path d="M{start} {at}h24" stroke="{colour}" stroke-width="{width}"/>'
            + _text(start + 32, at + 4, name, "start")
        )
    return "".join(parts)


def _style(index: int) -> tuple[str, float]:
    return COLOURS[index % len(COLOURS)], 3 if index == 0 else 1.6


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{html.escape(text)}</text>'


def _frame(title: str, content: str) -> str:
    style = "text{font:12px sans-serif;fill:#222}.grid{stroke:#ddd;stroke-width:1}"
    head = f'<text x="{LEFT}" y="20" style="font-size:15px">{html.escape(title)}</text>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
        f"<title>{html.escape(title)}</title><style>{style}</style>"
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>{head}{content}</svg>\n'
    )
