"""The camera denoiser beside OpenCV's: quality on Gaussian and real noise, and time, in one run.

Gaussian noise is clipped and rounded to uint8, with a seed for each picture and sigma. A figure is
the mean of the pictures' PSNR (RGB). Venturi is blind, at strength 1; the others know the noise
(see `filters`). FFDNet's layers are timed only. The bundle in float32 is compared with its variant
in 8 bits and with the other denoisers that ship.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Literal

import cv2
import numpy as np

from benchmarks import charts, crops, environment, ffdnet, markdown, pictures
from benchmarks.figures import Figure, decibels, milliseconds
from benchmarks.filters import CAMERA, FUNCTIONS, LABELS, SIGMAS, Filter, filters, present
from benchmarks.options import MeasureOptions, option
from benchmarks.pictures import Picture
from benchmarks.pieces import Conditions, Facts, Note, Piece, Plots, Slider, Sliders, Table
from benchmarks.rate_distortion import capped_psnr_db
from benchmarks.registry import Benchmark
from benchmarks.results import Bundle, Measured, Times, record
from benchmarks.timing import interleaved, summary
from venturi import Denoiser, Manifest
from venturi._bundle.load import locate, shipped
from venturi._bundle.tasks import FP32
from venturi.bench.percentiles import shown
from venturi.bench.size import Size
from venturi.bench.split import Stopwatch, in_graphs_ms, share_outside_graphs, split

OURS = "venturi"
NOISY = "noisy"
GAUSSIAN_SETS = ("kodak", "cbsd68")
CLEAN_SET = "kodak"
REAL_SET = "cc15"
SIZES = (Size(640, 480), Size(1280, 720))
LATENCY_SIGMA = 25

Pair = tuple[str, Picture, Picture]
Means = dict[str, float]

_SHOWN = (f"{CLEAN_SET}-sigma{LATENCY_SIGMA}", REAL_SET, "clean")
_OF_EACH = 3


@dataclass(frozen=True, kw_only=True)
class Options(MeasureOptions):
    """What to measure."""

    data: Path = option("folder that holds kodak, cbsd68 and cc15", metavar="FOLDER")
    bundle: str = option("denoiser", "camera")
    beside: tuple[str, ...] | None = option("further denoisers, instead of all that ship", None)
    pictures: int | None = option("the first N pictures of each set", None)
    runs: int = option("calls for the latency", 64)
    sizes: tuple[Size, ...] = option(
        "sizes of the timed frames", SIZES, metavar="WxH", parse=Size.parsed
    )

    @property
    def others(self) -> Sequence[str]:
        """The bundles beside the first one."""
        return shipped_beside(self.bundle) if self.beside is None else self.beside


@record
class Latency:
    """Whole calls on one size of frame, by method, and the parts of Venturi's in ms."""

    methods: dict[str, Times]
    parts_ms: dict[str, float]
    session_run_ms: float
    share_outside_graphs: float


@record
class Result(Measured):
    """Results; what is by method has the names of `labels` or `timed` as keys.

    bundles: by method. data: how many pictures each set has. timed: labels of the methods whose
    quality is not measured. gaussian_psnr_db: by set, then by sigma. latency: by size of frame.
    crops: the folder of crops beside the file.
    """

    benchmark: Literal["denoise"] = "denoise"
    bundle: Bundle
    bundles: dict[str, Bundle]
    data: dict[str, int]
    labels: dict[str, str]
    timed: dict[str, str]
    gaussian_psnr_db: dict[str, dict[str, Means]]
    real_psnr_db: dict[str, Means]
    clean_psnr_db: dict[str, Means]
    latency: dict[str, Latency]
    crops: str | None

    @property
    def all_labels(self) -> dict[str, str]:
        """The labels of all methods."""
        return self.labels | self.timed


@dataclass(frozen=True)
class Denoisers:
    """What is measured: each bundle in each of its precisions; `OURS` is the first."""

    by_name: Mapping[str, Denoiser]
    labels: Mapping[str, str]

    @classmethod
    def load(cls, options: Options) -> "Denoisers":
        """Open the bundles of the options."""
        by_name: dict[str, Denoiser] = {}
        labels: dict[str, str] = {}
        for bundle in (options.bundle, *options.others):
            for precision in Manifest.load(locate(bundle)).precisions:
                denoiser = Denoiser(bundle, threads=options.threads, precision=precision)
                kind = [denoiser.manifest.name, *([] if precision == FP32 else [precision])]
                name = "-".join([OURS, *kind]) if by_name else OURS
                by_name[name], labels[name] = denoiser, ", ".join(["Venturi", *kind])
        return cls(by_name, labels)

    @property
    def methods(self) -> dict[str, Filter]:
        """What each makes of a picture, by name."""
        return {name: denoiser.denoise for name, denoiser in self.by_name.items()}


