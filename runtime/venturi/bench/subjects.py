"""What is measured: a codec, a denoiser, an autoencoder, or ONNX graphs of your own.

A subject has calls by name ("compress"). Each has inputs, made of pictures once and outside the
clock, and is run on one of them at a time.
"""

import inspect
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from venturi import Autoencoder, Codec, Denoiser, Manifest
from venturi._bundle.load import locate, shipped
from venturi._bundle.tasks import FP32
from venturi._engine.arrays import Pixels
from venturi._engine.model import Model
from venturi._engine.observer import Observer
from venturi.bench import pictures
from venturi.bench.fidelity import Error, error, unit
from venturi.bench.onnx_subject import OnnxSubject
from venturi.bench.size import Size
from venturi.errors import InputError

AS_IS = "as-is"


@dataclass(frozen=True)
class Spec:
    """How to open a subject; small, so that another process can open the same.

    Attributes:
        target: name or folder of a bundle, or an ONNX file.
        decoder: an ONNX file that takes what the first gives, or None.
        device: a key of ``venturi._engine.graph.PROVIDERS``.
        threads: for one operator.
        precision: ``fp32`` and others that a bundle has; ONNX files are run as they are.
        quality: of a codec, 1 to 100.
    """

    target: str
    decoder: str | None = None
    device: str = "cpu"
    threads: int = 1
    precision: str | None = None
    quality: float = 50.0


class Subject(Protocol):
    """What all subjects have in common."""

    kind: str
    name: str
    fingerprint: str
    settings: Mapping[str, Any]
    precision: str
    calls: tuple[str, ...]
    default_size: Size
    """In pixels, where nobody asks for another."""
    fixed_size: Size | None
    """The only one it takes, if there is only one."""

    def inputs(self, call: str, images: Sequence[Pixels]) -> list[Any]:
        """Return what a call takes, one for each picture, all uint8 (H, W, 3) RGB of one size."""

    def run(self, call: str, value: Any) -> Any:
        """Do one call on one input."""

    def error(self, images: Sequence[Pixels]) -> Error | None:
        """Return what is lost on these pictures, or None where no picture comes back."""


class _Bundled:
    """What the subjects that are bundles share: opened by class, known by manifest."""

    kind = ""
    calls: tuple[str, ...] = ()
    settings: Mapping[str, Any] = {}
    default_size = Size(640, 480)
    fixed_size: Size | None = None

    def __init__(self, kind: Callable[..., Model], spec: Spec, observer: Observer | None) -> None:
        self.precision = spec.precision or FP32
        self.model: Any = kind(
            spec.target,
            device=spec.device,
            threads=spec.threads,
            observer=observer,
            **_precision(kind, spec),
        )
        self.name = self.model.manifest.name
        self.fingerprint = self.model.manifest.fingerprint.hex()


class CodecSubject(_Bundled):
    """Compress and decompress."""

    kind = "codec"
    calls: tuple[str, ...] = ("compress", "decompress")
    default_size = Size(768, 512)

    def __init__(self, spec: Spec, observer: Observer | None) -> None:
        super().__init__(Codec, spec, observer)
        self.settings = {"quality": spec.quality}

    def inputs(self, call: str, images: Sequence[Pixels]) -> list[Any]:
        """Return pictures, or their streams."""
        if call == "compress":
            return list(images)
        return [self.run("compress", image) for image in images]

    def run(self, call: str, value: Any) -> Any:
        """Compress or decompress."""
        if call == "compress":
            return self.model.compress(value, quality=self.settings["quality"])
        return self.model.decompress(value)

    def error(self, images: Sequence[Pixels]) -> Error | None:
        """Compare pictures with what their streams decode to."""
        return _stream_error(self, images)


