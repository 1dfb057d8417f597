"""A camera that runs for a day: small frames without end, and neither memory nor time grows."""

import time

import numpy as np

from tests.robustness.memory import now_mb
from tests.robustness.subjects import codec, denoiser, picture
from tests.robustness.tally import Pixels, Tally, row

DAY = 200_000
"""Frames: 24 hours at 2.3 a second."""

KINDS = 20
KEPT = 4
"""Of so many frames, one is compressed and restored as well."""

BLOCKS = 20
GROWTH_MB = 16.0
SLOWER = 1.3


@row(
    "day",
    "24 hours of frames, simulated by small ones",
    "the same results; memory and latency flat",
    short=2_000, full=DAY,
)  # fmt: skip
def watch(tally: Tally, count: int) -> None:
    """Clean all frames and keep some; compare the last fifth of them with the first one.

    Time is that of the processor, in units of a fixed piece of work that is done in between: what
    else the machine does slows down both.
    """
    frames = [picture(48, 64, seed) for seed in range(KINDS)]
    first = [_take(frame) for frame in frames]
    ratios, memory = [], []
    for block in range(BLOCKS):
        times, rulers = [], []
        for group in range(block * count // KEPT // BLOCKS, (block + 1) * count // KEPT // BLOCKS):
            kinds = [(KEPT * group + frame) % KINDS for frame in range(KEPT)]
            start = time.thread_time()
            found = [denoiser().denoise(frames[kind]).tobytes() for kind in kinds[:-1]]
            found.append(_take(frames[kinds[-1]]))
            times.append(time.thread_time() - start)
            for kind, result in zip(kinds, found, strict=True):
                tally.holds("another result", first[kind].startswith(result))
            if group % 4 == 0:
                rulers.append(_ruler())
        ratios.append(float(np.median(times) / np.median(rulers)))
        memory.append(now_mb())
    _check(tally, ratios, memory)


def _take(frame: Pixels) -> bytes:
    """Clean a frame, compress it and restore it; return all three."""
    clean = denoiser().denoise(frame)
    data = codec().compress(clean)
    return clean.tobytes() + data + codec().decompress(data).tobytes()


def _ruler() -> float:
    """Time the fixed piece of work: arithmetic on as many numbers as a frame has."""
    values = np.linspace(0, 1, 48 * 64 * 3, dtype=np.float32)
    start = time.thread_time()
    for _ in range(3):
        np.sort(np.sqrt(values * values + 1))
    return time.thread_time() - start


def _check(tally: Tally, ratios: list[float], memory: list[float]) -> None:
    fifth = BLOCKS // 5
    early, late = np.median(ratios[:fifth]), np.median(ratios[-fifth:])
    slower, growth = round(float(late / early), 3), round(memory[-1] - memory[fifth - 1], 1)
    tally.figures |= {"late_to_early_latency": slower, "growth_mb": growth}
    tally.holds(f"{slower} times as slow in the end", slower < SLOWER)
    tally.holds(f"{growth} MB more", growth < GROWTH_MB)
