"""Cut a picture of any size into overlapping windows whose results join without a seam.

A graph runs on a window's ``reach``: its ``core`` grown by a margin that covers the receptive field
and clipped at the picture's border, where the graph sees the same border as it would in one piece.
Only the core of the result is kept; the cores tile the area, so memory stays bounded.
"""

from collections.abc import Iterator
from typing import NamedTuple, Self


class Box(NamedTuple):
    """Rows ``top`` to ``bottom`` and columns ``left`` to ``right``, the ends not included."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        """Rows."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Columns."""
        return self.right - self.left

    @property
    def slices(self) -> tuple[slice, slice]:
        """What indexes the box's rows and columns in an array."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def grown(self, margin: int) -> Self:
        """Return the box with a margin on each side."""
        top, left, bottom, right = self
        return self._replace(
            top=top - margin, left=left - margin, bottom=bottom + margin, right=right + margin
        )

    def clipped(self, limit: "Box") -> Self:
        """Return what of the box lies in ``limit``."""
        return self._replace(
            top=max(self.top, limit.top),
            left=max(self.left, limit.left),
            bottom=min(self.bottom, limit.bottom),
            right=min(self.right, limit.right),
        )

    def aligned(self, unit: int) -> Self:
        """Return the smallest box around this one whose sides lie on multiples of ``unit``."""
        return self._replace(
            top=self.top // unit * unit,
            left=self.left // unit * unit,
            bottom=-(-self.bottom // unit) * unit,
            right=-(-self.right // unit) * unit,
        )

    def within(self, origin: "Box") -> Self:
        """Return the box in coordinates that begin at the corner of ``origin``."""
        return self._replace(
            top=self.top - origin.top,
            left=self.left - origin.left,
            bottom=self.bottom - origin.top,
            right=self.right - origin.left,
        )

    def divided(self, unit: int) -> Self:
        """Return the box in units of ``unit``, on whose multiples its sides lie."""
        assert all(side % unit == 0 for side in self), (self, unit)
        return self._replace(
            top=self.top // unit,
            left=self.left // unit,
            bottom=self.bottom // unit,
            right=self.right // unit,
        )


class Window(NamedTuple):
    """What a graph sees (``reach``) and what of its result is kept (``core``)."""

    core: Box
    reach: Box


def tiles(area: Box, side: int) -> Iterator[Box]:
    """Yield the tiles of the grid of squares of ``side`` that meet ``area``, clipped to it.

    Rows from the top, each from the left. The grid begins at (0, 0), so that an area is cut at the
    same places as the whole.
    """
    grid = area.aligned(side)
    for top in range(grid.top, grid.bottom, side):
        for left in range(grid.left, grid.right, side):
            yield Box(top, left, top + side, left + side).clipped(area)


def windows(area: Box, limit: Box, *, core: int, margin: int) -> Iterator[Window]:
    """Yield windows whose cores tile ``area``.

    Args:
        area: what is wanted, in pixels.
        limit: the whole picture, padded as the graph needs it; no reach goes beyond.
        core: the side of a core, in pixels.
        margin: how much a reach adds on each side, in pixels.
    """
    for tile in tiles(area, core):
        yield Window(tile, tile.grown(margin).clipped(limit))
