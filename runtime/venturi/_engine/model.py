"""The common base of codec, denoiser and autoencoder: a bundle opened for a device."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Self

from venturi._bundle.load import Bundle
from venturi._bundle.manifest import Manifest
from venturi._bundle.tasks import FP32
from venturi._engine.graph import Graph, Signature, check_device
from venturi._engine.observer import Observer
from venturi.errors import InputError


@dataclass(frozen=True)
class Opener:
    """Opens the graphs of a bundle, all of them with the same options.

    Attributes:
        bundle: loaded.
        device: a key of ``PROVIDERS``.
        threads: for one operator; None leaves it to onnxruntime.
        precision: of the bundle's.
        observer: of the graphs, or None.
    """

    bundle: Bundle
    device: str
    threads: int | None
    precision: str
    observer: Observer | None

    def graph(
        self, role: str, inputs: Signature, outputs: Signature, *, device: str | None = None
    ) -> Graph:
        """Open the graph of a role, on another device if one is given."""
        manifest = self.bundle.manifest
        file = manifest.variant(role, self.precision)
        return Graph(
            self.bundle.files[file],
            manifest.files[file].path,
            device=device or self.device,
            threads=self.threads,
            inputs=inputs,
            outputs=outputs,
            may_saturate=self.precision != FP32 and not manifest.never_saturates,
            observer=self.observer,
        )


class Model:
    """Opens a bundle, and pickles and prints by the arguments that opened it.

    An observer is not pickled with the model: it belongs to the process that created it.
    """

    manifest: Manifest

    def _load(
        self,
        bundle: str | os.PathLike[str],
        task: str,
        *,
        device: str,
        threads: int | None,
        precision: str = FP32,
        observer: Observer | None = None,
    ) -> Opener:
        """Check the arguments and the bundle, and remember both."""
        check_device(device, threads)
        loaded = Bundle.load(bundle, task=task)
        _check_precision(precision, loaded)
        self.manifest = loaded.manifest
        self._source = loaded.source
        self._options: dict[str, str | int | None] = {"device": device, "threads": threads}
        if precision != FP32:
            self._options["precision"] = precision
        return Opener(loaded, device, threads, precision, observer)

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in self._options.items())
        return f"{type(self).__name__}({self._source!r}, {options})"

    def __reduce__(self) -> tuple[Callable[[str], Self], tuple[str]]:
        kind: Callable[..., Self] = type(self)
        return partial(kind, **self._options), (self._source,)


def _check_precision(precision: str, bundle: Bundle) -> None:
    precisions = bundle.manifest.precisions
    if precision not in precisions:
        raise InputError(
            f"precision is {precision!r} for the bundle {bundle.source!r}, which has no such "
            f"variant; expected {' or '.join(precisions)}; leave it out, or export the bundle "
            "with one"
        )