def shipped_beside(bundle: str) -> list[str]:
    """Return the names of the other bundles that ship and clean one picture by itself."""
    manifests = [Manifest.load(locate(name)) for name in shipped()]
    return [
        manifest.name
        for manifest in manifests
        if manifest.task == "denoiser" and not manifest.is_recurrent and manifest.name != bundle
    ]


def measure(options: Options) -> Result:
    """Measure everything and write the crops."""
    cv2.setNumThreads(options.threads)
    before = environment.describe(threads=options.threads)
    ours = Denoisers.load(options)
    notes = environment.notes(before)
    notes += [f"{label}: absent, this OpenCV has no {FUNCTIONS[name]}"
              for name, label in LABELS.items() if not present(name)]  # fmt: skip
    place = options.folder_beside("crops")
    return Result(
        environment=before,
        notes=notes,
        bundle=Bundle.of(ours.by_name[OURS].manifest),
        bundles={name: Bundle.of(each.manifest) for name, each in ours.by_name.items()},
        data={
            name: len(pictures.listed(folder, limit=options.pictures))
            for name, folder in _folders(options).items()
            if folder.is_dir()
        },
        labels={NOISY: "noisy", **ours.labels}
        | {name: label for name, label in LABELS.items() if present(name)},
        timed={ffdnet.NAME: ffdnet.LABEL},
        gaussian_psnr_db={
            name: {str(sigma): _gaussian(options, ours, name, sigma) for sigma in SIGMAS}
            for name in _present(options, GAUSSIAN_SETS, notes)
        },
        real_psnr_db={n: _real(options, ours) for n in _present(options, (REAL_SET,), notes)},
        clean_psnr_db={n: _clean(options, ours) for n in _present(options, (CLEAN_SET,), notes)},
        latency={str(size): _latency(options, ours, size) for size in options.sizes},
        crops=place.name if place else None,
    )


def _present(options: Options, names: Sequence[str], notes: list[str]) -> list[str]:
    """Return the sets that are there, and note those that are not."""
    there = [name for name in names if (options.data / name).is_dir()]
    for name in names:
        note = f"{name}: absent from the data, not measured"
        if name not in there and note not in notes:
            notes.append(note)
    return there


def _folders(options: Options) -> dict[str, Path]:
    """Return where the pictures of each set are listed."""
    folders = {name: options.data / name for name in GAUSSIAN_SETS}
    return folders | {REAL_SET: options.data / REAL_SET / "noisy"}


def _methods(ours: Denoisers, noise: str) -> dict[str, Filter]:
    return {NOISY: lambda image: image, **ours.methods, **filters(noise)}


def _gaussian(options: Options, ours: Denoisers, name: str, sigma: int) -> Means:
    def pairs() -> Iterable[Pair]:
        for path in pictures.listed(options.data / name, limit=options.pictures):
            image = pictures.read(path)
            yield path.stem, image, pictures.noisy(image, sigma, name=path.name)

    label = f"{name}-sigma{sigma}"
    return _means(pairs(), _methods(ours, str(sigma)), _place(options, label))


def _real(options: Options, ours: Denoisers) -> Means:
    folder = options.data / REAL_SET

    def pairs() -> Iterable[Pair]:
        for path in pictures.listed(folder / "noisy", limit=options.pictures):
            yield path.stem, pictures.read(folder / "clean" / path.name), pictures.read(path)

    return _means(pairs(), _methods(ours, CAMERA), _place(options, REAL_SET))


def _clean(options: Options, ours: Denoisers) -> Means:
    """Give clean pictures in: what comes out should be the same."""

    def pairs() -> Iterable[Pair]:
        for path in pictures.listed(options.data / CLEAN_SET, limit=options.pictures):
            image = pictures.read(path)
            yield path.stem, image, image

    return _means(pairs(), ours.methods, _place(options, "clean"))


