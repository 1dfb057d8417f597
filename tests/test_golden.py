"""Golden files keep their meaning: two decoders, one of them plain, read what was written once."""

import ast
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import venturi
from tests import make_golden
from tests.bundles import CODEC
from tests.decoded import decode
from tests.plain_decoder import PlainDecoder
from venturi import Codec
from venturi._bundle.load import SHIPPED
from venturi._bundle.manifest import FILE_NAME
from venturi._format import container

BUNDLES = {"tiny": CODEC} | {
    path.parent.name: path.parent
    for path in SHIPPED.glob(f"*/{FILE_NAME}")
    if json.loads(path.read_bytes())["task"] == "codec"
}
STREAMS = [(bundle, f"{name}.vnt") for bundle in BUNDLES for name in make_golden.PICTURES]


def index(bundle: str) -> dict[str, Any]:
    path = make_golden.FOLDER / bundle / make_golden.INDEX
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def golden(bundle: str, name: str) -> bytes:
    """The bytes of a golden file; one that is missing fails the test."""
    return (make_golden.FOLDER / bundle / name).read_bytes()


@pytest.fixture(scope="module")
def codecs() -> dict[str, Codec]:
    return {name: Codec(path, threads=1) for name, path in BUNDLES.items()}


@pytest.fixture(scope="module")
def plain_decoders() -> dict[str, PlainDecoder]:
    return {name: PlainDecoder(path) for name, path in BUNDLES.items()}


@pytest.mark.parametrize(("bundle", "name"), STREAMS)
def test_both_decoders_find_the_same_symbols(
    codecs: dict[str, Codec],
    plain_decoders: dict[str, PlainDecoder],
    bundle: str,
    name: str,
) -> None:
    data, expected = golden(bundle, name), index(bundle)["streams"][name]
    found, pixels = decode(codecs[bundle], data)
    _, chunks = plain_decoders[bundle].decode(data)
    assert [make_golden.digest(chunk) for chunk in chunks] == expected["symbols"]
    plain = [part for chunk in chunks for part in chunk.symbols]
    assert [segment.tolist() for segment in found] == plain
    assert [
        hashlib.sha256(chunk.latents.astype("<i2").tobytes()).hexdigest() for chunk in chunks
    ] == expected["latents"]
    shape = (expected["height"], expected["width"], 3)
    assert pixels.shape == (shape[:2] if expected["grey"] else shape)
    sampled = np.array(make_golden.sample(pixels))
    assert np.abs(sampled - expected["pixels"]).max() <= 1  # pixels are drawn in floating point


@pytest.mark.parametrize(("bundle", "name"), STREAMS)
def test_the_header_says_what_it_said(bundle: str, name: str) -> None:
    data, expected = golden(bundle, name), index(bundle)["streams"][name]
    assert hashlib.sha256(data).hexdigest() == expected["sha256"]
    header = container.read_header(data).header
    for field in ("grey", "width", "height", "quality_q8"):
        assert getattr(header, field) == expected[field]


@pytest.mark.parametrize("name", index("tiny")["errors"])
def test_golden_errors_keep_their_meaning(codecs: dict[str, Codec], name: str) -> None:
    expected = index("tiny")["errors"][name]
    with pytest.raises(getattr(venturi, expected["error"])) as caught:
        codecs["tiny"].decompress(golden("tiny", name))
    assert expected["says"] in str(caught.value)


def test_the_golden_streams_are_varied() -> None:
    """One lane and several, escapes and none: every part of a payload occurs."""
    heads = set()
    for bundle, name in STREAMS:
        data = golden(bundle, name)
        info = container.read_header(data)
        heads |= {container.chunk(info, data, number)[0] for number in range(len(info.chunks))}
    assert {head & 16 for head in heads} == {0, 16}
    assert {head & 15 for head in heads} >= {0, 2, 3, 4}


@pytest.mark.parametrize("bundle", BUNDLES)
def test_no_golden_file_is_unknown(bundle: str) -> None:
    known = index(bundle)
    names = {path.name for path in (make_golden.FOLDER / bundle).iterdir()}
    assert names == {make_golden.INDEX, *known["streams"], *known["errors"]}
    assert set(known["streams"]) == {name for of, name in STREAMS if of == bundle}


def test_what_exists_is_not_written_again(tmp_path: Path) -> None:
    first = make_golden.write_missing(tmp_path, CODEC, with_errors=True)
    (tmp_path / first[0]).write_bytes(b"kept")
    again = make_golden.write_missing(tmp_path, CODEC, with_errors=True)
    assert again == []
    assert (tmp_path / first[0]).read_bytes() == b"kept"


def test_the_plain_decoder_shares_nothing_with_venturi() -> None:
    path = Path(__file__).with_name("plain_decoder.py")
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(str(node.module).partition(".")[0])
    assert not names & {"venturi", "tests", "onnxruntime"}


def test_streams_are_addressed_only_to_what_reads_the_same(tmp_path: Path) -> None:
    """Another name for the same files is no change; another meaning is refused."""
    shutil.copytree(make_golden.FOLDER / "tiny", tmp_path / "golden")
    before = {path.name: path.read_bytes() for path in (tmp_path / "golden").glob("*.vnt")}
    assert make_golden.readdress(tmp_path / "golden", CODEC)
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "golden").glob("*.vnt")}
    index = tmp_path / "golden" / make_golden.INDEX
    values = json.loads(index.read_text(encoding="utf-8"))
    values["streams"]["picture.vnt"]["symbols"][0] = "0" * 64
    index.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(ValueError, match=r"picture\.vnt means something else"):
        make_golden.readdress(tmp_path / "golden", CODEC)
