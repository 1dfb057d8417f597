"""One object in many threads and processes: the same results as alone, and memory flat."""

import hashlib
import multiprocessing
import random
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from tests.bundles import CODEC
from tests.robustness.memory import now_mb
from tests.robustness.subjects import autoencoder, codec, denoiser, flipped, picture
from tests.robustness.tally import Pixels, Tally, row
from venturi import Codec

THREADS = 8
SIZES = ((1, 1), (8, 9), (64, 70), (130, 40), (33, 200), (250, 250), (70, 1100))
GROWTH_MB = 60.0
TIMEOUT_S = 300.0

Job = Callable[[], bytes]


def jobs() -> list[Job]:
    """Return calls of all kinds and sizes; each gives the hash of its result."""
    found: list[Job] = []
    for seed, size in enumerate(SIZES):
        image = picture(*size, seed)
        data = codec().compress(image)
        found += [
            partial(_compressed, image),
            partial(_decompressed, data),
            partial(_salvaged, flipped(data, 8 * len(data) - 9)),
            partial(_denoised, image),
            partial(_reconstructed, picture(8, 8, seed)[..., 0]),
        ]
    return found


def _compressed(image: Pixels) -> bytes:
    return _digest(codec().compress(image))


def _decompressed(data: bytes) -> bytes:
    return _digest(codec().decompress(data).tobytes())


def _salvaged(data: bytes) -> bytes:
    return _digest(codec().salvage(data).image.tobytes())


def _reconstructed(image: Pixels) -> bytes:
    return _digest(autoencoder().decompress(autoencoder().compress(image)).tobytes())


def _denoised(image: Pixels) -> bytes:
    return _digest(denoiser().denoise(image).tobytes())


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


@row(
    "threads",
    "8 threads on one object, mixed sizes",
    "the same results as alone; memory flat",
    short=200, full=10_000,
)  # fmt: skip
def share(tally: Tally, count: int) -> None:
    """Call one codec and one denoiser from eight threads at once."""
    kinds = jobs()
    alone = [job() for job in kinds]
    chance = random.Random(11)
    order = [chance.randrange(len(kinds)) for _ in range(count)]
    warm = count // 3
    with ThreadPoolExecutor(THREADS) as pool:
        first = list(pool.map(lambda at: kinds[at](), order[:warm]))
        before = now_mb()
        rest = list(pool.map(lambda at: kinds[at](), order[warm:]))
    for at, found in zip(order, first + rest, strict=True):
        tally.same(f"job {at}", found, alone[at])
    tally.figures["growth_mb"] = round(now_mb() - before, 1)
    tally.holds(f"{tally.figures['growth_mb']} MB more", tally.figures["growth_mb"] < GROWTH_MB)


@row(
    "pools",
    "one object in spawned and in forked processes",
    "the same results as alone",
    short=4, full=400,
)  # fmt: skip
def spread(tally: Tally, count: int) -> None:
    """Send one codec to pools of processes, and let forked ones inherit it."""
    shared = Codec(CODEC, threads=2)
    images = [picture(60 + 10 * (seed % 9), 300, seed) for seed in range(count)]
    streams = [shared.compress(image) for image in images]
    alone = [_digest(shared.decompress(data).tobytes()) for data in streams]
    for method in sorted({"spawn", "fork"} & set(multiprocessing.get_all_start_methods())):
        with warnings.catch_warnings():
            # Python warns of forks where there are threads; that this one works is the test.
            warnings.simplefilter("ignore", DeprecationWarning)
            context = multiprocessing.get_context(method)
            with context.Pool(2, _inherit, (shared,)) as pool:
                sent = pool.map_async(partial(_restored, shared), streams).get(TIMEOUT_S)
                kept = pool.map_async(_restored_by_the_inherited, streams).get(TIMEOUT_S)
        for found in (sent, kept):
            for at, (one, other) in enumerate(zip(found, alone, strict=True)):
                tally.same(f"{method}: picture {at}", one, other)


_inherited: list[Codec] = []


def _inherit(shared: Codec) -> None:
    """Keep what the parent had: the same object after a fork, a pickled one after a spawn."""
    _inherited[:] = [shared]


def _restored(shared: Codec, data: bytes) -> bytes:
    return _digest(shared.decompress(data).tobytes())


def _restored_by_the_inherited(data: bytes) -> bytes:
    return _restored(_inherited[0], data)
