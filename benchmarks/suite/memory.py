"""The peak memory of a large picture, and whether processing in windows changes the result.

Each call runs in a process of its own (:mod:`benchmarks.memory_process`). The picture is a
photograph, mirrored until it fills the size. A region is decoded from a container in which all
chunks are blank except those that the region needs, so that reading another would be an error.
"""

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks import charts, environment
from benchmarks.figures import MEMORY_NOISE, Figure
from benchmarks.memory_process import Peak, Request, start
from benchmarks.options import MeasureOptions, option
from benchmarks.pieces import Conditions, Facts, Note, Piece, Plots, Table
from benchmarks.registry import Benchmark
from benchmarks.results import Bundle, Measured, record
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
Place = tuple[int, int, int, int]


@dataclass(frozen=True, kw_only=True)
class Options(MeasureOptions):
    """What to measure."""

    bundle: str = option("codec", "photo")
    megapixels: float = option("size of the picture", 100.0)
    whole_megapixels: float = option(
        "size of the picture that graphs also process in one piece", 24.0
    )


@record
class Call:
    """What one call took in a process of its own, in 10^6 bytes and seconds.

    picture_mb: of the picture's pixels alone. beyond_picture_mb: the peak less those.
    """

    peak_mb: float
    picture_mb: float
    seconds: float
    beyond_picture_mb: float


@record
class PictureSize:
    """The measured picture, in pixels, and the bytes of its container."""

    height: int
    width: int
    stream_bytes: int


@record
class Region:
    """A decoded region (top, left, height, width) beside its part of the whole, in levels."""

    region: list[int]
    chunks: int
    chunks_needed: int
    largest_difference: int


@record
class Windows:
    """A picture processed in windows (`windowed`) and in one piece (`whole`).

    largest_difference: of the decoded pictures, in levels. calls: by way, then by call.
    """

    height: int
    width: int
    same_stream: bool
    largest_difference: int
    calls: dict[str, dict[str, Call]]


@record
class Result(Measured):
    """Results; calls: by name of the call."""

    benchmark: Literal["memory"] = "memory"
    bundle: Bundle
    picture: PictureSize
    calls: dict[str, Call]
    limit_beyond_picture_mb: float
    within_limit: bool
    region: Region
    windows: Windows


def measure(options: Options) -> Result:
    """Measure everything."""
    before = environment.describe(threads=options.threads)
    manifest = Manifest.load(locate(options.bundle))
    side, smaller = (_side(size) for size in (options.megapixels, options.whole_megapixels))
    with TemporaryDirectory() as folder:
        calls, size_bytes, region = _calls(options, Path(folder), side)
        windows = _windows(options, Path(folder), smaller)
    large = [calls[name].beyond_picture_mb for name in ("compress", "decompress")]
    return Result(
        environment=before,
        notes=environment.notes(before),
        bundle=Bundle.of(manifest),
        picture=PictureSize(height=side, width=side, stream_bytes=size_bytes),
        calls=calls,
        limit_beyond_picture_mb=LIMIT_MB,
        within_limit=max(large) <= LIMIT_MB,
        region=region,
        windows=windows,
    )


def photograph(path: Path, side: int) -> None:
    """Write a photograph of this side as .npy."""
    np.save(path, pictures.fitted(pictures.shipped(), side, side))


def blanked(codec: Codec, data: bytes, region: Place) -> tuple[bytes, int, int]:
    """Blank the chunks that a region does not need.

    Returns:
        The container, how many chunks it has, and how many of them are left.
    """
    info = container.read_header(data)
    top, left, height, width = region
    picture = Box(0, 0, info.header.height, info.header.width).aligned(HYPER_STRIDE)
    needed = Box(top, left, top + height, left + width).aligned(HYPER_STRIDE)
    needed = needed.grown(codec.manifest.parameters["decoder_margin"]).clipped(picture)
    chunks_left, damaged = 0, bytearray(data)
    for chunk, (first, length) in zip(grid(picture, CHUNK), info.chunks, strict=True):
        common = chunk.clipped(needed)
        if common.height > 0 and common.width > 0:
            chunks_left += 1
        else:
            damaged[first : first + length] = bytes(length)
    return bytes(damaged), len(info.chunks), chunks_left


