"""Synthetic training pictures, drawn on the fly from a seed.

Text, interfaces, plots, maps, codes, flat colours, gradients, noise and patterns down to one pixel,
and photographs that were processed in unusual ways. A codec that was trained on photographs alone
may destroy any of them.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont

from train.data.photographs import Image

Rng = np.random.Generator
Colour = tuple[int, int, int]

_FONT_FOLDERS = "/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "~/Library/Fonts"
_LETTERS = "etaoinshrdlucmfwypvbgkjqxz"
_MARKS = "0123456789.,:;!?()[]{}<>=+-*/%&@#$€£§_|~'\""


_FINDER = np.maximum(*np.abs(np.mgrid[-3:4, -3:4])) != 2
"""The square in three corners of a QR code: a ring around a full square."""


def of_kind(name: str, rng: Rng, side: int, photograph: Callable[[], Image]) -> Image:
    """Return a picture of a kind, uint8 (side, side, 3).

    Args:
        name: of the kind, a key of ``DRAWN`` or ``CHANGED``.
        rng: the source of all randomness.
        side: of the picture, pixels.
        photograph: returns a random crop of this side, for kinds that change one.
    """
    picture = DRAWN[name](rng, side) if name in DRAWN else CHANGED[name](rng, photograph())
    return np.ascontiguousarray(picture, np.uint8)


def text(rng: Rng, side: int) -> Image:
    """Draw lines of text of one font and one pair of colours."""
    picture, draw, ink = _page(rng, side)
    size = int(rng.integers(9, 34)) if rng.random() < 0.8 else int(rng.integers(34, 120))
    face = _font(rng, size)
    for top in range(int(rng.integers(-size, size)), side, int(size * rng.uniform(1.05, 1.7))):
        draw.text((int(rng.integers(-size, size)), top), _words(rng, side // 5), ink, face)
    return np.asarray(picture)


def coloured_text(rng: Rng, side: int) -> Image:
    """Draw words of many fonts, sizes and colours, as on posters."""
    picture, draw, _ = _page(rng, side)
    for _ in range(int(rng.integers(4, 14))):
        face = _font(rng, int(rng.integers(9, 64)))
        draw.text(_point(rng, side, -30), _words(rng, 16), _colour(rng), face)
    return np.asarray(picture)


def interface(rng: Rng, side: int) -> Image:
    """Draw panels, buttons, frames and labels."""
    picture, draw, ink = _page(rng, side)
    face = _font(rng, int(rng.integers(10, 18)))
    for _ in range(int(rng.integers(4, 16))):
        x, y = _point(rng, side, -20)
        box = (x, y, x + int(rng.integers(12, side)), y + int(rng.integers(8, side // 3)))
        outline, width = _colour(rng), int(rng.integers(0, 4))
        draw.rounded_rectangle(box, int(rng.integers(0, 9)), _colour(rng), outline, width)
        draw.text((x + 6, y + 4), _words(rng, 14), ink if rng.random() < 0.5 else outline, face)
    return np.asarray(picture)


def plot(rng: Rng, side: int) -> Image:
    """Draw axes, a grid, curves, bars and numbers."""
    picture, draw, ink = _page(rng, side)
    step = int(rng.integers(14, 50))
    for at in range(step, side, step):
        draw.line((at, 0, at, side), (200, 200, 200))
        draw.line((0, at, side, at), (200, 200, 200))
        draw.text((2, at), str(int(rng.integers(1000))), ink, _font(rng, 11))
    draw.line((step, 0, step, side - step, side, side - step), ink, 2)
    for _ in range(int(rng.integers(1, 5))):
        heights = side / 2 + np.cumsum(rng.normal(0, side / 14, side // 8))
        if rng.random() < 0.3:
            for i, top in enumerate(heights[:: 2 if step > 20 else 1]):
                draw.rectangle((step * (i + 1), min(top, side - 1), step * (i + 1.6), side), ink)
        draw.line([(8 * i, y) for i, y in enumerate(heights)], _colour(rng), _thin(rng))
    return np.asarray(picture)


def street_map(rng: Rng, side: int) -> Image:
    """Draw areas, outlined roads and names."""
    picture, draw, ink = _page(rng, side)
    for _ in range(int(rng.integers(2, 6))):
        draw.polygon([_point(rng, side, -40) for _ in range(5)], _colour(rng), _colour(rng))
    for _ in range(int(rng.integers(4, 12))):
        road = [_point(rng, side, -20) for _ in range(3)]
        width = int(rng.integers(1, 9))
        draw.line(road, (120, 120, 120), width + 2, "curve")
        draw.line(road, _colour(rng), width, "curve")
    for _ in range(6):
        draw.text(_point(rng, side, 0), _words(rng, 10), ink, _font(rng, int(rng.integers(9, 16))))
    return np.asarray(picture)


def line_art(rng: Rng, side: int) -> Image:
    """Draw thin lines, arcs and outlines, with or without smoothed edges."""
    paper, ink = _pair(rng)
    canvas = np.full((side, side, 3), paper, np.uint8)
    edges = cv2.LINE_AA if rng.random() < 0.5 else cv2.LINE_8
    for _ in range(int(rng.integers(5, 60))):
        colour = ink if rng.random() < 0.7 else _colour(rng)
        one, two = _point(rng, side, 0), _point(rng, side, 0)
        shape = int(rng.integers(3))
        if shape == 0:
            cv2.line(canvas, one, two, colour, _thin(rng), edges)
        elif shape == 1:
            cv2.circle(canvas, one, int(rng.integers(2, side // 2)), colour, _thin(rng), edges)
        else:
            axes = int(rng.integers(2, side // 2)), int(rng.integers(2, side // 3))
            angle, end = (float(rng.uniform(0, 360)) for _ in range(2))
            cv2.ellipse(canvas, one, axes, angle, 0, end, colour, _thin(rng), edges)
    return canvas


def shapes(rng: Rng, side: int) -> Image:
    """Draw flat shapes of saturated colours on a flat page, like the box that broke a decoder."""
    picture, draw, _ = _page(rng, side)
    for _ in range(int(rng.integers(1, 9))):
        (x, y), (width, height) = _point(rng, side, 0), _point(rng, side, 4)
        shape = draw.rectangle if rng.random() < 0.6 else draw.ellipse
        shape((x, y, x + width, y + height), _saturated(rng))
    return np.asarray(picture)


def pixel_art(rng: Rng, side: int) -> Image:
    """Draw squares of a few colours, each of some pixels, in mirrored figures."""
    cell = int(rng.integers(2, 17))
    palette = np.array([_colour(rng) for _ in range(int(rng.integers(2, 9)))])
    count = -(-side // cell)
    cells = rng.integers(len(palette), size=(count, count))
    smooth = cv2.resize(rng.random((max(2, count // 4),) * 2), (count, count))
    cells = np.where(smooth < rng.uniform(0, 1), 0, cells)
    if rng.random() < 0.5:
        cells = np.maximum(cells, cells[:, ::-1])
    return _enlarged(palette[cells], cell, side)


def code(rng: Rng, side: int) -> Image:
    """Draw what looks like a QR code or a bar code, black on white or in a pair of colours."""
    cell = int(rng.integers(1, 9))
    count = -(-side // cell)
    dark = rng.random((count, count)) < 0.5
    if rng.random() < 0.25:
        dark = np.broadcast_to(dark[:1], dark.shape)
    elif count > 2 * len(_FINDER):
        near, far = slice(0, len(_FINDER)), slice(-len(_FINDER), None)
        for rows, columns in ((near, near), (near, far), (far, near)):
            dark[rows, columns] = _FINDER
    paper, ink = _pair(rng)
    return _enlarged(np.where(dark[..., None], ink, paper), cell, side)


def flat(rng: Rng, side: int) -> Image:
    """Fill with one colour: white, black, grey, saturated or any."""
    way = int(rng.integers(5))
    grey = int(rng.integers(256))
    colours = [(255,) * 3, (0,) * 3, (grey,) * 3, _saturated(rng), _colour(rng)]
    return np.full((side, side, 3), colours[way], np.uint8)


def bars(rng: Rng, side: int) -> Image:
    """Draw bars of saturated colours, or squares of them, as on test cards."""
    count = int(rng.integers(2, 12))
    rows = int(rng.integers(1, 4)) if rng.random() < 0.7 else count
    colours = np.array([[_saturated(rng) for _ in range(count)] for _ in range(rows)], np.uint8)
    picture = cv2.resize(colours, (side, side), interpolation=cv2.INTER_NEAREST)
    return np.asarray(picture if rng.random() < 0.6 else picture.transpose(1, 0, 2), np.uint8)


def wheel(rng: Rng, side: int) -> Image:
    """Draw all hues around a place, or a plane of hue and saturation."""
    y, x = np.mgrid[:side, :side].astype(np.float32)
    cy, cx = rng.uniform(0, side, 2)
    radius = np.hypot(y - cy, x - cx)
    hue = (np.degrees(np.arctan2(y - cy, x - cx)) / 2 + 90) % 180
    grown = np.clip(radius / (side * rng.uniform(0.2, 1)), 0, 1)
    saturation, value = (grown, np.ones_like(grown)) if rng.random() < 0.5 else (1 - 0 * x, grown)
    parts = [hue, 255 * saturation, 255 * value]
    return np.asarray(cv2.cvtColor(np.stack(parts, 2).astype(np.uint8), cv2.COLOR_HSV2RGB))


def gradient(rng: Rng, side: int) -> Image:
    """Draw smooth ramps: of one channel, of grey, or from one colour to another."""
    y, x = np.mgrid[:side, :side] / (side - 1) - 0.5
    angle = rng.uniform(0, 2 * np.pi) if rng.random() < 0.6 else rng.integers(4) * np.pi / 2
    ramp = np.clip((np.cos(angle) * x + np.sin(angle) * y) * rng.uniform(0.3, 1.4) + 0.5, 0, 1)
    if rng.random() < 0.25:
        ramp = np.clip(np.hypot(x, y) * rng.uniform(0.7, 2), 0, 1)
    one, two = np.array(_colour(rng), float), np.array(_saturated(rng), float)
    if rng.random() < 0.4:
        one, two = np.zeros(3), np.array(rng.permutation([255, 0, 0]), float)
    if rng.random() < 0.2:
        one, two = np.zeros(3), np.full(3, 255.0)
    return _bytes(one + (two - one) * ramp[..., None])


def noise(rng: Rng, side: int) -> Image:
    """Draw noise of any strength around a colour: grey or coloured, fine or blotched."""
    cell = int(rng.integers(1, 5))
    count = -(-side // cell)
    channels = 3 if rng.random() < 0.6 else 1
    values = rng.normal(0, rng.uniform(2, 90), (count, count, channels))
    if rng.random() < 0.25:
        values = rng.uniform(-128, 128, values.shape)
    return _enlarged(_bytes(values + _colour(rng)), cell, side)


def stripes(rng: Rng, side: int) -> Image:
    """Draw stripes or a checkerboard, down to one pixel wide, in a pair of colours."""
    y, x = np.mgrid[:side, :side]
    width = int(rng.choice([1, 1, 2, 2, 3, 4, 5, 8, 16]))
    way = int(rng.integers(4))
    place = (x // width, y // width, x // width + y // width, (x + y) // width)[way]
    one, two = _pair(rng)
    return np.where(place[..., None] % 2 == 0, one, two).astype(np.uint8)


def waves(rng: Rng, side: int) -> Image:
    """Draw a sine of one frequency, or rings whose frequency grows (a zone plate)."""
    y, x = np.mgrid[:side, :side].astype(float)
    cy, cx = rng.uniform(0, side, 2)
    angle = rng.uniform(0, np.pi)
    phase = (np.cos(angle) * x + np.sin(angle) * y) * rng.uniform(0.05, np.pi)
    if rng.random() < 0.5:
        phase = ((x - cx) ** 2 + (y - cy) ** 2) * rng.uniform(0.1, 1) * np.pi / (2 * side)
    one, two = (np.array(colour, float) for colour in _pair(rng))
    return _bytes(one + (two - one) * (0.5 + 0.5 * np.cos(phase))[..., None])


def lit(rng: Rng, photograph: Image) -> Image:
    """Light a photograph by one colour."""
    light = np.array(_saturated(rng), float) / 255
    grey = photograph @ np.array([0.3, 0.6, 0.1])
    return _bytes(grey[..., None] * light * rng.uniform(0.8, 2))


def captioned(rng: Rng, photograph: Image) -> Image:
    """Write over a photograph."""
    picture = Picture.fromarray(photograph)
    draw = ImageDraw.Draw(picture)
    for _ in range(int(rng.integers(1, 6))):
        place, face = _point(rng, len(photograph), -20), _font(rng, int(rng.integers(10, 48)))
        edge = int(rng.integers(0, 3))
        draw.text(place, _words(rng, 24), _colour(rng), face, stroke_width=edge, stroke_fill=0)
    return np.asarray(picture)


def exposed(rng: Rng, photograph: Image) -> Image:
    """Expose a photograph far too much or too little, or with far too much contrast."""
    gain = float(rng.choice([rng.uniform(0.03, 0.4), rng.uniform(1.8, 6)]))
    return _bytes((photograph.astype(float) - rng.uniform(-20, 100) * (gain > 1)) * gain)


def enlarged(rng: Rng, photograph: Image) -> Image:
    """Enlarge a photograph two to eight times."""
    side = len(photograph)
    part = photograph[: max(8, int(side / rng.uniform(2, 8)))]
    way = int(rng.choice([cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC]))
    square = part[:, : len(part)]
    return np.asarray(cv2.resize(square, (side, side), interpolation=way), np.uint8)


def compressed(rng: Rng, photograph: Image) -> Image:
    """Compress a photograph as JPEG, so that its blocks show."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(5, 60))]
    _, data = cv2.imencode(".jpg", photograph[..., ::-1], quality)
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB), np.uint8)


