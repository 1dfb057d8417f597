"""What it costs to get a uint8 frame into a denoiser and out again, one way beside the other.

The graph takes pixels and gives them. Beside what ships stand the graph's run alone, with arrays
made for each call or bound once, and what planes of floats, made by NumPy outside of the graph,
would cost on top. Every way must give the same picture: the largest difference in levels stands
beside its time.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from benchmarks import environment, results
from benchmarks.report.frames import NETWORK, TODAY, outside_percent
from benchmarks.timing import interleaved, summary
from venturi import Denoiser
from venturi._bundle.load import Bundle
from venturi._engine.arrays import from_pixels, to_pixels, to_planes, whole

SIZES = ((640, 480), (1280, 720))

Pixels = NDArray[np.uint8]
Planes = NDArray[np.float32]
Way = Callable[[], NDArray[Any]]


@dataclass(frozen=True)
class Options:
    """What to measure.

    bundle: name or path of a denoiser without state. threads: for the graph. runs: timed calls.
    sizes: of frames, (width, height) in multiples of the bundle's stride.
    """

    bundle: str
    threads: int
    runs: int
    sizes: Sequence[tuple[int, int]] = SIZES


def measure(options: Options) -> results.Results:
    """Measure everything and return what goes into the results file."""
    before = environment.describe(threads=options.threads)
    bundle = Bundle.load(options.bundle, task="denoiser")
    if bundle.manifest.is_recurrent:
        raise ValueError(f"bundle {options.bundle!r} carries state; expected one without")
    return {
        "schema_version": results.SCHEMA_VERSION,
        "benchmark": "frame",
        "environment": before,
        "bundle": results.described(bundle.manifest),
        "sizes": {f"{w}x{h}": _size(options, bundle, w, h) for w, h in options.sizes},
        "notes": [note for note in (environment.busy(before),) if note],
    }


def _size(options: Options, bundle: Bundle, width: int, height: int) -> results.Results:
    stride = bundle.manifest.stride
    if width % stride or height % stride:
        raise ValueError(f"{width}x{height}: expected multiples of {stride}")
    frame = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    parts = {
        "in": _ways_in(frame),
        "out": _ways_out(frame),
        "whole": _whole(frame, bundle, options),
    }
    return {part: _compared(ways, options.runs) for part, ways in parts.items()}


def _compared(ways: Mapping[str, Way], runs: int) -> results.Results:
    """Time ways that should give one picture; the first is what the others differ from."""
    pictures = {name: _levels(way()) for name, way in ways.items()}
    expected = next(iter(pictures.values()))
    times = interleaved(ways, runs=runs)
    return {
        name: {
            **summary(times[name]),
            "largest_difference": round(float(np.abs(picture - expected).max()), 6),
        }
        for name, picture in pictures.items()
    }


def _levels(picture: NDArray[Any]) -> NDArray[np.float64]:
    """Return pixels or planes as levels, (H, W, 3)."""
    if picture.dtype == np.uint8:
        return picture.astype(np.float64)
    levels: NDArray[np.float64] = 255 * picture[0].transpose(1, 2, 0).astype(np.float64)
    return levels


def _ways_in(frame: Pixels) -> dict[str, Way]:
    return {
        "today: pixels": lambda: to_pixels(frame, whole(frame)),
        "NumPy's planes": lambda: to_planes(frame, whole(frame)),
    }


def _ways_out(frame: Pixels) -> dict[str, Way]:
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


def _whole(frame: Pixels, bundle: Bundle, options: Options) -> dict[str, Way]:
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


def _bound(session: Any, frame: Pixels, strength: Planes) -> Way:
    """Run with every buffer made once."""
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
    """Make a session with the runtime's own settings."""
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def text(found: results.Results) -> str:
    """Return the results as people read them."""
    tables = []
    for size, parts in found["sizes"].items():
        for part, ways in parts.items():
            rows = [[f"{size}, {part}", "median ms", "largest difference, levels"]]
            for name, way in ways.items():
                rows.append([name, f"{way['median_ms']:.2f}", f"{way['largest_difference']:g}"])
            tables.append(results.table(rows))
        share = outside_percent(parts["whole"])
        tables.append(f"{size}: {share:.1f} % of the whole call is outside of the network's run")
    return "\n\n".join([*tables, *(f"note: {note}" for note in found["notes"])])
