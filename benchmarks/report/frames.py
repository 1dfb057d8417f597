"""The ways of a frame into a graph and out again: their part of the report."""

from collections.abc import Iterator
from pathlib import Path

from benchmarks import results
from benchmarks.report import charts, markup

NAME = "frame"
TITLE = "Frames in and out"
COMMAND = "python -m benchmarks frame"
TODAY = "today: Denoiser.denoise"
NETWORK = "the network alone"

_PARTS = {"in": "way in", "out": "way out", "whole": "whole call"}


def parts(found: results.Results, folder: Path) -> list[str]:
    """Return the pieces of the section."""
    del folder
    return [
        markup.note(
            "A uint8 frame goes into the network's graph, and comes out of it. All ways must give "
            "the same picture; “today” is what the denoiser does, the network alone is the run of "
            f"its graph. Of the whole call, {_shares(found)} is outside of that run."
        ),
        markup.grid(
            markup.stack(markup.plate(_bars(found, "in")), markup.plate(_bars(found, "out"))),
            markup.plate(_bars(found, "whole")),
        ),
        markup.folded("All ways", _table(found)),
        markup.machine(found),
    ]


def outside_percent(ways: results.Results) -> float:
    """Return how much of the whole call is outside of the run of the network's graph."""
    today, network = (float(ways[name]["median_ms"]) for name in (TODAY, NETWORK))
    return 100 * (1 - network / today)


def _shares(found: results.Results) -> str:
    shares = (
        f"{outside_percent(parts['whole']):.1f} % at {_size(size)}"
        for size, parts in found["sizes"].items()
    )
    return ", ".join(shares)


def _bars(found: results.Results, part: str) -> str:
    values: dict[str, dict[str, float]] = {}
    for size, ways in found["sizes"].items():
        for name, way in ways[part].items():
            values.setdefault(name, {})[_size(size)] = way["median_ms"]
    return charts.bars(values, title=f"Median time of the {_PARTS[part]}", unit="ms")


def _table(found: results.Results) -> str:
    head = ["way", "part", "size", "samples", "median ms", "largest difference"]
    caption = "Median times in ms, and the largest difference from today's picture in levels"
    return markup.table([head, *_rows(found)], caption=caption, ours="today")


def _rows(found: results.Results) -> Iterator[list[str]]:
    for size, ways in found["sizes"].items():
        for part, words in _PARTS.items():
            for name, way in ways[part].items():
                numbers = (f"{way['median_ms']:.2f}", f"{way['largest_difference']:g}")
                yield [name, words, _size(size), str(way["samples"]), *numbers]


def _size(size: str) -> str:
    return size.replace("x", "×")
