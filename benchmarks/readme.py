"""The README's figures, written between two marks from the results files, or checked."""

from pathlib import Path

from benchmarks import codec, denoise, results

BEGIN = "<!-- results:begin -->"
END = "<!-- results:end -->"
README = Path(__file__).parents[1] / "README.md"

Rows = list[list[str]]


def rewritten(readme: str, folder: Path = results.FOLDER) -> str:
    """Return the README's text with the block between the marks made from the results.

    Raises ValueError when the marks are not there exactly once, or when there are no results.
    """
    for mark in (BEGIN, END):
        if readme.count(mark) != 1:
            raise ValueError(f"the README has {mark} {readme.count(mark)} times; expected once")
    before, _, rest = readme.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError(f"the README has {END} before {BEGIN}; put it after")
    return f"{before}{BEGIN}\n{block(folder)}\n{END}{after}"


def block(folder: Path = results.FOLDER) -> str:
    """Return the figures as Markdown."""
    sections = {"codec.json": _codec, "denoise.json": _denoise}
    parts = [
        section(results.read(folder / name))
        for name, section in sections.items()
        if (folder / name).exists()
    ]
    if not parts:
        raise ValueError(
            f"{folder} has neither {' nor '.join(sections)}: "
            "write one with python -m benchmarks codec|denoise --json"
        )
    return "\n\n".join(parts)


def _codec(found: results.Results) -> str:
    low, high = found["rates_bpp"]
    rows: Rows = [
        ["codec", "Venturi's bytes (PSNR)", "Venturi's bytes (MS-SSIM)", "encode", "decode"]
    ]
    for name, label in found["labels"].items():
        times = found["latency"][name]
        ours = name == codec.OURS
        rows.append(
            [
                f"**{label}**" if ours else label,
                "" if ours else _percent(found["bd_rate_percent"][name]),
                "" if ours else _percent(found["bd_rate_msssim_percent"][name]),
                f"{times['encode']['median_ms']:.1f} ms",
                f"{times['decode']['median_ms']:.1f} ms",
            ]
        )
    picture = found["latency"]["picture"]
    arithmetic = found["kmac_per_pixel"]
    return "\n\n".join(
        [
            f"Compression of {found['data']['pictures']} pictures ({found['data']['folder']}): "
            f"bytes at equal quality against each codec (BD-rate, {low}–{high} bpp), and the "
            f"median time of a {picture['width']}×{picture['height']} picture at the rate of "
            f"`quality=50`.",
            _markdown(rows),
            f"Arithmetic: encoder {arithmetic['encoder']:.1f}, entropy model "
            f"{arithmetic['entropy']:.1f}, decoder {arithmetic['decoder']:.1f} kMAC per pixel. "
            + _machine(found),
        ]
    )


def _denoise(found: results.Results) -> str:
    columns = [
        (f"{name}, σ = {sigma}", means)
        for name, sigmas in found["gaussian_psnr_db"].items()
        for sigma, means in sigmas.items()
    ]
    columns += [(f"{name}, camera noise", means) for name, means in found["real_psnr_db"].items()]
    sizes = found["latency"]
    rows: Rows = [["PSNR, dB", *(title for title, _ in columns), *sizes]]
    for name, label in found["labels"].items():
        cells = [f"{means[name]:.2f}" for _, means in columns]
        times = [
            "" if name == denoise.NOISY else f"{sizes[size][name]['median_ms']:.1f} ms"
            for size in sizes
        ]
        shown = f"**{label}**" if name == denoise.OURS else label
        rows.append([shown, *cells, *times])
    return "\n\n".join(
        [
            "Denoising: Venturi is blind, OpenCV's filters are told the noise and set at their "
            "best for it. Times are medians of the whole call.",
            _markdown(rows),
            _machine(found),
        ]
    )


def _machine(found: results.Results) -> str:
    machine = found["environment"]
    return (
        f"Measured on {machine['cpu']}, {machine['threads']} threads, "
        f"load average {machine['load_average'][0]:.1f} before the run."
    )


def _percent(value: float | None) -> str:
    return "n/a" if value is None else f"{value:+.1f} %".replace("-", "−")


def _markdown(rows: Rows) -> str:
    ruler = ["---", *("---:" for _ in rows[0][1:])]
    return "\n".join("| " + " | ".join(row) + " |" for row in [rows[0], ruler, *rows[1:]])
