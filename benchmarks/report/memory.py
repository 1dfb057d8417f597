"""The memory of a large picture: its part of the report."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.report import charts, markup

NAME = "memory"
TITLE = "Memory"
COMMAND = "python -m benchmarks memory"

_CALLS = {
    "open": "open the codec",
    "compress": "compress",
    "decompress": "decompress",
    "decompress_region": "decompress a region",
}
_WAYS = {"windowed": "in windows", "whole": "in one piece"}


def parts(found: results.Results, folder: Path) -> list[str]:
    """Return the pieces of the section."""
    del folder
    size, smaller = (_megapixels(found[part]) for part in ("picture", "windows"))
    return [
        markup.facts(_facts(found, size)),
        markup.note(
            f"Peaks of processes that make one call each, on a photograph mirrored to {size}. "
            "What counts is what they take beyond the picture's own pixels. Graphs see a picture "
            f"in windows; to show what these are worth, one of {smaller} also goes through in one "
            "piece."
        ),
        markup.grid(
            markup.plate(_by_call(found, size)), markup.plate(_by_way(found["windows"], smaller))
        ),
        markup.table(
            [
                ["call", "picture", "graphs see it", "peak MB", "picture MB", "beyond MB", "s"],
                *_rows(found, size, smaller),
            ],
            caption="Peak memory in 10⁶ bytes, and the time of the call",
        ),
        markup.note(_same(found)),
        markup.machine(found),
    ]


def _facts(found: results.Results, size: str) -> dict[str, str]:
    region = found["region"]
    facts = {
        f"{name}, {size}, beyond it": f"{found['calls'][name]['beyond_picture_mb']:.0f} MB"
        for name in ("compress", "decompress")
    }
    kept = "kept" if found["within_limit"] else "exceeded"
    return facts | {
        f"limit of {found['limit_beyond_picture_mb']:.0f} MB": kept,
        "chunks read for a region": f"{region['chunks_needed']} of {region['chunks']}",
    }


def _megapixels(picture: dict[str, Any]) -> str:
    return f"{picture['height'] * picture['width'] / 1e6:.3g} megapixels"


def _by_call(found: results.Results, size: str) -> str:
    values = {
        _CALLS[name]: {size: peak["beyond_picture_mb"]} for name, peak in found["calls"].items()
    }
    limit = found["limit_beyond_picture_mb"]
    title = f"Beyond the picture, {size}"
    return charts.bars(values, title=title, unit="MB", limit=("limit", limit))


def _by_way(windows: results.Results, smaller: str) -> str:
    values = {
        name: {
            words: windows["calls"][way][name]["beyond_picture_mb"] for way, words in _WAYS.items()
        }
        for name in ("compress", "decompress")
    }
    return charts.bars(values, title=f"Beyond the picture, {smaller}", unit="MB")


def _rows(found: results.Results, size: str, smaller: str) -> Iterator[list[str]]:
    for name, peak in found["calls"].items():
        picture = size if peak["picture_mb"] else ""
        yield [_CALLS[name], picture, _WAYS["windowed"], *_cells(peak)]
    for way, calls in found["windows"]["calls"].items():
        for name, peak in calls.items():
            yield [_CALLS[name], smaller, _WAYS[way], *_cells(peak)]


def _cells(peak: dict[str, float]) -> list[str]:
    names = ("peak_mb", "picture_mb", "beyond_picture_mb")
    return [*(f"{peak[name]:.0f}" for name in names), f"{peak['seconds']:.1f}"]


def _same(found: results.Results) -> str:
    windows, region = found["windows"], found["region"]
    same = "the same bytes" if windows["same_stream"] else "OTHER bytes"
    return (
        f"In windows and in one piece: {same}, pixels that differ by "
        f"{windows['largest_difference']} levels at most. A region differs from its part of the "
        f"whole picture by {region['largest_difference']}."
    )
