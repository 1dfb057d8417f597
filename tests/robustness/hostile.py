"""Streams, manifests and bundles from strangers: nothing but our own errors, in bounded time."""

import json
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.robustness.mutation import ManifestMutator, StreamMutator
from tests.robustness.subjects import (
    TINY,
    autoencoder,
    codec,
    flipped,
    forged,
    large,
    picture,
    small,
    wide,
)
from tests.robustness.tally import Row, Tally, outcome, resident_mb
from tests.test_bundle import DAMAGES, REFUSED, replace_file
from tests.test_manifest import CHANGES
from venturi import BundleError, Codec, Manifest, VenturiError
from venturi.manifest import MAX_BYTES

MAX_PIXELS = 2**16
"""What the mutated streams may decode to, so that the time for each is bounded."""

SLOWEST_MS = 2000.0
GROWTH_MB = 300.0

MANIFEST = (TINY / "manifest.json").read_text(encoding="utf-8")


def mutate_streams(tally: Tally, count: int) -> None:
    """Decode mutated and random streams."""
    mutator = StreamMutator((small(), large(), wide()), seed=count)
    decompress = partial(codec().decompress, max_pixels=MAX_PIXELS)
    salvage = partial(codec().salvage, max_pixels=MAX_PIXELS)
    decompress(small())
    before = resident_mb()
    for number in range(count):
        data = mutator()
        call = salvage if number % 8 == 0 else decompress
        tally.survives(data.hex() if len(data) < 200 else f"stream {number}", partial(call, data))
    _check_bounds(tally, before)


def mutate_codes(tally: Tally, count: int) -> None:
    """Decode mutated and random streams with an autoencoder."""
    good = [autoencoder().compress(picture(8, 8, seed)[..., 0]) for seed in range(3)]
    mutator = StreamMutator(good, seed=count)
    before = resident_mb()
    for _ in range(count):
        data = mutator()
        tally.survives(data.hex(), partial(autoencoder().decompress, data))
    _check_bounds(tally, before)


def mutate_manifests(tally: Tally, count: int) -> None:
    """Read mutated and random manifests."""
    mutator = ManifestMutator(MANIFEST, seed=count)
    before = resident_mb()
    for _ in range(count):
        text = mutator()
        tally.survives(repr(text[:2000]), partial(Manifest.from_json, text))
    _check_bounds(tally, before)


def _check_bounds(tally: Tally, before_mb: float) -> None:
    tally.figures["growth_mb"] = round(resident_mb() - before_mb, 1)
    tally.holds(f"{tally.figures['slowest_ms']} ms", tally.figures["slowest_ms"] < SLOWEST_MS)
    tally.holds(f"{tally.figures['growth_mb']} MB", tally.figures["growth_mb"] < GROWTH_MB)


NUMBERS = st.one_of(st.integers(0, 2**32 - 1), st.sampled_from((64, 256, 1024, 12800, 65535)))
STREAMS = st.builds(
    forged,
    st.lists(NUMBERS, max_size=6),
    st.lists(st.binary(max_size=60), max_size=3),
    version=st.sampled_from((1, 1, 1, 0, 2)),
    flags=st.sampled_from((0, 1, 2, 255)),
)
PAYLOADS = st.binary(min_size=1, max_size=120).map(
    lambda payload: forged((12800, 64, 64, len(payload)), [payload])
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def search(tally: Tally, count: int) -> None:
    """Let Hypothesis look for bytes that break a reader."""
    decompress = partial(codec().decompress, max_pixels=MAX_PIXELS)
    _search(tally, count, st.one_of(st.binary(max_size=200), STREAMS, PAYLOADS), decompress)
    texts = st.one_of(st.binary(max_size=300), st.text(), JSON.map(_as_json))
    _search(tally, count, texts, Manifest.from_json)


def _as_json(value: object) -> str:
    return json.dumps(value)


def _search(
    tally: Tally, count: int, strategy: st.SearchStrategy[Any], call: Callable[[Any], object]
) -> None:
    def attempt(value: Any) -> None:
        tally.tried += 1
        caught = outcome(partial(call, value))
        if caught is not None and not isinstance(caught, VenturiError):
            raise caught

    limits = settings(
        max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    caught = outcome(limits(given(strategy)(attempt)))
    if caught is not None:
        tally.lost.append(f"{caught!r}: {getattr(caught, '__notes__', '')}")


def attack_bundles(tally: Tally, count: int) -> None:
    """Change a bundle in every way; onnxruntime must never see it."""
    with tempfile.TemporaryDirectory() as folder:
        for number, (what, change) in enumerate(_attacks(count).items()):
            copy = Path(folder) / str(number)
            shutil.copytree(TINY, copy)
            change(copy)
            with patch("onnxruntime.InferenceSession", side_effect=AssertionError("it was loaded")):
                tally.refuses(what, partial(Codec, copy), BundleError)


def _attacks(count: int) -> dict[str, Callable[[Path], object]]:
    """Name what is done to a bundle."""
    names = ("encoder.onnx", "entropy.onnx", "decoder.onnx", "tables.bin")
    attacks: dict[str, Callable[[Path], object]] = {
        f"{name}: {what}": partial(_damage, name, damage)
        for name in names
        for what, (damage, _) in DAMAGES.items()
    }
    for what, content in REFUSED.items():
        attacks[f"graph: {what}"] = partial(_put_graph, content)
    for what, change in CHANGES.items():
        attacks[f"manifest: {what}"] = partial(_change_manifest, change)
    attacks["manifest: missing"] = lambda folder: (folder / "manifest.json").unlink()
    attacks["manifest: huge"] = partial(_put_manifest, MANIFEST + " " * MAX_BYTES)
    attacks["manifest: deep"] = partial(_put_manifest, "[" * 100_000)
    random = np.random.default_rng(6)
    for number in range(count):
        name = names[number % 4]
        bit = int(random.integers(8 * (TINY / name).stat().st_size))
        attacks[f"{name}: bit {bit}"] = partial(_damage, name, partial(_flip, bit))
    return attacks


def _damage(name: str, damage: Callable[[Path], object], folder: Path) -> None:
    damage(folder / name)


def _flip(bit: int, path: Path) -> None:
    path.write_bytes(flipped(path.read_bytes(), bit))


def _put_graph(content: bytes, folder: Path) -> None:
    replace_file(folder, "decoder.onnx", content)


def _put_manifest(text: str, folder: Path) -> None:
    (folder / "manifest.json").write_text(text, encoding="utf-8")


def _change_manifest(change: Callable[[dict[str, object]], object], folder: Path) -> None:
    values = json.loads(MANIFEST)
    change(values)
    _put_manifest(json.dumps(values), folder)


ROWS = (
    Row(
        "mutated and random streams, their checksums forged",
        "our own errors or a picture; bounded time and memory",
        mutate_streams,
        short=15_000,
        full=500_000,
    ),
    Row(
        "the same, of an autoencoder",
        "our own errors or a picture; bounded time and memory",
        mutate_codes,
        short=2_000,
        full=100_000,
    ),
    Row(
        "mutated and random manifests",
        "BundleError or a manifest; bounded time and memory",
        mutate_manifests,
        short=15_000,
        full=500_000,
    ),
    Row("what Hypothesis finds", "our own errors", search, short=150, full=20_000),
    Row(
        "a bundle missing a file, changed, linked, escaping, lying, with forbidden graphs",
        "BundleError before onnxruntime sees it",
        attack_bundles,
        short=20,
        full=2_000,
    ),
)
