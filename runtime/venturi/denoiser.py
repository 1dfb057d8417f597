"""The denoiser: noisy pictures and frames to clean ones, with one bundle."""

import os

import numpy as np
from numpy.typing import NDArray

from venturi._arguments import real
from venturi._cuts import is_cut, thumbnail
from venturi._model import Model
from venturi._pixels import Pixels, Planes, check_image, from_planes, to_planes, whole
from venturi.errors import InputError
from venturi.manifest import FP32, VARIANTS
from venturi.sessions import Graph, Signature
from venturi.windows import Box, Window, windows

STRENGTH_MAX = 3.0

State = NDArray[np.float32]
"""float32 (1, state channels, H / state stride, W / state stride) of a padded frame."""

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
        precision: str = FP32,
    ) -> None:
        """Load a bundle.

        Args:
            bundle: the name of a shipped bundle, or the path of a folder.
            device: ``cpu``, ``cuda`` and others that the installed onnxruntime has.
            threads: for one operator; None leaves it to onnxruntime.
            precision: ``fp32``, or ``int8`` where ``manifest.precisions`` has it: the network in
                8 bits, faster on CPUs, for the loss of quality that ``manifest.measured`` states.

        Raises:
            BundleError: there is no such bundle, or it is damaged.
            DeviceError: the device is not there or cannot run the graph.
            InputError: ``threads`` is not at least 1, or the bundle has no such ``precision``.
            ImportError: onnxruntime is not installed.
        """
        loaded = self._load(bundle, "denoiser", device, threads, precision)
        role = "denoiser" if precision == FP32 else VARIANTS["denoiser"][precision]
        self._core = _CORE
        inputs: Signature = {"frame": ("float", 3), "strength": ("float", None)}
        outputs: Signature = {"clean": ("float", 3)}
        if self.manifest.is_recurrent:
            channels = self.manifest.parameters["state_channels"]
            inputs = {**inputs, "state": ("float", channels)}
            outputs = {**outputs, "next_state": ("float", channels)}
        self._graph = Graph(
            loaded.files[role],
            self.manifest.files[role].path,
            device=device,
            threads=threads,
            inputs=inputs,
            outputs=outputs,
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
        return self._denoise(image, strength, None)[0]

    def stream(self) -> "DenoiserStream":
        """Return what cleans the frames of one video or camera, one after the other.

        A recurrent bundle (``manifest.is_recurrent``) carries what it has seen from frame to frame
        and cleans better for it; any other cleans each frame by itself, as ``denoise`` does.
        """
        return DenoiserStream(self)

    def _denoise(
        self, image: Pixels, strength: float, state: State | None
    ) -> tuple[Pixels, State | None]:
        """Clean a picture, given the state that the frame before it left; None is the first.

        Returns:
            The clean picture and the next state, which is None when the strength is 0 and when the
            bundle is not recurrent.
        """
        check_image(image)
        amount = real("strength", strength)
        if not 0 <= amount <= STRENGTH_MAX:
            raise InputError(
                f"strength is {strength!r}; expected 0 to {STRENGTH_MAX:g}; 1 is a good start"
            )
        if amount == 0:
            return np.array(image, order="C"), None
        out = np.empty(image.shape, np.uint8)
        padded = whole(image).aligned(self.manifest.stride)
        next_state = self._empty_state(padded)
        for window in windows(
            padded, padded, core=self._core, margin=self.manifest.parameters["margin"]
        ):
            planes = to_planes(image, window.reach, "reflect")
            memory = self._cut(state, window)
            found = self._graph.run(
                planes,
                np.array([amount], np.float32),
                *memory,
                shapes=[planes.shape, *(part.shape for part in memory)],
            )
            clean: Planes = found[0][0]
            kept = window.core.clipped(whole(image))
            shown = clean[(slice(None), *kept.within(window.reach).slices)]
            from_planes(shown, out[kept.slices], self._graph.name)
            if next_state is not None:
                self._keep(found[1], window, next_state)
        return out, next_state

    def _empty_state(self, padded: Box) -> State | None:
        if not self.manifest.is_recurrent:
            return None
        small = padded.divided(self.manifest.parameters["state_stride"])
        shape = 1, self.manifest.parameters["state_channels"], small.height, small.width
        return np.zeros(shape, np.float32)

    def _cut(self, state: State | None, window: Window) -> list[State]:
        """Return the state of what a window sees, as further inputs of the graph."""
        if not self.manifest.is_recurrent:
            return []
        if state is None:
            state = self._empty_state(window.reach)
            assert state is not None
            return [state]
        small = window.reach.divided(self.manifest.parameters["state_stride"])
        return [np.ascontiguousarray(state[(..., *small.slices)])]

    def _keep(self, found: State, window: Window, next_state: State) -> None:
        """Put a window's core in its place in the state of the whole picture."""
        stride = self.manifest.parameters["state_stride"]
        core, reach = window.core.divided(stride), window.reach.divided(stride)
        next_state[(..., *core.slices)] = found[(..., *core.within(reach).slices)]


class DenoiserStream:
    """Cleans frames that follow each other; see :meth:`Denoiser.stream`.

    It holds the state of one video: make one for each, and use it from one thread at a time. The
    state is one array, as large as a few planes of the frame, whatever the windows are.
    """

    def __init__(self, denoiser: Denoiser) -> None:
        """Begin with no frame seen."""
        self._denoiser = denoiser
        self.reset()

    def reset(self) -> None:
        """Forget all frames: the next one is the first."""
        self._state: State | None = None
        self._shape: tuple[int, ...] = ()
        self._thumbnail: Planes | None = None

    def denoise(self, frame: Pixels, strength: float = 1.0) -> Pixels:
        """Clean the next frame.

        The state starts anew when the frame has another shape than the one before, when so much of
        it changed that it must be another scene, and after a frame of strength 0.

        Args:
            frame: as the picture of :meth:`Denoiser.denoise`.
            strength: as there; it may change from frame to frame.

        Returns:
            uint8 of the same shape.

        Raises:
            InputError: an argument is none of these; the state is as it was.
        """
        if not self._denoiser.manifest.is_recurrent:
            return self._denoiser.denoise(frame, strength=strength)
        check_image(frame)
        small = thumbnail(frame)
        state = self._state
        if frame.shape != self._shape or is_cut(self._thumbnail, small):
            state = None
        clean, self._state = self._denoiser._denoise(frame, strength, state)
        self._shape, self._thumbnail = frame.shape, small
        return clean
