"""The state that a recurrent denoiser passes from one frame to the next."""

from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from venturi._engine.arrays import Pixels, Planes
from venturi._engine.cuts import is_cut, thumbnail
from venturi._engine.motion import Glance, Shift, glance, motion, moved
from venturi._engine.tiling import Box, Tile

_GREY = 128  # fills the past frame where nothing is known


class Memory(NamedTuple):
    """The recurrent state of the network.

    Attributes:
        past: the clean frame, padded, uint8 (H, W, 3).
        kept: float32 (H / stride, W / stride, channels); 0 where nothing is known.
        stride: pixels between two values of ``kept``, along each axis.
    """

    past: Pixels
    kept: Planes
    stride: int

    @classmethod
    def empty(cls, area: Box, channels: int, stride: int) -> Self:
        """Return the state before the first frame."""
        kept = np.zeros((area.height // stride, area.width // stride, channels), np.float32)
        return cls(np.full((area.height, area.width, 3), _GREY, np.uint8), kept, stride)

    def moved(self, shift: Shift) -> Self:
        """Return the state, shifted as the picture has moved."""
        if shift == (0, 0):
            return self
        down, right = (round(by / self.stride) for by in shift)
        return self._replace(
            past=moved(self.past, shift, _GREY), kept=moved(self.kept, (down, right), 0)
        )

    def part(self, box: Box) -> list[NDArray[Any]]:
        """Return the state of a tile, as further inputs of the graph."""
        parts = self.past[box.slices], self.kept[box.divided(self.stride).slices]
        return [np.ascontiguousarray(part) for part in parts]

    def put(self, tile: Tile, past: Pixels, kept: Planes) -> None:
        """Store the inner box of a tile's results, which cover its outer box."""
        pairs: list[tuple[NDArray[Any], NDArray[Any], int]] = [
            (self.past, past, 1),
            (self.kept, kept, self.stride),
        ]
        for whole, part, unit in pairs:
            inner, outer = tile.inner.divided(unit), tile.outer.divided(unit)
            whole[inner.slices] = part[inner.within(outer).slices]


class View(NamedTuple):
    """Summary of a noisy frame, to compare the next one with.

    Attributes:
        shape: of the frame.
        thumbnail: to notice a cut.
        glance: to estimate the motion of the whole frame.
    """

    shape: tuple[int, ...]
    thumbnail: Planes
    glance: Glance

    @classmethod
    def of(cls, frame: Pixels) -> Self:
        """Summarise a frame."""
        return cls(frame.shape, thumbnail(frame), glance(frame))


@dataclass(frozen=True, eq=False)
class DenoiserState:
    """The state after a frame: keep it and pass it to :meth:`Denoiser.step` with the next one.

    It is opaque, never changes, and pickles.
    """

    _memory: Memory
    _view: View


def followed(state: DenoiserState, view: View) -> Memory | None:
    """Return the memory of a state, shifted as the frame has moved; None after a cut."""
    previous = state._view
    if view.shape != previous.shape or is_cut(previous.thumbnail, view.thumbnail):
        return None
    return state._memory.moved(motion(previous.glance, view.glance))
