"""The figures of the pages, written between two marks from the results files."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks import adapt, codec, denoise, mnist, results, video
from benchmarks.markdown import percent, table

BEGIN = "<!-- results:begin -->"
END = "<!-- results:end -->"
README = Path(__file__).parents[1] / "README.md"
AUTOENCODERS = README.with_name("AUTOENCODERS.md")
SECURITY = README.with_name("SECURITY.md")

Rows = list[list[str]]
Sections = Mapping[str, Callable[[results.Results, Path], str]]


def stale(folder: Path = results.FOLDER) -> dict[Path, str]:
    """Return what the pages should hold and do not; one without results holds no figures.

    Raises ValueError when no page has any results.
    """
    if not any(_present(folder, sections) for sections in PAGES.values()):
        block(folder)
    found = {}
    for page, sections in PAGES.items():
        old = page.read_text(encoding="utf-8")
        if _present(folder, sections):
            new = rewritten(old, folder, sections)
        else:
            before, _, after = _apart(old)
            new = f"{before}{BEGIN}\n{END}{after}"
        if new != old:
            found[page] = new
    return found


def typed(page: str) -> list[str]:
    """Return what looks measured outside the block: a number with a unit of time, quality or rate.

    Code and commands are left out: what they say is to be typed.
    """
    before, _, after = _apart(page)
    prose = re.sub(r"```.*?```|`[^`]*`", "", before + after, flags=re.DOTALL)
    return [found.group() for found in _MEASURED.finditer(prose)]


_UNITS = "ms|µs|us|fps|dB|bpp|%|kMAC|GMAC|MB/s|GB/s|nats|ns|times faster|times smaller|× faster"
_MEASURED = re.compile(rf"\d[\d.,]*[\s\u00a0\u202f]?(?:{_UNITS})(?!\w)")


def rewritten(readme: str, folder: Path = results.FOLDER, sections: Sections | None = None) -> str:
    """Return a page's text with the block between the marks made from the results.

    Raises ValueError when the marks are not there exactly once, or when there are no results.
    """
    before, _, after = _apart(readme)
    return f"{before}{BEGIN}\n{block(folder, sections)}\n{END}{after}"


def _apart(page: str) -> tuple[str, str, str]:
    """Return what is before, between and after the marks."""
    for mark in (BEGIN, END):
        if page.count(mark) != 1:
            raise ValueError(f"the page has {mark} {page.count(mark)} times; expected once")
    before, _, rest = page.partition(BEGIN)
    between, found, after = rest.partition(END)
    if not found:
        raise ValueError(f"the page has {END} before {BEGIN}; put it after")
    return before, between, after


def block(folder: Path = results.FOLDER, sections: Sections | None = None) -> str:
    """Return the figures of a page, by default the README's, as Markdown."""
    sections = PAGES[README] if sections is None else sections
    names = _present(folder, sections)
    parts = [sections[name](results.read(folder / name), folder) for name in names]
    if not parts:
        raise ValueError(
            f"{folder} has no {' and no '.join(sections)}: "
            "write one with python -m benchmarks codec|denoise|mnist --json"
        )
    return "\n\n".join(parts)


def _present(folder: Path, sections: Sections) -> list[str]:
    return [name for name in sections if (folder / name).exists()]


def _codec(found: results.Results, _: Path) -> str:
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
                "" if ours else percent(found["bd_rate_percent"][name]),
                "" if ours else percent(found["bd_rate_msssim_percent"][name]),
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
            table(rows),
            f"Arithmetic: encoder {arithmetic['encoder']:.1f}, entropy model "
            f"{arithmetic['entropy']:.1f}, decoder {arithmetic['decoder']:.1f} kMAC per pixel. "
            + _machine(found),
        ]
    )


def _denoise(found: results.Results, _: Path) -> str:
    columns = [
        (f"{name}, σ = {sigma}", means)
        for name, sigmas in found["gaussian_psnr_db"].items()
        for sigma, means in sigmas.items()
    ]
    columns += [(f"{name}, camera noise", means) for name, means in found["real_psnr_db"].items()]
    sizes = found["latency"]
    rows: Rows = [["PSNR, dB", *(title for title, _ in columns), *sizes]]
    for name, label in denoise.timed(found).items():
        cells = [f"{means[name]:.2f}" if name in means else "" for _, means in columns]
        times = [
            "" if name == denoise.NOISY else f"{sizes[size][name]['median_ms']:.1f} ms"
            for size in sizes
        ]
        shown = f"**{label}**" if name in found["bundles"] else label
        rows.append([shown, *cells, *times])
    return "\n\n".join(
        [
            "Denoising: Venturi is blind, OpenCV's filters are told the noise and set at their "
            "best for it. Times are medians of the whole call.",
            table(rows),
            _machine(found),
        ]
    )


