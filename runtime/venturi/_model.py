"""What a codec, a denoiser and an autoencoder share: a bundle opened for a device."""

import os
from collections.abc import Callable
from functools import partial
from typing import Self

from venturi.bundle import Bundle
from venturi.manifest import Manifest
from venturi.sessions import check_device


class Model:
    """Opens a bundle, and pickles and prints by the arguments that opened it."""

    manifest: Manifest

    def _load(
        self, bundle: str | os.PathLike[str], task: str, device: str, threads: int | None
    ) -> Bundle:
        """Check the arguments and the bundle, and remember both."""
        check_device(device, threads)
        loaded = Bundle.load(bundle, task=task)
        self.manifest = loaded.manifest
        self._arguments = loaded.source, device, threads
        return loaded

    def __repr__(self) -> str:
        source, device, threads = self._arguments
        return f"{type(self).__name__}({source!r}, device={device!r}, threads={threads!r})"

    def __reduce__(self) -> tuple[Callable[[str], Self], tuple[str]]:
        source, device, threads = self._arguments
        kind: Callable[..., Self] = type(self)
        return partial(kind, device=device, threads=threads), (source,)
