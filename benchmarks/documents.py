"""The figures of the documents, written from the results files between two marks.

    <!-- results:begin codec -->    codec names a benchmark
    what its results say
    <!-- results:end -->

Any document may hold any number of these blocks, and they may be moved: README.md, AUTOENCODERS.md,
SECURITY.md and everything in docs/ is looked through.
"""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks import adapt, codec, denoise, mnist, results, video
from benchmarks.markdown import percent, table

ROOT = Path(__file__).parents[1]
END = "<!-- results:end -->"

Rows = list[list[str]]

_BLOCK = re.compile(rf"<!-- results:begin (\w+) -->\n(.*?){END}", re.DOTALL)
_MARK = re.compile(r"<!-- results:(begin|end)\b[^>]*-->")
_UNITS = "ms|µs|us|fps|dB|bpp|%|kMAC|GMAC|MB/s|GB/s|nats|ns|times faster|times smaller|× faster"
_MEASURED = re.compile(rf"\d[\d.,]*[\s\u00a0\u202f]?(?:{_UNITS})(?!\w)")


def begin(name: str) -> str:
    """Return the mark that a block of a benchmark begins with."""
    return f"<!-- results:begin {name} -->"


def pages(root: Path = ROOT) -> list[Path]:
    """Return the documents that hold results."""
    found = [root / name for name in ("README.md", "AUTOENCODERS.md", "SECURITY.md")]
    found += sorted((root / "docs").rglob("*.md"))
    return [page for page in found if page.exists() and _MARK.search(_read(page))]


def holding(name: str, root: Path = ROOT) -> list[Path]:
    """Return the documents that hold the results of a benchmark."""
    return [page for page in pages(root) if begin(name) in _read(page)]


def stale(folder: Path = results.FOLDER, root: Path = ROOT) -> dict[Path, str]:
    """Return the documents that are not as the results say, with the text that they should have.

    Raises ValueError when the marks of one are not in order or name an unknown benchmark.
    """
    fresh = {page: rewritten(page, folder) for page in pages(root)}
    return {page: text for page, text in fresh.items() if text != _read(page)}


def rewritten(page: Path, folder: Path = results.FOLDER) -> str:
    """Return a document's text with its blocks made from the results; empty where there are none.

    Raises ValueError when a mark is missing or names an unknown benchmark.
    """
    text = _read(page)
    _check(text, page)

    def fresh(found: re.Match[str]) -> str:
        content = block(found[1], folder, page.parent)
        return f"{begin(found[1])}\n{content}{END}"

    return _BLOCK.sub(fresh, text)


def block(name: str, folder: Path = results.FOLDER, place: Path = ROOT) -> str:
    """Return the figures of a benchmark as Markdown; nothing when it has no results.

    place: the folder of the document, which links are relative to.
    """
    path = folder / f"{name}.json"
    if not path.exists():
        return ""
    content = SECTIONS[name](results.read(path), folder)
    there = Path(os.path.relpath(folder, place)).as_posix()
    return content.replace(f"]({folder.as_posix()}/", f"]({there}/") + "\n"


def typed(page: str) -> list[str]:
    """Return what looks measured outside the blocks: a number with a unit of time, quality or rate.

    Code and commands are left out: what they say is to be typed.
    """
    prose = re.sub(r"```.*?```|`[^`]*`", "", _BLOCK.sub("", page), flags=re.DOTALL)
    return [found.group() for found in _MEASURED.finditer(prose)]


def _read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def _check(text: str, page: Path) -> None:
    """Raise unless begin and end take turns and every block names a benchmark."""
    kinds = [found[1] for found in _MARK.finditer(text)]
    if kinds != ["begin", "end"] * (len(kinds) // 2):
        raise ValueError(
            f"{page} has the marks {' '.join(kinds)}; expected begin and end in turn: "
            f"write {begin('NAME')} before and {END} after each block"
        )
    named = _BLOCK.findall(text)
    unknown = {name for name, _ in named} - set(SECTIONS)
    if unknown or len(named) != len(kinds) // 2:
        raise ValueError(
            f"{page} names {', '.join(sorted(unknown)) or 'no benchmark'}; expected one of "
            f"{', '.join(SECTIONS)}: write {begin('NAME')}"
        )


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
                lines.append(f"![{words.format(recipe)}]({path.as_posix()})")
    maps = [line for line in lines if ".svg" in line]
    return [line for line in lines if line not in maps] + ([" ".join(maps)] if maps else [])


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


SECTIONS: Mapping[str, Callable[[results.Results, Path], str]] = {
    "codec": _codec,
    "denoise": _denoise,
    "video": _video,
    "adapt": _adapt,
    "mnist": _mnist,
    "robustness": _robustness,
}
"""What stands in a block, by the name in its mark."""
