"""The picture of the README: one photograph before and after, beside the rate-distortion curves.

The photograph and the sizes are computed by the codec that ships; the curves come from codec.json.
The SVG brings its own background and colours for a light and for a dark page.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from benchmarks import demo, pictures, plot, rate_distortion, results, templating
from benchmarks.metrics import psnr_db
from benchmarks.options import option
from benchmarks.peers import PEERS, closest_quality
from benchmarks.pictures import Picture
from benchmarks.results import FOLDER
from benchmarks.suite import codec
from venturi import Codec, images
from venturi._io.files import write_atomically

CURVES = (codec.OURS, "jpeg", "webp", "avif6")
JPEG = "jpeg"
SIDES = (330, 190)
"""Height and width of a crop, in pixels."""

_MARGIN, _GAP, _TOP = 20, 8, 46


SVG = Path(__file__).parents[1] / "docs" / "assets" / "venturi.svg"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the picture shows, and where it goes."""

    photo: Path | None = option(
        "photograph; without one, one of scikit-image's", None, metavar="FILE"
    )
    quality: float = option("Venturi's quality", 30.0)
    bundle: str = option("codec", "photo")
    results: Path = option("folder with codec.json", FOLDER, metavar="FOLDER")
    svg: Path = option("the picture", SVG, metavar="FILE")


def run(options: Options) -> int:
    """Write the picture and print where it is."""
    drawn = draw(
        options.photo or demo.shipped_photographs()[0],
        results.read(options.results / "codec.json", codec.Result),
        bundle=options.bundle,
        quality=options.quality,
    )
    options.svg.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(options.svg, drawn.encode())
    print(options.svg)
    return 0


@dataclass(frozen=True)
class View:
    """One crop of the photograph.

    name: the codec. note: what it cost. data: the pixels as a data URI. left, width, height: in
    pixels. ours: whether it is Venturi's.
    """

    name: str
    note: str
    data: str
    left: int
    width: int
    height: int
    ours: bool


def draw(photograph: Path, result: codec.Result, *, bundle: str, quality: float) -> str:
    """Return the picture as SVG.

    photograph: an image file of at least 190 × 330 pixels. result: of the codec. bundle:
    name or path. quality: Venturi's; JPEG takes the best that needs no more bytes.
    """
    image = demo.as_rgb(images.read(photograph).pixels)
    views = _views(image, Codec(bundle), quality)
    drawn = curve(result)
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
    setting = closest_quality(lambda q: len(jpeg.encode(image, q)), len(data))
    coded = jpeg.encode(image, setting)
    versions = (
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
        for place, (name, file, restored) in enumerate(versions)
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


def curve(result: codec.Result) -> str:
    """Return the curves of the codecs that people know, as SVG."""
    points = {name: result.points[name] for name in CURVES if name in result.points}
    labels = {name: result.labels[name].partition(",")[0] for name in points}
    of = f"{result.data.pictures} pictures of {result.data.folder}"
    return rate_distortion.drawn(points, labels, of)


def _height(svg: str) -> float:
    match = re.search(r'viewBox="0 0 \S+ (\S+)"', svg)
    assert match is not None
    return float(match[1])
