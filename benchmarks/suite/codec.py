"""The photo codec beside the classic ones: rate, distortion, time and arithmetic in one run.

The curves are those of :mod:`benchmarks.rate_distortion`. Times under `latency` are medians of
repeated calls on one picture, the codecs in turn, each at the quality whose mean rate is nearest to
Venturi's at quality 50.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Literal

import cv2

from benchmarks import charts, crops, environment, markdown, pictures, rate_distortion
from benchmarks.figures import ARITHMETIC_NOISE, RATE_NOISE_PERCENT, Figure, milliseconds
from benchmarks.markdown import percent
from benchmarks.options import MeasureOptions, option
from benchmarks.peers import PEERS
from benchmarks.pictures import Picture
from benchmarks.pieces import Conditions, Facts, Note, Piece, Plots, Slider, Sliders, Table
from benchmarks.rate_distortion import (
    EVERYDAY,
    MSSIM,
    PSNR,
    QUALITIES,
    RATES,
    Point,
    Samples,
    Scheme,
)  # fmt: skip
from benchmarks.registry import Benchmark
from benchmarks.results import Bundle, Measured, PictureSet, Times, record
from benchmarks.timing import interleaved, summary
from venturi import Codec, Manifest
from venturi._bundle.load import locate
from venturi._bundle.tasks import FP32
from venturi._engine.observer import Observer
from venturi._io.files import write_atomically
from venturi.bench.percentiles import shown
from venturi.bench.split import Stopwatch, share_outside_graphs, split
from venturi.bench.trace import kmac_per_pixel, trace

OURS = "venturi"
ANCHOR = "jpeg"


@dataclass(frozen=True, kw_only=True)
class Options(MeasureOptions):
    """What to measure."""

    data: Path = option("folder of lossless pictures", metavar="FOLDER")
    bundle: str = option("codec", "photo")
    pictures: int | None = option("the first N of the pictures", None)
    runs: int = option("calls for the latency", 64)


@record
class TimedPicture:
    """The picture that repeated calls are timed on."""

    name: str
    height: int
    width: int


@record
class Latency:
    """Repeated calls of one codec, at a quality that needs so many bytes."""

    quality: float
    bytes: int
    encode: Times
    decode: Times


@record
class Cost:
    """What the file of a whole picture cost and lost."""

    bpp: float
    psnr_db: float


@record
class Result(Measured):
    """Results; what is by codec has the names of `labels` as keys.

    share_outside_graphs and parts_ms are of Venturi's calls. crops: the folder of crops beside the
    file; crop_figures: by picture, then by codec.
    """

    benchmark: Literal["codec"] = "codec"
    bundle: Bundle
    data: PictureSet
    labels: dict[str, str]
    points: dict[str, list[Point]]
    rates_bpp: tuple[float, float]
    bd_rate_percent: dict[str, float | None]
    bd_rate_msssim_percent: dict[str, float | None]
    bd_rate_percent_by_anchor: dict[str, dict[str, float]]
    grows_with_quality_on_every_picture: bool
    timed_picture: TimedPicture
    latency: dict[str, Latency]
    parts_ms: dict[str, dict[str, float]]
    share_outside_graphs: dict[str, float]
    kmac_per_pixel: dict[str, float]
    crops: str | None
    crop_figures: dict[str, dict[str, Cost]]


@dataclass(frozen=True)
class Ours:
    """Venturi's codec as a scheme."""

    codec: Codec
    name: str = OURS
    label: str = "Venturi"
    qualities: Sequence[int] = QUALITIES

    def encode(self, image: Picture, quality: int) -> bytes:
        """Return the container."""
        return self.codec.compress(image, quality=quality)

    def decode(self, data: bytes) -> Picture:
        """Return uint8 (H, W, 3) RGB."""
        return self.codec.decompress(data)


