"""The camera denoiser beside OpenCV's: quality on Gaussian and real noise, and time, in one run.

Gaussian noise is clipped and rounded to uint8, with a seed of its own for each picture and sigma.
A figure is the mean of the pictures' PSNR (RGB). Venturi is blind, at strength 1; the others are
told the noise (see `filters`). FFDNet's layers stand beside them for their time alone. Beside the
bundle in float32 stand its variant in 8 bits and the
other denoisers that ship.
"""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import cv2
import numpy as np

from benchmarks import crops, environment, ffdnet, pictures, results
from benchmarks.filters import CAMERA, FUNCTIONS, LABELS, SIGMAS, Filter, filters, present
from benchmarks.metrics import psnr_db
from benchmarks.pictures import Picture
from benchmarks.timing import interleaved, summary
from venturi import Denoiser, Manifest
from venturi._bundle.load import locate, shipped
from venturi._bundle.tasks import FP32
from venturi.bench.percentiles import shown
from venturi.bench.split import Stopwatch, in_graphs_ms, share_outside_graphs, split

OURS = "venturi"
NOISY = "noisy"
GAUSSIAN_SETS = ("kodak", "cbsd68")
CLEAN_SET = "kodak"
REAL_SET = "cc15"
SIZES = ((640, 480), (1280, 720))
LATENCY_SIGMA = 25
LOSSLESS_DB = 100.0

Pair = tuple[str, Picture, Picture]
Means = dict[str, float]


@dataclass(frozen=True)
class Options:
    """What to measure.

    data: folder that holds kodak, cbsd68 and cc15 (an absent one is said to be absent).
    json: results; the crops go beside it. bundle: name or path. pictures: of each set at most.
    threads: for the graph and for OpenCV. runs: repeated calls for the latency. beside: further
    bundles.
    """

    data: Path
    json: Path
    bundle: str
    pictures: int | None
    threads: int
    runs: int
    beside: Sequence[str] = ()

    @property
    def crops(self) -> Path:
        """The folder of the crops to look at."""
        return self.json.with_name(self.json.stem + "-crops")


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
        for bundle in (options.bundle, *options.beside):
            for precision in Manifest.load(locate(bundle)).precisions:
                found = Denoiser(bundle, threads=options.threads, precision=precision)
                kind = [found.manifest.name, *([] if precision == FP32 else [precision])]
                name = "-".join([OURS, *kind]) if by_name else OURS
                by_name[name], labels[name] = found, ", ".join(["Venturi", *kind])
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


def measure(options: Options) -> results.Results:
    """Measure everything, write the crops, and return what goes into the results file."""
    cv2.setNumThreads(options.threads)
    before = environment.describe(threads=options.threads)
    ours = Denoisers.load(options)
    notes = [note for note in (environment.busy(before),) if note]
    notes += [f"{label}: absent, this OpenCV has no {FUNCTIONS[name]}"
              for name, label in LABELS.items() if not present(name)]  # fmt: skip
    gaussian = {
        name: {str(sigma): _gaussian(options, ours, name, sigma) for sigma in SIGMAS}
        for name in _present(options, GAUSSIAN_SETS, notes)
    }
    real = {name: _real(options, ours) for name in _present(options, (REAL_SET,), notes)}
    clean = {n: _clean(options, ours) for n in _present(options, (CLEAN_SET,), notes)}
    return {
        "schema_version": results.SCHEMA_VERSION,
        "benchmark": "denoise",
        "environment": before,
        "bundle": results.described(ours.by_name[OURS].manifest),
        "bundles": {
            name: results.described(denoiser.manifest) for name, denoiser in ours.by_name.items()
        },
        "data": {
            name: len(pictures.listed(folder, limit=options.pictures))
            for name, folder in _folders(options).items()
            if folder.is_dir()
        },
        "labels": {NOISY: "noisy", **ours.labels}
        | {name: label for name, label in LABELS.items() if present(name)},
        "timed": {ffdnet.NAME: ffdnet.LABEL},
        "gaussian_psnr_db": gaussian,
        "real_psnr_db": real,
        "clean_psnr_db": clean,
        "latency": {f"{w}x{h}": _latency(options, ours, w, h) for w, h in SIZES},
        "crops": options.crops.name,
        "notes": notes,
    }


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
    return _means(pairs(), _methods(ours, str(sigma)), options.crops / label)


def _real(options: Options, ours: Denoisers) -> Means:
    folder = options.data / REAL_SET

    def pairs() -> Iterable[Pair]:
        for path in pictures.listed(folder / "noisy", limit=options.pictures):
            yield path.stem, pictures.read(folder / "clean" / path.name), pictures.read(path)

    return _means(pairs(), _methods(ours, CAMERA), options.crops / REAL_SET)


