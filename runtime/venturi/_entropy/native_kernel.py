"""The entropy coder's kernel in C, where the installation could build it: same bytes, faster.

The library is optional and lies beside this file; other modules need only FILE_NAME and load.
"""

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from venturi._entropy.numpy_kernel import (
    BAD_FOLD,
    NOT_ZERO,
    OUT_OF_WORDS,
    Coded,
    Entries,
)
from venturi._format.tables import Tables
from venturi._layout import MAX_LANES
from venturi.errors import InputError, StreamError

FILE_NAME = "_rans.so"
VERSION = 2

_MAX_FOLDS = 8
_POINTER = ctypes.c_void_p
_NUMBER = ctypes.c_int64
_ERRORS = {1: OUT_OF_WORDS, 2: BAD_FOLD}
_NOT_ZERO = 3


def load() -> ctypes.CDLL | None:
    """Return the library, or None where there is none for this machine and version."""
    try:
        library = ctypes.CDLL(str(Path(__file__).with_name(FILE_NAME)))
        version = library.venturi_rans_version
    except (OSError, AttributeError):
        return None
    version.argtypes, version.restype = [], ctypes.c_int32
    if version() != VERSION:
        return None
    P, N = _POINTER, _NUMBER
    library.venturi_rans_entries.argtypes = [P, P, N, P, P, N, P, P, P, P]
    library.venturi_rans_entries.restype = ctypes.c_int32
    library.venturi_rans_encode.argtypes = [P, P, P, N, P, N, N, P, P, P, P]
    library.venturi_rans_encode.restype = ctypes.c_int32
    library.venturi_rans_decode.argtypes = [P, P, P, P, P, N, P, P, N, P, P, P, P, P]
    library.venturi_rans_decode.restype = ctypes.c_int32
    return library


class NativeKernel:
    """What numpy_kernel does, by the library; safe to share between threads."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self.library = library

    def entries(
        self, symbols: NDArray[np.int32], index: NDArray[np.uint8], tables: Tables
    ) -> Entries:
        """Find the entries of symbols; see numpy_kernel.entries."""
        symbols, index = np.ascontiguousarray(symbols), np.ascontiguousarray(index)
        entries, escapes = (np.empty(index.size, np.int64) for _ in range(2))
        result = np.zeros(3, np.int64)
        status = self.library.venturi_rans_entries(
            _at(symbols), _at(index), index.size, _at(tables.radius), _at(tables.zero_entry),
            tables.radius.size, _at(tables.cost), _at(entries), _at(escapes), _at(result),
        )  # fmt: skip
        if status == _NOT_ZERO:
            raise InputError(NOT_ZERO)
        assert status == 0, "the symbols are not those of the tables"
        count, escaped, cost = result.tolist()
        return Entries(entries[:count], escapes[:escaped], cost)

    def encode(
        self, entries: NDArray[np.int64], ends: list[int], lanes: int, tables: Tables
    ) -> Coded:
        """Code a sequence of table entries; see numpy_kernel.encode."""
        frequency, start, _ = tables.native
        entries = np.ascontiguousarray(entries, np.int64)
        assert not ends or ends[-1] == entries.size
        limits = np.array(ends, np.int64)
        states, rows = np.zeros(MAX_LANES, np.uint32), np.zeros(_MAX_FOLDS + 1, np.uint32)
        words, result = np.empty(entries.size, np.uint16), np.zeros(2, np.int64)
        status = self.library.venturi_rans_encode(
            _at(entries), _at(frequency), _at(start), frequency.size, _at(limits), limits.size,
            lanes, _at(states), _at(rows), _at(words), _at(result),
        )  # fmt: skip
        assert status == 0, "the entries are not those of the tables"
        width, first = result.tolist()
        folds = width.bit_length() - 1
        return Coded(states[:width], tuple(rows[folds:0:-1].tolist()), words[first:])

    def decoder(self, coded: Coded, tables: Tables) -> "NativeDecoder":
        """Return a decoder of what encode made."""
        return NativeDecoder(self.library, coded, tables)


class NativeDecoder:
    """What NumpyDecoder does; not for several threads at once."""

    def __init__(self, library: ctypes.CDLL, coded: Coded, tables: Tables) -> None:
        self._decode: Any = library.venturi_rans_decode
        self._tables = tables
        lanes, folds = coded.states.size, len(coded.rows)
        assert lanes == 1 << folds <= MAX_LANES
        self._states = np.zeros(MAX_LANES, np.uint32)
        self._states[:lanes] = coded.states
        self._rows = np.array([*reversed(coded.rows)], np.uint32)
        # Folds put at most lanes - 1 words back before the first one.
        self._words = np.concatenate([np.zeros(MAX_LANES, np.uint16), coded.words])
        self._control = np.array([lanes, MAX_LANES, self._words.size, folds, 0], np.int64)

    def decode(self, index: NDArray[np.uint8]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Decode one segment; see numpy_kernel.decode."""
        tables = self._tables
        frequency, start, buckets = tables.native
        index = np.ascontiguousarray(index)
        symbols, escaped = np.empty(index.size, np.int32), np.empty(index.size, np.int64)
        status = self._decode(
            _at(self._control), _at(self._states), _at(self._rows), _at(self._words),
            _at(index), index.size, _at(tables.radius), _at(tables.zero_entry), tables.radius.size,
            _at(buckets), _at(frequency), _at(start), _at(symbols), _at(escaped),
        )  # fmt: skip
        if status in _ERRORS:
            raise StreamError(_ERRORS[status])
        assert status == 0, "the library was called with what it does not take"
        return symbols, escaped[: self._control[4]]

    def finished(self) -> bool:
        """Return whether all input was used and the last lane is back in its initial state."""
        lanes, position, end, folds, _ = self._control.tolist()
        return (lanes, position, folds) == (1, end, 0) and not self._states[0]


def _at(array: NDArray[Any]) -> int:
    return array.ctypes.data