def measure(options: Options) -> Result:
    """Measure everything."""
    cv2.setNumThreads(options.threads)
    before = environment.describe(threads=options.threads)
    ours = _ours(options)
    schemes: list[Scheme] = [*ours, *(peer for peer in PEERS if peer.present())]
    paths = pictures.listed(options.data, limit=options.pictures)
    samples = rate_distortion.sample_all(schemes, paths)
    points = {scheme.name: rate_distortion.mean_points(samples[scheme.name]) for scheme in schemes}
    settings = _at_one_rate(points)
    notes = environment.notes(before)
    notes += [f"{peer.label}: absent, OpenCV cannot write it" for peer in PEERS
              if peer.name not in points]  # fmt: skip
    place = options.folder_beside("crops")
    timed = _Timed(options, schemes, settings, paths[0])
    return Result(
        environment=before,
        notes=notes,
        bundle=Bundle.of(ours[0].codec.manifest),
        data=PictureSet(folder=options.data.resolve().name, pictures=len(paths)),
        labels={scheme.name: scheme.label for scheme in schemes},
        points=points,
        rates_bpp=RATES,
        bd_rate_percent=rate_distortion.against(points, OURS, notes),
        bd_rate_msssim_percent=rate_distortion.against(points, OURS, notes, key=MSSIM),
        bd_rate_percent_by_anchor=_by_anchor(points),
        grows_with_quality_on_every_picture=_grows(samples[OURS]),
        timed_picture=timed.picture,
        latency=timed.latency(),
        parts_ms=(parts := timed.parts_ms()),
        share_outside_graphs={call: share_outside_graphs(each) for call, each in parts.items()},
        kmac_per_pixel=timed.arithmetic(),
        crops=place.name if place else None,
        crop_figures=_crops(place, schemes, settings, paths),
    )


def _ours(options: Options) -> list[Ours]:
    """Return the codec in each of its precisions, float32 first."""
    schemes = []
    for precision in Manifest.load(locate(options.bundle)).precisions:
        codec = Codec(options.bundle, threads=options.threads, precision=precision)
        name, label = OURS, "Venturi"
        if precision != FP32:
            name, label = f"{OURS}-{precision}", f"Venturi, {precision}"
        schemes.append(Ours(codec, name, label))
    return schemes


def _grows(samples: Samples) -> bool:
    """Tell whether bytes and PSNR grow with the quality on each picture."""
    in_order = [samples[quality] for quality in sorted(samples)]
    return all(
        low.bpp < high.bpp and low.psnr_db < high.psnr_db
        for lows, highs in pairwise(in_order)
        for low, high in zip(lows, highs, strict=True)
    )


def _by_anchor(points: rate_distortion.Curves) -> dict[str, dict[str, float]]:
    """Return every codec's BD-rate (PSNR) against every other, where there is one."""
    by_anchor: dict[str, dict[str, float]] = {}
    for test in points:
        for anchor, value in rate_distortion.against(points, test, []).items():
            if value is not None:
                by_anchor.setdefault(anchor, {})[test] = value
    return by_anchor


def _at_one_rate(points: rate_distortion.Curves) -> dict[str, int]:
    """Return each codec's quality whose mean rate is nearest to that of Venturi's everyday one."""
    rate = min(points[OURS], key=lambda p: abs(p.quality - EVERYDAY)).bpp
    nearest = {
        name: int(min(each, key=lambda p: abs(p.bpp - rate)).quality)
        for name, each in points.items()
    }
    return nearest | {OURS: EVERYDAY}


def _crops(
    place: Path | None,
    schemes: Sequence[Scheme],
    settings: Mapping[str, int],
    paths: Sequence[Path],
) -> dict[str, dict[str, Cost]]:
    """Write crops of the first pictures, and return what each file cost and lost as a whole."""
    if place is None:
        return {}
    costs: dict[str, dict[str, Cost]] = {}
    for path in paths[: crops.OF_EACH_SET]:
        image = pictures.read(path)
        files = {s.name: s.encode(image, settings[s.name]) for s in schemes}
        restored = {s.name: s.decode(files[s.name]) for s in schemes}
        crops.write(place / f"{path.stem}.png", image, restored)
        costs[path.stem] = {
            name: Cost(
                bpp=round(rate_distortion.rate_bpp(files[name], image), 6),
                psnr_db=round(rate_distortion.capped_psnr_db(image, back), 4),
            )
            for name, back in restored.items()
        }
    return costs