def _clean(options: Options, ours: Denoisers) -> Means:
    """Give clean pictures in: what comes out should be the same."""

    def pairs() -> Iterable[Pair]:
        for path in pictures.listed(options.data / CLEAN_SET, limit=options.pictures):
            image = pictures.read(path)
            yield path.stem, image, image

    return _means(pairs(), ours.methods, options.crops / "clean")


def _means(pairs: Iterable[Pair], methods: Mapping[str, Filter], folder: Path) -> Means:
    """Return each method's mean PSNR, and write crops of the first pictures."""
    found: dict[str, list[float]] = {name: [] for name in methods}
    for number, (stem, clean, noisy) in enumerate(pairs):
        results_of = {name: method(noisy) for name, method in methods.items()}
        for name, image in results_of.items():
            found[name].append(min(psnr_db(clean, image), LOSSLESS_DB))
        if number < crops.OF_EACH_SET:
            crops.write(folder / f"{stem}.png", clean, results_of)
        print(f"{folder.name} {stem}", file=sys.stderr)
    return {name: round(fmean(values), 4) for name, values in found.items()}


def _latency(options: Options, ours: Denoisers, width: int, height: int) -> results.Results:
    """Time whole calls on one noisy frame, the methods in turn, and split Venturi's."""
    frame = _frame(options, width, height)
    learned = {ffdnet.NAME: ffdnet.Ffdnet(options.threads).denoise}
    methods = _methods(ours, str(LATENCY_SIGMA)) | learned
    calls: dict[str, Callable[[], object]] = {
        name: _call(method, frame) for name, method in methods.items() if name != NOISY
    }
    samples = interleaved(calls, runs=options.runs)
    stopwatch = Stopwatch()
    timed = Denoiser(options.bundle, threads=options.threads, observer=stopwatch)
    parts, _ = split(_call(timed.denoise, frame), stopwatch, runs=options.runs)
    return {
        **{name: summary(found) for name, found in samples.items()},
        "parts_ms": parts,
        "session_run_ms": round(in_graphs_ms(parts), 3),
        "share_outside_graphs": share_outside_graphs(parts),
    }


def _call(method: Filter, frame: Picture) -> Callable[[], object]:
    return lambda: method(frame)


def _frame(options: Options, width: int, height: int) -> Picture:
    """Return a real picture in the size of a frame, with noise."""
    folders = [options.data / name for name in GAUSSIAN_SETS if (options.data / name).is_dir()]
    if not folders:
        raise ValueError(
            f"{options.data} holds none of {', '.join(GAUSSIAN_SETS)}: name a folder that does"
        )
    image = pictures.read(pictures.listed(folders[0], limit=1)[0])
    resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return pictures.noisy(np.asarray(resized, np.uint8), LATENCY_SIGMA, name="frame")


def text(found: results.Results) -> str:
    """Return the results as people read them."""
    tables = (results.table(rows(found)) for rows in (quality_rows, latency_rows))
    return "\n\n".join([*tables, *(f"note: {note}" for note in found["notes"])])


def quality_rows(found: results.Results) -> list[list[str]]:
    """Return the mean PSNR of each method as cells of a table, headings first."""
    columns: list[tuple[str, Means]] = [
        (f"{name} σ={sigma}", means)
        for name, sigmas in found["gaussian_psnr_db"].items()
        for sigma, means in sigmas.items()
    ]
    columns += list(found["real_psnr_db"].items())
    columns += [(f"{name} clean", means) for name, means in found["clean_psnr_db"].items()]
    rows = [["PSNR dB", *(title for title, _ in columns)]]
    for name, label in found["labels"].items():
        cells = [f"{means[name]:.2f}" if name in means else "" for _, means in columns]
        rows.append([label, *cells])
    return rows


def timed(found: results.Results) -> dict[str, str]:
    """Return the labels of all methods, those included that are timed and not judged."""
    return {**found["labels"], **found.get("timed", {})}


def latency_rows(found: results.Results) -> list[list[str]]:
    """Return the time of each method as cells of a table, headings first."""
    sizes = found["latency"]
    rows = [["ms", *(f"{size} {kind}" for size in sizes for kind in ("median", "p90"))]]
    for name, label in timed(found).items():
        if name != NOISY:
            found_of = [sizes[size][name] for size in sizes]
            cells = [(f"{t['median_ms']:.1f}", shown(t["p90_ms"], 90)) for t in found_of]
            rows.append([label, *(cell for pair in cells for cell in pair)])
    inside, outside = [], []
    for size in sizes.values():
        inside += [f"{size['session_run_ms']:.1f}", ""]
        outside += [f"{size['share_outside_graphs']:.0%}", ""]
    label = found["labels"][OURS]
    rows += [[f"{label}, in session.run", *inside], [f"{label}, share outside it", *outside]]
    return rows
