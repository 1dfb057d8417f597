"""Write the golden files that are not there yet: python -m tests.make_golden [--bundle photo]

Golden streams keep their meaning for ever, so one that exists is never written again: a change that
needs that is a new version of the format. What each stream must decode to is told by the plain
decoder, which knows FORMAT.md and not venturi. Nothing else writes into tests/golden, and the tests
fail where a file is missing. Only with a shipped bundle that is replaced go its golden streams:
remove their folder by hand. A bundle that stores the same network in other files has another
fingerprint: --readdress puts it into the streams, once they have proven to mean the same.
"""

import argparse
import hashlib
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.bundles import CODEC
from tests.decoded import readdressed
from tests.plain_decoder import Chunk, PlainDecoder
from venturi import Codec
from venturi._bundle.load import locate
from venturi._format import container
from venturi._format.container import Header

FOLDER = Path(__file__).parent / "golden"
INDEX = "golden.json"

Pixels = NDArray[np.uint8]


def waves(height: int, width: int) -> Pixels:
    """Smooth, by integers alone, another in each colour."""
    row, column = np.mgrid[:height, :width]
    bows = [np.abs((row * a + column * b) % 510 - 255) for a, b in ((1, 3), (2, 1), (3, 2))]
    return np.stack(bows, axis=2).astype(np.uint8)


def noise(height: int, width: int, levels: int) -> Pixels:
    """As rough as pixels can be: ``levels`` values from 0 to 255."""
    state = np.arange(height * width * 3, dtype=np.uint32)
    for factor in (2654435761, 2246822519):
        state = (state ^ state >> np.uint32(15)) * np.uint32(factor)
    value = (state >> np.uint32(16)) % np.uint32(levels) * np.uint32(255) // np.uint32(levels - 1)
    return value.reshape(height, width, 3).astype(np.uint8)


PICTURES: dict[str, tuple[Pixels, float]] = {
    "one-pixel": (waves(1, 1), 50),
    "small": (waves(5, 7), 100),
    "small-grey": (waves(5, 7)[..., 0], 50),
    "one-block": (waves(64, 64), 1),
    "flat": (np.full((64, 64, 3), 128, np.uint8), 50),
    "odd-sides": (waves(63, 65), 30.5),
    "picture": (waves(200, 300), 50),
    "picture-grey": (waves(200, 300)[..., 1], 90),
    "noise": (noise(96, 160, 256), 100),
    "black-and-white": (noise(64, 64, 2), 100),
    "two-chunks-wide": (waves(40, 1100), 50),
    "two-chunks-high": (waves(1050, 20)[..., 2], 10),
}
"""Each golden stream's picture and quality."""


def streams(codec: Codec) -> Iterator[tuple[str, bytes]]:
    for name, (pixels, quality) in PICTURES.items():
        yield f"{name}.vnt", codec.compress(pixels, quality=quality)


def describe(data: bytes, plain: PlainDecoder, codec: Codec) -> dict[str, Any]:
    """Say what a stream decodes to."""
    header, chunks = plain.decode(data)
    latents = [chunk.latents.astype("<i2").tobytes() for chunk in chunks]
    return {
        "sha256": hashlib.sha256(data).hexdigest(),
        "grey": header.grey,
        "width": header.width,
        "height": header.height,
        "quality_q8": header.quality,
        "symbols": [digest(chunk) for chunk in chunks],
        "latents": [hashlib.sha256(latent).hexdigest() for latent in latents],
        "pixels": sample(codec.decompress(data)),
    }


def digest(chunk: Chunk) -> str:
    """Hash the symbols of a chunk, in the order of coding."""
    joined = b"".join(np.array(part, "<i4").tobytes() for part in chunk.symbols)
    return hashlib.sha256(joined).hexdigest()