def _video(found: results.Results, _: Path) -> str:
    return "\n\n".join(
        [
            f"A stream of frames (`{found['bundle']['name']}`) beside the denoiser of one frame "
            f"(`{found['still_bundle']['name']}`): a clip, pans of several speeds over "
            "photographs, the first frame of another scene.",
            table(video.rows(found)),
        ]
    )


def _adapt(found: results.Results, _: Path) -> str:
    kind, elsewhere = (found[part]["data"] for part in ("kind", "elsewhere"))
    return "\n\n".join(
        [
            f"The photo codec adapted to one kind of picture: its bytes at equal quality against "
            f"each other codec, on {kind['pictures']} pictures of that kind ({kind['folder']}) and "
            f"on {elsewhere['pictures']} others ({elsewhere['folder']}).",
            table(adapt.rows(found)),
        ]
    )


def _mnist(found: results.Results, folder: Path) -> str:
    fewest, lossless = found["fewest_bytes"], found["lossless_bytes"]["mnist"]["png"]
    parts = [table(mnist.rows(found))]
    if fewest:
        parts.append(
            f"Fewest bytes at a squared error of at most {fewest['at_most_mse']}: "
            f"`{fewest['recipe']}`, {fewest['bytes_per_digit']:.1f} bytes for a digit, "
            f"{fewest['bytes_per_digit'] / lossless:.2f} of PNG's."
        )
    models = found["models"]
    for name, model in models.items():
        if "negative_elbo_nats" in model:
            bound = model["negative_elbo_nats"]
            parts.append(f"`{name}`: negative evidence lower bound {bound:.1f} nats.")
        if "noisy_psnr_db" in model:
            noisy, clean = model["noisy_psnr_db"], model["test_psnr_db"]
            parts.append(f"`{name}`: {noisy:.2f} dB before, {clean:.2f} dB after.")
    if "mnist-sparse" in models:
        share = models["mnist-sparse"]["zero_share"]
        parts.append(f"`mnist-sparse`: {share:.0%} of the code is exactly zero.")
    figures = _figures(folder / found["figures"] / "mnist", list(models))
    return "\n\n".join([*parts, _machine(found), *figures])


def _figures(folder: Path, recipes: list[str]) -> list[str]:
    """Return the figures that are there: pictures, drawn ones, maps of the codes."""
    kinds = {
        "{}.png": "{}: originals above, what came out below",
        "{}-generated.png": "{}: drawn from nothing",
        "{}-map.svg": "{}: codes on their two main axes, a colour for each digit",
    }
    lines = []
    for pattern, words in kinds.items():
        for recipe in recipes:
            path = folder / pattern.format(recipe)
            if path.exists():
                lines.append(f"![{words.format(recipe)}]({_place(path)})")
    maps = [line for line in lines if ".svg" in line]
    return [line for line in lines if line not in maps] + ([" ".join(maps)] if maps else [])


def _place(path: Path) -> str:
    root = README.parent
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def _robustness(found: results.Results, _: Path) -> str:
    rows: Rows = [["fault", "what must happen", "tried", "lost"]]
    for row in found["rows"]:
        rows.append([row["fault"], row["promise"], f"{row['tried']:,}", f"{row['lost']:,}"])
    days = sorted({row["environment"]["measured_on"] for row in found["rows"]})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return f"{table(rows)}\n\nTried on {when}."


def _machine(found: results.Results) -> str:
    machine = found["environment"]
    return (
        f"Measured on {machine['cpu']}, {machine['threads']} threads, "
        f"load average {machine['load_average'][0]:.1f} before the run."
    )


PAGES: Mapping[Path, Sections] = {
    README: {
        "codec.json": _codec,
        "denoise.json": _denoise,
        "video.json": _video,
        "adapt.json": _adapt,
    },
    AUTOENCODERS: {"mnist.json": _mnist},
    SECURITY: {"robustness.json": _robustness},
}
"""The pages that have figures, and the results that each is made from."""
