"""Results as Markdown."""

from collections.abc import Sequence

from benchmarks.results import Environment


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as a table, headings first; the first column to the left, the others right."""
    ruler = ["---", *("---:" for _ in rows[0][1:])]
    return "\n".join("| " + " | ".join(row) + " |" for row in [rows[0], ruler, *rows[1:]])


def percent(value: float | None) -> str:
    """Return a signed percentage."""
    return "n/a" if value is None else f"{value:+.1f} %".replace("-", "−")


def machine(on: Environment) -> str:
    """Return what was measured on, as a sentence."""
    return (
        f"Measured on {on.cpu}, {on.threads} threads, "
        f"load average {on.load_average[0]:.1f} before the run."
    )
