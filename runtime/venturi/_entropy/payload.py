"""The entropy coder: symbols to bytes and back, with interleaved rANS and integer tables.

    symbols, table of each ─┬─► entries ──► states, rows, words ─────────┬─► payload
                            └─► escapes (magnitudes beyond the radius) ──┘

An entry is a place in the tables; an escape is a symbol beyond its table. FORMAT.md describes the
payload.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from venturi._engine.observer import CODING, Observer, timed
from venturi._entropy.kernels import Kernel, default_kernel
from venturi._entropy.numpy_kernel import WORD, Coded
from venturi._format.tables import COST_UNIT, Tables
from venturi._format.varint import read_varint, write_varint
from venturi._layout import MAX_LANES
from venturi.errors import BundleError, InputError, StreamError

Segment = tuple[NDArray[np.int32], NDArray[np.uint8]]

LANES = tuple(1 << doublings for doublings in range(MAX_LANES.bit_length()))
BYTES_PER_LANE = 512
"""A lane costs one byte, so the overhead stays under a quarter of a per cent.

With 128, files were 0.5 % longer. The kernel in C is as fast with either; NumPy's takes more rows.
"""

_HAS_ESCAPES = 0x10
_ESCAPE_BYTES = 5
_ESCAPES_AT_ONCE = 2**14
_DAMAGED = "get the file from its source again, or the bundle that wrote it"


def encode(
    segments: Sequence[Segment],
    tables: Tables,
    *,
    lanes: int | None = None,
    kernel: Kernel | None = None,
    observer: Observer | None = None,
) -> bytes:
    """Return the payload of some segments of symbols.

    Args:
        segments: per segment the symbols int32 (n,) and the table of each, uint8 (n,).
        tables: of the bundle.
        lanes: a power of two in 1..256 to use at most; None lets the size of the payload decide.
        kernel: what codes the rows, each with the same bytes; None takes the default.
        observer: told how long it took.

    Raises:
        InputError: a symbol is not 0 where its table has radius 0, or shapes or types differ.
        BundleError: there is no such table.
    """
    if lanes is not None and lanes not in LANES:
        raise InputError(f"lanes {lanes}; expected a power of two in 1..{MAX_LANES}")
    with timed(observer, CODING):
        return _encode(segments, tables, lanes, kernel or default_kernel())


def _encode(
    segments: Sequence[Segment], tables: Tables, lanes: int | None, kernel: Kernel
) -> bytes:
    for symbols, index in segments:
        _check(symbols, index, tables)
    parts = [kernel.entries(symbols, index, tables) for symbols, index in segments]
    none = np.zeros(0, np.int64)
    entries = np.concatenate([none, *(part.entries for part in parts)])
    escapes = np.concatenate([none, *(part.escapes for part in parts)])
    ends = np.cumsum([part.entries.size for part in parts]).astype(np.int64).tolist()
    most = lanes or _lanes(sum(part.cost for part in parts))
    coded = kernel.encode(entries, ends, most, tables)
    return _pack(coded, _write_escapes(escapes))


class Decoder:
    """Decodes a payload, segment by segment in the order of encoding; not for several threads."""

    def __init__(
        self,
        payload: bytes,
        tables: Tables,
        *,
        kernel: Kernel | None = None,
        observer: Observer | None = None,
    ) -> None:
        """Read the payload's head.

        Args:
            payload: what encode returned.
            tables: of the bundle.
            kernel: what decodes the rows, each to the same symbols; None takes the default.
            observer: told how long each step took.

        Raises:
            StreamError: it is malformed.
        """
        self._tables, self._observer = tables, observer
        with timed(observer, CODING):
            coded, escapes = _unpack(payload)
            self._escapes = _Escapes(escapes)
            self._lanes = (kernel or default_kernel()).decoder(coded, tables)

    def decode(self, table_index: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Return the symbols int32 (n,) of the next segment, whose tables are uint8 (n,).

        Raises:
            StreamError: the payload is damaged, or was made with other tables.
            BundleError: there is no such table.
        """
        with timed(self._observer, CODING):
            _check_index(table_index, self._tables)
            symbols, escaped = self._lanes.decode(table_index)
            if escaped.size:
                radius = self._tables.radius[table_index[escaped]]
                symbols[escaped] = self._take_escapes(radius)
            return symbols

    def finish(self) -> None:
        """Check that the payload ends where its symbols do.

        Raises:
            StreamError: something is left, or the coder is not back at its beginning.
        """
        with timed(self._observer, CODING):
            is_whole = self._escapes.finished() and self._lanes.finished()
        if not is_whole:
            raise StreamError(f"the payload does not end where its symbols do; {_DAMAGED}")

    def _take_escapes(self, radius: NDArray[np.int32]) -> NDArray[np.int64]:
        numbers = self._escapes.take(radius.size)
        magnitude = (numbers >> 1) + radius + 1
        values = np.where(numbers & 1, -magnitude, magnitude)
        if (values != values.astype(np.int32)).any():
            raise StreamError(f"an escaped symbol of {magnitude.max()} is no int32; {_DAMAGED}")
        return values


def _check(symbols: NDArray[np.int32], index: NDArray[np.uint8], tables: Tables) -> None:
    _check_index(index, tables)
    if symbols.shape != index.shape or symbols.dtype != np.int32:
        raise InputError(f"symbols {symbols.dtype} {symbols.shape}; expected int32 {index.shape}")


