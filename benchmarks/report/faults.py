"""What was tried to break it: the robustness table's part of the report."""

from pathlib import Path

from benchmarks import results
from benchmarks.report import markup

NAME = "robustness"
TITLE = "Robustness"
COMMAND = "python -m pytest tests/robustness --full"


def parts(found: results.Results, folder: Path) -> list[str]:
    """Return the pieces of the section."""
    del folder
    tried = sum(row["tried"] for row in found["rows"])
    lost = sum(row["lost"] for row in found["rows"])
    days = sorted({row["environment"]["measured_on"] for row in found["rows"]})
    rows = [["fault", "what must happen", "tried", "lost", "seconds", "figures"]]
    for row in found["rows"]:
        figures = ", ".join(f"{name} {value:g}" for name, value in row["figures"].items())
        numbers = (row["tried"], row["lost"], row["seconds"])
        rows.append([row["fault"], row["promise"], *map(str, numbers), figures])
    return [
        markup.facts({"cases tried": f"{tried:,}", "not as promised": str(lost)}),
        markup.table(rows, caption="Faults, and what must happen", ours=" "),
        markup.note(f"Tried on {', '.join(days)}."),
    ]