def _place(options: Options, label: str) -> Path | None:
    """Return the folder for the crops of one set, None where none are kept."""
    place = options.folder_beside("crops")
    return place and place / label


def _means(pairs: Iterable[Pair], methods: Mapping[str, Filter], place: Path | None) -> Means:
    """Return each method's mean PSNR, and write crops of the first pictures."""
    psnrs: dict[str, list[float]] = {name: [] for name in methods}
    for number, (stem, clean, noisy) in enumerate(pairs):
        denoised = {name: method(noisy) for name, method in methods.items()}
        for name, image in denoised.items():
            psnrs[name].append(capped_psnr_db(clean, image))
        if place and number < crops.OF_EACH_SET:
            crops.write(place / f"{stem}.png", clean, denoised)
        print(stem, file=sys.stderr)
    return {name: round(fmean(values), 4) for name, values in psnrs.items()}


def _latency(options: Options, ours: Denoisers, size: Size) -> Latency:
    """Time whole calls on one noisy frame, the methods in turn, and split Venturi's."""
    frame = _frame(options, size)
    learned = {ffdnet.NAME: ffdnet.Ffdnet(options.threads).denoise}
    methods = _methods(ours, str(LATENCY_SIGMA)) | learned
    calls: dict[str, Callable[[], object]] = {
        name: _call(method, frame) for name, method in methods.items() if name != NOISY
    }
    samples = interleaved(calls, runs=options.runs)
    stopwatch = Stopwatch()
    timed = Denoiser(options.bundle, threads=options.threads, observer=stopwatch)
    parts, _ = split(_call(timed.denoise, frame), stopwatch, runs=options.runs)
    return Latency(
        methods={name: summary(each) for name, each in samples.items()},
        parts_ms=dict(parts),
        session_run_ms=round(in_graphs_ms(parts), 3),
        share_outside_graphs=share_outside_graphs(parts),
    )


def _call(method: Filter, frame: Picture) -> Callable[[], object]:
    return lambda: method(frame)


def _frame(options: Options, size: Size) -> Picture:
    """Return a real picture in the size of a frame, with noise."""
    folders = [options.data / name for name in GAUSSIAN_SETS if (options.data / name).is_dir()]
    if not folders:
        raise ValueError(
            f"{options.data} holds none of {', '.join(GAUSSIAN_SETS)}: name a folder that does"
        )
    image = pictures.read(pictures.listed(folders[0], limit=1)[0])
    resized = cv2.resize(image, (size.width, size.height), interpolation=cv2.INTER_AREA)
    return pictures.noisy(np.asarray(resized, np.uint8), LATENCY_SIGMA, name="frame")


def figures(result: Result) -> Iterator[Figure]:
    """Yield what can get better or worse."""
    for name, sigmas in result.gaussian_psnr_db.items():
        for sigma, means in sigmas.items():
            yield decibels(f"PSNR {name} sigma {sigma}, dB", means[OURS])
    for kind, sets in (("real", result.real_psnr_db), ("clean", result.clean_psnr_db)):
        for name, means in sets.items():
            yield decibels(f"PSNR {name} {kind}, dB", means[OURS])
    for size, latency in result.latency.items():
        yield milliseconds(f"median {size}, ms", latency.methods[OURS].median_ms)


def _noisy_columns(result: Result) -> list[tuple[str, Means]]:
    """Return the title and the means of each set with noise."""
    columns = [
        (f"{name}, σ = {sigma}", means)
        for name, sigmas in result.gaussian_psnr_db.items()
        for sigma, means in sigmas.items()
    ]
    return columns + [(f"{name}, camera noise", m) for name, m in result.real_psnr_db.items()]


def _cells(columns: Sequence[tuple[str, Means]], method: str) -> list[str]:
    return [f"{means[method]:.2f}" if method in means else "" for _, means in columns]


def quality_rows(result: Result) -> list[list[str]]:
    """Return the mean PSNR of each method as cells of a table, headings first."""
    columns = _noisy_columns(result)
    columns += [(f"{name}, no noise", means) for name, means in result.clean_psnr_db.items()]
    rows = [["method", *(title for title, _ in columns)]]
    return rows + [[label, *_cells(columns, name)] for name, label in result.labels.items()]


