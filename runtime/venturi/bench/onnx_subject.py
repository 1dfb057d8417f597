"""ONNX graphs that are no bundle: one, or an encoder and the decoder that takes what it gives.

The first input with four axes, one of which is 1 or 3 where channels may stand, is the picture:
planes first (N, C, H, W) or last (N, H, W, C), floats in [0, 1] or uint8; or it is one of pixels
without a batch, uint8 (H, W, C). Every other input, such as a quality or a noise level, is filled
with a half (floats) or a one (integers).
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from venturi._engine.arrays import Pixels
from venturi._engine.graph import Graph, Tensor
from venturi._engine.observer import Observer
from venturi.bench import pictures
from venturi.bench.fidelity import Error, error
from venturi.bench.size import Size
from venturi.errors import BundleError, InputError

Arrays = list[NDArray[Any]]

_TYPES: Mapping[str, str] = {
    "tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64",
    "tensor(uint8)": "uint8", "tensor(int8)": "int8", "tensor(int32)": "int32",
    "tensor(int64)": "int64", "tensor(bool)": "bool",
}  # fmt: skip
_PLANES_FIRST, _PLANES_LAST, _PIXELS = 1, 3, 2


class OnnxSubject:
    """One graph, or an encoder and a decoder."""

    kind = "onnx"
    settings: Mapping[str, Any] = {}
    default_size = Size(640, 480)

    def __init__(
        self,
        encoder: str,
        decoder: str | None,
        precision: str,
        *,
        device: str,
        threads: int,
        observer: Observer | None = None,
    ) -> None:
        """Load the files.

        Raises:
            BundleError: a file is not there or does not load.
            InputError: no input of the first graph is a picture.
        """
        paths = [Path(path) for path in (encoder, decoder) if path is not None]
        self.name = " + ".join(path.name for path in paths)
        self.fingerprint = _fingerprint(paths)
        self.precision = precision
        self._graphs = [
            Graph(str(path), path.name, device=device, threads=threads, observer=observer)
            for path in paths
        ]
        self.calls: tuple[str, ...] = ("encode", "decode") if decoder else ("run",)
        self._image = _image_among(self._graphs[0])
        self.fixed_size: Size | None = _fixed(self._image)
        self.default_size = self.fixed_size or self.default_size

    def inputs(self, call: str, images: Sequence[Pixels]) -> list[Any]:
        """Return the arrays of each graph's inputs, in order."""
        first = [self._fed(image) for image in images]
        if call != "decode":
            return first
        return [self._handed_on(self.run("encode", arrays)) for arrays in first]

    def run(self, call: str, value: Any) -> Any:
        """Run one graph."""
        return self._graphs[call == "decode"].run(*value)

    def error(self, images: Sequence[Pixels]) -> Error | None:
        """Compare pictures with the first output that is one of their size, where there is one."""
        last = self.calls[-1]
        pairs = []
        for image, value in zip(images, self.inputs(last, images), strict=True):
            sides = image.shape[:2]
            clean = _picture(_as_input(image, self._image), sides)
            assert clean is not None  # it is fed as one
            outputs = [_picture(output, sides) for output in self.run(last, value)]
            alike = [y for y in outputs if y is not None and y.shape == clean.shape]
            if not alike:
                return None
            pairs.append((clean, alike[0]))
        return error(pairs)

    def _fed(self, image: Pixels) -> Arrays:
        return [
            _as_input(image, tensor) if tensor == self._image else _filled(tensor)
            for tensor in self._graphs[0].inputs
        ]

    def _handed_on(self, outputs: Arrays) -> Arrays:
        """Return the decoder's inputs: the encoder's outputs, by name or else in order."""
        names = [tensor.name for tensor in self._graphs[0].outputs]
        by_name = dict(zip(names, outputs, strict=True))
        unnamed = [by_name[name] for name in names if name not in _names(self._graphs[1])]
        inputs = []
        for tensor in self._graphs[1].inputs:
            if tensor.name in by_name:
                inputs.append(by_name[tensor.name])
            elif len(tensor.shape) > 1 and unnamed:
                inputs.append(unnamed.pop(0))
            else:
                inputs.append(_filled(tensor))
        return inputs