class DenoiserSubject(_Bundled):
    """Denoise pictures with noise of a known level, as frames of a stream for each thread."""

    kind = "denoiser"
    calls: tuple[str, ...] = ("denoise",)

    def __init__(self, spec: Spec, observer: Observer | None) -> None:
        super().__init__(Denoiser, spec, observer)
        self._own = threading.local()
        self.settings = {"noise_levels": pictures.NOISE_LEVELS}

    def inputs(self, call: str, images: Sequence[Pixels]) -> list[Any]:
        """Return noisy pictures."""
        return [pictures.noisy(image, seed=seed) for seed, image in enumerate(images)]

    def run(self, call: str, value: Any) -> Any:
        """Clean one."""
        if not hasattr(self._own, "stream"):
            self._own.stream = self.model.stream()
        return self._own.stream.denoise(value)

    def error(self, images: Sequence[Pixels]) -> Error | None:
        """Compare clean pictures with cleaned ones."""
        noisy = self.inputs("denoise", images)
        cleaned = [self.run("denoise", image) for image in noisy]
        loss = error(zip(map(unit, images), map(unit, cleaned), strict=True))
        before = error(zip(map(unit, images), map(unit, noisy), strict=True))
        return loss | {"noisy_psnr_db": before["psnr_db"]}


class AutoencoderSubject(_Bundled):
    """Encode to a code and decode it."""

    kind = "autoencoder"
    calls: tuple[str, ...] = ("encode", "decode")

    def __init__(self, spec: Spec, observer: Observer | None) -> None:
        super().__init__(Autoencoder, spec, observer)
        sides = self.model.manifest.parameters
        self.fixed_size = self.default_size = Size(sides["width"], sides["height"])

    def inputs(self, call: str, images: Sequence[Pixels]) -> list[Any]:
        """Return pictures with the channels of the bundle, or their codes."""
        fitted = [self._own(image) for image in images]
        return fitted if call == "encode" else [self.run("encode", image) for image in fitted]

    def run(self, call: str, value: Any) -> Any:
        """Encode or decode."""
        return self.model.encode(value) if call == "encode" else self.model.decode(value)

    def error(self, images: Sequence[Pixels]) -> Error | None:
        """Compare pictures with what their streams decode to."""
        return _stream_error(self, [self._own(image) for image in images])

    def _own(self, image: Pixels) -> Pixels:
        return image if self.model.manifest.channels == 3 else pictures.grey(image)


_KINDS: Mapping[str, Callable[[Spec, Observer | None], Subject]] = {
    "codec": CodecSubject,
    "denoiser": DenoiserSubject,
    "autoencoder": AutoencoderSubject,
}


def opened(spec: Spec, observer: Observer | None = None) -> Subject:
    """Load what a spec names, under an observer if there is one.

    Raises:
        BundleError: there is no such bundle or file, or it does not load.
        DeviceError: the device is not there or cannot run it.
        InputError: there is no such precision, or a decoder beside a bundle.
    """
    if is_onnx(spec.target):
        if spec.precision not in (None, AS_IS):
            raise InputError(
                f"precision is {spec.precision!r} for {spec.target}; expected none: an ONNX file "
                "is run as it is; name the file that has the precision"
            )
        return OnnxSubject(
            spec.target,
            spec.decoder,
            AS_IS,
            device=spec.device,
            threads=spec.threads,
            observer=observer,
        )
    if spec.decoder is not None:
        raise InputError(
            f"decoder is {spec.decoder!r} beside {spec.target!r}; expected it beside an encoder's "
            "ONNX file; a bundle has its own"
        )
    return _KINDS[Manifest.load(locate(spec.target)).task](spec, observer)


def is_onnx(target: str) -> bool:
    """Tell whether a target is meant as a file and not as a bundle."""
    path = Path(target)
    return target not in shipped() and (path.suffix in (".onnx", ".ort") or path.is_file())


def _precision(kind: Callable[..., Model], spec: Spec) -> dict[str, str]:
    """Return the argument that chooses a precision, for the models that have the choice."""
    if spec.precision in (None, FP32):
        return {}
    if "precision" in inspect.signature(kind).parameters:
        return {"precision": str(spec.precision)}
    raise InputError(
        f"precision is {spec.precision!r} for the bundle {spec.target!r}; expected {FP32}: it has "
        "no such variant; leave --precision out, or export the bundle with one"
    )


def _stream_error(subject: CodecSubject | AutoencoderSubject, images: Sequence[Pixels]) -> Error:
    options = subject.settings
    streams = [subject.model.compress(image, **options) for image in images]
    back = [subject.model.decompress(data) for data in streams]
    loss = error(zip(map(unit, images), map(unit, back), strict=True))
    size = float(np.mean([len(data) for data in streams]))
    pixels = images[0].shape[0] * images[0].shape[1]
    return loss | {"bytes": round(size, 1), "rate_bpp": round(8 * size / pixels, 4)}
