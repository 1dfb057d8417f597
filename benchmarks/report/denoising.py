"""The denoiser's part of the report."""

from pathlib import Path

from benchmarks import crops, denoise, results
from benchmarks.report import charts, markup

NAME = "denoise"
TITLE = "Denoising"
COMMAND = "python -m benchmarks denoise --data FOLDER --json benchmarks/results/denoise.json"

_SHOWN = (f"{denoise.CLEAN_SET}-sigma{denoise.LATENCY_SIGMA}", denoise.REAL_SET, "clean")
_OF_EACH = 3


def parts(found: results.Results, folder: Path) -> list[str]:
    """Return the pieces of the section. folder: of the results, where the crops are."""
    return [
        markup.facts(_facts(found)),
        markup.note(
            "Venturi is blind; the other filters are told the noise and set at their best for it."
        ),
        markup.grid(*(markup.plate(_over_time(found, size)) for size in found["latency"])),
        markup.table(denoise.quality_rows(found), caption="PSNR in dB, mean of the pictures"),
        markup.table(denoise.latency_rows(found), caption="Time of a whole call in ms"),
        _crops(found, folder),
        markup.machine(found),
    ]


def _facts(found: results.Results) -> dict[str, str]:
    facts = {}
    for name, sigmas in found["gaussian_psnr_db"].items():
        if name == denoise.CLEAN_SET:
            for sigma, means in sigmas.items():
                facts[f"{name}, σ = {sigma}"] = f"{means[denoise.OURS]:.2f} dB"
    for name, means in found["real_psnr_db"].items():
        facts[f"{name}, camera noise"] = f"{means[denoise.OURS]:.2f} dB"
    for size, times in found["latency"].items():
        facts[f"a frame of {size.replace('x', '×')}"] = f"{times[denoise.OURS]['median_ms']:.0f} ms"
    return facts


def _over_time(found: results.Results, size: str) -> str:
    """Return each method's quality on the first set over its time for one size of frame."""
    for name, sigmas in found["gaussian_psnr_db"].items():
        means = sigmas[str(denoise.LATENCY_SIGMA)]
        points = {
            label: (found["latency"][size][method]["median_ms"], means[method])
            for method, label in found["labels"].items()
            if method != denoise.NOISY
        }
        title = f"{name}, σ = {denoise.LATENCY_SIGMA}, over the time for {size.replace('x', '×')}"
        return charts.scatter(points, title=title, x="ms", y="PSNR, dB")
    return ""


def _crops(found: results.Results, folder: Path) -> str:
    """Return the crops of each method under a slider."""
    files = [
        path
        for name in _SHOWN
        for path in sorted((folder / found["crops"] / name).glob("*.png"))[:_OF_EACH]
    ]
    if not files:
        return markup.note(
            "No crops beside these results: they are pictures, so they are not kept with them. "
            f"{COMMAND} writes them."
        )
    figures = []
    for path in files:
        clean = path.parent.name == "clean"
        methods = list(found["bundles"]) if clean else list(found["labels"])
        views = crops.read(path, [found["labels"][name] for name in methods])
        left = crops.ORIGINAL if clean else found["labels"][denoise.NOISY]
        right = found["labels"][denoise.OURS]
        label = f"{path.parent.name}, {path.stem}"
        figures.append(markup.slider(views, label=label, left=left, right=right, about={}))
    return markup.heading("Crops") + markup.grid(*figures)