def grey(rng: Rng, photograph: Image) -> Image:
    """Take the colour out of a photograph; half of the time turn it dark and contrasty or light."""
    plane = photograph @ np.array([0.299, 0.587, 0.114])
    plane = 255 * (plane / 255) ** rng.uniform(0.4, 2.5)
    return _bytes(np.repeat(plane[..., None], 3, 2))


def few_colours(rng: Rng, photograph: Image) -> Image:
    """Leave few levels of each channel of a photograph, with hard borders."""
    step = 255 / int(rng.integers(1, 8))
    return _bytes(np.rint(photograph / step) * step)


DRAWN: dict[str, Callable[[Rng, int], Image]] = {
    maker.__name__: maker
    for maker in (
        text,
        coloured_text,
        interface,
        plot,
        street_map,
        line_art,
        shapes,
        pixel_art,
        code,
        flat,
        bars,
        wheel,
        gradient,
        noise,
        stripes,
        waves,
    )
}
"""Kinds that are drawn from nothing."""

CHANGED: dict[str, Callable[[Rng, Image], Image]] = {
    maker.__name__: maker
    for maker in (lit, captioned, exposed, enlarged, compressed, grey, few_colours)
}
"""Kinds that are made of a photograph."""


def _page(rng: Rng, side: int) -> tuple[Picture.Image, ImageDraw.ImageDraw, Colour]:
    paper, ink = _pair(rng)
    picture = Picture.new("RGB", (side, side), paper)
    draw = ImageDraw.Draw(picture)
    draw.fontmode = "L" if rng.random() < 0.75 else "1"
    return picture, draw, ink