def _check_index(index: NDArray[np.uint8], tables: Tables) -> None:
    if index.ndim != 1 or index.dtype != np.uint8:
        raise InputError(f"table indices {index.dtype} {index.shape}; expected uint8 (symbols,)")
    if index.size and index.max() >= len(tables.radius):
        raise BundleError(
            f"entropy table {index.max()} was asked for; expected 0..{len(tables.radius) - 1}; "
            "get the bundle from its source again"
        )


def _lanes(cost: int) -> int:
    """Choose the lanes by the size to come, in whole numbers so that every machine agrees."""
    size = cost // (8 * COST_UNIT)
    return max(lanes for lanes in LANES if lanes == 1 or lanes * BYTES_PER_LANE <= size)


def _pack(coded: Coded, escapes: bytes) -> bytes:
    lanes = coded.states.size
    state_bytes = 4 if lanes > 1 else max(1, -(-int(coded.states[0]).bit_length() // 8))
    head = (lanes.bit_length() - 1) | (state_bytes - 1) << 5 | (_HAS_ESCAPES if escapes else 0)
    return b"".join(
        (
            bytes([head]),
            write_varint(len(escapes)) if escapes else b"",
            *map(write_varint, coded.rows),
            coded.states.astype("<u4").tobytes()[: lanes * state_bytes],
            coded.words.astype("<u2").tobytes(),
            escapes,
        )
    )


def _unpack(payload: bytes) -> tuple[Coded, bytes]:
    view = memoryview(payload)
    if not payload:
        raise StreamError(f"the payload is empty; {_DAMAGED}")
    doublings, state_bytes = payload[0] & 15, (payload[0] >> 5) + 1
    lanes = 1 << doublings
    if lanes > MAX_LANES or state_bytes > 4 or (lanes > 1 and state_bytes < 4):
        raise StreamError(f"the payload begins with {payload[0]:#04x}; {_DAMAGED}")
    position, escape_bytes, rows = 1, 0, []
    if payload[0] & _HAS_ESCAPES:
        escape_bytes, position = read_varint(view, position)
    for _ in range(doublings):
        count, position = read_varint(view, position)
        rows.append(count)
    words = position + lanes * state_bytes
    escapes = len(payload) - escape_bytes
    if words > escapes or (escapes - words) % 2 or not all(rows):
        raise StreamError(f"the parts of a payload of {len(payload)} bytes do not fit; {_DAMAGED}")
    states = _states(payload[position:words], lanes, words < escapes)
    if bool(escape_bytes) != bool(payload[0] & _HAS_ESCAPES):
        raise StreamError(f"the payload announces escapes and has none; {_DAMAGED}")
    coded = Coded(states, tuple(rows), np.frombuffer(payload[words:escapes], "<u2"))
    return coded, payload[escapes:]


def _states(data: bytes, lanes: int, has_words: bool) -> NDArray[np.uint32]:
    states = np.frombuffer(data.ljust(4 * lanes, b"\0"), "<u4").astype(np.uint32)
    padded = lanes == 1 < len(data) and not data[-1]
    if padded or ((lanes > 1 or has_words) and states.min() < WORD):
        raise StreamError(f"the payload begins with impossible states; {_DAMAGED}")
    return states


def _write_escapes(numbers: NDArray[np.int64]) -> bytes:
    """Return numbers in 0..2^32 - 1 as LEB128, all of them at once."""
    place = np.arange(5)
    length = 1 + (numbers[:, None] >> 7 * place[1:] > 0).sum(axis=1)
    digits = numbers[:, None] >> 7 * place & 127
    digits |= np.where(place < length[:, None] - 1, 128, 0)
    return bytes(digits[place < length[:, None]].astype(np.uint8))


class _Escapes:
    """The escapes of a payload, read as symbols ask for them.

    A payload may hold as many bytes of them as it likes: what is read, and the memory that this
    takes, is bounded by the symbols.
    """

    def __init__(self, data: bytes) -> None:
        self._rest = np.frombuffer(data, np.uint8)

    def take(self, count: int) -> NDArray[np.int64]:
        """Return the next numbers, int64 (count,) in 0..2^32 - 1.

        Raises:
            StreamError: there are fewer, or one is malformed.
        """
        numbers = np.empty(count, np.int64)
        for start in range(0, count, _ESCAPES_AT_ONCE):
            end = min(start + _ESCAPES_AT_ONCE, count)
            numbers[start:end] = self._some(end - start)
        return numbers

    def finished(self) -> bool:
        """Tell whether none is left."""
        return not self._rest.size

    def _some(self, count: int) -> NDArray[np.int64]:
        digits = self._rest[: _ESCAPE_BYTES * count].astype(np.int64)
        ends = np.flatnonzero(digits < 128)[:count]
        if ends.size < count:
            raise StreamError(f"the payload has too few escaped symbols; {_DAMAGED}")
        digits, self._rest = digits[: ends[-1] + 1], self._rest[ends[-1] + 1 :]
        starts = np.concatenate([[0], ends[:-1] + 1])
        length = ends + 1 - starts
        if length.max() > _ESCAPE_BYTES or (digits[ends][length > 1] == 0).any():
            raise StreamError(f"the payload's escaped symbols are malformed; {_DAMAGED}")
        place = np.arange(digits.size) - np.repeat(starts, length)
        numbers: NDArray[np.int64] = np.add.reduceat((digits & 127) << 7 * place, starts)
        if numbers.max() >= 2**32:
            raise StreamError(f"an escaped symbol is above 2^32 - 1; {_DAMAGED}")
        return numbers
