"""The photo codec beside the classic ones: rate, distortion, time and arithmetic in one run.

Rates are real file sizes. A point of a curve is the mean of the pictures' bits per pixel and the
mean of their PSNR (RGB) or MS-SSIM, at one quality setting; a picture that came back exactly counts
as 100 dB. Times in the points are medians over the pictures, those under `latency` medians of
repeated calls on one picture, the codecs in turn.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median
from typing import Protocol

import cv2

from benchmarks import crops, environment, pictures, plot, results
from benchmarks.bd_rate import bd_rate_percent
from benchmarks.metrics import decibels, ms_ssim, psnr_db
from benchmarks.peers import PEERS
from benchmarks.pictures import Picture
from benchmarks.timing import interleaved, milliseconds, summary
from venturi import Codec, Manifest
from venturi._bundle.load import locate
from venturi._bundle.tasks import FP32
from venturi.bench.percentiles import shown
from venturi.bench.split import Stopwatch, share_outside_graphs, split
from venturi.bench.trace import kmac_per_pixel, trace

RATES = (0.15, 1.0)
QUALITIES = (1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100)
EVERYDAY = 50
LOSSLESS_DB = 100.0
OURS = "venturi"

Point = dict[str, float]


@dataclass(frozen=True)
class Options:
    """What to measure.

    data: folder of lossless pictures. bundle: name or path. pictures: how many of them at most.
    threads: for the graphs and for OpenCV. runs: repeated calls for the latency. crops: folder for
    crops to look at, None for none.
    """

    data: Path
    bundle: str
    pictures: int | None
    threads: int
    runs: int
    crops: Path | None = None


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


@dataclass(frozen=True)
class Ours:
    """Venturi's codec as a scheme."""

    codec: Codec
    name: str = OURS
    label: str = "Venturi"
    qualities: Sequence[int] = QUALITIES

    def encode(self, image: Picture, quality: int) -> bytes:
        """Return the stream."""
        return self.codec.compress(image, quality=quality)

    def decode(self, data: bytes) -> Picture:
        """Return uint8 (H, W, 3) RGB."""
        return self.codec.decompress(data)


def measure(options: Options) -> results.Results:
    """Measure everything and return it under the keys of the results file."""
    cv2.setNumThreads(options.threads)
    before = environment.describe(threads=options.threads)
    ours = _ours(options)
    codec = ours[0].codec
    schemes: list[Scheme] = [*ours, *(peer for peer in PEERS if peer.present())]
    paths = pictures.listed(options.data, limit=options.pictures)
    samples = sample_all(schemes, paths)
    points = {scheme.name: mean_points(samples[scheme.name]) for scheme in schemes}
    settings = _at_one_rate(points)
    notes = [f"{peer.label}: absent, OpenCV cannot write it" for peer in PEERS
             if peer.name not in points]  # fmt: skip
    notes += filter(None, [environment.busy(before)])
    return {
        "schema_version": results.SCHEMA_VERSION,
        "benchmark": "codec",
        "environment": before,
        "bundle": results.described(codec.manifest),
        "data": {"folder": options.data.resolve().name, "pictures": len(paths)},
        "labels": {scheme.name: scheme.label for scheme in schemes},
        "points": points,
        "rates_bpp": list(RATES),
        "bd_rate_percent": _against(points, "psnr_db", notes),
        "bd_rate_msssim_percent": _against(points, "msssim", notes),
        "bd_rate_percent_by_anchor": _by_anchor(points),
        "grows_with_quality_on_every_picture": _grows(samples[OURS]),
        "notes": notes,
        **_crops(options, schemes, settings, paths),
        **_costs(options, schemes, settings, paths),
    }


def _ours(options: Options) -> list[Ours]:
    """Return the codec in each of its precisions, float32 first."""
    found = []
    for precision in Manifest.load(locate(options.bundle)).precisions:
        codec = Codec(options.bundle, threads=options.threads, precision=precision)
        plain = precision == FP32
        name, label = (
            (OURS, "Venturi") if plain else (f"{OURS}-{precision}", f"Venturi, {precision}")
        )
        found.append(Ours(codec, name, label))
    return found


Samples = dict[int, list[Point]]


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
    return {
        "bpp": len(data) * 8 / (image.shape[0] * image.shape[1]),
        "psnr_db": min(psnr_db(image, back), LOSSLESS_DB),
        "msssim": ms_ssim(image, back),
        "encode_ms": encode_ms,
        "decode_ms": decode_ms,
    }


def mean_points(samples: Samples) -> list[Point]:
    """Return the curve through the means of each quality's samples."""
    points = []
    for quality, found in samples.items():
        mean = {key: fmean(s[key] for s in found) for key in ("bpp", "psnr_db", "msssim")}
        times = {key: median(s[key] for s in found) for key in ("encode_ms", "decode_ms")}
        points.append({"quality": quality} | {k: round(v, 6) for k, v in (mean | times).items()})
    return points


