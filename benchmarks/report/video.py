"""A stream of frames beside the still denoiser: its part of the report."""

from pathlib import Path

from benchmarks import results, video
from benchmarks.report import charts, markup

NAME = "video"
TITLE = "Video"
COMMAND = "python -m benchmarks video --data FOLDER"

_STILL, _STREAM = "still", "stream"


def parts(found: results.Results, folder: Path) -> list[str]:
    """Return the pieces of the section."""
    del folder
    by_sequence = [list(row) for row in zip(*video.rows(found), strict=True)]
    return [
        markup.facts(_facts(found)),
        markup.note(
            f"Frames, each with Gaussian noise of its own (σ = {found['sigma']:g}), cleaned by a "
            f"stream that remembers those before ({found['bundle']['name']}), and one by one by "
            f"the still denoiser ({found['still_bundle']['name']}). What memory gains where little "
            "moves it must not lose where much does: so pans of every speed, and cuts, are beside "
            "the clips."
        ),
        markup.grid(markup.plate(_gains(found))),
        markup.table(by_sequence, caption="PSNR in dB, mean of the frames", ours=" "),
        markup.machine(found),
    ]


def _facts(found: results.Results) -> dict[str, str]:
    sequences = dict(found["clips_psnr_db"])
    if found["cut_psnr_db"]:
        sequences["the frame after a cut"] = found["cut_psnr_db"]
    return {
        f"beyond the still denoiser, {name}": f"{_gain(means, _STREAM):+.2f} dB".replace("-", "−")
        for name, means in sequences.items()
    }


def _gains(found: results.Results) -> str:
    """Return what each method has beyond the still denoiser, over the speed of a pan."""
    curves = {
        found["labels"][method]: [
            (float(speed), _gain(means, method)) for speed, means in found["pans_psnr_db"].items()
        ]
        for method in (_STREAM, "alone", _STILL)
    }
    title = "Beyond the still denoiser, over the speed of a pan"
    return charts.lines(curves, title=title, x="pixels per frame", y="PSNR, dB")


def _gain(means: dict[str, float], method: str) -> float:
    return means[method] - means[_STILL]
