"""Open an onnxruntime session on the requested device, or raise an error.

onnxruntime answers a missing or misspelt provider with a warning and a CPU session; this raises.
"""

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any, NamedTuple

from numpy.typing import NDArray

from venturi._engine.observer import Observer, timed
from venturi._engine.saturation import processor_saturates
from venturi.errors import BundleError, DeviceError, InputError

PROVIDERS: Mapping[str, str] = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "migraphx": "MIGraphXExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
    "qnn": "QNNExecutionProvider",
    "xnnpack": "XnnpackExecutionProvider",
}
"""Device names and what onnxruntime calls them."""

Axes = tuple[int | None, ...]
"""The size of each axis of a tensor; None is any."""

Signature = Mapping[str, tuple[str, Axes | None]]
"""Names of tensors in order, each with its type as ONNX names it and its axes; None is any."""


PIXELS: tuple[str, Axes] = "uint8", (None, None, 3)
"""A picture as graphs take and give it: (H, W, 3) RGB."""


class Tensor(NamedTuple):
    """An input or output as the graph declares it: symbolic axes are names or None."""

    name: str
    type: str
    shape: tuple[int | str | None, ...]


Shape = tuple[int, ...]

_FATAL_ONLY = 4
_INSTALL = "pip install 'venturi[cpu]' (every machine) or pip install 'venturi[gpu]' (CUDA)"


class Graph:
    """One ONNX graph on one device; safe to share between threads.

    Attributes:
        name: as messages call it.
        device: a key of ``PROVIDERS``.
        inputs: as the graph declares them.
        outputs: as the graph declares them.
    """

    def __init__(
        self,
        model: bytes | str,
        name: str,
        *,
        device: str,
        threads: int | None,
        inputs: Signature | None = None,
        outputs: Signature | None = None,
        may_saturate: bool = False,
        observer: Observer | None = None,
    ) -> None:
        """Make the session.

        Args:
            model: the ONNX file, checked by :class:`venturi._bundle.load.Bundle`; or the path of
                one that is trusted as it is.
            name: what to call it in a message.
            device: a key of ``PROVIDERS``.
            threads: for one operator; None leaves it to onnxruntime.
            inputs: what the graph takes, in the order in which ``run`` takes it; None takes it as
                the graph has it.
            outputs: what the graph gives, in the order in which ``run`` gives it; or None.
            may_saturate: whether sums of two products of 8 bits may not fit 16 bits: such a graph
                is computed exactly and slower on a processor that would clip them.
            observer: sees the session, and is told how long each run took.

        Raises:
            ImportError: onnxruntime is not installed.
            BundleError: the graph does not load, or has other inputs or outputs.
            DeviceError: the device is not there or cannot run all of the graph.
        """
        self.name = name
        self.device = device
        self._observer = observer
        check_device(device, threads)
        options = _options(device, threads, may_saturate)
        if observer is not None:
            observer.opening(name, options)
        self._session = _session(model, name, device, options)
        if observer is not None:
            observer.opened(name, self._session)
        self.inputs = _tensors(name, "inputs", self._session.get_inputs())
        self.outputs = _tensors(name, "outputs", self._session.get_outputs())
        self._inputs = _names(name, "inputs", self.inputs, inputs)
        self._outputs = _names(name, "outputs", self.outputs, outputs)

    def run(
        self, *arrays: NDArray[Any], shapes: Sequence[Shape | None] | None = None
    ) -> list[NDArray[Any]]:
        """Run the graph on arrays of the dtypes and shapes that it declares.

        Args:
            arrays: the inputs.
            shapes: what the outputs must have; None takes any, of all or of one.

        Raises:
            BundleError: an output has another shape.
            DeviceError: the run failed, most often because memory ran out.
        """
        try:
            inputs = dict(zip(self._inputs, arrays, strict=True))
            with timed(self._observer, self.name):
                outputs: list[NDArray[Any]] = self._session.run(self._outputs, inputs)
        except _runtime_errors() as error:
            raise DeviceError(
                f"{self.name} on device {self.device!r}: {_first_line(error)}; expected it to run "
                f"on inputs {[array.shape for array in arrays]}; free memory or change the device"
            ) from error
        expected = [None] * len(outputs) if shapes is None else shapes
        if any(
            shape is not None and array.shape != shape
            for array, shape in zip(outputs, expected, strict=True)
        ):
            raise BundleError(
                f"{self.name}: it gave the shapes {[array.shape for array in outputs]}; expected "
                f"{[*expected]}, as the manifest says; export the bundle again"
            )
        return outputs


