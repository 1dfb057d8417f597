"""Interleaved rANS in NumPy: the reference, which runs everywhere.

A lane is one rANS state. In each row every lane codes one symbol, so NumPy handles a row at a time.
The encoder works backwards, from the last symbol to the first. It begins with one lane at state 0
and doubles the lanes as soon as there are words to fill the new ones with: a new lane starts at
2^16 + a word, which is removed from the output. The decoder does the same in reverse and folds: it
puts the lanes' words back and halves the lanes. So no lane starts empty, and a lane costs one byte
instead of three.

Source: Duda, "Asymmetric numeral systems", arXiv:1311.2540; Giesen, "Interleaved entropy coders",
arXiv:1402.3392. FORMAT.md describes the folds from the decoder's side.
"""

from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from venturi._format.tables import TOTAL, Tables
from venturi._layout import MAX_LANES, PRECISION_BITS
from venturi.errors import InputError, StreamError

WORD_BITS = 16
WORD = 1 << WORD_BITS
NARROW = 8
"""Up to this many lanes Python's own integers are faster than a row of NumPy's."""

_ADVICE = "get the file from its source again, or the bundle that wrote it"
OUT_OF_WORDS = f"the coded words end before the symbols do; {_ADVICE}"
NOT_ZERO = "a symbol whose table has radius 0 is not 0; expected 0"
BAD_FOLD = f"a lane of the entropy coder is not where it should be; {_ADVICE}"


@dataclass(frozen=True)
class Entries:
    """Symbols as positions in the flat arrays of the tables.

    Attributes:
        entries: int64 (coded,), of the symbols whose tables are not empty.
        escapes: int64 (escaped,), the numbers that stand for magnitudes beyond the radius.
        cost: of the entries, as the tables state it.
    """

    entries: NDArray[np.int64]
    escapes: NDArray[np.int64]
    cost: int


@dataclass(frozen=True)
class Coded:
    """A coded sequence of entries.

    Attributes:
        states: uint32 (lanes,), where the decoder begins.
        rows: the rows to decode before each fold, the widest first: log2(lanes) numbers.
        words: uint16 (words,), in the order in which the decoder reads them.
    """

    states: NDArray[np.uint32]
    rows: tuple[int, ...]
    words: NDArray[np.uint16]


class NumpyKernel:
    """The reference kernel; safe to share between threads."""

    def entries(
        self, symbols: NDArray[np.int32], index: NDArray[np.uint8], tables: Tables
    ) -> Entries:
        """Find the entries of symbols int32 (n,), whose tables are uint8 (n,).

        Raises:
            InputError: a symbol is not 0 where its table is empty.
        """
        coded = _coded(index, tables)
        value, index = symbols[coded], index[coded]
        if np.count_nonzero(value) != np.count_nonzero(symbols):
            raise InputError(NOT_ZERO)
        radius = tables.radius[index]
        entries = tables.zero_entry[index] + value
        escaped = np.flatnonzero((value > radius) | (value < -radius))
        magnitude, radius = np.abs(value[escaped].astype(np.int64)), radius[escaped]
        entries[escaped] = tables.zero_entry[index[escaped]] + radius + 1
        escapes = magnitude - radius - 1 << 1 | (value[escaped] < 0)
        return Entries(entries, escapes, int(tables.cost[entries].sum()))

    def encode(
        self, entries: NDArray[np.int64], ends: list[int], lanes: int, tables: Tables
    ) -> Coded:
        """Code a sequence of table entries.

        Args:
            entries: int64 (symbols,), positions in the flat arrays of the tables.
            ends: where each segment ends, which rows do not cross; the last is that of all symbols.
            lanes: a power of two, 1..256; fewer are used while there are no words to fill them.
            tables: of the bundle.
        """
        encoder = _Encoder(tables.frequency[entries], tables.start[entries])
        for first, last in reversed([*pairwise([0, *ends])]):
            encoder.segment(first, last, lanes)
        return encoder.finish()

    def decoder(self, coded: Coded, tables: Tables) -> "NumpyDecoder":
        """Return a decoder of what encode made."""
        return NumpyDecoder(coded, tables)


class _Encoder:
    """The lanes and the words so far, in chunks whose order is reversed at the end."""

    def __init__(self, frequency: NDArray[np.int64], start: NDArray[np.int64]) -> None:
        self._frequency = frequency
        self._start = start
        self._limit = frequency << WORD_BITS
        self._gap = TOTAL - frequency
        self._states = np.zeros(1, np.int64)
        self._chunks: list[NDArray[np.int64]] = []
        self._ready = 0
        self._rows = [0]

    def segment(self, first: int, last: int, lanes: int) -> None:
        """Code the symbols first..last - 1 from the last row to the first, forking up to lanes."""
        while last > first:
            width = self._states.size
            begin = first + (last - 1 - first) // width * width
            if width == lanes:
                self._code(first, begin, last)
                return
            self._code(begin, begin, last)
            last = begin
            # A fork in the middle of a wider row would leave the decoder with a part of one.
            if self._ready >= width and last and (last - first) % (2 * width) == 0:
                self._fork()

    def finish(self) -> Coded:
        rows = tuple(reversed(self._rows[1:]))
        return Coded(self._states.astype(np.uint32), rows, self._words().astype(np.uint16))

    def _code(self, first: int, begin: int, last: int) -> None:
        """Code the rows that begin at begin and before it, down to first; the last ends at last."""
        width = self._states.size
        code = self._narrow_row if width <= NARROW else self._row
        self._rows[-1] += (begin - first) // width + 1
        for row in range(begin, first - 1, -width):
            code(slice(row, last))
            last = row

    def _row(self, row: slice) -> None:
        states = self._states[: row.stop - row.start]
        (full,) = (states >= self._limit[row]).nonzero()
        ready = states[full]
        self._emit(ready)
        states[full] = ready >> WORD_BITS
        # quotient * 65536 + remainder + start, with the remainder written as x - quotient * f
        states += states // self._frequency[row] * self._gap[row]
        states += self._start[row]

    def _narrow_row(self, row: slice) -> None:
        words = []
        states = self._states.tolist()
        columns = zip(self._frequency[row].tolist(), self._start[row].tolist(), strict=True)
        for lane, (frequency, start) in enumerate(columns):
            state = states[lane]
            if state >= frequency << WORD_BITS:
                words.append(state)
                state >>= WORD_BITS
            quotient, remainder = divmod(state, frequency)
            states[lane] = (quotient << PRECISION_BITS) + remainder + start
        self._states[:] = states
        if words:
            self._emit(np.array(words))

    def _emit(self, states: NDArray[np.int64]) -> None:
        self._chunks.append(states)
        self._ready += states.size

    def _words(self) -> NDArray[np.int64]:
        return np.concatenate([np.zeros(0, np.int64), *reversed(self._chunks)]) & WORD - 1

    def _fork(self) -> None:
        """Double the lanes; the new ones take the words that the decoder would read next."""
        width = self._states.size
        words = self._words()
        self._states = np.concatenate([self._states, words[:width] + WORD])
        self._chunks = [words[width:]]
        self._ready -= width
        self._rows.append(0)


