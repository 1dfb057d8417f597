"""Streams that are damaged, cut, glued, lying, enormous or another model's."""

import time
from collections.abc import Callable
from functools import partial
from unittest.mock import patch

import numpy as np

from tests.robustness.subjects import (
    autoencoder,
    codec,
    flipped,
    forged,
    grid,
    large,
    payloads,
    picture,
    place,
    small,
    wide,
)
from tests.robustness.tally import Tally, row
from venturi import Autoencoder, Codec, Manifest, StreamError
from venturi._bundle import load
from venturi._entropy.latents import LatentCoder
from venturi._format import container
from venturi._layout import CHUNK, MAX_PIXELS


@row(
    "bits",
    "a bit flipped in a stream: each of a small one, random ones of larger ones",
    "StreamError names the chunk",
    short=2_000, full=100_000,
)  # fmt: skip
def flip_bits(tally: Tally, count: int) -> None:
    """Flip each bit of a small stream, and random ones of larger streams."""
    random = np.random.default_rng(1)
    code = autoencoder().compress(picture(8, 8)[..., 0])
    bits: list[tuple[Codec | Autoencoder, bytes, int]]
    bits = [(codec(), small(), bit) for bit in range(8 * len(small()))]
    bits += [(autoencoder(), code, bit) for bit in range(8 * len(code))]
    for data in (large(), wide()):
        for bit in random.integers(0, 8 * len(data), count // 2):
            bits.append((codec(), data, int(bit)))
    for model, data, bit in bits:
        tally.refuses(
            f"bit {bit} of {len(data)} bytes",
            partial(model.decompress, flipped(data, bit)),
            StreamError,
            place(data, bit // 8),
        )


@row(
    "cuts",
    "a stream cut at every length, continued, glued to another",
    "StreamError",
    short=30, full=3_000,
)  # fmt: skip
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


@row(
    "salvage",
    "damage in one chunk, Codec.salvage",
    "the rest comes back exactly; the lost region is named and grey",
    short=8, full=500,
)  # fmt: skip
def salvage(tally: Tally, count: int) -> None:
    """Damage one chunk; the picture around it must come back exactly."""
    random = np.random.default_rng(3)
    for data in (wide(), grid()):
        whole = codec().decompress(data)
        chunks = container.read_header(data).chunks
        for _ in range(count // 2):
            number = int(random.integers(len(chunks)))
            offset, length = chunks[number]
            found = codec().salvage(flipped(data, int(random.integers(8 * length)) + 8 * offset))
            rows, columns = _lost(number, *whole.shape[:2])
            box = (rows.start, columns.start, rows.stop - rows.start, columns.stop - columns.start)
            tally.same("region", found.damaged, (box,))
            expected = whole.copy()
            expected[rows, columns] = 128
            tally.same("picture", found.image, expected)


def _lost(number: int, height: int, width: int) -> tuple[slice, slice]:
    """Return the pixels that a chunk takes part in."""
    margin = codec().manifest.parameters["decoder_margin"]
    row, column = divmod(number, container.chunk_grid(width, height)[1])
    return _reach(row, height, margin), _reach(column, width, margin)


def _reach(place: int, side: int, margin: int) -> slice:
    """Return what a chunk reaches along one side; it ends where the padded picture ends."""
    end = min(CHUNK * (place + 1), -(-side // 64) * 64)
    return slice(max(0, CHUNK * place - margin), min(side, end + margin))


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


@row(
    "lies",
    "lies in a header, under right checksums",
    "StreamError before anything is decoded, below 2 MB; limits are adjustable",
    short=1, full=1,
)  # fmt: skip
def tell_lies(tally: Tally, _: int) -> None:
    """Tell lies in a header; each must be refused before anything of its size is allocated."""
    with patch.object(LatentCoder, "decode", side_effect=AssertionError("it was decoded")):
        for what, data in header_lies().items():
            calls: list[Callable[[bytes], object]] = [
                codec().decompress,
                partial(codec().decompress, region=(0, 0, 1, 1)),
            ]
            if not what.startswith("length"):  # which salvage is for
                calls.append(codec().salvage)
            for call in calls:
                with tally.within(what, peak_mb=2):
                    tally.refuses(what, partial(call, data), StreamError)
    _adjust_limits(tally)


def _adjust_limits(tally: Tally) -> None:
    """Set the limit of pixels below, at and above what a picture has."""
    whole = codec().decompress(small())
    tally.same("the default", MAX_PIXELS, 2**28)
    for limit in (0, 1, whole[..., 0].size - 1):
        for call in (codec().decompress, codec().salvage):
            refused = partial(call, small(), max_pixels=limit)
            tally.refuses(f"at most {limit}", refused, StreamError, f"at most {limit};")
    for limit in (whole[..., 0].size, 2**28, 2**40):
        tally.same(f"{limit}", codec().decompress(small(), max_pixels=limit), whole)
        tally.same(f"{limit}", codec().salvage(small(), max_pixels=limit).image, whole)
    part = codec().decompress(small(), region=(2, 3, 4, 5), max_pixels=20)
    tally.same("a part within the limit", part, whole[2:6, 3:8])


@row(
    "enormous",
    "65535 × 65535 pixels in 40 bytes",
    "StreamError, in 10 ms and 10 MB",
    short=12, full=3_000,
)  # fmt: skip
def enormous(tally: Tally, count: int) -> None:
    """Claim 65535 × 65535 pixels in 40 bytes, and lift every limit."""
    random = np.random.default_rng(4)
    head = forged((12800, 65535, 65535))[:-4]
    signed = forged((12800, 65535, 65535, *[0] * 12))
    calls = (
        codec().decompress,
        codec().salvage,
        partial(codec().decompress, max_pixels=2**32),
        partial(codec().salvage, max_pixels=2**32),
        partial(codec().decompress, region=(0, 0, 16, 16)),
        autoencoder().decompress,
    )
    for number in range(count):
        tail = random.bytes(40 - len(head))
        for data in (signed.ljust(40, b"\0")[:40], head + tail, head + bytes(40 - len(head))):
            attempt = partial(calls[number % len(calls)], data)
            with tally.within("40 bytes", peak_mb=10):
                start = time.process_time()
                tally.refuses("40 bytes", attempt, StreamError)
                tally.worst("slowest_ms", 1000 * (time.process_time() - start))
    tally.holds(f"{tally.figures['slowest_ms']} ms", tally.figures["slowest_ms"] < 10)


@row(
    "models",
    "a stream of another model",
    "StreamError names both, and where the right bundle may be",
    short=5, full=1_000,
)  # fmt: skip
def another_model(tally: Tally, count: int) -> None:
    """Give a stream to a model that did not write it."""
    random = np.random.default_rng(5)
    models = (codec(), autoencoder())
    unknown = "none that came with this venturi has it"
    others = [(random.bytes(8), unknown) for _ in range(count)]
    for name in load.shipped():
        fingerprint = Manifest.load(load.SHIPPED / name).fingerprint
        others.append((fingerprint, f"open the bundle {name!r}"))
    for other, where in others:
        data = forged((12800, 12, 9, 1), [b"!"], fingerprint=other)
        for model in models:
            for says in (model.manifest.fingerprint.hex(), other.hex(), where):
                tally.refuses(other.hex(), partial(model.decompress, data), StreamError, says)


@row(
    "payloads",
    "a payload of another picture, signed",
    "StreamError or a picture",
    short=20, full=2_000,
)  # fmt: skip
def forge_payloads(tally: Tally, count: int) -> None:
    """Sign a payload of another picture, size or quality: an error or a picture, no more."""
    others = [payloads(codec().compress(picture(64, side), quality=50)) for side in (64, 70, 130)]
    for seed in range(count):
        other = others[seed % 3]
        data = forged((256 + seed % 25_000, 64, 64, len(other[0])), other)
        tally.survives(f"seed {seed}", partial(codec().decompress, data))
