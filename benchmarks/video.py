"""A stream of frames beside the still denoiser: on a clip, on pans of every speed, and after cuts.

Every frame has Gaussian noise of its own, sigma 25, clipped and rounded to uint8. What a stream is
better by on slow motion must not become ghosts on fast motion and cuts: so these stand beside it.
Pans are whole pixels of real pictures, which blur nothing. A figure is the mean PSNR (RGB) of all
frames but the first ones, where a stream has seen nothing yet; of a cut, the frame after it alone.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from benchmarks import environment, pictures, results
from benchmarks.metrics import psnr_db
from benchmarks.pictures import Picture
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


@dataclass(frozen=True)
class Options:
    """What to measure.

    data: folder that holds video and kodak (an absent one is said to be absent). bundle: the one
    with state. still: the one to compare with. pictures: of the stills at most. threads: for the
    graphs.
    """

    data: Path
    bundle: str
    still: str
    pictures: int | None
    threads: int


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
        found: dict[str, list[float]] = {name: [] for name in self.labels}
        for name, frames in sequences:
            streams = {method: each.stream() for method, each in self.streaming.items()}
            rows = [self._frame(streams, name, i, frame) for i, frame in enumerate(frames)]
            for row in rows[counted]:
                for method, value in row.items():
                    found[method].append(value)
            print(name, file=sys.stderr)
        return {method: round(fmean(values), 4) for method, values in found.items()}

    def _frame(
        self, streams: Mapping[str, DenoiserStream], name: str, number: int, clean: Picture
    ) -> Means:
        noisy = pictures.noisy(clean, SIGMA, name=f"{name}-{number}")
        made = {
            "noisy": noisy,
            "still": self.still.denoise(noisy),
            "alone": self.recurrent.denoise(noisy),
            **{method: stream.denoise(noisy) for method, stream in streams.items()},
        }
        return {method: psnr_db(clean, image) for method, image in made.items()}


def measure(options: Options) -> results.Results:
    """Measure everything and return what goes into the results file."""
    described = environment.describe(threads=options.threads)
    bench = _Bench(options)
    if not bench.recurrent.manifest.is_recurrent:
        raise ValueError(f"bundle {options.bundle!r} carries no state; expected one that does")
    settled = slice(SETTLED, None)
    notes: list[str] = []
    clips = {
        folder.name: bench.means([_clip(folder)], counted=settled)
        for folder in _folders(options.data / CLIPS, notes)
    }
    stills = _stills(options, notes)
    return {
        "schema_version": results.SCHEMA_VERSION,
        "benchmark": "video",
        "environment": described,
        "bundle": results.described(bench.recurrent.manifest),
        "still_bundle": results.described(bench.still.manifest),
        "labels": bench.labels,
        "sigma": SIGMA,
        "clips_psnr_db": clips,
        "pans_psnr_db": {
            str(speed): bench.means(_pans(stills, speed), counted=settled)
            for speed in SPEEDS
            if stills
        },
        "cut_psnr_db": bench.means(_cuts(stills), counted=slice(-1, None)) if stills else {},
        "notes": notes,
    }


def _folders(folder: Path, notes: list[str]) -> list[Path]:
    found = sorted(path for path in folder.glob("*") if path.is_dir())
    if not found:
        notes.append(f"{CLIPS}: absent from the data, not measured")
    return found


def _clip(folder: Path) -> tuple[str, Sequence[Picture]]:
    return folder.name, [pictures.read(path) for path in pictures.listed(folder)]


def _stills(options: Options, notes: list[str]) -> list[tuple[str, Picture]]:
    folder = options.data / STILLS
    if not folder.is_dir():
        notes.append(f"{STILLS}: absent from the data, not measured")
        return []
    paths = pictures.listed(folder, limit=options.pictures)
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


def rows(found: results.Results) -> list[list[str]]:
    """Return the mean PSNR of each method as cells of a table, headings first."""
    columns = dict(found["clips_psnr_db"])
    columns |= {f"pan {speed} px": means for speed, means in found["pans_psnr_db"].items()}
    if found["cut_psnr_db"]:
        columns["after a cut"] = found["cut_psnr_db"]
    table = [[f"PSNR dB, σ={found['sigma']}", *columns]]
    for method, label in found["labels"].items():
        table.append([label, *(f"{means[method]:.2f}" for means in columns.values())])
    gains = (means["stream"] - means["still"] for means in columns.values())
    return [*table, ["stream − still denoiser", *(f"{gain:+.2f}" for gain in gains)]]


def text(found: results.Results) -> str:
    """Return the results as people read them."""
    return "\n\n".join([results.table(rows(found)), *(f"note: {note}" for note in found["notes"])])
