"""Interleaved rANS in NumPy: the reference for what the coder's words are, and it runs everywhere.

A lane is one rANS state. In each row every lane codes one symbol, so NumPy handles a row at a time.
The encoder works backwards, from the last symbol to the first. It begins with one lane at state 0
and doubles the lanes as soon as there are words to fill the new ones with: a new lane starts at
2^16 + a word, which is taken off the output. The decoder meets the same moments in reverse and
folds: it puts the lanes' words back and halves the lanes. So no lane starts empty, and a lane costs
one byte where it would cost three.

Source: Duda, "Asymmetric numeral systems", arXiv:1311.2540; Giesen, "Interleaved entropy coders",
arXiv:1402.3392. The folding is Venturi's.
"""

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import StreamError
from .tables import PRECISION_BITS, TOTAL, Tables

WORD_BITS = 16
WORD = 1 << WORD_BITS
NARROW = 8
"""Up to this many lanes Python's own integers are faster than a row of NumPy's."""

MAX_LANES = 256


@dataclass(frozen=True)
class Coded:
    """What a kernel makes of a sequence of entries.

    Attributes:
        states: uint32 (lanes,), where the decoder begins.
        rows: the rows to decode before each fold, the widest first: log2(lanes) numbers.
        words: uint16 (words,), in the order in which the decoder reads them.
    """

    states: NDArray[np.uint32]
    rows: tuple[int, ...]
    words: NDArray[np.uint16]


def encode(
    frequency: NDArray[np.int64], start: NDArray[np.int64], ends: list[int], lanes: int
) -> Coded:
    """Code a sequence of table entries.

    Args:
        frequency: int64 (symbols,) in 1..65535, of each symbol.
        start: int64 (symbols,), the sum of the frequencies before it in its table.
        ends: where each segment ends; rows do not cross these. The last is the number of symbols.
        lanes: a power of two, 1..256; fewer are used where there are not enough words to fill them.
    """
    encoder = _Encoder(frequency, start)
    for base, end in zip(reversed([0, *ends[:-1]]), reversed(ends), strict=True):
        position = end
        while position > base:
            width = encoder.width
            top, position = position, base + (position - 1 - base) // width * width
            encoder.row(position, top)
            whole = (position - base) % (2 * width) == 0
            if width < lanes and whole and position and encoder.ready >= width:
                encoder.fork()
    return encoder.finish()


class _Encoder:
    """The lanes and the words so far; the words of a row are kept together, rows newest last."""

    def __init__(self, frequency: NDArray[np.int64], start: NDArray[np.int64]) -> None:
        self.width = 1
        self.ready = 0
        self._frequency = frequency
        self._start = start
        self._limit = frequency << WORD_BITS
        self._gap = TOTAL - frequency
        self._states: NDArray[np.int64] = np.zeros(1, np.int64)
        self._chunks: list[NDArray[np.int64]] = []
        self._rows = [0]

    def row(self, first: int, last: int) -> None:
        """Code the symbols first..last - 1, each in its own lane."""
        self._rows[-1] += 1
        if self.width <= NARROW:
            self._narrow_row(first, last)
            return
        states = self._states[: last - first]
        full = np.flatnonzero(states >= self._limit[first:last])
        if full.size:
            self._emit(states[full])
            states[full] >>= WORD_BITS
        # quotient * 65536 + remainder + start, with the remainder written as x - quotient * f
        states += states // self._frequency[first:last] * self._gap[first:last]
        states += self._start[first:last]

    def _narrow_row(self, first: int, last: int) -> None:
        words = []
        for lane, position in enumerate(range(first, last)):
            state = int(self._states[lane])
            frequency = int(self._frequency[position])
            if state >= frequency << WORD_BITS:
                words.append(state)
                state >>= WORD_BITS
            quotient, remainder = divmod(state, frequency)
            state = (quotient << PRECISION_BITS) + remainder + int(self._start[position])
            self._states[lane] = state
        if words:
            self._emit(np.array(words))

    def _emit(self, states: NDArray[np.int64]) -> None:
        self._chunks.append(states & WORD - 1)
        self.ready += states.size

    def _words(self) -> NDArray[np.int64]:
        return np.concatenate([np.zeros(0, np.int64), *reversed(self._chunks)])

    def fork(self) -> None:
        """Double the lanes; the new ones take the words that the decoder would read next."""
        words = self._words()
        self._states = np.concatenate([self._states, words[: self.width] + WORD])
        self._chunks = [words[self.width :]]
        self.ready -= self.width
        self.width *= 2
        self._rows.append(0)

    def finish(self) -> Coded:
        rows = tuple(reversed(self._rows[1:]))
        return Coded(self._states.astype(np.uint32), rows, self._words().astype(np.uint16))


