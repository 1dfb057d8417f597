"""Streams that are damaged, cut, glued, lying, enormous or another model's."""

import time
from functools import partial

import numpy as np

from tests.robustness.subjects import (
    codec,
    flipped,
    forged,
    large,
    payloads,
    picture,
    place,
    small,
    wide,
)
from tests.robustness.tally import Row, Tally
from venturi import StreamError, stream


def flip_bits(tally: Tally, count: int) -> None:
    """Flip each bit of a small stream, and random ones of larger streams."""
    random = np.random.default_rng(1)
    bits = [(small(), bit) for bit in range(8 * len(small()))]
    for data in (large(), wide()):
        bits += [(data, int(bit)) for bit in random.integers(0, 8 * len(data), count // 2)]
    for data, bit in bits:
        damaged = flipped(data, bit)
        tally.refuses(
            f"bit {bit} of {len(data)} bytes",
            partial(codec().decompress, damaged),
            StreamError,
            place(data, bit // 8),
        )


def cut_and_glue(tally: Tally, count: int) -> None:
    """Cut streams at every length, continue them, and glue them together."""
    random = np.random.default_rng(2)
    both = (small(), wide())
    others = [data[:length] for data in both for length in range(len(data))]
    others += [one + other for one in both for other in both]
    for _ in range(count):
        data = both[random.integers(2)]
        tail = random.bytes(int(random.integers(1, 40)))
        others += [data + tail, tail + data, data[:20] + tail + data[20:]]
    for other in others:
        what = f"{len(other)} bytes"
        tally.refuses(what, partial(codec().decompress, other), StreamError)


def salvage(tally: Tally, count: int) -> None:
    """Damage one chunk; the picture around it must come back exactly."""
    random = np.random.default_rng(3)
    data = wide()
    info, whole = stream.read_header(data), codec().decompress(data)
    margin = codec().manifest.parameters["decoder_margin"]
    for _ in range(count):
        number = int(random.integers(len(info.chunks)))
        offset, length = info.chunks[number]
        found = codec().salvage(flipped(data, int(random.integers(8 * length)) + 8 * offset))
        first, last = max(0, 1024 * number - margin), min(3100, 1024 * (number + 1) + margin)
        tally.same("region", found.damaged, ((0, first, 40, last - first),))
        expected = whole.copy()
        expected[:, first:last] = 128
        tally.same("picture", found.image, expected)


def header_lies() -> dict[str, bytes]:
    """Return headers with right checksums that say what is not so."""
    (payload,) = payloads(small())
    numbers = (12800, 12, 9, len(payload))
    lies = {
        f"{name} {value}": forged((*numbers[:at], value, *numbers[at + 1 :]), [payload])
        for at, name in enumerate(("quality", "width", "height", "length"))
        for value in (0, 1, 255, 25601, 65536, 2**31, 2**32 - 1)
        if (name, value) not in {("width", 1), ("height", 1), ("width", 255), ("height", 255)}
        and not (name in ("width", "height") and value == 25601)
    }
    lies |= {f"flag {bit}": forged(numbers, [payload], flags=1 << bit) for bit in range(1, 8)}
    lies |= {f"version {v}": forged(numbers, [payload], version=v) for v in (0, *range(2, 256))}
    lies["a chunk too many"] = forged((*numbers, 1), [payload, b"!"])
    lies["a chunk too few"] = forged((12800, 1025, 9, len(payload)), [payload])
    lies["4096 chunks of 4 GB"] = forged((12800, 65535, 65535, *[2**32 - 1] * 4096), [payload])
    return lies


def tell_lies(tally: Tally, _: int) -> None:
    """Tell lies in a header; each must be refused before anything of its size is allocated."""
    codec().decompress(small())
    for what, data in header_lies().items():
        with tally.within(what, peak_mb=2):
            tally.refuses(what, partial(codec().decompress, data), StreamError)


def enormous(tally: Tally, count: int) -> None:
    """Claim 65535 × 65535 pixels in 40 bytes."""
    random = np.random.default_rng(4)
    head = forged((12800, 65535, 65535))[:-4]
    signed = forged((12800, 65535, 65535, *[0] * 12))
    for _ in range(count):
        tail = random.bytes(40 - len(head))
        for data in (signed.ljust(40, b"\0")[:40], head + tail, head + bytes(40 - len(head))):
            start = time.process_time()
            with tally.within("40 bytes", peak_mb=10):
                tally.refuses("40 bytes", partial(codec().decompress, data), StreamError)
            tally.worst("slowest_ms", 1000 * (time.process_time() - start))
    tally.holds(f"{tally.figures['slowest_ms']} ms", tally.figures["slowest_ms"] < 10)


def another_model(tally: Tally, count: int) -> None:
    """Give a stream to a model that did not write it."""
    random = np.random.default_rng(5)
    own = codec().manifest.fingerprint.hex()
    for _ in range(count):
        other = random.bytes(8)
        data = forged((12800, 12, 9, 1), [b"!"], fingerprint=other)
        for says in (own, other.hex(), "none that came with this venturi has it"):
            tally.refuses(
                other.hex(),
                partial(codec().decompress, data),
                StreamError,
                says,
            )


def forge_payloads(tally: Tally, count: int) -> None:
    """Sign a payload of another picture, size or quality: an error or a picture, no more."""
    others = [payloads(codec().compress(picture(64, side), quality=50)) for side in (64, 70, 130)]
    for seed in range(count):
        other = others[seed % 3]
        data = forged((256 + seed % 25_000, 64, 64, len(other[0])), other)
        tally.survives(f"seed {seed}", partial(codec().decompress, data))


ROWS = (
    Row(
        "a bit flipped in a stream: each of a small one, random ones of larger ones",
        "StreamError names the chunk",
        flip_bits,
        short=2_000,
        full=100_000,
    ),
    Row("cut at every length, continued, glued", "StreamError", cut_and_glue, 30, 3_000),
    Row(
        "damage in one chunk, Codec.salvage",
        "the rest comes back exactly; the lost region is named and grey",
        salvage,
        short=6,
        full=500,
    ),
    Row("lies in a header, under right checksums", "StreamError, below 2 MB", tell_lies, 1, 1),
    Row("65535 × 65535 pixels in 40 bytes", "StreamError, in 10 ms and 10 MB", enormous, 5, 1_000),
    Row("a stream of another model", "StreamError names both and where", another_model, 5, 1_000),
    Row("a payload of another picture, signed", "an error or a picture", forge_payloads, 20, 2_000),
)
