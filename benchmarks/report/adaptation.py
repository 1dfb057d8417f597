"""What fine-tuning the codec to one kind of picture gains: its part of the report."""

from pathlib import Path

from benchmarks import adapt, codec, results
from benchmarks.markdown import percent
from benchmarks.report import markup

NAME = "adapt"
TITLE = "Adaptation"
COMMAND = "python -m benchmarks adapt --bundle BUNDLE --data FOLDER --elsewhere FOLDER"


def parts(found: results.Results, folder: Path) -> list[str]:
    """Return the pieces of the section."""
    del folder
    return [
        markup.facts(_facts(found)),
        markup.note(
            f"The general codec ({found['general_bundle']['name']}) beside itself trained on with "
            f"one kind of picture ({found['bundle']['name']}, {found['steps']:,} steps): on others "
            "of the kind, which it has not seen, and elsewhere. Fewer bytes are better."
        ),
        markup.grid(*(markup.plate(_curves(found, part)) for part in ("kind", "elsewhere"))),
        markup.table(
            adapt.rows(found), caption="Bytes of the adapted codec at equal PSNR (BD-rate)"
        ),
        *(
            markup.folded(words, markup.table(_points(found, part), caption=words))
            for part, words in (
                ("kind", "All points on pictures of the kind"),
                ("elsewhere", "All points elsewhere"),
            )
        ),
        markup.machine(found),
    ]


def _facts(found: results.Results) -> dict[str, str]:
    facts = {}
    for part, words in (("kind", "on its kind"), ("elsewhere", "elsewhere")):
        gain = found[part]["bd_rate_percent"].get(adapt.GENERAL)
        if gain is not None:
            facts[f"bytes against the general codec, {words}"] = percent(gain)
    return facts


def _curves(found: results.Results, part: str) -> str:
    return codec.curves(found[part] | {"labels": found["labels"]}, "psnr_db")


def _points(found: results.Results, part: str) -> list[list[str]]:
    return codec.point_rows(found[part] | {"labels": found["labels"]})
