"""The integer probabilities that the entropy coder runs on: tables.bin, read, checked and written.

A table gives each symbol -radius..radius and one ESCAPE a whole number of 65536ths. The encoder and
every decoder use the same numbers, so a container means the same on every machine.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from venturi._layout import MAX_RADIUS, MAX_TABLES, PRECISION_BITS
from venturi.errors import BundleError

TOTAL = 1 << PRECISION_BITS
COST_UNIT = 256

_ADVICE = "get the bundle from its source again, or export it again"


@dataclass(frozen=True, eq=False)
class Tables:
    """Frequency tables and the table of every hyper-latent channel.

    Attributes:
        frequencies: per table uint16 (2 * radius + 2,), the frequencies of the symbols
            -radius..radius and then ESCAPE, in 65536ths; empty for a table whose symbol is
            always 0.
        hyper_index: uint8 (buckets, channels), the table of each hyper-latent channel in each
            quality bucket.
        radius: int32 (tables,), the largest magnitude that is coded without ESCAPE.
        first_entry: int64 (tables,), where each table begins in the flat arrays.
        zero_entry: int64 (tables,), where the symbol 0 of each table is in them.
        frequency: int64 (entries,), all tables in a row; an empty one has the single entry 65536.
        start: int64 (entries,), the sum of the frequencies before each entry of the same table.
    """

    frequencies: tuple[NDArray[np.uint16], ...]
    hyper_index: NDArray[np.uint8]
    radius: NDArray[np.int32] = field(init=False, repr=False)
    first_entry: NDArray[np.int64] = field(init=False, repr=False)
    zero_entry: NDArray[np.int64] = field(init=False, repr=False)
    frequency: NDArray[np.int64] = field(init=False, repr=False)
    start: NDArray[np.int64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        _check(self.frequencies, self.hyper_index)
        empty = np.array([TOTAL], np.int64)
        columns = [row.astype(np.int64) if row.size else empty for row in self.frequencies]
        sizes = [column.size for column in columns]
        radius = np.array([row.size // 2 - 1 if row.size else 0 for row in self.frequencies])
        first_entry = np.cumsum([0, *sizes[:-1]])
        derived = {
            "radius": radius.astype(np.int32),
            "first_entry": first_entry,
            "zero_entry": first_entry + radius,
            "frequency": np.concatenate(columns),
            "start": np.concatenate([np.cumsum(column) - column for column in columns]),
        }
        for name, array in derived.items():
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    def extra_bits(self) -> NDArray[np.float64]:
        """Return float64 (tables,): how many bits ±1 costs more than 0; 0 for an empty table."""
        one = np.minimum(self.zero_entry + 1, self.zero_entry + self.radius)
        ratio = self.frequency[self.zero_entry] / self.frequency[one]
        return np.asarray(np.log2(ratio), np.float64)

    @classmethod
    def from_lists(cls, frequencies: Sequence[ArrayLike], hyper_index: ArrayLike) -> Self:
        """Build tables from plain lists of integers.

        Args:
            frequencies: per table 2 * radius + 2 integers >= 1 with the sum 65536, or none.
            hyper_index: integers (buckets, channels) in 0..len(frequencies) - 1.

        Raises:
            BundleError: they are no tables.
        """
        rows = [np.asarray(row, np.int64) for row in frequencies]
        index = np.asarray(hyper_index, np.int64)
        for values, top in (*((row, TOTAL - 1) for row in rows), (index, MAX_TABLES - 1)):
            if values.size and not 0 <= values.min() <= values.max() <= top:
                raise BundleError(
                    f"integers {values.min()}..{values.max()} for entropy tables; "
                    f"expected 0..{top}; {_ADVICE}"
                )
        return cls(tuple(row.astype(np.uint16) for row in rows), index.astype(np.uint8))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read tables.bin.

        Raises:
            BundleError: the bytes are not exactly one well-formed set of tables.
        """
        reader = _Reader(data)
        frequencies = []
        for number in range(reader.number()):
            radius = reader.number()
            if radius > MAX_RADIUS:
                raise BundleError(
                    f"entropy table {number} has radius {radius}; "
                    f"expected 0..{MAX_RADIUS}; {_ADVICE}"
                )
            count = 2 * radius + 2 if radius else 0
            frequencies.append(np.frombuffer(reader.take(2 * count), "<u2").astype(np.uint16))
        shape = (reader.number(), reader.number())
        index = np.frombuffer(reader.take(shape[0] * shape[1]), np.uint8).reshape(shape)
        reader.finish()
        return cls(tuple(frequencies), index)

    def to_bytes(self) -> bytes:
        """Return tables.bin."""
        parts = [struct.pack("<H", len(self.frequencies))]
        for radius, row in zip(self.radius, self.frequencies, strict=True):
            parts += [struct.pack("<H", radius), row.astype("<u2").tobytes()]
        parts += [struct.pack("<HH", *self.hyper_index.shape), self.hyper_index.tobytes()]
        return b"".join(parts)

    @cached_property
    def cost(self) -> NDArray[np.int64]:
        """What every entry costs, int64 (entries,), in 1/COST_UNIT bits."""
        bits: NDArray[np.float64] = PRECISION_BITS - np.log2(self.frequency)
        return np.rint(COST_UNIT * bits).astype(np.int64)

    @cached_property
    def slots(self) -> NDArray[np.unsignedinteger]:
        """The entry that each of the 65536 slots of each table belongs to."""
        entries = np.arange(self.frequency.size)
        return np.repeat(entries.astype(np.min_scalar_type(entries.size)), self.frequency)

    @cached_property
    def keys(self) -> list[int]:
        """The first slot of each entry as table * 65536 + slot, ascending, for binary search."""
        tables = np.repeat(np.arange(len(self.frequencies)), np.diff(self._bounds))
        keys: list[int] = (tables * TOTAL + self.start).tolist()
        return keys

    @cached_property
    def columns(self) -> tuple[list[int], list[int]]:
        """The frequency and start of every entry, as Python's own integers."""
        return self.frequency.tolist(), self.start.tolist()

    @cached_property
    def native(self) -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint32]]:
        """What the kernel in C takes: frequency, start, and the entry of every 256th slot."""
        first = np.arange(0, len(self.frequencies) * TOTAL, 1 << PRECISION_BITS - 8)
        buckets = np.searchsorted(self.keys, first, side="right") - 1
        return (
            self.frequency.astype(np.uint32),
            self.start.astype(np.uint32),
            buckets.astype(np.uint32),
        )

    @property
    def _bounds(self) -> NDArray[np.int64]:
        return np.append(self.first_entry, self.frequency.size)


