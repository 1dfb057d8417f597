"""FORMAT.md says what the code does: its example, its decoder, its tables and limits are run."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.entropy_samples import GAUSSIANS, TINY, gaussian_segments
from venturi import _layout
from venturi._bundle import manifest
from venturi._bundle.tasks import TASKS
from venturi._entropy.payload import LANES, Decoder, Segment, encode
from venturi._format import container, varint
from venturi._format.container import Header
from venturi._format.tables import Tables

DOCUMENT = (Path(__file__).resolve().parents[1] / "runtime" / "FORMAT.md").read_text("utf-8")


def block(kind: str) -> str:
    (found,) = re.findall(rf"^```{kind}\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    return str(found)


def hex_block(name: str) -> bytes:
    lines = block(f"hex {name}").splitlines()
    return bytes.fromhex(" ".join(line.split("#")[0] for line in lines))


def rows(first_cell: str) -> list[list[str]]:
    """The rows of the table whose head begins with a cell."""
    (body,) = re.findall(
        rf"^\| {re.escape(first_cell)} \|.*\n\|[-|]+\n((?:\|.*\n)+)", DOCUMENT, re.MULTILINE
    )
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in body.splitlines()]


def example() -> list[Segment]:
    segments = []
    for _, index, symbols in rows("segment | tables"):
        segments.append(
            (np.array(symbols.split(), np.int32), np.array(index.split(), np.uint8)),
        )
    return segments


EXAMPLE_HEADER = Header(
    grey=False,
    fingerprint=bytes.fromhex("0123456789abcdef"),
    quality_q8=12800,
    width=600,
    height=400,
)


def test_the_example_is_what_the_code_writes() -> None:
    frequencies = Tables.from_lists([[], [16384, 32768, 16383, 1]], [[1, 0]])
    assert hex_block("tables") == frequencies.to_bytes()
    payload = encode(example(), frequencies)
    assert hex_block("container") == container.pack(EXAMPLE_HEADER, [payload])


def test_the_example_is_read() -> None:
    data = hex_block("container")
    info = container.read_header(data)
    assert info.header == EXAMPLE_HEADER
    decoder = Decoder(container.chunk(info, data, 0), Tables.from_bytes(hex_block("tables")))
    for symbols, index in example():
        assert decoder.decode(index).tolist() == symbols.tolist()
    decoder.finish()


def test_the_steps_of_the_example_are_right() -> None:
    words, expected = [0xBFFF], 0x14C015
    for state, slot, entry, sum_, word, new in rows("state"):
        frequency, start = {
            "-1": (16384, 0), "0": (32768, 16384), "1": (16383, 49152), "ESCAPE": (1, 65535)
        }[entry]  # fmt: skip
        high, low = divmod(int(state), 65536)
        lower = frequency * high + low - start
        assert (int(state), int(slot)) == (expected, low)
        assert start <= low < start + frequency
        assert sum_ == f"{frequency} · {high} + {low} - {start} = {lower}"
        if word:
            assert lower < 65536
            lower = lower << 16 | words.pop(0)
            assert lower & 65535 == int(word)
        expected = int(new)
        assert expected == lower
    assert (expected, words) == (0, [])


def reading_decoder() -> Callable[[bytes, list[list[int]], list[list[int]]], list[list[int]]]:
    names: dict[str, Any] = {}
    exec(block("python"), names)
    decoder: Callable[[bytes, list[list[int]], list[list[int]]], list[list[int]]]
    decoder = names["decode_payload"]
    return decoder


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("of", [TINY, GAUSSIANS], ids=["escapes", "gaussians"])
def test_the_decoder_of_the_document_decodes(of: Tables, lanes: int) -> None:
    segments = gaussian_segments([200, 5000, 4999], seed=lanes, middle=9)
    if of is TINY:
        segments = [(symbols * (index % 3 > 0), index % 3) for symbols, index in segments]
    payload = encode(segments, of, lanes=lanes)
    found = reading_decoder()(
        payload,
        [row.tolist() for row in of.frequencies],
        [index.tolist() for _, index in segments],
    )
    assert found == [symbols.tolist() for symbols, _ in segments]
    assert payload[0] & 15 == lanes.bit_length() - 1


def test_the_limits_are_those_of_the_code() -> None:
    rows_, columns = container.chunk_grid(_layout.MAX_SIDE, _layout.MAX_SIDE)
    assert {
        name: limit.replace("<sup>", "^").replace("</sup>", "") for name, limit in rows("what")
    } == {
        "sides of a picture": f"{_layout.MAX_SIDE} pixels",
        "pixels of a picture": f"2^{_layout.MAX_PIXELS.bit_length() - 1}, adjustable by the caller",
        "chunks": f"{rows_ * columns}",
        "a payload, and any LEB128 number": f"2^{(varint.MAX_VALUE + 1).bit_length() - 1} − 1",
        "lanes": f"{LANES[-1]}",
        "tables": f"{_layout.MAX_TABLES}",
        "radius of a table": f"{_layout.MAX_RADIUS}",
        "symbol": "int32",
        "`manifest.json`": f"2^{manifest.MAX_BYTES.bit_length() - 1} bytes",
        "another file of a bundle": (
            f"2^{manifest.MAX_FILE_BYTES.bit_length()} − 1 bytes, as ONNX has it"
        ),
    }


def test_the_keys_of_the_manifest_are_those_of_the_code() -> None:
    described = {row[0].strip("`") for row in rows("key")}
    assert described == set(manifest.Manifest.__dataclass_fields__)
    (parameters,) = (row[2] for row in rows("key") if row[0] == "`parameters`")
    named = set(re.findall("`([a-z_]+)`", parameters))
    known = [{*task.parameters, *task.recurrent} for task in TASKS.values()]
    assert named == set().union(*known)


def test_the_roles_are_those_of_the_code() -> None:
    assert {row[0] for row in rows("role")} == TASKS["codec"].roles


def test_the_variants_are_those_of_the_code() -> None:
    found = {
        role
        for task in TASKS.values()
        for files in task.variants.values()
        for role in files.values()
    }
    assert {row[0] for row in rows("variant")} == found
