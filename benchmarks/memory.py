"""How much memory a large picture takes, and that windows change nothing but that.

Each call runs in a process of its own (:mod:`benchmarks.memory_process`). The picture is a
photograph, mirrored until it fills the size. A region is decoded from a stream in which all chunks
are blank but those that the region is drawn from, so that reading another would be an error.
"""

import math
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import environment, results
from benchmarks.memory_process import Peak, Request, start
from venturi import Codec, Manifest
from venturi._bundle.load import locate
from venturi._engine.tiling import Box, grid
from venturi._format import container
from venturi._layout import CHUNK, HYPER_STRIDE
from venturi.bench import pictures

LIMIT_MB = 1500.0
"""Beyond the picture itself, in 10^6 bytes."""

PART = (300, 700)
"""Height and width of the region, in pixels; it lies in the middle."""

Pixels = NDArray[np.uint8]
Region = tuple[int, int, int, int]


@dataclass(frozen=True)
class Options:
    """What to measure.

    bundle: name or path. threads: for the graphs. megapixels: of the picture that is measured.
    whole_megapixels: of the smaller picture that is also seen by the graphs in one piece.
    """

    bundle: str
    threads: int
    megapixels: float
    whole_megapixels: float


def measure(options: Options) -> results.Results:
    """Measure everything and return what goes into the results file."""
    before = environment.describe(threads=options.threads)
    manifest = Manifest.load(locate(options.bundle))
    side, smaller = (_side(size) for size in (options.megapixels, options.whole_megapixels))
    with TemporaryDirectory() as folder:
        calls, size_bytes, region = _calls(options, Path(folder), side)
        windows = _windows(options, Path(folder), smaller)
    large = [calls[name]["beyond_picture_mb"] for name in ("compress", "decompress")]
    return {
        "schema_version": results.SCHEMA_VERSION,
        "benchmark": "memory",
        "environment": before,
        "bundle": results.described(manifest),
        "picture": {"height": side, "width": side, "stream_bytes": size_bytes},
        "calls": calls,
        "limit_beyond_picture_mb": LIMIT_MB,
        "within_limit": max(large) <= LIMIT_MB,
        "region": region,
        "windows": windows,
        "notes": [note for note in (environment.busy(before),) if note],
    }


def text(found: results.Results) -> str:
    """Return the results as people read them."""
    rows = [["call", "peak MB", "picture MB", "beyond it MB", "s"]]
    for name, call in found["calls"].items():
        cells = [call[key] for key in ("peak_mb", "picture_mb", "beyond_picture_mb")]
        rows.append([name, *(f"{cell:.0f}" for cell in cells), f"{call['seconds']:.1f}"])
    picture, region, windows = found["picture"], found["region"], found["windows"]
    kept = "kept" if found["within_limit"] else "EXCEEDED"
    return "\n".join(
        [
            f"{picture['width']}x{picture['height']} pixels",
            results.table(rows),
            f"limit of {found['limit_beyond_picture_mb']:.0f} MB beyond the picture: {kept}",
            f"region: {region['chunks_needed']} of {region['chunks']} chunks read, largest "
            f"difference from the whole {region['largest_difference']}",
            f"windows, {windows['width']}x{windows['height']} pixels: the same stream "
            f"{windows['same_stream']}, largest difference {windows['largest_difference']}",
        ]
    )


def photograph(path: Path, side: int) -> None:
    """Write a photograph of this side as .npy."""
    np.save(path, pictures.fitted(pictures.shipped(), side, side))


def blanked(codec: Codec, data: bytes, region: Region) -> tuple[bytes, int, int]:
    """Blank the chunks that a region needs nothing of.

    Returns:
        The stream, how many chunks it has, and how many of them are left.
    """
    info = container.read_header(data)
    top, left, height, width = region
    picture = Box(0, 0, info.header.height, info.header.width).aligned(HYPER_STRIDE)
    seen = Box(top, left, top + height, left + width).aligned(HYPER_STRIDE)
    seen = seen.grown(codec.manifest.parameters["decoder_margin"]).clipped(picture)
    kept, damaged = 0, bytearray(data)
    for chunk, (first, length) in zip(grid(picture, CHUNK), info.chunks, strict=True):
        common = chunk.clipped(seen)
        if common.height > 0 and common.width > 0:
            kept += 1
        else:
            damaged[first : first + length] = bytes(length)
    return bytes(damaged), len(info.chunks), kept


def _side(megapixels: float) -> int:
    return max(PART[1], round(math.sqrt(megapixels * 1e6)))


def _calls(
    options: Options, folder: Path, side: int
) -> tuple[dict[str, dict[str, float]], int, results.Results]:
    """Return what each call takes, the stream's bytes, and how the region compares."""
    source, coded, back = (folder / name for name in ("a.npy", "a.vnt", "b.npy"))
    asked = Request("open", options.bundle, options.threads)
    photograph(source, side)
    found = {"open": _start(asked)}
    found["compress"] = _start(_with(asked, "compress", source, coded))
    source.unlink()
    found["decompress"] = _start(_with(asked, "decompress", coded, back))
    region = (side // 2 - PART[0] // 2, side // 2 - PART[1] // 2, *PART)
    data = coded.read_bytes()
    damaged, chunks, needed = blanked(Codec(options.bundle), data, region)
    coded.write_bytes(damaged)
    part = replace(_with(asked, "decompress", coded, folder / "c.npy"), region=region)
    found["decompress_region"] = _start(part)
    top, left, height, width = region
    crop = np.load(back, mmap_mode="r")[top : top + height, left : left + width]
    compared = {
        "region": list(region),
        "chunks": chunks,
        "chunks_needed": needed,
        "largest_difference": _largest_difference(crop, np.load(folder / "c.npy")),
    }
    return {name: _shown(peak) for name, peak in found.items()}, len(data), compared


def _windows(options: Options, folder: Path, side: int) -> results.Results:
    """Compare a picture that is seen in windows with one that is seen whole."""
    source = folder / "a.npy"
    photograph(source, side)
    asked = Request("open", options.bundle, options.threads)
    files = {way: (folder / f"{way}.vnt", folder / f"{way}.npy") for way in ("windowed", "whole")}
    peaks: dict[str, Any] = {}
    for way, (coded, back) in files.items():
        request = replace(asked, windowed=way == "windowed")
        compress = _start(_with(request, "compress", source, coded))
        # Both read the stream that was written in windows, so that only the drawing differs.
        decompress = _start(_with(request, "decompress", files["windowed"][0], back))
        peaks[way] = {"compress": _shown(compress), "decompress": _shown(decompress)}
    streams, images = zip(*files.values(), strict=True)
    return {
        "height": side,
        "width": side,
        "same_stream": streams[0].read_bytes() == streams[1].read_bytes(),
        "largest_difference": _largest_difference(*map(np.load, images)),
        "calls": peaks,
    }


def _with(request: Request, call: str, read: Path, write: Path) -> Request:
    return replace(request, call=call, read=str(read), write=str(write))


def _start(request: Request) -> Peak:
    print(request.call, "…", file=sys.stderr, flush=True)
    return start(request)


def _shown(peak: Peak) -> dict[str, float]:
    return {**asdict(peak), "beyond_picture_mb": peak.beyond_mb}


def _largest_difference(one: Pixels, other: Pixels) -> int:
    """Return it in levels, row by row: nothing as large as the pictures is made."""
    if one.shape != other.shape:
        raise ValueError(f"pictures of shapes {one.shape} and {other.shape}; expected the same")
    rows = zip(one, other, strict=True)
    return max(int(np.abs(a.astype(np.int16) - b).max()) for a, b in rows)
