"""What it costs to pass a uint8 frame into a denoiser and get it out again, in several ways.

The graph takes pixels and gives them. Beside what ships stand the graph's run alone, with arrays
allocated for each call or bound once, and what planes of floats, computed by NumPy outside of it,
would cost on top. Every way must give the same picture: the largest difference in levels stands
beside its time.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from benchmarks import charts, environment
from benchmarks.figures import Figure, milliseconds
from benchmarks.options import MeasureOptions, option
from benchmarks.pieces import Conditions, Note, Piece, Plots, Table
from benchmarks.registry import Benchmark
from benchmarks.results import Bundle, Measured, Times, record
from benchmarks.timing import interleaved, summary
from venturi import Denoiser
from venturi._bundle.load import Bundle as LoadedBundle
from venturi._engine.arrays import from_pixels, to_pixels, to_planes, whole
from venturi.bench.size import Size

SIZES = (Size(640, 480), Size(1280, 720))
TODAY = "today: Denoiser.denoise"
NETWORK = "the network alone"

Pixels = NDArray[np.uint8]
Planes = NDArray[np.float32]
Call = Callable[[], NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class Options(MeasureOptions):
    """What to measure."""

    bundle: str = option("denoiser without state", "camera")
    runs: int = option("timed calls", 64)
    sizes: tuple[Size, ...] = option(
        "sizes of the frames, multiples of the bundle's stride", SIZES, metavar="WxH",
        parse=Size.parsed,
    )  # fmt: skip


@record
class Way(Times):
    """Repeated calls of one way, and its largest difference from today's picture in levels."""

    largest_difference: float


@record
class Ways:
    """The ways into the graph, out of it, and of whole calls, by name."""

    into: dict[str, Way]
    out: dict[str, Way]
    whole: dict[str, Way]

    @property
    def outside_percent(self) -> float:
        """How much of the whole call is outside of the run of the network's graph."""
        today, network = (self.whole[name].median_ms for name in (TODAY, NETWORK))
        return 100 * (1 - network / today)

    @property
    def parts(self) -> dict[str, dict[str, Way]]:
        """All ways, by what the tables call them."""
        return {"way in": self.into, "way out": self.out, "whole call": self.whole}


@record
class Result(Measured):
    """Results; sizes: by size of frame."""

    benchmark: Literal["frame"] = "frame"
    bundle: Bundle
    sizes: dict[str, Ways]


def measure(options: Options) -> Result:
    """Measure everything.

    Raises ValueError when the bundle carries state or a size does not suit it.
    """
    before = environment.describe(threads=options.threads)
    bundle = LoadedBundle.load(options.bundle, task="denoiser")
    if bundle.manifest.is_recurrent:
        raise ValueError(f"bundle {options.bundle!r} carries state; expected one without")
    return Result(
        environment=before,
        notes=environment.notes(before),
        bundle=Bundle.of(bundle.manifest),
        sizes={str(size): _size(options, bundle, size) for size in options.sizes},
    )


def _size(options: Options, bundle: LoadedBundle, size: Size) -> Ways:
    stride = bundle.manifest.stride
    if size.width % stride or size.height % stride:
        raise ValueError(f"{size}: expected multiples of {stride}")
    frame = np.random.default_rng(0).integers(0, 256, (size.height, size.width, 3), np.uint8)
    return Ways(
        into=_compared(_ways_in(frame), options.runs),
        out=_compared(_ways_out(frame), options.runs),
        whole=_compared(_whole(frame, bundle, options), options.runs),
    )


def _compared(ways: Mapping[str, Call], runs: int) -> dict[str, Way]:
    """Time ways that should give one picture; the first is what the others differ from."""
    pictures = {name: _levels(way()) for name, way in ways.items()}
    expected = next(iter(pictures.values()))
    times = interleaved(ways, runs=runs)
    return {
        name: Way(
            **asdict(summary(times[name])),
            largest_difference=round(float(np.abs(picture - expected).max()), 6),
        )
        for name, picture in pictures.items()
    }


def _levels(picture: NDArray[Any]) -> NDArray[np.float64]:
    """Return pixels or planes as levels, (H, W, 3)."""
    if picture.dtype == np.uint8:
        return picture.astype(np.float64)
    levels: NDArray[np.float64] = 255 * picture[0].transpose(1, 2, 0).astype(np.float64)
    return levels


def _ways_in(frame: Pixels) -> dict[str, Call]:
    return {
        "today: pixels": lambda: to_pixels(frame, whole(frame)),
        "NumPy's planes": lambda: to_planes(frame, whole(frame)),
    }


