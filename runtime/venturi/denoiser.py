"""The denoiser: a noisy picture to a clean one, with one bundle."""

import os

import numpy as np

from venturi._arguments import real
from venturi._model import Model
from venturi._pixels import Pixels, Planes, check_image, from_planes, to_planes, whole
from venturi.errors import InputError
from venturi.sessions import Graph
from venturi.windows import windows

STRENGTH_MAX = 3.0

_CORE = 2048


class Denoiser(Model):
    """Cleans pictures with one bundle.

    Immutable and safe to share between threads; pickles by its arguments.

    Attributes:
        manifest: of the bundle.
    """

    def __init__(
        self,
        bundle: str | os.PathLike[str] = "camera",
        *,
        device: str = "cpu",
        threads: int | None = None,
    ) -> None:
        """Load a bundle.

        Args:
            bundle: the name of a shipped bundle, or the path of a folder.
            device: ``cpu``, ``cuda`` and others that the installed onnxruntime has.
            threads: for one operator; None leaves it to onnxruntime.

        Raises:
            BundleError: there is no such bundle, or it is damaged.
            DeviceError: the device is not there or cannot run the graph.
            InputError: ``threads`` is not at least 1.
            ImportError: onnxruntime is not installed.
        """
        loaded = self._load(bundle, "denoiser", device, threads)
        self._core = _CORE
        self._graph = Graph(
            loaded.files["denoiser"],
            self.manifest.files["denoiser"].path,
            device=device,
            threads=threads,
            inputs={"frame": ("float", 3), "strength": ("float", None)},
            outputs={"clean": ("float", 3)},
        )

    def denoise(self, image: Pixels, *, strength: float = 1.0) -> Pixels:
        """Clean a picture.

        Args:
            image: uint8 (H, W, 3) RGB or (H, W) grey, in any memory layout; never changed. Other
                dtypes are refused, so values that are not numbers cannot occur.
            strength: 0 to 3; 1 removes the noise that the model sees, less keeps some, 0 copies.

        Returns:
            uint8 of the same shape.

        Raises:
            InputError: an argument is none of these.
        """
        check_image(image)
        amount = real("strength", strength)
        if not 0 <= amount <= STRENGTH_MAX:
            raise InputError(
                f"strength is {strength!r}; expected 0 to {STRENGTH_MAX:g}; 1 is a good start"
            )
        out = np.empty(image.shape, np.uint8)
        if amount == 0:
            out[...] = image
            return out
        padded = whole(image).aligned(self.manifest.stride)
        margin = self.manifest.parameters["margin"]
        for window in windows(padded, padded, core=self._core, margin=margin):
            clean = self._clean(to_planes(image, window.reach, "reflect"), amount)
            kept = window.core.clipped(whole(image))
            planes = clean[(slice(None), *kept.within(window.reach).slices)]
            from_planes(planes, out[kept.slices], self._graph.name)
        return out

    def _clean(self, planes: Planes, strength: float) -> Planes:
        """Run denoiser.onnx: planes (3, H, W) of a window."""
        amount = np.array([strength], np.float32)
        (clean,) = self._graph.run(planes, amount, shapes=[planes.shape])
        kept: Planes = clean[0]
        return kept