class _Timed:
    """Repeated calls on one picture: how long they take, in which parts, with what arithmetic."""

    def __init__(
        self,
        options: Options,
        schemes: Sequence[Scheme],
        settings: Mapping[str, int],
        path: Path,
    ) -> None:
        self._options, self._schemes = options, schemes
        self._settings, self._name = settings, path.name
        self._image = pictures.read(path)
        self._files = {s.name: s.encode(self._image, settings[s.name]) for s in schemes}

    @property
    def picture(self) -> TimedPicture:
        """The picture."""
        height, width = self._image.shape[:2]
        return TimedPicture(name=self._name, height=height, width=width)

    def latency(self) -> dict[str, Latency]:
        """Time every codec, the codecs in turn."""
        encoders = {s.name: partial(s.encode, self._image, self._settings[s.name])
                    for s in self._schemes}  # fmt: skip
        decoders = {s.name: partial(s.decode, self._files[s.name]) for s in self._schemes}
        encode = interleaved(encoders, runs=self._options.runs)
        decode = interleaved(decoders, runs=self._options.runs)
        return {
            name: Latency(
                quality=self._settings[name],
                bytes=len(file),
                encode=summary(encode[name]),
                decode=summary(decode[name]),
            )
            for name, file in self._files.items()
        }

    def parts_ms(self) -> dict[str, dict[str, float]]:
        """Return the medians of the parts of Venturi's calls."""
        stopwatch = Stopwatch()
        codec = self._opened(stopwatch)
        return {
            name: dict(split(partial(call, codec), stopwatch, runs=self._options.runs)[0])
            for name, call in self._calls.items()
        }

    def arithmetic(self) -> dict[str, float]:
        """Return kMAC per pixel of each graph in one call, the entropy graphs taken together."""
        pixels = self._image.shape[0] * self._image.shape[1]
        totals: dict[str, float] = {}
        for call in self._calls.values():
            (nodes,) = trace(
                lambda observer, call=call: partial(call, self._opened(observer)),  # type: ignore[misc]
                runs=1,
                shapes=True,
            )
            for role in dict.fromkeys(node.graph.partition("-")[0] for node in nodes):
                own = [node for node in nodes if node.graph.partition("-")[0] == role]
                totals[role] = kmac_per_pixel(own, pixels=pixels)
        return totals

    @property
    def _calls(self) -> dict[str, Callable[[Codec], object]]:
        image, data = self._image, self._files[OURS]
        return {
            "compress": lambda codec: codec.compress(image, quality=EVERYDAY),
            "decompress": lambda codec: codec.decompress(data),
        }

    def _opened(self, observer: Observer) -> Codec:
        options = self._options
        return Codec(options.bundle, threads=options.threads, observer=observer)


def draw(result: Result, path: Path) -> None:
    """Write the curves of results beside them. path: of the results."""
    for key, suffix in ((PSNR, ".svg"), (MSSIM, "-msssim.svg")):
        write_atomically(path.with_name(path.stem + suffix), curves(result, key).encode())


def curves(result: Result, key: str = PSNR) -> str:
    """Return the rate-distortion curves as SVG. key: psnr_db or msssim."""
    of = f"{result.data.pictures} pictures of {result.data.folder}"
    return rate_distortion.drawn(result.points, result.labels, of, key)


def figures(result: Result) -> Iterator[Figure]:
    """Yield what can get better or worse."""
    for percents, kind in (
        (result.bd_rate_percent, "PSNR"),
        (result.bd_rate_msssim_percent, "MS-SSIM"),
    ):
        for name, value in percents.items():
            if value is not None:
                yield Figure(f"BD-rate ({kind}) against {name}, %", value, RATE_NOISE_PERCENT)
    grows = float(result.grows_with_quality_on_every_picture)
    yield Figure("grows with quality on every picture", grows, 0.0, higher_is_better=True)
    for role, value in result.kmac_per_pixel.items():
        yield Figure(f"kMAC per pixel, {role}", value, ARITHMETIC_NOISE, relative=True)
    ours = result.latency[OURS]
    for call, times in (("encode", ours.encode), ("decode", ours.decode)):
        yield milliseconds(f"median {call}, ms", times.median_ms)


def summary_rows(result: Result) -> list[list[str]]:
    """Return a line for each codec as cells of a table, headings first."""
    rows = [["codec", "BD-rate PSNR", "MS-SSIM", "encode ms", "p90", "decode ms", "p90"]]
    for name, label in result.labels.items():
        times = result.latency[name]
        cells = [label, *_rates(result, name)]
        for each in (times.encode, times.decode):
            cells += [f"{each.median_ms:.1f}", shown(each.p90_ms, 90)]
        rows.append(cells)
    return rows


def _rates(result: Result, name: str) -> list[str]:
    """Return Venturi's BD-rates against a codec, nothing for itself."""
    percents = (result.bd_rate_percent, result.bd_rate_msssim_percent)
    return ["" if name == OURS else percent(each[name]) for each in percents]


def pieces(result: Result, place: Path) -> list[Piece]:
    """Return what the results are shown in. place: the folder of the results, for the crops."""
    low, high = result.rates_bpp
    caption = f"Venturi's bytes at equal quality, {low} to {high} bpp, and times at its quality 50"
    shares = ", ".join(f"{call} {share:.0%}" for call, share in result.share_outside_graphs.items())
    arithmetic = ", ".join(f"{role} {value:.2f}" for role, value in result.kmac_per_pixel.items())
    return [
        Facts(_facts(result)),
        Plots(
            [curves(result), curves(result, MSSIM)]
            + [_over_time(result, call) for call in ("encode", "decode")]
        ),
        Table(caption, summary_rows(result)),
        Table("Where the time goes, medians in ms", _part_rows(result)),
        Note(f"Of the whole call outside the graphs: {shares}. kMAC per pixel: {arithmetic}."),
        Table(
            "All points of the curves",
            rate_distortion.point_rows(result.points, result.labels),
            folded=True,
        ),
        _sliders(result, place),
        Conditions.of(result),
    ]