def sample(pixels: Pixels) -> list[int]:
    """Take up to 4 × 4 pixels of a picture, spread over it."""
    height, width = pixels.shape[:2]
    taken = pixels[:: height // 4 + 1, :: width // 4 + 1]
    return [int(value) for value in taken.ravel()]


def errors(codec: Codec) -> Iterator[tuple[str, bytes, str]]:
    """Yield the name, the bytes and what the error must say."""
    good = codec.compress(waves(40, 1100), quality=50)
    info = container.read_header(good)
    (first, length), (second, _) = info.chunks
    head = good[: first - 8]
    payloads = [container.chunk(info, good, number) for number in (0, 1)]
    yield "nothing.vnt", b"", "expected b'VNT'; this is no Venturi container"
    yield "another-file.vnt", b"\x89PNG\r\n\x1a\n", "expected b'VNT'; this is no Venturi container"
    yield "version-2.vnt", good[:3] + b"\x02" + good[4:], "container version 2; expected 1"
    yield "cut-in-header.vnt", good[:10], "ends after 10 bytes, in its header"
    yield "cut-in-chunk.vnt", good[:-1], "it is truncated"
    yield "cut-between-chunks.vnt", good[: second - 4], "it is truncated"
    yield "one-byte-more.vnt", good + b"\0", "something follows it"
    yield "glued.vnt", good + good, "something follows it"
    yield "reserved-flag.vnt", signed(head[:4] + b"\x02" + head[5:], good), "flags 0x02"
    yield "header-bit.vnt", flip(good, 9), "the header's checksum does not match"
    yield "chunk-0-bit.vnt", flip(good, first + length // 2), "checksum of chunk 0 of 2"
    yield "chunk-1-bit.vnt", flip(good, second), "checksum of chunk 1 of 2"
    yield "chunk-1-checksum-bit.vnt", flip(good, second - 1), "checksum of chunk 1 of 2"
    yield "chunks-exchanged.vnt", exchanged(good), "checksum of chunk 0 of 2"
    yield (
        "another-bundle.vnt",
        forged(info.header, payloads, fingerprint=b"another!"),
        (f"the container was written with bundle {b'another!'.hex()}; this codec has"),
    )
    yield "no-quality.vnt", forged(info.header, payloads, quality_q8=0), "expected 1 to 100"
    yield "longer-number.vnt", signed(head[:13] + b"\x80\x80\x00" + head[15:], good), "malformed"
    yield "side-of-0.vnt", signed(head[:15] + b"\x00" + head[17:], good), "picture of 0×"
    yield "65535x65535.vnt", enormous(info.header), "expected at most 268435456"
    yield "forged-payload.vnt", forged(info.header, [payloads[0][:-2], payloads[1]]), "chunk 0:"
    yield "forged-head.vnt", forged(info.header, [payloads[0], b"\xff"]), "chunk 1:"


def flip(data: bytes, position: int) -> bytes:
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]


def signed(head: bytes, good: bytes) -> bytes:
    """Put a head with a checksum that is right before the chunks of a stream."""
    info = container.read_header(good)
    return head + zlib.crc32(head).to_bytes(4, "little") + good[info.chunks[0][0] - 4 :]


def forged(header: Header, payloads: list[bytes], **changes: Any) -> bytes:
    """Write a stream whose checksums are right, whatever it says."""
    return container.pack(Header(**{**header.__dict__, **changes}), payloads)


def exchanged(good: bytes) -> bytes:
    """Move a payload to the place of another of the same length; both begin alike here."""
    info = container.read_header(good)
    (first, _), (second, length) = info.chunks
    return good[: first - 4] + good[second - 4 : second + length] + good[first + length :]


def enormous(header: Header) -> bytes:
    return forged(header, [b""] * 4096, width=65535, height=65535)


def write_missing(folder: Path, bundle: str | Path, *, with_errors: bool) -> list[str]:
    """Write what is not there yet; return the names."""
    folder.mkdir(parents=True, exist_ok=True)
    codec, plain = Codec(bundle, threads=1), PlainDecoder(locate(bundle))
    index: dict[str, dict[str, Any]] = {"streams": {}, "errors": {}}
    if (folder / INDEX).exists():
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    written = []
    for name, data in streams(codec):
        if name not in index["streams"]:
            index["streams"][name] = describe(data, plain, codec)
            (folder / name).write_bytes(data)
            written.append(name)
    for name, data, says in errors(codec) if with_errors else ():
        if name not in index["errors"]:
            index["errors"][name] = {"error": "StreamError", "says": says}
            (folder / name).write_bytes(data)
            written.append(name)
    _write_index(folder, index)
    return written


def readdress(folder: Path, bundle: str | Path) -> list[str]:
    """Address streams to a bundle that reads the same symbols; return their names.

    Raises:
        ValueError: it reads others, or pixels that are further away than rounding takes them.
    """
    codec, plain = Codec(bundle, threads=1), PlainDecoder(locate(bundle))
    index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    addressed = {}
    for name, expected in index["streams"].items():
        data = readdressed((folder / name).read_bytes(), codec)
        found = describe(data, plain, codec)
        apart = np.abs(np.array(found["pixels"]) - expected["pixels"]).max()
        if any(found[key] != expected[key] for key in ("symbols", "latents")) or apart > 1:
            raise ValueError(
                f"{name} means something else to bundle {bundle}: pixels are {apart} levels apart; "
                "expected the same symbols and at most 1 level: its golden streams go with it"
            )
        addressed[name] = data
        expected["sha256"] = found["sha256"]
    for name, data in addressed.items():
        (folder / name).write_bytes(data)
    _write_index(folder, index)
    return list(addressed)


def _write_index(folder: Path, index: dict[str, Any]) -> None:
    text = json.dumps(index, indent=2, ensure_ascii=False) + "\n"
    (folder / INDEX).write_text(text, encoding="utf-8", newline="\n")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.make_golden", description=__doc__)
    parser.add_argument("--bundle", help="a shipped bundle; without it, the tiny one of the tests")
    parser.add_argument(
        "--readdress",
        action="store_true",
        help="keep the streams' payloads and address them to the bundle, which stores the same "
        "network in other files",
    )
    arguments = parser.parse_args()
    bundle = arguments.bundle
    folder = FOLDER / (bundle or "tiny")
    if arguments.readdress:
        for name in readdress(folder, bundle or CODEC):
            print(f"addressed {folder / name}")
        return
    for name in write_missing(folder, bundle or CODEC, with_errors=bundle is None):
        print(f"wrote {folder / name}")


if __name__ == "__main__":
    main()
