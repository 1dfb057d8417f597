"""The pieces of the page: tables that sort, pictures under a slider, what is absent."""

import base64
import html
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import pictures, results
from benchmarks.pictures import Picture

Rows = list[list[str]]


def section(name: str, title: str, *parts: str) -> str:
    """Return a section with a heading that the page's contents lead to."""
    head = f'<h2 id="{name}">{html.escape(title)}</h2>'
    return f'<section aria-labelledby="{name}">{head}{"".join(parts)}</section>'


def absent(name: str, title: str, command: str) -> str:
    """Return a section that says that its results are not there, and how to get them."""
    words = f"No <code>{name}.json</code> among the results: <code>{html.escape(command)}</code>"
    return section(name, title, f'<p class="absent">{words} writes it.</p>')


def note(words: str) -> str:
    """Return a paragraph in small print."""
    return f'<p class="soft">{html.escape(words)}</p>'


def heading(words: str) -> str:
    """Return a heading within a section."""
    return f"<h3>{html.escape(words)}</h3>"


def grid(*parts: str, small: bool = False) -> str:
    """Return pieces side by side where there is room, one below the other where there is not."""
    kind = "grid small" if small else "grid"
    return f'<div class="{kind}">{"".join(parts)}</div>'


def stack(*parts: str) -> str:
    """Return pieces one below the other, as one piece of a grid."""
    return f'<div class="stack">{"".join(parts)}</div>'


def plate(svg: str) -> str:
    """Return a plot as a card; nothing for no plot."""
    return f'<div class="card">{svg}</div>' if svg else ""


def folded(title: str, content: str) -> str:
    """Return content that opens at a click."""
    return f"<details><summary>{html.escape(title)}</summary>{content}</details>"


def facts(found: Mapping[str, str]) -> str:
    """Return a few figures in large print. found: what each is called, by the figure."""
    cells = "".join(
        f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd></div>"
        for name, value in found.items()
    )
    return f'<dl class="facts">{cells}</dl>'


def machine(found: results.Results) -> str:
    """Return what the results were measured on, and the notes that go with them."""
    about = found.get("environment") or found["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    count = about.get("threads")
    threads = f", {count} thread{'' if count == 1 else 's'}" if count else ""
    when = about.get("measured_on") or found["started"][:10]
    load = about["load_average"][0]
    line = f"{when}: {about['cpu']}{threads}, {about['system']}, load average {load}; {versions}"
    notes = "".join(f"<li>{html.escape(words)}</li>" for words in found.get("notes", []))
    return note(line) + (f'<ul class="notes">{notes}</ul>' if notes else "")


def table(rows: Rows, *, caption: str, ours: str = "Venturi") -> str:
    """Return cells as a table whose headings sort it. rows: headings first; ours: rows to mark."""
    words = [_is_text(column) for column in zip(*rows[1:], strict=True)]
    head = "".join(
        f'<th scope="col"{_CLASS[text]}><button type="button">{html.escape(cell)}</button></th>'
        for cell, text in zip(rows[0], words, strict=True)
    )
    body = "".join(_row(row, words, marked=row[0].startswith(ours)) for row in rows[1:])
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{html.escape(caption)}">'
        f"<table><caption>{html.escape(caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


_CLASS = {False: "", True: ' class="words"'}
_LONG = 30


def _is_text(column: Sequence[str]) -> bool:
    return any(len(cell) > _LONG for cell in column)


def _row(cells: Sequence[str], words: Sequence[bool], *, marked: bool) -> str:
    inner = "".join(
        f"<td{_CLASS[text]}>{html.escape(_minus(cell))}</td>"
        for cell, text in zip(cells, words, strict=True)
    )
    return f'<tr class="ours">{inner}</tr>' if marked else f"<tr>{inner}</tr>"


def _minus(cell: str) -> str:
    """Return a cell with a minus sign in place of the hyphen before a number."""
    return f"−{cell[1:]}" if cell[:1] == "-" and cell[1:2].isdigit() else cell


def slider(
    views: Mapping[str, Picture], *, label: str, left: str, right: str, about: Mapping[str, str]
) -> str:
    """Return pictures of one size over each other, two of them seen beside a line that moves.

    views: by name, uint8 (H, W, 3). left, right: the names that are seen first. about: by name,
    what else to say of a picture in the list to choose from.
    """
    shown = "".join(
        f'<img alt="{html.escape(f"{label}: {name}")}" data-name="{html.escape(name)}" '
        f'src="{pictures.data_uri(view)}" draggable="false">'
        for name, view in views.items()
    )
    sides = "".join(
        f"<label>{side} <select>{_choices(views, chosen, about)}</select></label>"
        for side, chosen in (("left", left), ("right", right))
    )
    height, width = next(iter(views.values())).shape[:2]
    return (
        f'<figure class="card compare"><div class="stage" style="--side:{width / height:.4f}">'
        f'{shown}<span class="line"></span></div>'
        f'<input type="range" min="0" max="100" value="50" '
        f'aria-label="{html.escape(label)}: where the left picture ends">'
        f'<div class="sides">{sides}</div><figcaption>{html.escape(label)}</figcaption></figure>'
    )


def _choices(names: Mapping[str, Picture], chosen: str, about: Mapping[str, str]) -> str:
    return "".join(
        f'<option value="{html.escape(name)}"{" selected" if name == chosen else ""}>'
        f"{html.escape(', '.join(filter(None, (name, about.get(name, '')))))}</option>"
        for name in names
    )


def figure(path: Path, caption: str) -> str:
    """Return a figure from a file, PNG or SVG, in a card."""
    if path.suffix == ".svg":
        drawn = path.read_text(encoding="utf-8")
    else:
        data = base64.b64encode(path.read_bytes()).decode("ascii")
        drawn = f'<img alt="{html.escape(caption)}" src="data:image/png;base64,{data}">'
    return f'<figure class="card">{drawn}<figcaption>{html.escape(caption)}</figcaption></figure>'