class _Reader:
    """Takes bytes from the front of tables.bin and refuses to go past its end."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self._position = 0

    def take(self, count: int) -> memoryview:
        left = len(self._data) - self._position
        if count > left:
            raise BundleError(
                f"tables.bin has {len(self._data)} bytes; expected {count - left} more; {_ADVICE}"
            )
        self._position += count
        return self._data[self._position - count : self._position]

    def number(self) -> int:
        value: int = struct.unpack("<H", self.take(2))[0]
        return value

    def finish(self) -> None:
        left = len(self._data) - self._position
        if left:
            raise BundleError(f"tables.bin goes on for {left} bytes after its end; {_ADVICE}")


def _check(frequencies: tuple[NDArray[np.uint16], ...], index: NDArray[np.uint8]) -> None:
    if not 1 <= len(frequencies) <= MAX_TABLES:
        raise BundleError(f"{len(frequencies)} entropy tables; expected 1..256; {_ADVICE}")
    for number, row in enumerate(frequencies):
        _check_table(number, row)
    if index.dtype != np.uint8 or index.ndim != 2 or not index.size or max(index.shape) >= TOTAL:
        raise BundleError(
            f"hyper-latent tables {index.dtype} {index.shape}; "
            f"expected uint8 (buckets, channels), neither of them 0; {_ADVICE}"
        )
    if index.max() >= len(frequencies):
        raise BundleError(
            f"hyper-latent table {index.max()}; expected 0..{len(frequencies) - 1}; {_ADVICE}"
        )


def _check_table(number: int, row: NDArray[np.uint16]) -> None:
    if row.dtype != np.uint16 or row.ndim != 1 or row.size % 2 or row.size == 2:
        raise BundleError(
            f"entropy table {number} is {row.dtype} {row.shape}; expected uint16 with "
            f"2 * radius + 2 values, or none; {_ADVICE}"
        )
    if row.size and (row.min() < 1 or row.sum(dtype=np.int64) != TOTAL):
        raise BundleError(
            f"entropy table {number} has the smallest frequency {row.min()} and the sum "
            f"{row.sum(dtype=np.int64)}; expected at least 1 and {TOTAL}; {_ADVICE}"
        )
