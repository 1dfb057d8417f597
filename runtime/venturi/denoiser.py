"""The denoiser: clean noisy pictures and frames with one bundle."""

import os

import numpy as np

from venturi._bundle.tasks import FP32, STILL
from venturi._engine.arrays import Pixels, check_image, from_pixels, to_pixels, whole
from venturi._engine.checks import real
from venturi._engine.graph import PIXELS, Signature
from venturi._engine.model import Model
from venturi._engine.observer import Observer
from venturi._engine.recurrence import DenoiserState, Memory, View, followed
from venturi._engine.tiling import Box, tiles
from venturi.errors import InputError

STRENGTH_MAX = 3.0

_TILE = 2048  # pixels along each side, without the overlap


class Denoiser(Model):
    """Cleans pictures with one bundle.

    Immutable and safe to share between threads; it pickles by its arguments.

    Attributes:
        manifest: the manifest of the bundle.
    """

    def __init__(
        self,
        bundle: str | os.PathLike[str] = "camera",
        *,
        device: str = "cpu",
        threads: int | None = None,
        precision: str = FP32,
        observer: Observer | None = None,
    ) -> None:
        """Load a bundle.

        Args:
            bundle: the name of a shipped bundle, or the path of a folder.
            device: ``cpu``, ``cuda`` and others that the installed onnxruntime has.
            threads: how many for one operator; None lets onnxruntime choose.
            precision: ``fp32``, or ``int8`` where ``manifest.precisions`` has it: the network in
                8 bits, which is faster on CPUs; ``manifest.measured`` states the loss of quality.
            observer: is called with what the graphs do and how long it takes;
                see :class:`venturi.Observer`.

        Raises:
            BundleError: there is no such bundle, or it is damaged.
            DeviceError: the device is not there or cannot run the graph.
            InputError: ``threads`` is not at least 1, or the bundle has no such ``precision``.
            ImportError: onnxruntime is not installed.
        """
        opener = self._load(
            bundle,
            "denoiser",
            device=device,
            threads=threads,
            precision=precision,
            observer=observer,
        )
        self._tile = _TILE
        inputs: Signature = {"frame": PIXELS, "strength": ("float", (1,))}
        outputs: Signature = {"clean": PIXELS}
        has_still = STILL in self.manifest.files
        self._still = opener.graph(STILL, inputs, outputs) if has_still else None
        if self.manifest.is_recurrent:
            state = "float", (None, None, self.manifest.parameters["state_channels"])
            inputs = {**inputs, "past": PIXELS, "state": state}
            outputs = {**outputs, "next_past": PIXELS, "next_state": state}
        self._graph = opener.graph("denoiser", inputs, outputs)

    def denoise(self, image: Pixels, *, strength: float = 1.0) -> Pixels:
        """Clean a picture.

        Args:
            image: uint8 (H, W, 3) RGB or (H, W) grey, in any memory layout; it is not
                changed.
            strength: 0 to 3; 1 removes the noise, less keeps some of it, 0 returns a copy.

        Returns:
            uint8 of the same shape.

        Raises:
            InputError: an argument is invalid.
        """
        check_image(image)
        return self._clean(image, _strength(strength), None, keep=False)[0]

    def step(
        self, frame: Pixels, state: DenoiserState | None = None, *, strength: float = 1.0
    ) -> tuple[Pixels, DenoiserState | None]:
        """Clean a frame, given the state after the previous one.

        A :class:`DenoiserStream` calls this for each frame; call it to keep the state yourself.
        If the whole frame has moved, as when a camera pans or shakes, the memory of earlier frames
        moves with it. The memory is cleared when the shape of the frame changes, and when so much
        of the frame has changed that it must be another scene.

        Args:
            frame: as the picture of :meth:`denoise`.
            state: the state after the previous frame; None for the first one.
            strength: as for :meth:`denoise`; it may change from frame to frame.

        Returns:
            The clean frame, uint8 of the same shape, and the state for the next one: None when the
            strength is 0, and always where the bundle is not recurrent.

        Raises:
            InputError: an argument is invalid.
        """
        check_image(frame)
        amount = _strength(strength)
        if amount == 0 or not self.manifest.is_recurrent:
            return self._clean(frame, amount, None, keep=False)[0], None
        view = View.of(frame)
        memory_before = None if state is None else followed(state, view)
        clean, memory = self._clean(frame, amount, memory_before, keep=True)
        return clean, None if memory is None else DenoiserState(memory, view)

    def stream(self) -> "DenoiserStream":
        """Return an object that cleans the frames of one video or camera in their order.

        A recurrent bundle (``manifest.is_recurrent``) uses earlier frames and cleans better for it;
        any other cleans each frame as ``denoise`` does. For the first frame, and the first after a
        cut, a bundle that has a graph for such frames runs both of its graphs.
        """
        return DenoiserStream(self)

    def _clean(
        self, image: Pixels, amount: float, memory: Memory | None, *, keep: bool
    ) -> tuple[Pixels, Memory | None]:
        """Clean a checked picture tile by tile; return it and, to ``keep``, the next memory."""
        if amount == 0:
            return np.array(image, order="C"), None
        out = np.empty(image.shape, np.uint8)
        picture = whole(image)
        padded = picture.aligned(self.manifest.stride)
        still = self._still if memory is None else None
        next_memory = self._empty_memory(padded) if keep else None
        if memory is None:
            memory = self._empty_memory(padded)
        margin = self.manifest.parameters["margin"]
        for tile in tiles(padded, padded, side=self._tile, margin=margin):
            inputs = to_pixels(image, tile.outer), np.array([amount], np.float32)
            shape = inputs[0].shape
            clean = None if still is None else still.run(*inputs, shapes=[shape])[0]
            if clean is None or next_memory is not None:
                parts = [] if memory is None else memory.part(tile.outer)
                shapes = [shape, *(part.shape for part in parts)]
                result, *next_state = self._graph.run(*inputs, *parts, shapes=shapes)
                clean = result if clean is None else clean
                if next_memory is not None:
                    next_memory.put(tile, *next_state)
            inner = tile.inner.clipped(picture)
            from_pixels(clean[inner.within(tile.outer).slices], out[inner.slices])
        return out, next_memory

    def _empty_memory(self, padded: Box) -> Memory | None:
        if not self.manifest.is_recurrent:
            return None
        parameters = self.manifest.parameters
        return Memory.empty(padded, parameters["state_channels"], parameters["state_stride"])


class DenoiserStream:
    """Cleans frames that follow each other; see :meth:`Denoiser.stream`.

    It holds the state of one video: make one for each, and use it from one thread at a time. The
    state takes as much memory as a few copies of the frame.
    """

    def __init__(self, denoiser: Denoiser) -> None:
        """Begin before the first frame."""
        self._denoiser = denoiser
        self.reset()

    def reset(self) -> None:
        """Forget all frames: the next one is the first."""
        self._state: DenoiserState | None = None

    def denoise(self, frame: Pixels, strength: float = 1.0) -> Pixels:
        """Clean the next frame, as :meth:`Denoiser.step` does; after strength 0 it starts anew.

        Args:
            frame: as the picture of :meth:`Denoiser.denoise`.
            strength: as there; it may change from frame to frame.

        Returns:
            uint8 of the same shape.

        Raises:
            InputError: an argument is invalid; the state has not changed.
        """
        clean, self._state = self._denoiser.step(frame, self._state, strength=strength)
        return clean


def _strength(strength: float) -> float:
    amount = real("strength", strength)
    if not 0 <= amount <= STRENGTH_MAX:
        raise InputError(
            f"strength is {strength!r}; expected 0 to {STRENGTH_MAX:g}; 1 is a good start"
        )
    return amount
