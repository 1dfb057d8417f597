"""The figures of the documents, written from the results files between two marks.

    <!-- results:begin codec -->    codec names a benchmark
    what its results say
    <!-- results:end -->

Any document may hold any number of these blocks, and they may be moved: README.md, SECURITY.md and
everything in docs/ is looked through.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import registry
from benchmarks.options import option
from benchmarks.registry import Benchmark
from benchmarks.results import FOLDER
from venturi._io.files import write_atomically

ROOT = Path(__file__).parents[1]
END = "<!-- results:end -->"

_BLOCK = re.compile(rf"<!-- results:begin (\w+) -->\n(.*?){END}", re.DOTALL)
_MARK = re.compile(r"<!-- results:(begin|end)\b[^>]*-->")
_UNITS = "ms|µs|us|fps|dB|bpp|%|kMAC|GMAC|MB/s|GB/s|nats|ns|times faster|times smaller|× faster"
_MEASURED = re.compile(rf"\d[\d.,]*[\s\u00a0\u202f]?(?:{_UNITS})(?!\w)")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to do with the documents."""

    results: Path = option("folder of results files", FOLDER, metavar="FOLDER")
    check: bool = option("only say whether they are as the results", False)


def run(options: Options) -> int:
    """Write the documents, and what is drawn from the results beside those.

    Returns 1 when they were to be checked and are not as the results.
    """
    old = stale(options.results, ROOT)
    if options.check:
        names = ", ".join(page.name for page in old)
        print(f"not as the results: {names}: run without --check" if old else "as the results")
        return int(bool(old))
    for page, text in old.items():
        write_atomically(page, text.encode())
    for name, benchmark in registry.every().items():
        path = options.results / f"{name}.json"
        if benchmark.after and path.exists():
            benchmark.after(benchmark.read(path), path)
    return 0


def sections() -> dict[str, Benchmark[Any, Any]]:
    """Return the benchmarks that have a table for the documents, by name."""
    return {name: each for name, each in registry.every().items() if each.markdown}


def begin(name: str) -> str:
    """Return the mark that a block of a benchmark begins with."""
    return f"<!-- results:begin {name} -->"


def pages(root: Path = ROOT) -> list[Path]:
    """Return the documents that hold results."""
    documents = [root / name for name in ("README.md", "SECURITY.md")]
    documents += sorted((root / "docs").rglob("*.md"))
    return [page for page in documents if page.exists() and _MARK.search(_read(page))]


def holding(name: str, root: Path = ROOT) -> list[Path]:
    """Return the documents that hold the results of a benchmark."""
    return [page for page in pages(root) if begin(name) in _read(page)]


def stale(folder: Path = FOLDER, root: Path = ROOT) -> dict[Path, str]:
    """Return the documents that are not as the results say, with the text that they should have.

    Raises ValueError when the marks of one are not in order or name an unknown benchmark.
    """
    fresh = {page: rewritten(page, folder) for page in pages(root)}
    return {page: text for page, text in fresh.items() if text != _read(page)}


def rewritten(page: Path, folder: Path = FOLDER) -> str:
    """Return a document's text with fresh blocks; those without results are empty.

    Raises ValueError when a mark is missing or names an unknown benchmark.
    """
    text = _read(page)
    _check(text, page)

    def fresh(old: re.Match[str]) -> str:
        content = block(old[1], folder, page.parent)
        return f"{begin(old[1])}\n{content}{END}"

    return _BLOCK.sub(fresh, text)


def block(name: str, folder: Path = FOLDER, place: Path = ROOT) -> str:
    """Return the figures of a benchmark as Markdown; nothing when it has no results.

    place: the folder of the document, which links are relative to.
    """
    path = folder / f"{name}.json"
    if not path.exists():
        return ""
    benchmark = sections()[name]
    assert benchmark.markdown is not None
    content = benchmark.markdown(benchmark.read(path), folder)
    there = Path(os.path.relpath(folder, place)).as_posix()
    return content.replace(f"]({folder.as_posix()}/", f"]({there}/") + "\n"


def typed(page: str) -> list[str]:
    """Return what looks measured outside the blocks: a number with a unit of time, quality or rate.

    Code and commands are left out: what they say is to be typed.
    """
    prose = re.sub(r"```.*?```|`[^`]*`", "", _BLOCK.sub("", page), flags=re.DOTALL)
    return [match.group() for match in _MEASURED.finditer(prose)]


def _read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def _check(text: str, page: Path) -> None:
    """Raise unless begin and end take turns and every block names a benchmark."""
    kinds = [mark[1] for mark in _MARK.finditer(text)]
    if kinds != ["begin", "end"] * (len(kinds) // 2):
        raise ValueError(
            f"{page} has the marks {' '.join(kinds)}; expected begin and end in turn: "
            f"write {begin('NAME')} before and {END} after each block"
        )
    named = _BLOCK.findall(text)
    unknown = {name for name, _ in named} - set(sections())
    if unknown or len(named) != len(kinds) // 2:
        raise ValueError(
            f"{page} names {', '.join(sorted(unknown)) or 'no benchmark'}; expected one of "
            f"{', '.join(sections())}: write {begin('NAME')}"
        )