def _pair(rng: Rng) -> tuple[Colour, Colour]:
    """Return colours of paper and ink: mostly black on white, or white on black."""
    black, white = (0, 0, 0), (255, 255, 255)
    chance = rng.random()
    if chance < 0.35:
        return white, black
    if chance < 0.55:
        return black, white
    return (white, _saturated(rng)) if chance < 0.7 else (_colour(rng), _colour(rng))


def _colour(rng: Rng) -> Colour:
    if rng.random() < 0.35:
        return _saturated(rng)
    red, green, blue = rng.integers(0, 256, 3).tolist()
    return (red, red, red) if rng.random() < 0.3 else (red, green, blue)


def _saturated(rng: Rng) -> Colour:
    """Return a colour whose channels are mostly 0 or 255."""
    red, green, blue = rng.choice([0, 0, 0, 255, 255, 255, int(rng.integers(256))], 3).tolist()
    return red, green, blue


def _point(rng: Rng, side: int, low: int) -> tuple[int, int]:
    x, y = rng.integers(low, side, 2).tolist()
    return x, y


def _thin(rng: Rng) -> int:
    return int(rng.choice([1, 1, 1, 2, 3]))


def _words(rng: Rng, length: int) -> str:
    """Return this many letters and punctuation marks, as words."""
    letters = [" ", *_LETTERS]
    weights = np.r_[6.0, np.linspace(3, 0.3, len(_LETTERS))]
    chars = rng.choice(letters, length, p=weights / weights.sum())
    marked = np.where(rng.random(length) < 0.1, rng.choice(list(_MARKS), length), chars)
    words = "".join(marked)
    return words.upper() if rng.random() < 0.2 else words.title() if rng.random() < 0.3 else words


def _font(rng: Rng, size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    """Return one of the machine's fonts, or Pillow's own where there are none."""
    files = _font_files()
    if not files:
        return ImageFont.load_default(size)
    return _face(files[int(rng.integers(len(files)))], size)


@cache
def _font_files() -> list[str]:
    folders = [Path(folder).expanduser() for folder in _FONT_FOLDERS]
    return sorted(str(path) for folder in folders for path in folder.rglob("*.[to]tf"))


@cache
def _face(file: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(file, size)


def _enlarged(picture: NDArray[np.generic], cell: int, side: int) -> Image:
    """Return a picture each of whose pixels is a square, cut to its side."""
    large = picture.repeat(cell, 0).repeat(cell, 1)
    return np.asarray(large[:side, :side], np.uint8)


def _bytes(values: NDArray[np.floating]) -> Image:
    """Return values rounded and clipped."""
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)
