"""The codec's part of the report."""

from pathlib import Path

from benchmarks import codec, crops, results
from benchmarks.report import charts, markup

NAME = "codec"
TITLE = "Compression"
COMMAND = "python -m benchmarks codec --data FOLDER --json benchmarks/results/codec.json"
ANCHOR = "jpeg"


def parts(found: results.Results, folder: Path) -> list[str]:
    """Return the pieces of the section. folder: of the results, where the crops are."""
    low, high = found["rates_bpp"]
    caption = f"Venturi's bytes at equal quality, {low} to {high} bpp, and times at its quality 50"
    shares = ", ".join(
        f"{call} {share:.0%}" for call, share in found["share_outside_graphs"].items()
    )
    return [
        markup.facts(_facts(found)),
        markup.grid(
            markup.plate(codec.curves(found, "psnr_db")),
            markup.plate(codec.curves(found, "msssim")),
            *(markup.plate(_over_time(found, call)) for call in ("encode", "decode")),
        ),
        markup.table(codec.summary_rows(found), caption=caption),
        markup.note(f"Of the whole call outside the graphs: {shares}."),
        markup.folded(
            "All points of the curves",
            markup.table(codec.point_rows(found), caption="All points of the curves"),
        ),
        _crops(found, folder),
        markup.machine(found),
    ]


def _facts(found: results.Results) -> dict[str, str]:
    ours = found["latency"][codec.OURS]
    arithmetic = found["kmac_per_pixel"]
    facts = {
        f"bytes against {_short(found, name)}": f"{value:+.1f} %".replace("-", "−")
        for name, value in found["bd_rate_percent"].items()
        if value is not None and name in ("jpeg", "webp", "avif6")
    }
    picture = found["latency"]["picture"]
    size = f"{picture['width']}×{picture['height']}"
    return facts | {
        f"encode, {size}": f"{ours['encode']['median_ms']:.0f} ms",
        f"decode, {size}": f"{ours['decode']['median_ms']:.0f} ms",
        "kMAC per pixel, in + out": f"{arithmetic['encoder']:.1f} + {arithmetic['decoder']:.1f}",
    }


def _over_time(found: results.Results, call: str) -> str:
    """Return each codec's bytes against JPEG over its time, all at one rate."""
    rates = {ANCHOR: 0.0} | found["bd_rate_percent_by_anchor"].get(ANCHOR, {})
    points = {
        _short(found, name): (found["latency"][name][call]["median_ms"], rates[name])
        for name in found["labels"]
        if name in rates
    }
    return charts.scatter(
        points,
        title=f"Bytes at equal PSNR over the time to {call}",
        x="ms",
        y="% of bytes against JPEG",
        hint="better: down, left",
    )


def _short(found: results.Results, name: str) -> str:
    """Return a label without what a classic codec's settings are; ours differ in nothing else."""
    label = str(found["labels"][name])
    return label if name.startswith(codec.OURS) else label.partition(",")[0]


def _crops(found: results.Results, folder: Path) -> str:
    """Return the crops of each codec under a slider, at nearly one size of file."""
    files = sorted((folder / found.get("crops", "codec-crops")).glob("*.png"))
    names = [_short(found, name) for name in found["labels"]]
    if not files or "crop_figures" not in found:
        return markup.note(
            "No crops beside these results: they are pictures, so they are not kept with them. "
            f"{COMMAND} writes them."
        )
    rivals = [
        n for n, key in zip(names, found["labels"], strict=True) if not key.startswith(codec.OURS)
    ]
    left = rivals[0] if rivals else names[0]
    figures = []
    for path in files:
        costs = found["crop_figures"][path.stem]
        about = {
            _short(found, name): f"{cost['bpp']:.2f} bpp, {cost['psnr_db']:.1f} dB"
            for name, cost in costs.items()
        }
        views = crops.read(path, names)
        figures.append(
            markup.slider(views, label=path.stem, left=left, right=names[0], about=about)
        )
    return markup.heading("Crops, at about the bytes of Venturi's quality 50") + markup.grid(
        *figures
    )
