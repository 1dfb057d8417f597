"""The pieces that results are shown in: as text in a terminal, as HTML in the report."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from markupsafe import Markup

from benchmarks import crops, pictures
from benchmarks.results import Machine, Measured
from venturi.bench.text import table

Rows = Sequence[Sequence[str]]

_LONG = 30  # characters: a column with a longer cell holds words


@dataclass(frozen=True)
class Facts:
    """A few figures in large print. values: by what each is called."""

    kind: ClassVar = "facts"
    values: Mapping[str, str]

    def text(self) -> str:
        """Return a line for each."""
        return "\n".join(f"{name}: {value}" for name, value in self.values.items())


@dataclass(frozen=True)
class Note:
    """A paragraph in small print."""

    kind: ClassVar = "note"
    words: str

    def text(self) -> str:
        """Return the paragraph."""
        return self.words


@dataclass(frozen=True)
class Table:
    """A table whose headings sort it.

    rows: cells, headings first. ours: rows that begin with it are marked. folded: whether the
    report shows it only after a click.
    """

    kind: ClassVar = "table"
    caption: str
    rows: Rows
    ours: str | None = "Venturi"
    folded: bool = False

    def text(self) -> str:
        """Return the table below its caption."""
        return f"{self.caption}\n{table([list(row) for row in self.rows])}"

    @property
    def columns(self) -> list[str]:
        """The CSS class of each column: whether it holds words."""
        return [
            "words" if any(len(cell) > _LONG for cell in column) else ""
            for column in zip(*self.rows[1:], strict=True)
        ]

    def is_ours(self, row: Sequence[str]) -> bool:
        """Tell whether a row is to be marked."""
        return self.ours is not None and row[0].startswith(self.ours)


@dataclass(frozen=True)
class Plots:
    """Plots side by side where there is room. columns: SVG, or several below each other."""

    kind: ClassVar = "plots"
    columns: Sequence[str | Sequence[str]]

    def text(self) -> str:
        """Return nothing: a terminal shows no plots."""
        return ""

    @property
    def shown(self) -> list[list[Markup]]:
        """The plots that there are, by column."""
        columns = [[each] if isinstance(each, str) else each for each in self.columns]
        drawn = [[Markup(svg) for svg in column if svg] for column in columns]
        return [column for column in drawn if column]


@dataclass(frozen=True)
class Slider:
    """Crops of one place, two of them beside a line that moves.

    path: of the file that `crops.write` wrote. names: of its methods. left, right: those that are
    shown first. about: what else to say of one in the list to choose from.
    """

    path: Path
    names: Sequence[str]
    label: str
    left: str
    right: str
    about: Mapping[str, str] = field(default_factory=dict)

    @property
    def views(self) -> dict[str, str]:
        """The crops by name, as data URIs."""
        views = crops.read(self.path, self.names)
        return {name: pictures.data_uri(view) for name, view in views.items()}

    @property
    def choices(self) -> dict[str, str]:
        """What the list says of each crop, by name."""
        names = (crops.ORIGINAL, *self.names)
        return {name: ", ".join(filter(None, (name, self.about.get(name)))) for name in names}

    @property
    def ratio(self) -> str:
        """Width by height of one crop."""
        height, width = next(iter(crops.read(self.path, self.names).values())).shape[:2]
        return f"{width / height:.4f}"


@dataclass(frozen=True)
class Sliders:
    """Crops under a heading; without any, the command that writes them."""

    kind: ClassVar = "sliders"
    title: str
    sliders: Sequence[Slider]
    command: str

    def text(self) -> str:
        """Return nothing: a terminal shows no pictures."""
        return ""


@dataclass(frozen=True)
class Drawings:
    """Drawn figures from files, with their captions; without any, the command that draws them."""

    kind: ClassVar = "drawings"
    captions: Mapping[Path, str]
    command: str

    def text(self) -> str:
        """Return nothing: a terminal shows no pictures."""
        return ""

    @property
    def shown(self) -> list[tuple[Markup | None, str, str]]:
        """Of each its SVG or None, a data URI or nothing, and the caption."""
        return [(*_drawn(path), caption) for path, caption in self.captions.items()]


@dataclass(frozen=True)
class Conditions:
    """What was measured on, and the notes that go with it."""

    kind: ClassVar = "conditions"
    machine: Machine
    day: str
    notes: Sequence[str]
    threads: int | None = None

    @classmethod
    def of(cls, result: Measured) -> "Conditions":
        """Return those of results."""
        on = result.environment
        return cls(on, on.measured_on, result.notes, on.threads)

    def text(self) -> str:
        """Return the notes: who measures at a terminal knows the machine."""
        return "\n".join(f"note: {note}" for note in self.notes)

    @property
    def line(self) -> str:
        """The machine in one line."""
        on, count = self.machine, self.threads
        versions = ", ".join(f"{name} {number}" for name, number in on.versions.items())
        threads = f", {count} thread{'' if count == 1 else 's'}" if count else ""
        load = on.load_average[0]
        return f"{self.day}: {on.cpu}{threads}, {on.system}, load average {load}; {versions}"


Piece = Facts | Note | Table | Plots | Sliders | Drawings | Conditions


def text(pieces: Iterable[Piece]) -> str:
    """Return pieces as people read them in a terminal."""
    return "\n\n".join(filter(None, (piece.text() for piece in pieces)))


def minus(cell: str) -> str:
    """Return a cell with a minus sign in place of the hyphen before a number."""
    return f"−{cell[1:]}" if cell[:1] == "-" and cell[1:2].isdigit() else cell


def _drawn(path: Path) -> tuple[Markup | None, str]:
    if path.suffix == ".svg":
        return Markup(path.read_text(encoding="utf-8")), ""
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return None, f"data:image/png;base64,{data}"
