"""What a codec, a denoiser and an autoencoder share: a bundle opened for a device."""

import os
from collections.abc import Callable
from functools import partial
from typing import Self

from venturi._bundle.load import Bundle
from venturi._bundle.manifest import Manifest
from venturi._bundle.tasks import FP32
from venturi._engine.graph import Graph, Signature, check_device
from venturi.errors import InputError


class Model:
    """Opens a bundle, and pickles and prints by the arguments that opened it."""

    manifest: Manifest

    def _load(
        self,
        bundle: str | os.PathLike[str],
        task: str,
        device: str,
        threads: int | None,
        precision: str = FP32,
    ) -> Bundle:
        """Check the arguments and the bundle, and remember both."""
        check_device(device, threads)
        loaded = Bundle.load(bundle, task=task)
        _check_precision(precision, loaded)
        self.manifest = loaded.manifest
        self._source = loaded.source
        self._options: dict[str, str | int | None] = {"device": device, "threads": threads}
        if precision != FP32:
            self._options["precision"] = precision
        return loaded

    def _open_graph(
        self,
        bundle: Bundle,
        role: str,
        inputs: Signature,
        outputs: Signature,
        *,
        device: str,
        threads: int | None,
        precision: str = FP32,
    ) -> Graph:
        """Open the graph that does a role's work in a precision of the bundle's."""
        file = self.manifest.variant(role, precision)
        return Graph(
            bundle.files[file],
            self.manifest.files[file].path,
            device=device,
            threads=threads,
            inputs=inputs,
            outputs=outputs,
            may_saturate=precision != FP32 and not self.manifest.never_saturates,
        )

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in self._options.items())
        return f"{type(self).__name__}({self._source!r}, {options})"

    def __reduce__(self) -> tuple[Callable[[str], Self], tuple[str]]:
        kind: Callable[..., Self] = type(self)
        return partial(kind, **self._options), (self._source,)


def _check_precision(precision: str, bundle: Bundle) -> None:
    there = bundle.manifest.precisions
    if precision not in there:
        raise InputError(
            f"precision is {precision!r} for the bundle {bundle.source!r}, which has no such "
            f"variant; expected {' or '.join(there)}; leave it out, or export the bundle with one"
        )
