"""What it costs to get a uint8 frame into a denoiser and out again, one way beside the other.

Ways in and out alone, in NumPy and as graphs; and whole calls, with the conversion before the graph
or in it, and with buffers that are made for each call or once (IO binding). Every way must give the
same picture: the largest difference in levels stands beside its time.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from benchmarks import environment, results
from benchmarks.frame_graphs import (
    AFTER,
    BEFORE,
    CAST_FIRST,
    CAST_LAST,
    TURN_FIRST,
    TURN_LAST,
    around,
    conversion,
)
from benchmarks.timing import interleaved, summary
from venturi import Denoiser
from venturi._pixels import from_planes, to_planes, whole
from venturi.bundle import Bundle

SIZES = ((640, 480), (1280, 720))
TODAY = "today: Denoiser.denoise"
NETWORK = "the network alone"

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
    planes = to_planes(frame, whole(frame), "edge")
    model = onnx.load_from_string(bundle.files["denoiser"])
    return {
        "in": _compared(_ways_in(frame, model, options.threads), options.runs, 255),
        "out": _compared(_ways_out(planes, model, options.threads), options.runs, 1),
        "whole": _compared(_whole(frame, bundle, model, options), options.runs, 1),
    }


def _compared(ways: Mapping[str, Way], runs: int, scale: float) -> results.Results:
    """Time ways that should give one thing; the first that has a result is what others differ from.

    scale: levels for each unit of the result.
    """
    expected = next(iter(ways.values()))().astype(np.float64)
    differences = {
        name: scale * float(np.abs(way().astype(np.float64) - expected).max())
        for name, way in ways.items()
        if name != NETWORK
    }
    times = interleaved(ways, runs=runs)
    return {
        name: {**summary(found), "largest_difference": round(differences.get(name, 0.0), 6)}
        for name, found in times.items()
    }


def _ways_in(frame: Pixels, model: onnx.ModelProto, threads: int) -> dict[str, Way]:
    height, width = frame.shape[:2]
    out = np.empty((1, 3, height, width), np.float32)
    turned = frame.transpose(2, 0, 1)
    scale = np.float32(1 / 255)

    def today() -> Planes:
        return to_planes(frame, whole(frame), "edge")

    def divide_into() -> Planes:
        np.divide(turned, np.float32(255), out=out[0], dtype=np.float32)
        return out

    def multiply_into() -> Planes:
        np.multiply(turned, scale, out=out[0], dtype=np.float32)
        return out

    def by_channel() -> Planes:
        for channel in range(3):
            np.multiply(frame[..., channel], scale, out=out[0, channel], dtype=np.float32)
        return out

    def bytes_first() -> Planes:
        np.multiply(np.ascontiguousarray(turned), scale, out=out[0], dtype=np.float32)
        return out

    ways: dict[str, Way] = {
        "today: NumPy, new buffer": today,
        "NumPy, one buffer": divide_into,
        "NumPy, one buffer, multiplied": multiply_into,
        "NumPy, channel by channel": by_channel,
        "NumPy, bytes moved first": bytes_first,
    }
    for name, nodes in (
        ("graph, cast first", CAST_FIRST),
        ("graph, bytes moved first", TURN_FIRST),
    ):
        ways[name] = _tiny(conversion(nodes, model), {"pixels": frame}, threads)
    return ways


def _ways_out(planes: Planes, model: onnx.ModelProto, threads: int) -> dict[str, Way]:
    height, width = planes.shape[2:]
    out, scaled = np.empty((height, width, 3), np.uint8), np.empty_like(planes[0])

    def today() -> Pixels:
        made = np.empty((height, width, 3), np.uint8)
        from_planes(planes[0], made, "frame")
        return made

    def one_buffer() -> Pixels:
        _to_levels(planes[0], scaled)
        for channel in range(3):
            out[..., channel] = scaled[channel]
        return out

    def one_copy() -> Pixels:
        _to_levels(planes[0], scaled)
        np.copyto(out, scaled.transpose(1, 2, 0), casting="unsafe")
        return out

    ways: dict[str, Way] = {
        "today: NumPy, new buffers": today,
        "NumPy, one buffer, channel by channel": one_buffer,
        "NumPy, one buffer, one copy": one_copy,
    }
    graphs = {"graph, cast last": CAST_LAST, "graph, bytes moved last": TURN_LAST}
    for name, nodes in graphs.items():
        ways[name] = _tiny(conversion(nodes, model), {"planes": planes}, threads)
    return ways


def _to_levels(planes: Planes, scaled: Planes) -> None:
    np.multiply(planes, np.float32(255), out=scaled)
    scaled += np.float32(0.5)
    np.clip(scaled, 0, 255, out=scaled)


def _whole(
    frame: Pixels, bundle: Bundle, model: onnx.ModelProto, options: Options
) -> dict[str, Way]:
    denoiser = Denoiser(options.bundle, threads=options.threads)
    planes = to_planes(frame, whole(frame), "edge")
    strength = np.ones(1, np.float32)
    network = _session(model, options.threads)
    feed = {"frame": planes, "strength": strength}
    ways: dict[str, Way] = {
        TODAY: lambda: denoiser.denoise(frame),
        NETWORK: lambda: np.asarray(network.run(["clean"], feed)[0]),
        "NumPy, one buffer, bound": _bound_planes(network, frame, strength),
    }
    pairs = {
        "in the graph, cast at the ends": (CAST_FIRST, CAST_LAST),
        "in the graph, bytes moved at the ends": (TURN_FIRST, TURN_LAST),
    }
    for name, (first, last) in pairs.items():
        ways |= _merged(name, around(model, first, last), frame, strength, options.threads)
    ways["graphs before and after"] = _separate(model, network, frame, strength, options.threads)
    return ways


def _merged(
    name: str, model: onnx.ModelProto, frame: Pixels, strength: Planes, threads: int
) -> dict[str, Way]:
    session = _session(model, threads)
    taken, given = f"{BEFORE}pixels", f"{AFTER}pixels"
    feed = {taken: frame, "strength": strength}
    out = np.empty(frame.shape, np.uint8)
    binding = session.io_binding()
    binding.bind_cpu_input(taken, frame)
    binding.bind_cpu_input("strength", strength)
    _bind_output(binding, given, out)

    def bound() -> Pixels:
        session.run_with_iobinding(binding)
        return out

    return {
        name: lambda: np.asarray(session.run([given], feed)[0]),
        f"{name}, bound": bound,
    }


def _bound_planes(session: Any, frame: Pixels, strength: Planes) -> Way:
    """NumPy's conversions with every buffer made once."""
    height, width = frame.shape[:2]
    planes = np.empty((1, 3, height, width), np.float32)
    clean, scaled = np.empty_like(planes), np.empty_like(planes[0])
    out = np.empty(frame.shape, np.uint8)
    binding = session.io_binding()
    binding.bind_cpu_input("frame", planes)
    binding.bind_cpu_input("strength", strength)
    _bind_output(binding, "clean", clean)

    def call() -> Pixels:
        np.multiply(frame.transpose(2, 0, 1), np.float32(1 / 255), out=planes[0], dtype=np.float32)
        session.run_with_iobinding(binding)
        _to_levels(clean[0], scaled)
        for channel in range(3):
            out[..., channel] = scaled[channel]
        return out

    return call


