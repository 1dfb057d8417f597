"""One self-contained HTML page of the results: plots, tables that sort, crops under a slider.

    results/*.json  ->  pieces of each benchmark  ->  report.html with its style and script inside

A benchmark without results is said to be absent.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import registry, templating
from benchmarks.options import option
from benchmarks.pieces import Piece
from benchmarks.results import FOLDER
from venturi._io.files import write_atomically


@dataclass(frozen=True, kw_only=True)
class Options:
    """Where the results are and where the page goes."""

    results: Path = option("folder of results files", FOLDER)
    html: Path = option("the page", Path("report.html"), metavar="FILE")


@dataclass(frozen=True)
class Part:
    """One section of the page. command: what makes its results; pieces: none without them."""

    name: str
    title: str
    command: str
    pieces: Iterable[Piece]


def run(options: Options) -> int:
    """Write the page and print where it is."""
    write_atomically(options.html, page(options.results).encode())
    print(options.html)
    return 0


def page(folder: Path = FOLDER) -> str:
    """Return the page made from the results files of a folder.

    Raises ValueError when there are none.
    """
    paths = {each: folder / f"{name}.json" for name, each in registry.every().items()}
    if not any(path.exists() for path in paths.values()):
        raise ValueError(
            f"{folder} has none of {', '.join(path.name for path in paths.values())}: "
            "measure first, with python -m benchmarks all"
        )
    parts = [
        Part(
            each.name,
            each.title,
            each.how,
            each.pieces(each.read(path), folder) if path.exists() else (),
        )
        for each, path in paths.items()
    ]
    return templating.render(
        "report.html", title="Venturi: what it costs, how good it is", parts=parts
    )
