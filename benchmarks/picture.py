"""The picture of the README: one photograph before and after, beside the rate-distortion curves.

The photograph and the sizes are computed by the codec that ships; the curves come from codec.json.
The SVG brings its own background and colours for a light and for a dark page.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from benchmarks import codec, demo, pictures, plot, results, templating
from benchmarks.metrics import psnr_db
from benchmarks.peers import PEERS
from benchmarks.pictures import Picture
from venturi import Codec, images

CURVES = (codec.OURS, "jpeg", "webp", "avif6")
JPEG = "jpeg"
SIDES = (330, 190)
"""Height and width of a crop, in pixels."""

_MARGIN, _GAP, _TOP = 20, 8, 46


@dataclass(frozen=True)
class View:
    """One crop of the photograph.

    name: who made it. note: what it cost. data: the pixels as a data URI. left, width, height: in
    pixels. ours: whether it is Venturi's.
    """

    name: str
    note: str
    data: str
    left: int
    width: int
    height: int
    ours: bool


def draw(photograph: Path, found: results.Results, *, bundle: str, quality: float) -> str:
    """Return the picture as SVG.

    photograph: an image file of at least 190 × 330 pixels. found: results of the codec. bundle:
    name or path. quality: Venturi's; JPEG takes the best that needs no more bytes.
    """
    image = demo.as_rgb(images.read(photograph).pixels)
    views = _views(image, Codec(bundle), quality)
    drawn = curve(found)
    height, width = SIDES
    curve_left = _MARGIN + len(views) * (width + _GAP) + _MARGIN
    return templating.render(
        "picture.svg",
        title="A photograph compressed by JPEG and by Venturi, and their rate-distortion curves",
        width=curve_left + plot.WIDTH + _MARGIN,
        height=_TOP + height + _TOP,
        top=_TOP,
        views=views,
        curve=Markup(drawn),
        curve_left=curve_left,
        curve_top=(_TOP + height + _TOP - _height(drawn)) / 2,
        curve_width=plot.WIDTH,
        curve_height=_height(drawn),
    )


def _views(image: Picture, ours: Codec, quality: float) -> list[View]:
    (jpeg,) = (peer for peer in PEERS if peer.name == JPEG)
    data = ours.compress(image, quality=quality)
    setting = demo.closest_quality(lambda q: len(jpeg.encode(image, q)), len(data))
    coded = jpeg.encode(image, setting)
    made = (
        ("Original", b"", image),
        ("JPEG", coded, jpeg.decode(coded)),
        ("Venturi", data, ours.decompress(data)),
    )
    height, width = SIDES
    return [
        View(
            name,
            _cost(file, image, restored) if file else f"{image.nbytes / 1000:.0f} kB of pixels",
            pictures.data_uri(_crop(restored)),
            _MARGIN + place * (width + _GAP),
            width,
            height,
            ours=file is data,
        )
        for place, (name, file, restored) in enumerate(made)
    ]


def _cost(file: bytes, image: Picture, restored: Picture) -> str:
    return f"{len(file) / 1000:.1f} kB, PSNR {psnr_db(image, restored):.1f} dB"


def _crop(image: Picture) -> Picture:
    """Return a crop from the middle of the upper part, where portraits have the face."""
    height, width = SIDES
    if image.shape[0] < height or image.shape[1] < width:
        raise ValueError(
            f"photograph has {image.shape[1]}x{image.shape[0]} pixels; expected at least "
            f"{width}x{height}: name a larger one"
        )
    left = (image.shape[1] - width) // 2 - image.shape[1] // 16
    return image[:height, left : left + width]


def curve(found: results.Results) -> str:
    """Return the curves of the codecs that people know, as SVG."""
    points = {name: found["points"][name] for name in CURVES if name in found["points"]}
    labels = {name: found["labels"][name].partition(",")[0] for name in points}
    return codec.curves({**found, "points": points, "labels": labels}, "psnr_db")


def _height(svg: str) -> float:
    found = re.search(r'viewBox="0 0 \S+ (\S+)"', svg)
    assert found is not None
    return float(found[1])