def _grows(samples: Samples) -> bool:
    """Tell whether bytes and PSNR grow with the quality on each picture."""
    in_order = [samples[quality] for quality in sorted(samples)]
    return all(
        low[key] < high[key]
        for lows, highs in pairwise(in_order)
        for low, high in zip(lows, highs, strict=True)
        for key in ("bpp", "psnr_db")
    )


def _curve(points: Sequence[Point], key: str) -> list[tuple[float, float]]:
    """Return (bpp, dB) points. key: psnr_db, or msssim, which is taken to dB here."""
    if key == "msssim":
        return [(p["bpp"], min(decibels(p["msssim"]), LOSSLESS_DB)) for p in points]
    return [(point["bpp"], point[key]) for point in points]


def _against(
    points: Mapping[str, Sequence[Point]], key: str, notes: list[str]
) -> dict[str, float | None]:
    """Return Venturi's BD-rate against each other codec; None with a note where there is none."""
    found: dict[str, float | None] = {}
    reasons: dict[str, list[str]] = {}
    for name in points:
        if name == OURS:
            continue
        try:
            found[name] = _bd_rate(points, name, OURS, key)
        except ValueError as error:
            found[name] = None
            reasons.setdefault(str(error), []).append(name)
    notes += [f"no BD-rate ({key}) against {', '.join(n)}: {e}" for e, n in reasons.items()]
    return found


def _by_anchor(points: Mapping[str, Sequence[Point]]) -> dict[str, dict[str, float]]:
    """Return every codec's BD-rate (PSNR) against every other, where there is one."""
    found: dict[str, dict[str, float]] = {}
    for anchor in points:
        for test in points:
            if anchor == test:
                continue
            try:
                value = _bd_rate(points, anchor, test, "psnr_db")
            except ValueError:
                continue
            found.setdefault(anchor, {})[test] = value
    return found


def _bd_rate(points: Mapping[str, Sequence[Point]], anchor: str, test: str, key: str) -> float:
    curves = _curve(points[anchor], key), _curve(points[test], key)
    return round(bd_rate_percent(*curves, rates=RATES), 3)


def _at_one_rate(points: Mapping[str, Sequence[Point]]) -> dict[str, int]:
    """Return each codec's quality whose mean rate is nearest to that of Venturi's everyday one."""
    rate = min(points[OURS], key=lambda p: abs(p["quality"] - EVERYDAY))["bpp"]
    nearest = {
        name: int(min(found, key=lambda p: abs(p["bpp"] - rate))["quality"])
        for name, found in points.items()
    }
    return nearest | {OURS: EVERYDAY}


def _crops(
    options: Options,
    schemes: Sequence[Scheme],
    settings: Mapping[str, int],
    paths: Sequence[Path],
) -> results.Results:
    """Write crops of the first pictures, and return what each file cost and lost as a whole."""
    if options.crops is None:
        return {}
    figures: dict[str, dict[str, Point]] = {}
    for path in paths[: crops.OF_EACH_SET]:
        image = pictures.read(path)
        files = {s.name: s.encode(image, settings[s.name]) for s in schemes}
        made = {s.name: s.decode(files[s.name]) for s in schemes}
        crops.write(options.crops / f"{path.stem}.png", image, made)
        pixels = image.shape[0] * image.shape[1]
        figures[path.stem] = {
            name: {
                "bpp": round(len(files[name]) * 8 / pixels, 6),
                "psnr_db": round(min(psnr_db(image, back), LOSSLESS_DB), 4),
            }
            for name, back in made.items()
        }
    return {"crops": options.crops.name, "crop_figures": figures}


def _costs(
    options: Options,
    schemes: Sequence[Scheme],
    settings: Mapping[str, int],
    paths: Sequence[Path],
) -> results.Results:
    """Time repeated calls on the first picture, split Venturi's, and count its arithmetic."""
    image = pictures.read(paths[0])
    files = {s.name: s.encode(image, settings[s.name]) for s in schemes}
    encode = interleaved(
        {s.name: lambda s=s: s.encode(image, settings[s.name]) for s in schemes},  # type: ignore[misc]
        runs=options.runs,
    )
    decode = interleaved(
        {s.name: lambda s=s: s.decode(files[s.name]) for s in schemes},  # type: ignore[misc]
        runs=options.runs,
    )
    stopwatch = Stopwatch()
    timed = Codec(options.bundle, threads=options.threads, observer=stopwatch)
    parts, _ = split(lambda: timed.compress(image, quality=EVERYDAY), stopwatch, runs=options.runs)
    back, _ = split(lambda: timed.decompress(files[OURS]), stopwatch, runs=options.runs)
    return {
        "latency": {
            "picture": {"name": paths[0].name, "height": image.shape[0], "width": image.shape[1]},
            **{
                s.name: {
                    "quality": settings[s.name],
                    "bytes": len(files[s.name]),
                    "encode": summary(encode[s.name]),
                    "decode": summary(decode[s.name]),
                }
                for s in schemes
            },
        },
        "parts_ms": {"compress": parts, "decompress": back},
        "share_outside_graphs": {
            "compress": share_outside_graphs(parts),
            "decompress": share_outside_graphs(back),
        },
        "kmac_per_pixel": _arithmetic(options, image, files[OURS]),
    }