def _ways_out(frame: Pixels) -> dict[str, Call]:
    planes = to_planes(frame, whole(frame))

    def pixels() -> Pixels:
        out = np.empty_like(frame)
        from_pixels(frame, out)
        return out

    return {"today: pixels": pixels, "NumPy's planes": lambda: _from(planes)}


def _from(planes: Planes) -> Pixels:
    out = np.empty((*planes.shape[2:], 3), np.uint8)
    levels = planes[0] * np.float32(255)
    levels += np.float32(0.5)
    np.clip(levels, 0, 255, out=levels)
    for channel, plane in enumerate(levels.astype(np.uint8)):  # faster than one transposed copy
        out[..., channel] = plane
    return out


def _whole(frame: Pixels, bundle: LoadedBundle, options: Options) -> dict[str, Call]:
    denoiser = Denoiser(options.bundle, threads=options.threads)
    session = _session(bundle.files["denoiser"], options.threads)
    strength = np.ones(1, np.float32)
    feed = {"frame": frame, "strength": strength}
    clean = np.asarray(session.run(["clean"], feed)[0])
    planes = to_planes(clean, whole(clean))

    def with_planes() -> Pixels:
        to_planes(frame, whole(frame))
        session.run(["clean"], feed)
        return _from(planes)

    return {
        TODAY: lambda: denoiser.denoise(frame),
        NETWORK: lambda: np.asarray(session.run(["clean"], feed)[0]),
        "the network alone, bound": _bound(session, frame, strength),
        "the network and NumPy's planes": with_planes,
    }


def _bound(session: Any, frame: Pixels, strength: Planes) -> Call:
    """Return a run whose buffers are allocated once."""
    out = np.empty_like(frame)
    binding = session.io_binding()
    binding.bind_cpu_input("frame", frame)
    binding.bind_cpu_input("strength", strength)
    binding.bind_output("clean", "cpu", 0, np.uint8, out.shape, out.ctypes.data)

    def call() -> Pixels:
        session.run_with_iobinding(binding)
        return out

    return call


def _session(model: bytes, threads: int) -> Any:
    """Return a session with the settings of the runtime."""
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def figures(result: Result) -> Iterator[Figure]:
    """Yield what can get better or worse."""
    for size, ways in result.sizes.items():
        for part, each in ways.parts.items():
            for name, way in each.items():
                yield milliseconds(f"{size}, {part}: {name}, ms", way.median_ms)


def pieces(result: Result, place: Path) -> list[Piece]:
    """Return what the results are shown in."""
    del place
    shares = ", ".join(
        f"{ways.outside_percent:.1f} % at {_shown(size)}" for size, ways in result.sizes.items()
    )
    into, out, call = (_bars(result, part) for part in ("way in", "way out", "whole call"))
    return [
        Note(
            "A uint8 frame goes into the network's graph and comes out of it. All ways must give "
            "the same picture; “today” is what the denoiser does, the network alone is the run of "
            f"its graph. {shares} of the whole call is outside of that run."
        ),
        Plots([[into, out], call]),
        Table(
            "Median times in ms, and the largest difference from today's picture in levels",
            rows(result),
            ours="today",
            folded=True,
        ),
        Conditions.of(result),
    ]


def rows(result: Result) -> list[list[str]]:
    """Return every way as cells of a table, headings first."""
    cells = [["way", "part", "size", "samples", "median ms", "largest difference"]]
    for size, ways in result.sizes.items():
        for part, each in ways.parts.items():
            for name, way in each.items():
                numbers = (f"{way.median_ms:.2f}", f"{way.largest_difference:g}")
                cells.append([name, part, _shown(size), str(way.samples), *numbers])
    return cells


def _bars(result: Result, part: str) -> str:
    values: dict[str, dict[str, float]] = {}
    for size, ways in result.sizes.items():
        for name, way in ways.parts[part].items():
            values.setdefault(name, {})[_shown(size)] = way.median_ms
    return charts.bars(values, title=f"Median time of the {part}", unit="ms")


def _shown(size: str) -> str:
    return size.replace("x", "×")


BENCHMARK = Benchmark(
    name="frame",
    title="Frames in and out",
    help="ways of a uint8 frame into a denoiser and out again",
    order=60,
    options=Options,
    result=Result,
    measure=measure,
    figures=figures,
    pieces=pieces,
    plan=lambda sources: {},
)