class LaneDecoder:
    """Decodes what encode made; hostile words cost no more time or memory than good ones."""

    def __init__(self, coded: Coded, tables: Tables) -> None:
        self._tables = tables
        self._states = coded.states.astype(np.int64)
        # Folds put at most lanes - 1 words back before the first one.
        self._words = np.concatenate([np.zeros(MAX_LANES, np.int64), coded.words.astype(np.int64)])
        self._position = MAX_LANES
        self._folds = [*reversed(coded.rows)]

    def decode(self, index: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Return the entries int64 (symbols,) of one segment whose tables are index.

        Raises:
            StreamError: the words end too early, or a lane that folds is not where it should be.
        """
        entries = np.empty(index.size, np.int64)
        base = index.astype(np.int64) << PRECISION_BITS
        position = 0
        while position < index.size:
            width = self._states.size
            top = min(position + width, index.size)
            if width <= NARROW:
                self._narrow_row(base[position:top], entries[position:top])
            else:
                self._row(base[position:top], entries[position:top])
            position = top
            if width > 1:
                self._folds[-1] -= 1
                if not self._folds[-1]:
                    self._fold()
        return entries

    def finished(self) -> bool:
        """Say whether everything was used and the one lane left is back at its beginning."""
        used = self._position == self._words.size and not self._folds
        return used and not self._states.any()

    def _row(self, base: NDArray[np.int64], entries: NDArray[np.int64]) -> None:
        tables = self._tables
        states = self._states[: base.size]
        slot = states & TOTAL - 1
        entries[:] = tables.slots[base + slot]
        states >>= PRECISION_BITS
        states *= tables.frequency[entries]
        states += slot
        states -= tables.start[entries]
        low = np.flatnonzero(states < WORD)
        if low.size:
            top = self._position + low.size
            if top > self._words.size:
                raise StreamError(_OUT_OF_WORDS)
            states[low] = states[low] << WORD_BITS | self._words[self._position : top]
            self._position = top

    def _narrow_row(self, base: NDArray[np.int64], entries: NDArray[np.int64]) -> None:
        tables = self._tables
        for lane, first in enumerate(base.tolist()):
            state = int(self._states[lane])
            slot = state & TOTAL - 1
            entry = bisect_right(tables.keys, first + slot) - 1
            state >>= PRECISION_BITS
            state = state * int(tables.frequency[entry]) + slot - int(tables.start[entry])
            if state < WORD and self._position < self._words.size:
                state = state << WORD_BITS | int(self._words[self._position])
                self._position += 1
            elif state < WORD and self._states.size > 1:
                raise StreamError(_OUT_OF_WORDS)
            self._states[lane] = state
            entries[lane] = entry

    def _fold(self) -> None:
        """Halve the lanes; the words that filled the upper half go back to the front."""
        half = self._states.size // 2
        upper = self._states[half:]
        if (upper >> WORD_BITS != 1).any():
            raise StreamError(_BAD_FOLD)
        self._position -= half
        self._words[self._position : self._position + half] = upper & WORD - 1
        self._states = self._states[:half]
        self._folds.pop()


_ADVICE = "get the stream from its source again, or the bundle that wrote it"
_OUT_OF_WORDS = f"the coded words end before the symbols do; {_ADVICE}"
_BAD_FOLD = f"a lane of the entropy coder is not where it should be; {_ADVICE}"