def _facts(result: Result) -> dict[str, str]:
    ours, picture = result.latency[OURS], result.timed_picture
    facts = {
        f"bytes against {_short(result, name)}": percent(value)
        for name, value in result.bd_rate_percent.items()
        if value is not None and name in ("jpeg", "webp", "avif6")
    }
    size = f"{picture.width}×{picture.height}"
    arithmetic = result.kmac_per_pixel
    return facts | {
        f"encode, {size}": f"{ours.encode.median_ms:.0f} ms",
        f"decode, {size}": f"{ours.decode.median_ms:.0f} ms",
        "kMAC per pixel, in + out": f"{arithmetic['encoder']:.1f} + {arithmetic['decoder']:.1f}",
    }


def _part_rows(result: Result) -> list[list[str]]:
    names = list(dict.fromkeys(name for parts in result.parts_ms.values() for name in parts))
    rows = [["call", *names]]
    for call, parts in result.parts_ms.items():
        rows.append([call, *(f"{parts[n]:.1f}" if n in parts else "" for n in names)])
    return rows


def _over_time(result: Result, call: str) -> str:
    """Return each codec's bytes against JPEG over its time, all at one rate."""
    rates = {ANCHOR: 0.0} | result.bd_rate_percent_by_anchor.get(ANCHOR, {})
    points = {
        _short(result, name): (getattr(result.latency[name], call).median_ms, rates[name])
        for name in result.labels
        if name in rates
    }
    return charts.scatter(
        points,
        title=f"Bytes at equal PSNR over the time to {call}",
        x="ms",
        y="% of bytes against JPEG",
        hint="better: down, left",
    )


def _short(result: Result, name: str) -> str:
    """Return a label without what a classic codec's settings are; ours differ in nothing else."""
    label = result.labels[name]
    return label if name.startswith(OURS) else label.partition(",")[0]


def _sliders(result: Result, place: Path) -> Sliders:
    """Return the crops of each codec, at nearly one size of file."""
    files = sorted((place / (result.crops or "codec-crops")).glob("*.png"))
    names = {name: _short(result, name) for name in result.labels}
    left = next((label for name, label in names.items() if not name.startswith(OURS)), "Venturi")
    sliders = []
    for path in files if result.crop_figures else ():
        costs = result.crop_figures[path.stem]
        about = {
            names[n]: f"{cost.bpp:.2f} bpp, {cost.psnr_db:.1f} dB" for n, cost in costs.items()
        }
        sliders.append(Slider(path, list(names.values()), path.stem, left, names[OURS], about))
    return Sliders("Crops, at about the bytes of Venturi's quality 50", sliders, BENCHMARK.how)


def markdown_block(result: Result, place: Path) -> str:
    """Return the table of the documents."""
    del place
    low, high = result.rates_bpp
    rows = [["codec", "Venturi's bytes (PSNR)", "Venturi's bytes (MS-SSIM)", "encode", "decode"]]
    for name, label in result.labels.items():
        times = result.latency[name]
        shown_times = [f"{each.median_ms:.1f} ms" for each in (times.encode, times.decode)]
        rows.append(
            [f"**{label}**" if name == OURS else label, *_rates(result, name), *shown_times]
        )
    picture, arithmetic = result.timed_picture, result.kmac_per_pixel
    return "\n\n".join(
        [
            f"Compression of {result.data.pictures} pictures ({result.data.folder}): "
            f"bytes at equal quality against each codec (BD-rate, {low}–{high} bpp), and the "
            f"median time of a {picture.width}×{picture.height} picture at the rate of "
            f"`quality=50`.",
            markdown.table(rows),
            f"Arithmetic: encoder {arithmetic['encoder']:.1f}, entropy model "
            f"{arithmetic['entropy']:.1f}, decoder {arithmetic['decoder']:.1f} kMAC per pixel. "
            + markdown.machine(result.environment),
        ]
    )


BENCHMARK = Benchmark(
    name="codec",
    title="Compression",
    help="rate, distortion and time beside JPEG, WebP, AVIF",
    order=10,
    options=Options,
    result=Result,
    measure=measure,
    figures=figures,
    pieces=pieces,
    markdown=markdown_block,
    plan=lambda sources: {"data": sources.folder("kodak")},
    between=lambda old, new: rate_distortion.between(
        old.points[OURS], new.points[OURS], old.rates_bpp
    ),
    same=lambda result: {"data": result.data, "rates_bpp": result.rates_bpp},
    after=draw,
)
