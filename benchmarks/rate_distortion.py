"""Rate-distortion curves: pictures coded at every quality by every codec, and what compares them.

Rates are real file sizes. A point is the mean of the pictures' bits per pixel and the mean of their
PSNR (RGB) or MS-SSIM, at one quality; a picture that came back exactly counts as 100 dB. Times are
medians over the pictures.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Protocol

from benchmarks import pictures, plot
from benchmarks.bd_rate import bd_rate_percent
from benchmarks.figures import RATE_NOISE_PERCENT, Figure
from benchmarks.metrics import decibels, ms_ssim, psnr_db
from benchmarks.pictures import Picture
from benchmarks.results import record
from benchmarks.timing import milliseconds

RATES = (0.15, 1.0)
QUALITIES = (1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100)
EVERYDAY = 50
LOSSLESS_DB = 100.0
PSNR, MSSIM = "psnr_db", "msssim"
AXES = {PSNR: "PSNR, dB", MSSIM: "MS-SSIM, dB"}


@record
class Point:
    """One quality of a codec: means of the pictures, times as medians."""

    quality: float
    bpp: float
    psnr_db: float
    msssim: float
    encode_ms: float
    decode_ms: float


Curves = Mapping[str, Sequence[Point]]
Samples = dict[int, list[Point]]


class Scheme(Protocol):
    """A way to compress: what Venturi and its peers have in common."""

    @property
    def name(self) -> str:
        """The key in the results."""

    @property
    def label(self) -> str:
        """The name for people."""

    @property
    def qualities(self) -> Sequence[int]:
        """The settings that the curve is drawn through."""

    def encode(self, image: Picture, quality: int) -> bytes:
        """Return the file's bytes."""

    def decode(self, data: bytes) -> Picture:
        """Return the picture."""


def sample_all(schemes: Sequence[Scheme], paths: Sequence[Path]) -> dict[str, Samples]:
    """Code every picture with every scheme at every quality, the schemes in turn."""
    samples: dict[str, Samples] = {s.name: {q: [] for q in s.qualities} for s in schemes}
    for number, path in enumerate(paths, 1):
        image = pictures.read(path)
        for scheme in schemes:
            if number == 1:
                scheme.decode(scheme.encode(image, scheme.qualities[0]))
            for quality in scheme.qualities:
                samples[scheme.name][quality].append(_sample(scheme, image, quality))
        print(f"{number}/{len(paths)} {path.name}", file=sys.stderr)
    return samples


def _sample(scheme: Scheme, image: Picture, quality: int) -> Point:
    data, back = b"", image

    def encode() -> None:
        nonlocal data
        data = scheme.encode(image, quality)

    def decode() -> None:
        nonlocal back
        back = scheme.decode(data)

    encode_ms, decode_ms = milliseconds(encode), milliseconds(decode)
    return Point(
        quality=quality,
        bpp=rate_bpp(data, image),
        psnr_db=capped_psnr_db(image, back),
        msssim=ms_ssim(image, back),
        encode_ms=encode_ms,
        decode_ms=decode_ms,
    )


def rate_bpp(data: bytes, image: Picture) -> float:
    """Return the rate of a file in bits per pixel."""
    return len(data) * 8 / (int(image.shape[0]) * int(image.shape[1]))


def capped_psnr_db(image: Picture, back: Picture) -> float:
    """Return the PSNR in dB, 100 for equal pictures."""
    return min(psnr_db(image, back), LOSSLESS_DB)


def mean_points(samples: Samples) -> list[Point]:
    """Return the curve through the means of each quality's samples."""
    return [
        Point(
            quality=quality,
            bpp=round(fmean(s.bpp for s in each), 6),
            psnr_db=round(fmean(s.psnr_db for s in each), 6),
            msssim=round(fmean(s.msssim for s in each), 6),
            encode_ms=round(median(s.encode_ms for s in each), 6),
            decode_ms=round(median(s.decode_ms for s in each), 6),
        )
        for quality, each in samples.items()
    ]


def curve(points: Sequence[Point], key: str = PSNR) -> list[tuple[float, float]]:
    """Return (bpp, dB) points. key: psnr_db, or msssim, which is taken to dB here."""
    if key == MSSIM:
        return [(p.bpp, min(decibels(p.msssim), LOSSLESS_DB)) for p in points]
    return [(p.bpp, p.psnr_db) for p in points]


def bd_rate(
    anchor: Sequence[Point],
    test: Sequence[Point],
    *,
    key: str = PSNR,
    rates: tuple[float, float] | None = RATES,
) -> float:
    """Return the rate of a curve against another at equal quality, in percent.

    Raises ValueError where the curves do not grow or do not meet.
    """
    return round(bd_rate_percent(curve(anchor, key), curve(test, key), rates=rates), 3)


def against(
    points: Curves,
    test: str,
    notes: list[str],
    *,
    key: str = PSNR,
    rates: tuple[float, float] | None = RATES,
    where: str = "",
) -> dict[str, float | None]:
    """Return a codec's BD-rate against each other one; None with a note where there is none."""
    percents: dict[str, float | None] = {}
    reasons: dict[str, list[str]] = {}
    for name in points:
        if name == test:
            continue
        try:
            percents[name] = bd_rate(points[name], points[test], key=key, rates=rates)
        except ValueError as error:
            percents[name] = None
            reasons.setdefault(str(error), []).append(name)
    notes += [f"{where}no BD-rate ({key}) against {', '.join(n)}: {e}" for e, n in reasons.items()]
    return percents


def between(
    old: Sequence[Point], new: Sequence[Point], rates: tuple[float, float]
) -> Iterator[tuple[Figure, Figure]]:
    """Yield the rate of a curve against an older one, where they can be compared."""
    try:
        percent = bd_rate_percent(curve(old), curve(new), rates=rates)
    except ValueError:
        return
    name = "rate at equal PSNR, old to new, %"
    yield Figure(name, 0.0, RATE_NOISE_PERCENT), Figure(name, percent, RATE_NOISE_PERCENT)


def drawn(points: Curves, labels: Mapping[str, str], pictures_of: str, key: str = PSNR) -> str:
    """Return curves as SVG. pictures_of: says of what. key: psnr_db or msssim."""
    quality = AXES[key]
    title = f"{quality.partition(',')[0]} over rate, mean of {pictures_of}"
    named = {labels[name]: curve(each, key) for name, each in points.items()}
    return plot.rate_distortion(named, title=title, quality=quality)


def point_rows(points: Curves, labels: Mapping[str, str]) -> list[list[str]]:
    """Return all points as cells of a table, headings first."""
    rows = [["codec", "quality", "bpp", "PSNR dB", "MS-SSIM", "encode ms", "decode ms"]]
    for name, each in points.items():
        rows += [
            [
                labels[name],
                f"{point.quality:g}",
                f"{point.bpp:.3f}",
                f"{point.psnr_db:.2f}",
                f"{point.msssim:.4f}",
                f"{point.encode_ms:.1f}",
                f"{point.decode_ms:.1f}",
            ]
            for point in each
        ]
    return rows
