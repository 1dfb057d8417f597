"""Streams and manifests from strangers: nothing but our own errors, in bounded time and memory."""

import contextlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.bundles import CODEC
from tests.robustness.memory import peak_mb, reset_peak
from tests.robustness.mutation import ManifestMutator, StreamMutator
from tests.robustness.subjects import (
    autoencoder,
    beyond,
    codec,
    forged,
    large,
    picture,
    small,
    wide,
)
from tests.robustness.tally import Tally, outcome, row
from venturi import Codec, Manifest, VenturiError

MAX_PIXELS = 2**16
"""What the mutated streams may decode to, so that the time for each is bounded."""

SLOWEST_MS = 1000.0
GROWTH_MB = 100.0

MANIFEST = (CODEC / "manifest.json").read_text(encoding="utf-8")

OUTSIDE = (
    "this is no Venturi container", "get a venturi that reads this version", "in its header",
    "before a checksum", "malformed number", "no end to the number", "the header's checksum",
    "the header has flags", "the header has quality", "the container has quality", "picture of",
    "the picture to decode has", "it is truncated", "something follows it",
    "the checksum of chunk", "was written with bundle",
)  # fmt: skip
"""Refusals of the container."""

INSIDE = (
    "chunk 0: malformed number", "the payload is empty", "the payload begins with 0x",
    "the parts of a payload", "announces escapes and has none", "impossible states",
    "escaped symbols are malformed", "too few escaped symbols", "is no int32",
    "words end before the symbols do", "a lane of the entropy coder", "a hyper-latent lies beyond",
    "does not end where its symbols do",
)  # fmt: skip
"""Refusals of the entropy decoder: only bytes whose checksums are right get there."""

REFUSED_MANIFESTS = (
    "exactly the keys", "a key occurs twice", "expected UTF-8 JSON", "file path", "a finite int",
    "a file of its own for each role", "exactly [", "in range(", "No such file",
    "says the manifest",
)  # fmt: skip


@row(
    "streams",
    "mutated and random streams, their checksums forged",
    "StreamError or a picture; bounded time and memory",
    short=30_000, full=500_000,
)  # fmt: skip
def mutate_streams(tally: Tally, count: int) -> None:
    """Decode mutated and random streams."""
    mutator = StreamMutator((small(), large(), wide(), beyond(127), beyond(2**31 - 1)), seed=count)
    decompress = partial(codec().decompress, max_pixels=MAX_PIXELS)
    salvage = partial(codec().salvage, max_pixels=MAX_PIXELS)
    decompress(small())
    with _bounded(tally), tally.reaching(*OUTSIDE, *INSIDE):
        for number in range(count):
            data = mutator()
            call = salvage if number % 8 == 0 else decompress
            what = data.hex() if len(data) < 200 else f"stream {number}"
            tally.survives(what, partial(call, data))


@row(
    "codes",
    "mutated and random streams of an autoencoder",
    "StreamError or a picture; bounded time and memory",
    short=2_000, full=100_000,
)  # fmt: skip
def mutate_codes(tally: Tally, count: int) -> None:
    """Decode mutated and random streams with an autoencoder."""
    good = [autoencoder().compress(picture(8, 8, seed)[..., 0]) for seed in range(3)]
    mutator = StreamMutator(good, seed=count)
    with _bounded(tally), tally.reaching("the container says", "does not end where its symbols do"):
        for _ in range(count):
            data = mutator()
            tally.survives(data.hex(), partial(autoencoder().decompress, data))


@row(
    "manifests",
    "mutated and random manifests; one in ten with a bundle, opened and used",
    "BundleError or a manifest; bounded time and memory",
    short=5_000, full=500_000,
)  # fmt: skip
def mutate_manifests(tally: Tally, count: int) -> None:
    """Read mutated and random manifests; use some of the bundles whose manifest is taken."""
    mutator = ManifestMutator(MANIFEST, seed=count)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "bundle"
        shutil.copytree(CODEC, folder)
        _use(folder)
        with _bounded(tally), tally.reaching(*REFUSED_MANIFESTS):
            for number in range(count):
                text = mutator()
                call = partial(_use if number % 10 == 0 else _read, folder, text)
                tally.survives(repr(text[:2000]), call)


def _read(_: Path, text: bytes) -> None:
    Manifest.from_json(text)


def _use(folder: Path, text: bytes = MANIFEST.encode()) -> None:
    """Open the bundle of a manifest and send a picture through it."""
    (folder / "manifest.json").write_bytes(text)
    opened = Codec(folder, threads=1)
    opened.decompress(opened.compress(picture(9, 9)))


@contextlib.contextmanager
def _bounded(tally: Tally) -> Iterator[None]:
    """Expect that no call takes long, and that all of them take no memory to speak of."""
    before = reset_peak()
    yield
    growth = round(peak_mb() - before, 1)
    tally.figures["growth_mb"] = growth
    tally.holds(f"{tally.figures['slowest_ms']} ms", tally.figures["slowest_ms"] < SLOWEST_MS)
    tally.holds(f"{growth} MB", growth < GROWTH_MB)


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


@row(
    "hypothesis",
    "streams and manifests that Hypothesis thinks of",
    "our own errors",
    short=150, full=20_000,
)  # fmt: skip
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
