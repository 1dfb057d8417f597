"""The entropy coder gives back every symbol, costs what it should, and survives any bytes."""

import os
import subprocess
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import entropy_samples
from tests.entropy_samples import GAUSSIANS, PATIENT, TINY, gaussian_segments, ideal_bytes
from venturi._entropy.kernels import Kernel, default_kernel, kernels
from venturi._entropy.payload import LANES, Decoder, Segment, encode
from venturi._format.tables import Tables
from venturi._format.varint import write_varint
from venturi.errors import BundleError, InputError, StreamError

RUNTIME = Path(__file__).resolve().parents[1] / "runtime"

each_kernel = pytest.mark.parametrize("kernel", kernels().values(), ids=kernels().keys())


def decode(payload: bytes, like: list[Segment], tables: Tables, kernel: Kernel) -> list[list[int]]:
    decoder = Decoder(payload, tables, kernel=kernel)
    found = [decoder.decode(index).tolist() for _, index in like]
    decoder.finish()
    return found


def lists(segments: list[Segment]) -> list[list[int]]:
    return [symbols.tolist() for symbols, _ in segments]


def every_payload(segments: list[Segment], tables: Tables, lanes: int) -> set[bytes]:
    return {encode(segments, tables, lanes=lanes, kernel=k) for k in kernels().values()}


@each_kernel
@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("sizes", [[0], [1], [2], [3, 1, 7], [500, 0, 500], [37, 4000, 4099]])
def test_round_trip(sizes: list[int], lanes: int, kernel: Kernel) -> None:
    segments = gaussian_segments(sizes, seed=len(sizes))
    payload = encode(segments, GAUSSIANS, lanes=lanes, kernel=kernel)
    assert decode(payload, segments, GAUSSIANS, kernel) == lists(segments)


@settings(PATIENT, max_examples=60)
@given(data=st.data(), lanes=st.sampled_from(LANES))
def test_round_trip_of_anything_with_every_kernel(data: st.DataObject, lanes: int) -> None:
    tables = data.draw(entropy_samples.tables())
    segments = data.draw(entropy_samples.segments(tables))
    (payload,) = every_payload(segments, tables, lanes)
    for kernel in kernels().values():
        assert decode(payload, segments, tables, kernel) == lists(segments)


@pytest.mark.parametrize("lanes", LANES)
def test_kernels_write_the_same_bytes(lanes: int) -> None:
    segments = gaussian_segments([600, 20_000, 21_000], seed=3)
    payloads = {encode(segments, GAUSSIANS, lanes=lanes, kernel=k) for k in kernels().values()}
    assert len(payloads) == 1
    assert payloads.pop()[0] & 15 == lanes.bit_length() - 1


@each_kernel
def test_golden_payloads(kernel: Kernel) -> None:
    symbols = np.array([1, 0, -1, 0, 0, -5, 0, 2**31 - 1, -(2**31), 1], np.int32)
    segments = [(symbols, np.array([1, 0, 1, 1, 2, 1, 1, 1, 2, 2], np.uint8))]
    assert encode(segments, TINY, kernel=kernel).hex() == GOLDEN_ESCAPES
    cycle = [(np.resize(np.array([1, -1, 0, 1], np.int32), 60), np.ones(60, np.uint8))]
    assert encode(cycle, TINY, lanes=4, kernel=kernel).hex() == GOLDEN_FOUR_LANES
    assert encode([], TINY, kernel=kernel).hex() == "0000"


GOLDEN_ESCAPES = "500b4ac044febfffffffff07faffffff0ffdffffff0f"
GOLDEN_FOUR_LANES = "62070a6edb06c0000c0400947cd5009add0580e12c"


