"""The denoiser: noisy pictures and frames to clean ones, with one bundle."""

import os
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from venturi._bundle.tasks import FP32, STILL
from venturi._engine.arrays import Pixels, Planes, check_image, from_pixels, to_pixels, whole
from venturi._engine.checks import real
from venturi._engine.cuts import is_cut, thumbnail
from venturi._engine.graph import PIXELS, Signature
from venturi._engine.model import Model
from venturi._engine.motion import Glance, Shift, glance, motion, moved
from venturi._engine.observer import Observer
from venturi._engine.tiling import Box, Tile, tiles
from venturi.errors import InputError

STRENGTH_MAX = 3.0

_TILE = 2048  # pixels along each side, without the overlap
_GREY = 128  # what stands where the past is not known


class State(NamedTuple):
    """What a frame leaves for the next one.

    Attributes:
        past: the clean frame, padded, uint8 (H, W, 3).
        kept: float32 (H / stride, W / stride, state channels); 0 where nothing is known.
        stride: the state's.
    """

    past: Pixels
    kept: Planes
    stride: int

    @classmethod
    def empty(cls, height: int, width: int, channels: int, stride: int) -> Self:
        """Return the state before the first frame."""
        kept = np.zeros((height // stride, width // stride, channels), np.float32)
        return cls(np.full((height, width, 3), _GREY, np.uint8), kept, stride)

    def moved(self, shift: Shift) -> Self:
        """Return the state of a picture that has moved."""
        if shift == (0, 0):
            return self
        down, right = (round(by / self.stride) for by in shift)
        return self._replace(
            past=moved(self.past, shift, _GREY), kept=moved(self.kept, (down, right), 0)
        )

    def part(self, box: Box) -> list[NDArray[Any]]:
        """Return what a tile sees of it, as further inputs of the graph."""
        parts = self.past[box.slices], self.kept[box.divided(self.stride).slices]
        return [np.ascontiguousarray(part) for part in parts]

    def put(self, tile: Tile, past: Pixels, kept: Planes) -> None:
        """Put in place the inner box of what the graph made of a tile's outer box."""
        pairs: list[tuple[NDArray[Any], NDArray[Any], int]] = [
            (self.past, past, 1),
            (self.kept, kept, self.stride),
        ]
        for mine, part, unit in pairs:
            inner, outer = tile.inner.divided(unit), tile.outer.divided(unit)
            mine[inner.slices] = part[inner.within(outer).slices]


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
        observer: Observer | None = None,
    ) -> None:
        """Load a bundle.

        Args:
            bundle: the name of a shipped bundle, or the path of a folder.
            device: ``cpu``, ``cuda`` and others that the installed onnxruntime has.
            threads: for one operator; None leaves it to onnxruntime.
            precision: ``fp32``, or ``int8`` where ``manifest.precisions`` has it: the network in
                8 bits, faster on CPUs, for the loss of quality that ``manifest.measured`` states.
            observer: told what the graphs do and how long it takes, for measurements;
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
            image: uint8 (H, W, 3) RGB or (H, W) grey, in any memory layout; never changed. Other
                dtypes are refused, so values that are not numbers cannot occur.
            strength: 0 to 3; 1 removes the noise that the model sees, less keeps some, 0 copies.

        Returns:
            uint8 of the same shape.

        Raises:
            InputError: an argument is none of these.
        """
        return self._denoise(image, strength, None, keep=False)[0]

    def stream(self) -> "DenoiserStream":
        """Return what cleans the frames of one video or camera, one after the other.

        A recurrent bundle (``manifest.is_recurrent``) carries what it has seen from frame to frame
        and cleans better for it; any other cleans each frame by itself, as ``denoise`` does. A
        frame before which nothing is known takes both graphs of a bundle that has one for it.
        """
        return DenoiserStream(self)

    def _denoise(
        self, image: Pixels, strength: float, state: State | None, *, keep: bool
    ) -> tuple[Pixels, State | None]:
        """Clean a picture, given the state that the frame before it left; None is the first.

        Returns:
            The clean picture and the next state, which is None when it is not to be kept, when the
            strength is 0 and when the bundle is not recurrent.
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
        still = self._still if state is None else None
        next_state = self._empty_state(padded) if keep else None
        if state is None:
            state = self._empty_state(padded)
        for tile in tiles(
            padded, padded, side=self._tile, margin=self.manifest.parameters["margin"]
        ):
            frame = to_pixels(image, tile.outer), np.array([amount], np.float32)
            shape = frame[0].shape
            clean = None if still is None else still.run(*frame, shapes=[shape])[0]
            if clean is None or next_state is not None:
                memory = [] if state is None else state.part(tile.outer)
                shapes = [shape, *(part.shape for part in memory)]
                own, *left = self._graph.run(*frame, *memory, shapes=shapes)
                clean = own if clean is None else clean
                if next_state is not None:
                    next_state.put(tile, *left)
            kept = tile.inner.clipped(whole(image))
            from_pixels(clean[kept.within(tile.outer).slices], out[kept.slices])
        return out, next_state

    def _empty_state(self, padded: Box) -> State | None:
        if not self.manifest.is_recurrent:
            return None
        parameters = self.manifest.parameters
        return State.empty(
            padded.height, padded.width, parameters["state_channels"], parameters["state_stride"]
        )


class DenoiserStream:
    """Cleans frames that follow each other; see :meth:`Denoiser.stream`.

    It holds the state of one video: make one for each, and use it from one thread at a time. The
    state takes as much memory as a few copies of the frame, whatever the windows are.
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
        self._glance: Glance | None = None

    def denoise(self, frame: Pixels, strength: float = 1.0) -> Pixels:
        """Clean the next frame.

        Where the whole frame has moved, as under a camera that pans or trembles, what is known of
        the frames before moves with it. The state starts anew when the frame has another shape than
        the one before, when so much of it changed that it must be another scene, and after a frame
        of strength 0.

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
        small, seen = thumbnail(frame), glance(frame)
        state = self._state
        if frame.shape != self._shape or is_cut(self._thumbnail, small):
            state = None
        if state is not None and self._glance is not None:
            state = state.moved(motion(self._glance, seen))
        clean, self._state = self._denoiser._denoise(frame, strength, state, keep=True)
        self._shape, self._thumbnail, self._glance = frame.shape, small, seen
        return clean