def latency_rows(result: Result) -> list[list[str]]:
    """Return the time of each method as cells of a table, headings first."""
    sizes = result.latency
    rows = [["method", *(f"{size} {kind}" for size in sizes for kind in ("median", "p90"))]]
    for name, label in result.all_labels.items():
        if name != NOISY:
            times = [latency.methods[name] for latency in sizes.values()]
            cells = [(f"{t.median_ms:.1f}", shown(t.p90_ms, 90)) for t in times]
            rows.append([label, *(cell for pair in cells for cell in pair)])
    inside, outside = [], []
    for latency in sizes.values():
        inside += [f"{latency.session_run_ms:.1f}", ""]
        outside += [f"{latency.share_outside_graphs:.0%}", ""]
    label = result.labels[OURS]
    return [*rows, [f"{label}, in session.run", *inside], [f"{label}, share outside it", *outside]]


def pieces(result: Result, place: Path) -> list[Piece]:
    """Return what the results are shown in. place: the folder of the results, for the crops."""
    return [
        Facts(_facts(result)),
        Note("Venturi is blind; the other filters know the noise and have their best settings."),
        Plots([_over_time(result, size) for size in result.latency]),
        Table("PSNR in dB, mean of the pictures", quality_rows(result)),
        Table("Time of a whole call in ms", latency_rows(result)),
        _sliders(result, place),
        Conditions.of(result),
    ]


def _facts(result: Result) -> dict[str, str]:
    facts = {
        f"{CLEAN_SET}, σ = {sigma}": f"{means[OURS]:.2f} dB"
        for sigma, means in result.gaussian_psnr_db.get(CLEAN_SET, {}).items()
    }
    for name, means in result.real_psnr_db.items():
        facts[f"{name}, camera noise"] = f"{means[OURS]:.2f} dB"
    for size, latency in result.latency.items():
        shown_size = size.replace("x", "×")
        facts[f"a frame of {shown_size}"] = f"{latency.methods[OURS].median_ms:.0f} ms"
    return facts


def _over_time(result: Result, size: str) -> str:
    """Return each method's quality on the first set over its time for one size of frame."""
    for name, sigmas in result.gaussian_psnr_db.items():
        means = sigmas[str(LATENCY_SIGMA)]
        points = {
            label: (result.latency[size].methods[method].median_ms, means[method])
            for method, label in result.labels.items()
            if method != NOISY
        }
        title = f"{name}, σ = {LATENCY_SIGMA}, over the time for {size.replace('x', '×')}"
        return charts.scatter(points, title=title, x="ms", y="PSNR, dB")
    return ""


def _sliders(result: Result, place: Path) -> Sliders:
    """Return the crops of each method."""
    folder = place / (result.crops or "denoise-crops")
    files = [path for name in _SHOWN for path in sorted((folder / name).glob("*.png"))[:_OF_EACH]]
    sliders = []
    for path in files:
        clean = path.parent.name == "clean"
        names = [result.labels[n] for n in (result.bundles if clean else result.labels)]
        left = crops.ORIGINAL if clean else result.labels[NOISY]
        label = f"{path.parent.name}, {path.stem}"
        sliders.append(Slider(path, names, label, left, result.labels[OURS]))
    return Sliders("Crops", sliders, BENCHMARK.how)


def markdown_block(result: Result, place: Path) -> str:
    """Return the table of the documents."""
    del place
    columns = _noisy_columns(result)
    rows = [["PSNR, dB", *(title for title, _ in columns), *result.latency]]
    for name, label in result.all_labels.items():
        times = [
            "" if name == NOISY else f"{latency.methods[name].median_ms:.1f} ms"
            for latency in result.latency.values()
        ]
        shown_label = f"**{label}**" if name in result.bundles else label
        rows.append([shown_label, *_cells(columns, name), *times])
    return "\n\n".join(
        [
            "Denoising: Venturi is blind, OpenCV's filters know the noise and have their best "
            "settings for it. Times are medians of the whole call.",
            markdown.table(rows),
            markdown.machine(result.environment),
        ]
    )


BENCHMARK = Benchmark(
    name="denoise",
    title="Denoising",
    help="quality and time beside OpenCV's denoisers",
    order=30,
    options=Options,
    result=Result,
    measure=measure,
    figures=figures,
    pieces=pieces,
    markdown=markdown_block,
    plan=lambda sources: sources.holding(CLEAN_SET),
    same=lambda result: {"data": result.data},
)