@pytest.mark.parametrize(("size", "middle"), [(40_000, 6), (250_000, 4), (120_000, 12)])
def test_overhead_is_below_one_per_cent(size: int, middle: float) -> None:
    segments = gaussian_segments([size // 60, size // 2, size // 2], seed=1, middle=middle)
    for symbols, index in segments:
        radius = GAUSSIANS.radius[index]
        np.clip(symbols, -radius, radius, out=symbols)
    size_bytes = len(encode(segments, GAUSSIANS))
    assert ideal_bytes(segments, GAUSSIANS) <= size_bytes <= 1.01 * ideal_bytes(segments, GAUSSIANS)


def test_few_symbols_cost_few_bytes() -> None:
    segments = gaussian_segments([40], seed=1)
    assert len(encode(segments, GAUSSIANS)) <= ideal_bytes(segments, GAUSSIANS) + 3.5


@each_kernel
def test_what_is_never_coded_costs_nothing(kernel: Kernel) -> None:
    segments = [(np.zeros(10**6, np.int32), np.zeros(10**6, np.uint8))]
    assert encode(segments, TINY, kernel=kernel) == b"\0\0"
    assert not np.any(decode(b"\0\0", segments, TINY, kernel))


@each_kernel
def test_every_bit_of_a_payload_counts(kernel: Kernel) -> None:
    """The CRC is the real guard; what the coder sees by itself is nearly everything."""
    segments = gaussian_segments([3000], seed=2)
    payload = encode(segments, GAUSSIANS, lanes=4, kernel=kernel)
    silent = 0
    for bit in range(0, 8 * len(payload), 13):
        damaged = bytearray(payload)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            assert decode(bytes(damaged), segments, GAUSSIANS, kernel) != lists(segments)
            silent += 1
        except StreamError:
            pass
    assert silent == 0


@each_kernel
def test_truncated_and_appended_payloads_are_refused(kernel: Kernel) -> None:
    segments = gaussian_segments([800], seed=2)
    payload = encode(segments, GAUSSIANS, lanes=2, kernel=kernel)
    others = [payload[:length] for length in range(len(payload))]
    others += [payload + b"\0", payload + b"\0\0", payload + payload]
    for other in others:
        with pytest.raises(StreamError):
            decode(other, segments, GAUSSIANS, kernel)


@each_kernel
def test_other_tables_and_missing_segments_are_noticed(kernel: Kernel) -> None:
    segments = gaussian_segments([900, 900], seed=2)
    payload = encode(segments, GAUSSIANS, kernel=kernel)
    shifted = [(symbols, np.roll(index, 1)) for symbols, index in segments]
    for like in (shifted, segments[:1]):
        with pytest.raises(StreamError):
            decode(payload, like, GAUSSIANS, kernel)


@each_kernel
@settings(PATIENT, max_examples=150)
@given(
    head=st.one_of(st.integers(0, 255), st.sampled_from([0x60 + n for n in range(9)])),
    rest=st.binary(max_size=1500),
    size=st.integers(0, 3000),
)
def test_hostile_payloads_only_raise_stream_error(
    head: int, rest: bytes, size: int, kernel: Kernel
) -> None:
    index = (np.arange(size) % 24).astype(np.uint8)
    with suppress(StreamError):
        decoder = Decoder(bytes([head]) + rest, GAUSSIANS, kernel=kernel)
        assert decoder.decode(index).shape == index.shape
        decoder.finish()


@each_kernel
@pytest.mark.parametrize("lanes", LANES)
def test_damaged_payloads_of_all_widths_only_raise_stream_error(lanes: int, kernel: Kernel) -> None:
    segments = gaussian_segments([700, 6000], seed=5)
    payload = encode(segments, GAUSSIANS, lanes=lanes, kernel=kernel)
    random = np.random.default_rng(lanes)
    for _ in range(40):
        damaged = bytearray(payload)
        for place in random.integers(0, min(len(payload), 60), 2):
            damaged[place] = random.integers(256)
        with suppress(StreamError):
            decode(bytes(damaged), segments, GAUSSIANS, kernel)


MALFORMED = {
    "": "empty",
    "09": "512 lanes",
    "80": "reserved bit",
    "0100000000": "states of one byte for two lanes",
    "610100000100": "one state for two lanes",
    "61000000010000000100": "no row before a fold",
    "61010000010000ff0000": "a state below 2^16 for two lanes",
    "61ffffffff7f0000010000000100": "rows above 2^32 - 1",
    "6181000000010000000100": "rows longer than needed",
    "2000": "a state of two bytes, and one byte",
    "200100": "a state longer than needed",
    "00010000": "words below a state of 2^16",
    "000100": "half a word",
    "1000": "no length of the escapes",
    "100000": "escapes of no bytes",
    "100201": "fewer escapes than said",
}


@pytest.mark.parametrize("payload", MALFORMED, ids=MALFORMED.values())
def test_malformed_heads_are_refused(payload: str) -> None:
    with pytest.raises(StreamError, match="get the"):
        Decoder(bytes.fromhex(payload), TINY)


MALFORMED_ESCAPES = {
    "": "none left",
    "81": "without an end",
    "8100": "longer than needed",
    "ffffffff7f": "above 2^32 - 1",
    "808080808001": "of six bytes",
}


@pytest.mark.parametrize("escapes", MALFORMED_ESCAPES, ids=MALFORMED_ESCAPES.values())
def test_malformed_escapes_are_refused(escapes: str) -> None:
    index = np.ones(1, np.uint8)
    payload = encode([(np.full(1, 9, np.int32), index)], TINY)
    data = bytes.fromhex(escapes)
    damaged = payload[:1] + write_varint(len(data)) + payload[2:-1] + data
    with pytest.raises(StreamError, match="get the"):
        Decoder(damaged, TINY).decode(index)


@each_kernel
def test_an_escape_that_is_no_int32_is_refused(kernel: Kernel) -> None:
    symbols, index = np.array([-(2**31)], np.int32), np.array([1], np.uint8)
    payload = encode([(symbols, index)], TINY, kernel=kernel)
    number = payload[-5:]
    assert number == bytes.fromhex("fdffffff0f")
    damaged = payload[:-5] + bytes.fromhex("fcffffff0f")  # the same magnitude, positive
    with pytest.raises(StreamError, match="2147483648 is no int32"):
        decode(damaged, [(symbols, index)], TINY, kernel)


def test_too_few_escapes_are_refused() -> None:
    segments = [(np.full(3, 9, np.int32), np.ones(3, np.uint8))]
    payload = encode(segments, TINY)
    assert payload[1] == 3
    short = payload[:1] + b"\2" + payload[2:-1]
    with pytest.raises(StreamError, match="too few escaped"):
        decode(short, segments, TINY, default_kernel())


def test_wrong_arguments_are_named() -> None:
    zeros, index = np.zeros(3, np.int32), np.zeros(3, np.uint8)
    with pytest.raises(InputError, match="radius 0 is not 0"):
        encode([(zeros + 1, index)], TINY)
    with pytest.raises(InputError, match=r"symbols int64 \(3,\)"):
        encode([(zeros.astype(np.int64), index)], TINY)
    with pytest.raises(InputError, match=r"table indices int32 \(3,\)"):
        encode([(zeros, zeros)], TINY)  # type: ignore[list-item]
    with pytest.raises(InputError, match="lanes 3; expected a power of two"):
        encode([], TINY, lanes=3)
    with pytest.raises(BundleError, match=r"entropy table 3 was asked for; expected 0\.\.2"):
        encode([(zeros, index + np.uint8(3))], TINY)
    with pytest.raises(BundleError, match="entropy table 3"):
        Decoder(b"\0\0", TINY).decode(index + np.uint8(3))


@each_kernel
def test_tables_are_shared_by_threads(kernel: Kernel) -> None:
    tables = Tables.from_bytes(GAUSSIANS.to_bytes())

    def work(seed: int) -> bool:
        segments = gaussian_segments([300, 9000], seed=seed)
        payload = encode(segments, tables, kernel=kernel)
        return decode(payload, segments, tables, kernel) == lists(segments)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(24)))


