"""A stream of frames beside the still denoiser: on a clip, on pans of every speed, and after cuts.

Each frame has different Gaussian noise, sigma 25, clipped and rounded to uint8. What a stream gains
on slow motion must not cost ghosts on fast motion and after cuts, so all are measured. Pans move
by whole pixels of real pictures, which blurs nothing. A figure is the mean PSNR (RGB) of all frames
but the first ones, before which a stream has no history; of a cut, only the frame after it counts.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Literal

from benchmarks import charts, environment, markdown, pictures
from benchmarks.figures import Figure, decibels
from benchmarks.metrics import psnr_db
from benchmarks.options import MeasureOptions, option
from benchmarks.pictures import Picture
from benchmarks.pieces import Conditions, Facts, Note, Piece, Plots, Table
from benchmarks.registry import Benchmark
from benchmarks.results import Bundle, Measured, record
from venturi import Denoiser, DenoiserStream

SIGMA = 25
CLIPS = "video"
STILLS = "kodak"
SPEEDS = (0, 1, 2, 4, 8, 16, 32)
SIDE = 256
FRAMES = 10
SETTLED = 4
INT8 = "int8"
LABELS = {"noisy": "noisy", "still": "still denoiser", "alone": "each frame by itself",
          "stream": "stream"}  # fmt: skip

Sequences = Iterable[tuple[str, Sequence[Picture]]]
Means = dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Options(MeasureOptions):
    """What to measure."""

    data: Path = option("folder that holds video and kodak", metavar="FOLDER")
    bundle: str = option("denoiser with state", "camera-video")
    still: str = option("denoiser of single frames that it grew from", "camera-fast")
    pictures: int | None = option("the first N of the still pictures", None)


@record
class Result(Measured):
    """Results; what is by method has the names of `labels` as keys.

    sigma: of the noise, in grey levels. clips_psnr_db: by clip, then by method. pans_psnr_db: by
    speed in pixels per frame, then by method. cut_psnr_db: of the frame after a cut, by method.
    """

    benchmark: Literal["video"] = "video"
    bundle: Bundle
    still_bundle: Bundle
    labels: dict[str, str]
    sigma: float
    clips_psnr_db: dict[str, Means]
    pans_psnr_db: dict[str, Means]
    cut_psnr_db: Means

    @property
    def sequences(self) -> dict[str, Means]:
        """All means by method, by the kind of sequence."""
        pans = {f"pan {speed} px": means for speed, means in self.pans_psnr_db.items()}
        cut = {"after a cut": self.cut_psnr_db} if self.cut_psnr_db else {}
        return {**self.clips_psnr_db, **pans, **cut}


class _Bench:
    """The denoisers that are compared."""

    def __init__(self, options: Options) -> None:
        self.still = Denoiser(options.still, threads=options.threads)
        self.recurrent = Denoiser(options.bundle, threads=options.threads)
        self.streaming = {"stream": self.recurrent}
        if INT8 in self.recurrent.manifest.precisions:
            rounded = Denoiser(options.bundle, threads=options.threads, precision=INT8)
            self.streaming[f"stream_{INT8}"] = rounded

    @property
    def labels(self) -> dict[str, str]:
        """What each method is called."""
        rounded = {name: f"stream, {INT8}" for name in self.streaming if name.endswith(INT8)}
        return {**LABELS, **rounded}

    def means(self, sequences: Sequences, *, counted: slice) -> Means:
        """Return each method's mean PSNR over the counted frames of all sequences."""
        psnrs: dict[str, list[float]] = {name: [] for name in self.labels}
        for name, frames in sequences:
            streams = {method: each.stream() for method, each in self.streaming.items()}
            rows = [self._frame(streams, name, i, frame) for i, frame in enumerate(frames)]
            for row in rows[counted]:
                for method, value in row.items():
                    psnrs[method].append(value)
            print(name, file=sys.stderr)
        return {method: round(fmean(values), 4) for method, values in psnrs.items()}

    def _frame(
        self, streams: Mapping[str, DenoiserStream], name: str, number: int, clean: Picture
    ) -> Means:
        noisy = pictures.noisy(clean, SIGMA, name=f"{name}-{number}")
        denoised = {
            "noisy": noisy,
            "still": self.still.denoise(noisy),
            "alone": self.recurrent.denoise(noisy),
            **{method: stream.denoise(noisy) for method, stream in streams.items()},
        }
        return {method: psnr_db(clean, image) for method, image in denoised.items()}


def measure(options: Options) -> Result:
    """Measure everything.

    Raises ValueError when the bundle carries no state.
    """
    on = environment.describe(threads=options.threads)
    bench = _Bench(options)
    if not bench.recurrent.manifest.is_recurrent:
        raise ValueError(f"bundle {options.bundle!r} carries no state; expected one that does")
    settled = slice(SETTLED, None)
    notes: list[str] = []
    clips = {
        place.name: bench.means([_clip(place)], counted=settled)
        for place in _folders(options.data / CLIPS, notes)
    }
    stills = _stills(options, notes)
    return Result(
        environment=on,
        notes=notes,
        bundle=Bundle.of(bench.recurrent.manifest),
        still_bundle=Bundle.of(bench.still.manifest),
        labels=bench.labels,
        sigma=SIGMA,
        clips_psnr_db=clips,
        pans_psnr_db={
            str(speed): bench.means(_pans(stills, speed), counted=settled)
            for speed in SPEEDS
            if stills
        },
        cut_psnr_db=bench.means(_cuts(stills), counted=slice(-1, None)) if stills else {},
    )