def _names(graph: Graph) -> set[str]:
    return {tensor.name for tensor in graph.inputs}


def _fingerprint(paths: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        try:
            digest.update(path.read_bytes())
        except OSError as error:
            raise BundleError(
                f"{path}: {error.strerror}; expected an ONNX file, or the name of a bundle"
            ) from error
    return digest.digest()[:8].hex()


def _image_among(graph: Graph) -> Tensor:
    for tensor in graph.inputs:
        if _channel_axis(tensor) is not None and tensor.type in _TYPES:
            return tensor
    shown = {tensor.name: (tensor.type, list(tensor.shape)) for tensor in graph.inputs}
    raise InputError(
        f"{graph.name}: its inputs are {shown}; expected one with four axes, 1 or 3 channels first "
        "or last, or one of uint8 pixels, to be fed with a picture; bring such a graph"
    )


def _channel_axis(tensor: Tensor) -> int | None:
    if len(tensor.shape) == 3 and tensor.type == "tensor(uint8)" and tensor.shape[2] in (1, 3):
        return _PIXELS
    if len(tensor.shape) != 4:
        return None
    for axis in (_PLANES_FIRST, _PLANES_LAST):
        if tensor.shape[axis] in (1, 3):
            return axis
    return None


def _sides(tensor: Tensor) -> tuple[int, int]:
    """Return which axes are height and width."""
    axes = {_PLANES_FIRST: (2, 3), _PLANES_LAST: (1, 2), _PIXELS: (0, 1)}
    return axes[_channel_axis(tensor) or _PLANES_FIRST]


def _fixed(tensor: Tensor) -> Size | None:
    height, width = (tensor.shape[axis] for axis in _sides(tensor))
    return Size(width, height) if isinstance(width, int) and isinstance(height, int) else None


def _as_input(image: Pixels, tensor: Tensor) -> NDArray[Any]:
    """Return uint8 (H, W, 3) RGB as a graph takes it; a fixed batch repeats it."""
    axis = _channel_axis(tensor)
    assert axis is not None
    kind = np.dtype(_TYPES[tensor.type])
    pixels = image if tensor.shape[axis] == 3 else pictures.grey(image)[..., None]
    if axis == _PIXELS:
        return np.ascontiguousarray(pixels)
    values = pixels / np.float32(255) if kind.kind == "f" else pixels
    planes = values.transpose(2, 0, 1) if axis == _PLANES_FIRST else values
    batch = tensor.shape[0] if isinstance(tensor.shape[0], int) else 1
    return np.ascontiguousarray(np.repeat(planes[None], batch, axis=0), kind)


def _filled(tensor: Tensor) -> NDArray[Any]:
    if tensor.type not in _TYPES:
        raise InputError(
            f"input {tensor.name!r} has type {tensor.type}; expected one of {', '.join(_TYPES)}; "
            "give the graph such an input"
        )
    kind = np.dtype(_TYPES[tensor.type])
    shape = [side if isinstance(side, int) and side > 0 else 1 for side in tensor.shape]
    return np.full(shape, 0.5 if kind.kind == "f" else 1, kind)


def _picture(values: NDArray[Any], sides: tuple[int, ...]) -> NDArray[np.float32] | None:
    """Return what may be a picture of these sides, (H, W), as (N, H, W, C) in [0, 1]; else None."""
    if values.dtype.kind not in "fu" or values.ndim not in (3, 4):
        return None
    last = values[None] if values.ndim == 3 else values
    if last.shape[1] in (1, 3) and last.shape[2:] == sides:
        last = last.transpose(0, 2, 3, 1)
    if last.shape[1:3] != sides:
        return None
    return last.astype(np.float32) / np.float32(1 if values.dtype.kind == "f" else 255)