class NumpyDecoder:
    """Decodes what encode made; hostile words cost no more time or memory than good ones."""

    def __init__(self, coded: Coded, tables: Tables) -> None:
        self._tables = tables
        self._states = coded.states.astype(np.int64)
        # Folds put at most lanes - 1 words back before the first one.
        self._words = np.concatenate([np.zeros(MAX_LANES, np.int64), coded.words.astype(np.int64)])
        self._position = MAX_LANES
        self._folds = [*reversed(coded.rows)]

    def decode(self, index: NDArray[np.uint8]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Decode one segment, whose tables are uint8 (n,).

        Returns:
            Symbols int32 (n,), and which of them are escaped, int64, ascending: each of these is
            one more than its table's radius until its escape is known.

        Raises:
            StreamError: the words end too early, or a lane that folds is not where it should be.
        """
        coded = _coded(index, self._tables)
        index_coded = index[coded]
        value = self._entries(index_coded) - self._tables.zero_entry[index_coded]
        symbols = np.zeros(index.size, np.int32)
        symbols[coded] = value
        escaped = np.flatnonzero(value > self._tables.radius[index_coded])
        return symbols, np.arange(index.size)[coded][escaped]

    def _entries(self, index: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Return the entry of each lane's table, row after row."""
        keys = index.astype(np.int64) << PRECISION_BITS
        position = 0
        while position < keys.size:
            width = self._states.size
            rows = -(-(keys.size - position) // width)
            if self._folds:
                rows = min(rows, self._folds[-1])
                self._folds[-1] -= rows
            top = position + rows * width
            if width <= NARROW:
                self._narrow_rows(keys[position:top])
            else:
                self._rows(keys[position:top])
            position = top
            if self._folds and not self._folds[-1]:
                self._fold()
        return keys

    def finished(self) -> bool:
        """Return whether all input was used and the last lane is back in its initial state."""
        used = self._position == self._words.size and not self._folds
        return used and not self._states.any()

    def _rows(self, keys: NDArray[np.int64]) -> None:
        """Replace each table * 65536 by the entry that its lane has there."""
        slots, frequency, start = self._tables.slots, self._tables.frequency, self._tables.start
        width, position = self._states.size, self._position
        for row in range(0, keys.size, width):
            entries = keys[row : row + width]
            states = self._states[: entries.size]
            slot = states & TOTAL - 1
            entries += slot
            entries[:] = slots[entries]
            states >>= PRECISION_BITS
            states *= frequency[entries]
            states += slot
            states -= start[entries]
            (low,) = (states < WORD).nonzero()
            top = position + low.size
            if top > self._words.size:
                raise StreamError(OUT_OF_WORDS)
            states[low] = states[low] << WORD_BITS | self._words[position:top]
            position = top
        self._position = position

    def _narrow_rows(self, keys: NDArray[np.int64]) -> None:
        """Do what _rows does, one lane after the other."""
        first_slots, width = self._tables.keys, self._states.size
        frequency, start = self._tables.columns
        states, entries = self._states.tolist(), keys.tolist()
        for number, key in enumerate(entries):
            state = states[number % width]
            slot = state & TOTAL - 1
            entry = bisect_right(first_slots, key + slot) - 1
            state = (state >> PRECISION_BITS) * frequency[entry] + slot - start[entry]
            if state < WORD and self._position < self._words.size:
                state = state << WORD_BITS | int(self._words[self._position])
                self._position += 1
            elif state < WORD and width > 1:
                raise StreamError(OUT_OF_WORDS)
            states[number % width] = state
            entries[number] = entry
        self._states[:] = states
        keys[:] = entries

    def _fold(self) -> None:
        """Halve the lanes; the words that filled the upper half go back to the front."""
        half = self._states.size // 2
        upper = self._states[half:]
        if (upper >> WORD_BITS != 1).any():
            raise StreamError(BAD_FOLD)
        self._position -= half
        self._words[self._position : self._position + half] = upper & WORD - 1
        self._states = self._states[:half]
        self._folds.pop()


def _coded(index: NDArray[np.uint8], tables: Tables) -> NDArray[np.intp] | slice:
    """Return where the symbols are whose tables are not empty."""
    coded = np.flatnonzero((tables.radius > 0)[index])
    return coded if coded.size < index.size else slice(None)
