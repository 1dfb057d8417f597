"""One self-contained HTML page of the results: plots, tables that sort, crops under a slider.

    benchmarks/results/*.json  ->  sections  ->  page.html with page.css and page.js inside

What has no results yet is said to be absent.
"""

import html
from pathlib import Path

from benchmarks import results
from benchmarks.report import (
    adaptation,
    compression,
    denoising,
    digits,
    faults,
    frames,
    latency,
    markup,
    memory,
    video,
)

_HERE = Path(__file__).parent
SECTIONS = (
    compression, adaptation, denoising, video, latency, frames, memory, digits, faults,
)  # fmt: skip


def page(folder: Path = results.FOLDER) -> str:
    """Return the page made from the results files of a folder.

    Raises ValueError when there are none.
    """
    names = [section.NAME for section in SECTIONS]
    if not any((folder / f"{name}.json").exists() for name in names):
        raise ValueError(
            f"{folder} has none of {', '.join(f'{name}.json' for name in names)}: "
            "measure first, with python -m benchmarks all"
        )
    parts, links = [], []
    for section in SECTIONS:
        path = folder / f"{section.NAME}.json"
        links.append(f'<a href="#{section.NAME}">{html.escape(section.TITLE)}</a>')
        if path.exists():
            content = section.parts(results.read(path), folder)
            parts.append(markup.section(section.NAME, section.TITLE, *content))
        else:
            parts.append(markup.absent(section.NAME, section.TITLE, section.COMMAND))
    template = (_HERE / "page.html").read_text(encoding="utf-8")
    for mark, text in (
        ("STYLE", (_HERE / "page.css").read_text(encoding="utf-8")),
        ("LINKS", "".join(links)),
        ("SCRIPT", (_HERE / "page.js").read_text(encoding="utf-8")),
        ("SECTIONS", "\n".join(parts)),
    ):
        template = template.replace(f"<!-- {mark} -->", text)
    return template
