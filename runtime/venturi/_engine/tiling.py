"""Cut a picture of any size into overlapping tiles whose results join without a seam.

A graph runs on the outer box of a tile: the inner one grown by a margin that covers the receptive
field, and clipped at the picture's border, where the graph sees the same border as it would in one
piece. Only the inner box of the result is kept. Inner boxes do not overlap and cover the area, so
the memory that a graph takes does not depend on the size of the picture.
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

    def meets(self, other: "Box") -> bool:
        """Tell whether the boxes have a pixel in common."""
        common = self.clipped(other)
        return common.height > 0 and common.width > 0

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


class Tile(NamedTuple):
    """What a graph sees (``outer``) and what of its result is kept (``inner``)."""

    inner: Box
    outer: Box


def grid(area: Box, side: int) -> Iterator[Box]:
    """Yield the squares of ``side`` that cover ``area``, clipped to it, in raster order.

    The squares begin at (0, 0), so that an area is cut at the same places as the whole.
    """
    for band in bands(area, side):
        columns = band.aligned(side)
        for left in range(columns.left, columns.right, side):
            yield Box(band.top, left, band.bottom, left + side).clipped(area)


def bands(area: Box, height: int) -> Iterator[Box]:
    """Yield the rows of ``area`` in bands of a height, from the top; they begin at 0 as well."""
    rows = area.aligned(height)
    for top in range(rows.top, rows.bottom, height):
        yield Box(top, area.left, top + height, area.right).clipped(area)


def tiles(area: Box, limit: Box, *, side: int, margin: int) -> Iterator[Tile]:
    """Yield overlapping tiles whose inner boxes cover ``area``, in raster order.

    Args:
        area: what is wanted, in pixels.
        limit: no outer box goes beyond it: the whole picture, padded as the graph needs it.
        side: of an inner box, in pixels.
        margin: how much larger an outer box is on each side, in pixels.
    """
    for inner in grid(area, side):
        yield Tile(inner, inner.grown(margin).clipped(limit))