def _arithmetic(options: Options, image: Picture, data: bytes) -> dict[str, float]:
    """Return kMAC per pixel of each graph in one call, the entropy graphs taken together."""
    calls: tuple[Callable[[Codec], object], ...] = (
        lambda codec: codec.compress(image, quality=EVERYDAY),
        lambda codec: codec.decompress(data),
    )
    found: dict[str, float] = {}
    for call in calls:
        (nodes,) = trace(
            lambda observer, call=call: partial(  # type: ignore[misc]
                call, Codec(options.bundle, threads=options.threads, observer=observer)
            ),
            runs=1,
            shapes=True,
        )
        for role in dict.fromkeys(node.graph.partition("-")[0] for node in nodes):
            own = [node for node in nodes if node.graph.partition("-")[0] == role]
            found[role] = kmac_per_pixel(own, pixels=image.shape[0] * image.shape[1])
    return found


def write(path: Path, found: results.Results) -> None:
    """Write the results, and the curves beside them."""
    results.write(path, found)
    draw(path, found)


def draw(path: Path, found: results.Results) -> None:
    """Write the curves of results beside them. path: of the results."""
    for key, suffix in (("psnr_db", ".svg"), ("msssim", "-msssim.svg")):
        path.with_name(path.stem + suffix).write_text(curves(found, key), encoding="utf-8")


def curves(found: results.Results, key: str) -> str:
    """Return the rate-distortion curves of a results file as SVG. key: psnr_db or msssim."""
    quality = {"psnr_db": "PSNR, dB", "msssim": "MS-SSIM, dB"}[key]
    pictures_of = f"{found['data']['pictures']} pictures of {found['data']['folder']}"
    title = f"{quality.partition(',')[0]} over rate, mean of {pictures_of}"
    named = {found["labels"][name]: _curve(p, key) for name, p in found["points"].items()}
    return plot.rate_distortion(named, title=title, quality=quality)


def text(found: results.Results) -> str:
    """Return the results as people read them."""
    low, high = found["rates_bpp"]
    head = f"Venturi's BD-rate against each, {low} to {high} bpp; medians at Venturi's quality 50"
    summary_table = f"{head}\n{results.table(summary_rows(found))}"
    return "\n\n".join((results.table(point_rows(found)), summary_table, _parts_text(found)))


def point_rows(found: results.Results) -> list[list[str]]:
    """Return all points as cells of a table, headings first."""
    rows = [["codec", "quality", "bpp", "PSNR dB", "MS-SSIM", "encode ms", "decode ms"]]
    for name, points in found["points"].items():
        rows += [
            [
                found["labels"][name],
                f"{point['quality']:g}",
                f"{point['bpp']:.3f}",
                f"{point['psnr_db']:.2f}",
                f"{point['msssim']:.4f}",
                f"{point['encode_ms']:.1f}",
                f"{point['decode_ms']:.1f}",
            ]
            for point in points
        ]
    return rows


def summary_rows(found: results.Results) -> list[list[str]]:
    """Return a line for each codec as cells of a table, headings first."""
    rows = [["codec", "BD-rate PSNR", "MS-SSIM", "encode ms", "p90", "decode ms", "p90"]]
    for name, label in found["labels"].items():
        encode, decode = (found["latency"][name][call] for call in ("encode", "decode"))
        rates = (found["bd_rate_percent"], found["bd_rate_msssim_percent"])
        rows.append(
            [
                label,
                *("" if name == OURS else _percent(rate[name]) for rate in rates),
                f"{encode['median_ms']:.1f}",
                shown(encode["p90_ms"], 90),
                f"{decode['median_ms']:.1f}",
                shown(decode["p90_ms"], 90),
            ]
        )
    return rows


def _parts_text(found: results.Results) -> str:
    lines = []
    for call, parts in found["parts_ms"].items():
        share = found["share_outside_graphs"][call]
        spent = ", ".join(f"{name} {value:.1f}" for name, value in parts.items())
        lines.append(f"{call} ms: {spent} ({share:.0%} outside the graphs)")
    arithmetic = ", ".join(f"{k} {v:.2f}" for k, v in found["kmac_per_pixel"].items())
    lines.append(f"kMAC per pixel: {arithmetic}")
    return "\n".join([*lines, *(f"note: {note}" for note in found["notes"])])


def _percent(value: float | None) -> str:
    return "n/a" if value is None else f"{value:+.1f} %"