def check_device(device: str, threads: int | None) -> None:
    """Check that a device is available, before anything is loaded.

    Raises:
        DeviceError: no such device, or this onnxruntime was built without it.
        InputError: ``threads`` is not at least 1.
    """
    if threads is not None and (
        isinstance(threads, bool) or not isinstance(threads, int) or not 1 <= threads <= 1024
    ):
        raise InputError(
            f"threads is {threads!r}; expected None or an int from 1 to 1024; "
            "leave it out to let onnxruntime choose"
        )
    available = _available()
    if device not in available:
        remedy = _INSTALL if device in [*PROVIDERS] else "choose one of them"
        raise DeviceError(
            f"device is {device!r}; expected one that this onnxruntime has: "
            f"{', '.join(available)}; {remedy}"
        )


def _available() -> list[str]:
    providers = set(_onnxruntime().get_available_providers())
    return [device for device, provider in PROVIDERS.items() if provider in providers]


def _session(model: bytes | str, name: str, device: str, options: Any) -> Any:
    runtime = _onnxruntime()
    if device == "cuda" and hasattr(runtime, "preload_dlls"):
        runtime.preload_dlls()  # CUDA's libraries may lie in wheels of their own
    try:
        # Its own fallback would print, go on with the CPU, and do so again in the middle of a run.
        session = runtime.InferenceSession(
            model, options, providers=[PROVIDERS[device]], enable_fallback=0
        )
    except _runtime_errors() as error:
        raise _not_loaded(name, device, error) from error
    if session.get_providers()[0] != PROVIDERS[device]:
        raise _not_loaded(name, device, "onnxruntime fell back to the CPU")
    return session


def _options(device: str, threads: int | None, may_saturate: bool) -> Any:
    runtime = _onnxruntime()
    options = runtime.SessionOptions()
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = _FATAL_ONLY  # what goes wrong is raised, not printed
    # Threads that spin while they wait slow down whatever runs next to the graph.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if threads is not None:
        options.intra_op_num_threads = threads
    if device != "cpu":
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    elif may_saturate and processor_saturates():
        options.add_session_config_entry("session.x64quantprecision", "1")
    return options


def _not_loaded(name: str, device: str, reason: object) -> BundleError | DeviceError:
    if device == "cpu":
        return BundleError(
            f"{name}: {_first_line(reason)}; expected a graph that onnxruntime "
            f"{_onnxruntime().__version__} loads; update onnxruntime or export the bundle again"
        )
    return DeviceError(
        f"{name} on device {device!r}: {_first_line(reason)}; expected a device that runs the "
        f"whole graph; there are {', '.join(_available())}; check its driver or change the device"
    )


def _tensors(name: str, what: str, values: Sequence[Any]) -> tuple[Tensor, ...]:
    try:
        return tuple(Tensor(value.name, value.type, tuple(value.shape)) for value in values)
    except UnicodeDecodeError as error:
        raise BundleError(
            f"{name}: the names of its {what} are not UTF-8; expected text; export the bundle again"
        ) from error


def _names(
    name: str, what: str, tensors: Sequence[Tensor], expected: Signature | None
) -> list[str]:
    """Return tensors' names in the order in which ``run`` has them, once they are as expected."""
    if expected is None:
        return [tensor.name for tensor in tensors]
    _expect(name, what, tensors, expected)
    return list(expected)


def _expect(name: str, what: str, tensors: Sequence[Tensor], expected: Signature) -> None:
    """Compare a graph's tensors with what the runtime will feed it; symbolic axes fit anything."""
    declared = {tensor.name: (tensor.type, list(tensor.shape)) for tensor in tensors}
    required = {key: (f"tensor({kind})", axes) for key, (kind, axes) in expected.items()}
    if not set(declared) == set(required) or not all(
        declared[key][0] == kind and (axes is None or _fits(declared[key][1], axes))
        for key, (kind, axes) in required.items()
    ):
        raise BundleError(
            f"{name}: {what} are {declared}; expected {required} (type, axes; None is any); "
            "export the bundle again"
        )


def _fits(shape: Sequence[int | str | None], axes: Axes) -> bool:
    return len(shape) == len(axes) and all(
        size is None or declared == size or not isinstance(declared, int)
        for declared, size in zip(shape, axes, strict=True)
    )


def planes(channels: int) -> Axes:
    """Return the axes of (N, channels, H, W)."""
    return None, channels, None, None


def _first_line(reason: object) -> str:
    lines = str(reason).splitlines() or [type(reason).__name__]
    return lines[0][:300]


def _onnxruntime() -> ModuleType:
    try:
        return import_module("onnxruntime")
    except ModuleNotFoundError as error:
        raise ImportError(
            f"onnxruntime is not installed in {sys.prefix}; expected one of its two builds; "
            f"install one: {_INSTALL}"
        ) from error


def _runtime_errors() -> tuple[type[Exception], ...]:
    """Return what onnxruntime raises: classes without a common base, and two of Python's."""
    state = import_module("onnxruntime.capi.onnxruntime_pybind11_state")
    classes = (kind for kind in vars(state).values() if isinstance(kind, type))
    errors = [kind for kind in classes if issubclass(kind, Exception)]
    return (*errors, RuntimeError, ValueError)
