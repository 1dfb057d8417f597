"""Sphinx's settings for the site: `make docs`.

The pages are written to be read on GitHub as well. There, links are relative to the repository;
``relink`` turns those that leave ``docs/`` into links to the page that shows the file, or to the
repository.
"""

import os
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
sys.path.insert(0, str(ROOT / "runtime"))

from venturi import __version__  # noqa: E402

REPOSITORY = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"][
    "Repository"
]
SHOWN = re.compile(r"\A```\{include\} (\S+)\n```\n")
"""The start of a page that shows another file of the repository."""

project = "Venturi"
author = copyright = "The Venturi authors"  # noqa: A001
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["README.md"]
nitpicky = False

myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_class_signature = "separated"
napoleon_use_rtype = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88

html_theme = "furo"
html_title = f"Venturi {version}"
html_static_path = ["_static"]
html_css_files = ["venturi.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "source_repository": f"{REPOSITORY}/",
    "source_branch": "main",
    "source_directory": "docs/",
    "light_css_variables": {"color-brand-primary": "#0b6e99", "color-brand-content": "#0b6e99"},
    "dark_css_variables": {"color-brand-primary": "#6cc5ea", "color-brand-content": "#6cc5ea"},
}


def shown_files() -> dict[Path, str]:
    """Return the files outside docs/ that have a page, and the page's name."""
    pages = {path: SHOWN.match(path.read_text("utf-8")) for path in DOCS.rglob("*.md")}
    return {
        (page.parent / shown[1]).resolve(): page.relative_to(DOCS).as_posix()
        for page, shown in pages.items()
        if shown
    }


def relink(text: str, file: Path, page: str) -> str:
    """Return a Markdown text with its relative links as the site needs them.

    Args:
        text: of the file.
        file: where it lies; its links are relative to that.
        page: the page that shows it, relative to docs/.
    """
    files = shown_files()
    start = (DOCS / page).parent

    def replaced(link: re.Match[str]) -> str:
        mark, words, target, anchor = link.groups(default="")
        path = (file.parent / target).resolve()
        if not path.exists() or not path.is_relative_to(ROOT):
            return link[0]  # Sphinx says that it leads nowhere
        if path in files:
            path = DOCS / files[path]
        if mark or path.is_relative_to(DOCS):
            return f"{mark}[{words}]({Path(os.path.relpath(path, start)).as_posix()}{anchor})"
        kind = "tree" if path.is_dir() else "blob"
        return f"[{words}]({REPOSITORY}/{kind}/main/{path.relative_to(ROOT).as_posix()}{anchor})"

    link = re.compile(
        r"(!?)\[((?:[^\[\]]|!\[[^\]]*\]\([^)]*\))*)\]\((?!\w+:)([^()\s#]+)(#[^()\s]*)?\)"
    )
    parts = re.split(r"(^```.*?^```$)", text, flags=re.DOTALL | re.MULTILINE)
    return "".join(
        part if index % 2 else link.sub(replaced, part) for index, part in enumerate(parts)
    )


def read(_: Sphinx, name: str, source: list[str]) -> None:
    """Put the file that a page shows in its place, and set the links right."""
    page = f"{name}.md"
    own = relink(SHOWN.sub("", source[0]), DOCS / page, page)
    found = SHOWN.match(source[0])
    if found:
        file = ((DOCS / page).parent / found[1]).resolve()
        own = relink(file.read_text("utf-8"), file, page) + own
    source[0] = own


def shorten(*event: Any) -> tuple[str, str] | None:
    """Write an array's type as ``ndarray[uint8]``, without its unknown shape."""
    signature, result = event[-2:]
    if signature is None:
        return None
    long = re.compile(r"ndarray\[tuple\[[^\]]*\], (?:[~\w.]*\.)?dtype\[([~\w.]+)\]\]")
    return long.sub(r"ndarray[\1]", signature), long.sub(r"ndarray[\1]", result or "")


def setup(app: Sphinx) -> None:
    """Connect what is above."""
    app.add_lexer("hex", TextLexer)
    app.connect("source-read", read)
    app.connect("autodoc-process-signature", shorten)