def _folders(folder: Path, notes: list[str]) -> list[Path]:
    folders = sorted(path for path in folder.glob("*") if path.is_dir())
    if not folders:
        notes.append(f"{CLIPS}: absent from the data, not measured")
    return folders


def _clip(folder: Path) -> tuple[str, Sequence[Picture]]:
    return folder.name, [pictures.read(path) for path in pictures.listed(folder)]


def _stills(options: Options, notes: list[str]) -> list[tuple[str, Picture]]:
    place = options.data / STILLS
    if not place.is_dir():
        notes.append(f"{STILLS}: absent from the data, not measured")
        return []
    paths = pictures.listed(place, limit=options.pictures)
    return [(path.stem, pictures.read(path)) for path in paths]


def _pans(stills: list[tuple[str, Picture]], speed: int) -> Sequences:
    """Yield pans along the longer side of a picture."""
    for stem, image in stills:
        yield f"{stem}-pan{speed}", [_view(image, i * speed) for i in range(FRAMES)]


def _cuts(stills: list[tuple[str, Picture]]) -> Sequences:
    """Yield a slow pan, and one frame of the next picture."""
    for (stem, image), (_, other) in zip(stills, [*stills[1:], stills[0]], strict=True):
        yield f"{stem}-cut", [*(_view(image, i) for i in range(SETTLED)), _view(other, 0)]


def _view(image: Picture, place: int) -> Picture:
    height, width = image.shape[:2]
    if height > width:
        image = image.transpose(1, 0, 2)
        height, width = width, height
    side = min(SIDE, height)
    left = min(place, width - side)
    return image[:side, left : left + side].copy()


def figures(result: Result) -> Iterator[Figure]:
    """Yield what can get better or worse."""
    for name, means in result.sequences.items():
        for method, value in means.items():
            yield decibels(f"{name}: {method}, dB", value)


def rows(result: Result) -> list[list[str]]:
    """Return the mean PSNR of each method as cells of a table, headings first."""
    columns = result.sequences
    table = [[f"PSNR dB, σ={result.sigma:g}", *columns]]
    for method, label in result.labels.items():
        table.append([label, *(f"{means[method]:.2f}" for means in columns.values())])
    gains = (_gain(means) for means in columns.values())
    return [*table, ["stream − still denoiser", *(f"{gain:+.2f}" for gain in gains)]]


def _gain(means: Means, method: str = "stream") -> float:
    return means[method] - means["still"]


def pieces(result: Result, place: Path) -> list[Piece]:
    """Return what the results are shown in."""
    del place
    by_sequence = [list(row) for row in zip(*rows(result), strict=True)]
    return [
        Facts(_facts(result)),
        Note(
            f"Frames with Gaussian noise (σ = {result.sigma:g}) that differs from frame to frame, "
            f"denoised by a stream, which remembers earlier frames ({result.bundle.name}), and one "
            f"by one by the still denoiser ({result.still_bundle.name}). What memory gains on slow "
            "motion must not be lost on fast motion: so pans of every speed, and cuts, stand "
            "beside the clips."
        ),
        Plots([_gains(result)]),
        Table("PSNR in dB, mean of the frames", by_sequence, ours=None),
        Conditions.of(result),
    ]


def _facts(result: Result) -> dict[str, str]:
    sequences = dict(result.clips_psnr_db)
    if result.cut_psnr_db:
        sequences["the frame after a cut"] = result.cut_psnr_db
    return {
        f"beyond the still denoiser, {name}": f"{_gain(means):+.2f} dB".replace("-", "−")
        for name, means in sequences.items()
    }


def _gains(result: Result) -> str:
    """Return what each method has beyond the still denoiser, over the speed of a pan."""
    curves = {
        result.labels[method]: [
            (float(speed), _gain(means, method)) for speed, means in result.pans_psnr_db.items()
        ]
        for method in ("stream", "alone", "still")
    }
    title = "Beyond the still denoiser, over the speed of a pan"
    return charts.lines(curves, title=title, x="pixels per frame", y="PSNR, dB")


def markdown_block(result: Result, place: Path) -> str:
    """Return the table of the documents."""
    del place
    return (
        f"A stream of frames (`{result.bundle.name}`) beside the denoiser of one frame "
        f"(`{result.still_bundle.name}`): a clip, pans of several speeds over "
        f"photographs, the first frame of another scene.\n\n{markdown.table(rows(result))}"
    )


BENCHMARK = Benchmark(
    name="video",
    title="Video",
    help="a stream of frames beside the still denoiser",
    order=40,
    options=Options,
    result=Result,
    measure=measure,
    figures=figures,
    pieces=pieces,
    markdown=markdown_block,
    plan=lambda sources: sources.holding(CLIPS),
    same=lambda result: {"sigma": result.sigma},
)