def _side(megapixels: float) -> int:
    return max(PART[1], round(math.sqrt(megapixels * 1e6)))


def _calls(options: Options, folder: Path, side: int) -> tuple[dict[str, Call], int, Region]:
    """Return what each call takes, the container's bytes, and how the region compares."""
    source, coded, back = (folder / name for name in ("a.npy", "a.vnt", "b.npy"))
    request = Request("open", options.bundle, options.threads)
    photograph(source, side)
    peaks = {"open": _start(request)}
    peaks["compress"] = _start(_with(request, "compress", source, coded))
    source.unlink()
    peaks["decompress"] = _start(_with(request, "decompress", coded, back))
    region = (side // 2 - PART[0] // 2, side // 2 - PART[1] // 2, *PART)
    data = coded.read_bytes()
    damaged, chunks, needed = blanked(Codec(options.bundle), data, region)
    coded.write_bytes(damaged)
    part = replace(_with(request, "decompress", coded, folder / "c.npy"), region=region)
    peaks["decompress_region"] = _start(part)
    top, left, height, width = region
    crop = np.load(back, mmap_mode="r")[top : top + height, left : left + width]
    compared = Region(
        region=list(region),
        chunks=chunks,
        chunks_needed=needed,
        largest_difference=_largest_difference(crop, np.load(folder / "c.npy")),
    )
    return {name: _call(peak) for name, peak in peaks.items()}, len(data), compared


def _windows(options: Options, folder: Path, side: int) -> Windows:
    """Compare a picture that is processed in windows with one that is processed whole."""
    source = folder / "a.npy"
    photograph(source, side)
    opening = Request("open", options.bundle, options.threads)
    files = {way: (folder / f"{way}.vnt", folder / f"{way}.npy") for way in ("windowed", "whole")}
    calls: dict[str, dict[str, Call]] = {}
    for way, (coded, back) in files.items():
        request = replace(opening, windowed=way == "windowed")
        compress = _start(_with(request, "compress", source, coded))
        # Both read the stream that was written in windows, so that only the drawing differs.
        decompress = _start(_with(request, "decompress", files["windowed"][0], back))
        calls[way] = {"compress": _call(compress), "decompress": _call(decompress)}
    streams, images = zip(*files.values(), strict=True)
    return Windows(
        height=side,
        width=side,
        same_stream=streams[0].read_bytes() == streams[1].read_bytes(),
        largest_difference=_largest_difference(*map(np.load, images)),
        calls=calls,
    )


def _with(request: Request, call: str, read: Path, write: Path) -> Request:
    return replace(request, call=call, read=str(read), write=str(write))


def _start(request: Request) -> Peak:
    print(request.call, "…", file=sys.stderr, flush=True)
    return start(request)


def _call(peak: Peak) -> Call:
    return Call(
        peak_mb=peak.peak_mb,
        picture_mb=peak.picture_mb,
        seconds=peak.seconds,
        beyond_picture_mb=peak.beyond_mb,
    )


def _largest_difference(one: Pixels, other: Pixels) -> int:
    """Return it in levels, row by row: no array as large as the pictures is allocated."""
    if one.shape != other.shape:
        raise ValueError(f"pictures of shapes {one.shape} and {other.shape}; expected the same")
    rows = zip(one, other, strict=True)
    return max(int(np.abs(a.astype(np.int16) - b).max()) for a, b in rows)


def figures(result: Result) -> Iterator[Figure]:
    """Yield what can get better or worse."""
    for name, call in result.calls.items():
        value = call.beyond_picture_mb
        yield Figure(f"{name} beyond the picture, MB", value, MEMORY_NOISE, relative=True)
    for name, part in (("region", result.region), ("windows", result.windows)):
        yield Figure(f"largest difference, {name}", part.largest_difference, 0.0)
    same = float(result.windows.same_stream)
    yield Figure("the same stream with windows", same, 0.0, higher_is_better=True)


_CALLS = {
    "open": "open the codec",
    "compress": "compress",
    "decompress": "decompress",
    "decompress_region": "decompress a region",
}
_WAYS = {"windowed": "in windows", "whole": "in one piece"}


def pieces(result: Result, place: Path) -> list[Piece]:
    """Return what the results are shown in."""
    del place
    size, smaller = (_megapixels(part) for part in (result.picture, result.windows))
    by_call = {_CALLS[n]: {size: call.beyond_picture_mb} for n, call in result.calls.items()}
    by_way = {
        name: {
            words: result.windows.calls[way][name].beyond_picture_mb for way, words in _WAYS.items()
        }
        for name in ("compress", "decompress")
    }
    limit = ("limit", result.limit_beyond_picture_mb)
    return [
        Facts(_facts(result, size)),
        Note(
            f"Peaks of processes that make one call each, on a photograph mirrored to {size}. "
            "What counts is what they take beyond the picture's own pixels. Graphs process a "
            f"picture in windows; to show what these are worth, one of {smaller} is also processed "
            "in one piece."
        ),
        Plots(
            [
                charts.bars(by_call, title=f"Beyond the picture, {size}", unit="MB", limit=limit),
                charts.bars(by_way, title=f"Beyond the picture, {smaller}", unit="MB"),
            ]
        ),
        Table("Peak memory in 10⁶ bytes, and the time of the call", rows(result)),
        Note(_same(result)),
        Conditions.of(result),
    ]


def _facts(result: Result, size: str) -> dict[str, str]:
    facts = {
        f"{name}, {size}, beyond it": f"{result.calls[name].beyond_picture_mb:.0f} MB"
        for name in ("compress", "decompress")
    }
    return facts | {
        f"limit of {result.limit_beyond_picture_mb:.0f} MB": (
            "kept" if result.within_limit else "exceeded"
        ),
        "chunks read for a region": f"{result.region.chunks_needed} of {result.region.chunks}",
    }


def _megapixels(picture: PictureSize | Windows) -> str:
    return f"{picture.height * picture.width / 1e6:.3g} megapixels"


def rows(result: Result) -> list[list[str]]:
    """Return the peaks of every call as cells of a table, headings first."""
    size, smaller = (_megapixels(part) for part in (result.picture, result.windows))
    cells = [["call", "picture", "processed", "peak MB", "picture MB", "beyond MB", "s"]]
    for name, call in result.calls.items():
        picture = size if call.picture_mb else ""
        cells.append([_CALLS[name], picture, _WAYS["windowed"], *_numbers(call)])
    for way, calls in result.windows.calls.items():
        for name, call in calls.items():
            cells.append([_CALLS[name], smaller, _WAYS[way], *_numbers(call)])
    return cells


def _numbers(call: Call) -> list[str]:
    sizes = (call.peak_mb, call.picture_mb, call.beyond_picture_mb)
    return [*(f"{size:.0f}" for size in sizes), f"{call.seconds:.1f}"]


def _same(result: Result) -> str:
    same = "the same bytes" if result.windows.same_stream else "OTHER bytes"
    return (
        f"In windows and in one piece: {same}, pixels that differ by "
        f"{result.windows.largest_difference} levels at most. A region differs from its part of "
        f"the whole picture by {result.region.largest_difference}."
    )


BENCHMARK = Benchmark(
    name="memory",
    title="Memory",
    help="the codec's peak memory on a large picture",
    order=70,
    options=Options,
    result=Result,
    measure=measure,
    figures=figures,
    pieces=pieces,
    plan=lambda sources: {},
    same=lambda result: {"picture": (result.picture.height, result.picture.width)},
)