def _separate(
    model: onnx.ModelProto, network: Any, frame: Pixels, strength: Planes, threads: int
) -> Way:
    """Tiny graphs before and after the network, each a run of its own."""
    first = _session(conversion(CAST_FIRST, model), threads)
    last = _session(conversion(CAST_LAST, model), threads)

    def call() -> Pixels:
        (planes,) = first.run(["planes"], {"pixels": frame})
        (clean,) = network.run(["clean"], {"frame": planes, "strength": strength})
        return np.asarray(last.run(["pixels"], {"planes": clean})[0])

    return call


def _tiny(model: onnx.ModelProto, feed: dict[str, NDArray[Any]], threads: int) -> Way:
    session = _session(model, threads)
    return lambda: np.asarray(session.run(None, feed)[0])


def _bind_output(binding: Any, name: str, out: NDArray[Any]) -> None:
    binding.bind_output(name, "cpu", 0, out.dtype.type, out.shape, out.ctypes.data)


def _session(model: onnx.ModelProto, threads: int) -> Any:
    """Make a session with the runtime's own settings."""
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.intra_op_num_threads = threads
    data = model.SerializeToString()
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def text(found: results.Results) -> str:
    """Return the results as people read them."""
    tables = []
    for size, parts in found["sizes"].items():
        for part, ways in parts.items():
            rows = [[f"{size}, {part}", "median ms", "largest difference, levels"]]
            for name, way in ways.items():
                rows.append([name, f"{way['median_ms']:.2f}", f"{way['largest_difference']:g}"])
            tables.append(results.table(rows))
    return "\n\n".join([*tables, *(f"note: {note}" for note in found["notes"])])