def run_with_kernel(name: str, code: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "VENTURI_KERNEL": name, "PYTHONPATH": str(RUNTIME)}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )


def test_the_environment_chooses_the_kernel() -> None:
    code = (
        "from venturi._entropy.kernels import default_kernel; "
        "print(type(default_kernel()).__name__)"
    )
    assert run_with_kernel("numpy", code).stdout.strip() == "NumpyKernel"
    fastest = type([*kernels().values()][-1]).__name__
    assert run_with_kernel("", code).stdout.strip() == fastest
    refused = run_with_kernel("gpu", code)
    assert refused.returncode
    assert "InputError: VENTURI_KERNEL is 'gpu'; expected one of numpy" in refused.stderr


def test_the_kernel_is_chosen_when_the_first_symbol_is_coded() -> None:
    """Whoever cleans pictures, or only opens a codec, does not meet a kernel that is not there."""
    data = Path(__file__).parent / "data"
    opening = (
        "import numpy, venturi\n"
        f"venturi.Denoiser({str(data / 'tiny_denoiser')!r})\n"
        f"codec = venturi.Codec({str(data / 'tiny_codec')!r})\n"
        "print('open')\n"
    )
    coding = (
        "try: codec.compress(numpy.zeros((8, 8), numpy.uint8))\n"
        "except venturi.InputError as error: print(error)"
    )
    opened = run_with_kernel("bogus", opening)
    assert (opened.returncode, opened.stdout.split()) == (0, ["open"])
    used = run_with_kernel("bogus", opening + coding).stdout.splitlines()
    assert used[0] == "open"
    assert used[1].startswith("VENTURI_KERNEL is 'bogus'; expected one of numpy")


def test_escapes_beyond_the_symbols_cost_no_memory() -> None:
    """Thirty million bytes of them cost 1.7 GB."""
    one = [(np.full(1, 9, np.int32), np.ones(1, np.uint8))]
    payload = encode(one, TINY)
    flood = bytearray(payload[:1]) + write_varint(30_000_000) + payload[2:-1] + bytes(30_000_000)
    tracemalloc.start()
    try:
        decoder = Decoder(bytes(flood), TINY)
        decoder.decode(one[0][1])
        with pytest.raises(StreamError, match="does not end where its symbols do"):
            decoder.finish()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 * len(flood)


def test_many_escapes_are_read_in_parts() -> None:
    symbols = np.random.default_rng(0).integers(-(2**30), 2**30, 40_000).astype(np.int32)
    index = np.ones(symbols.size, np.uint8)
    decoder = Decoder(encode([(symbols, index)], TINY), TINY)
    np.testing.assert_array_equal(decoder.decode(index), symbols)
    decoder.finish()
