"""tables.bin: the same bytes back, and nothing that is not exactly one set of tables is taken."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import entropy_samples
from tests.entropy_samples import GAUSSIANS, PATIENT, TINY
from venturi._format.tables import Tables
from venturi.errors import BundleError

GOLDEN = "0200 0000 0100 0040 0080ff3f0100 0100 0200 0100"


def test_golden_bytes() -> None:
    tables = Tables.from_lists([[], [16384, 32768, 16383, 1]], [[1, 0]])
    assert tables.to_bytes() == bytes.fromhex(GOLDEN)


def test_flat_arrays() -> None:
    tables = Tables.from_bytes(bytes.fromhex(GOLDEN))
    assert tables.radius.tolist() == [0, 1]
    assert tables.first_entry.tolist() == [0, 1]
    assert tables.frequency.tolist() == [65536, 16384, 32768, 16383, 1]
    assert tables.start.tolist() == [0, 0, 16384, 49152, 65535]
    assert tables.hyper_index.tolist() == [[1, 0]]


@settings(PATIENT, max_examples=50)
@given(entropy_samples.tables())
def test_round_trip(tables: Tables) -> None:
    again = Tables.from_bytes(tables.to_bytes())
    assert again.to_bytes() == tables.to_bytes()
    assert [row.tolist() for row in again.frequencies] == [
        row.tolist() for row in tables.frequencies
    ]


@settings(PATIENT, max_examples=20)
@given(entropy_samples.tables())
def test_every_search_finds_the_entry_of_a_slot(tables: Tables) -> None:
    slots = np.repeat(np.arange(tables.frequency.size), tables.frequency)
    assert (tables.slots == slots).all()
    assert (np.searchsorted(tables.keys, np.arange(slots.size), side="right") - 1 == slots).all()
    assert (tables.native[2] == slots[::256]).all()


def test_the_largest_tables() -> None:
    wide = Tables.from_lists([[1] * 65534 + [1, 1]], [[0]])
    assert Tables.from_bytes(wide.to_bytes()).radius.tolist() == [32767]
    many = Tables.from_lists([[]] * 256, [[255]])
    assert len(Tables.from_bytes(many.to_bytes()).radius) == 256


def test_arrays_are_read_only() -> None:
    for array in (GAUSSIANS.frequency, GAUSSIANS.start, GAUSSIANS.radius, GAUSSIANS.first_entry):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


@pytest.mark.parametrize("length", range(len(TINY.to_bytes())))
def test_truncation_is_refused(length: int) -> None:
    with pytest.raises(BundleError, match=r"tables\.bin has|expected"):
        Tables.from_bytes(TINY.to_bytes()[:length])


def test_appended_bytes_are_refused() -> None:
    with pytest.raises(BundleError, match=r"tables\.bin goes on for 1 bytes after its end"):
        Tables.from_bytes(TINY.to_bytes() + b"\0")


REFUSED = {
    "no table": ("0000 0100 0100 00", r"0 entropy tables; expected 1\.\.256"),
    "too many tables": (
        "0101" + 257 * "0000" + "0100 0100 00",
        r"257 entropy tables; expected 1\.\.256",
    ),
    "frequency of 0": (
        "0100 0100 0000 0080ff7f0100 0100 0100 00",
        "entropy table 0 has the smallest frequency 0 and the sum 65536",
    ),
    "sum too small": (
        "0100 0100 0100 0080fe7e0100 0100 0100 00",
        "table 0 has the smallest frequency 1 and the sum 65280; expected at least 1 and 65536",
    ),
    "sum of twice as much": (
        "0100 0100 ffff ffff 0100 0100 0100 0100 00",
        "sum 131072",
    ),
    "no bucket": ("0100 0000 0000 0100", r"hyper-latent tables uint8 \(0, 1\)"),
    "no channel": ("0100 0000 0100 0000", r"hyper-latent tables uint8 \(1, 0\)"),
    "a table that is not there": (
        "0100 0000 0100 0100 01",
        r"hyper-latent table 1; expected 0\.\.0",
    ),
    "too wide": ("0100 0080 0100", r"entropy table 0 has radius 32768; expected 0\.\.32767"),
    "too short": ("0100 ff7f 0100", r"tables\.bin has 6 bytes; expected 131070 more"),
}


@pytest.mark.parametrize(("data", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_errors_name_what_is_wrong(data: str, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        Tables.from_bytes(bytes.fromhex(data))


@settings(PATIENT, max_examples=200)
@given(st.binary(max_size=200), st.integers(0, 400), st.integers(0, 255))
def test_hostile_bytes_only_raise_bundle_error(data: bytes, place: int, value: int) -> None:
    damaged = bytearray(GAUSSIANS.to_bytes())
    damaged[place] = value
    for candidate in (data, struct.pack("<H", 1) + data, bytes(damaged)):
        try:
            assert Tables.from_bytes(candidate).to_bytes() == candidate
        except BundleError:
            continue


def test_lists_out_of_range_are_refused() -> None:
    with pytest.raises(BundleError, match=r"integers -1\.\.65536 for entropy tables"):
        Tables.from_lists([[65536, -1, 0, 1]], [[0]])
    with pytest.raises(BundleError, match=r"integers 256\.\.256 for entropy tables"):
        Tables.from_lists([[]], [[256]])
    with pytest.raises(BundleError, match="expected uint16 with"):
        Tables.from_lists([[65535, 1]], [[0]])
    with pytest.raises(BundleError, match=r"hyper-latent tables int64 \(1, 1\)"):
        Tables((np.empty(0, np.uint16),), np.zeros((1, 1), np.int64))
