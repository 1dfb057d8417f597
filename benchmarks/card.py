"""The model card of a codec: its data, what it costs, and where it is at its worst.

It is written from the manifest, the checkpoint, the results files and the pictures; no number is
typed. The card goes into the bundle; its pictures stay in the repository, since devices that
install the bundle have no use for them.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from benchmarks import results, weaknesses
from benchmarks.markdown import percent, table
from benchmarks.options import option
from benchmarks.rate_distortion import EVERYDAY
from benchmarks.results import FOLDER
from benchmarks.suite import codec, memory
from benchmarks.weaknesses import Weakness
from train.data import licences
from venturi import Codec, Manifest
from venturi._bundle.load import locate
from venturi._bundle.manifest import CARD, CARD_NAME, FILE_NAME, FileEntry
from venturi._io.files import write_atomically

WORST = 3

Rows = list[list[str]]


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a card is made of."""

    bundle: str = option("codec", "photo")
    weights: str = option("checkpoint, run or shipped name that it was exported from", "photo")
    results: Path = option(
        "folder with codec.json and, if it is there, memory.json, of the same bundle",
        FOLDER, metavar="FOLDER",
    )  # fmt: skip
    data: Path = option("folder of lossless pictures, to look for weaknesses in", metavar="FOLDER")
    pictures: Path = option(
        "folder for crops that show weaknesses", FOLDER / "card", metavar="FOLDER"
    )
    threads: int = option("threads of the graphs", 2)


def run(options: Options) -> int:
    """Write the card and print where it is."""
    print(write(options))
    return 0


def write(options: Options) -> Path:
    """Write the card into the bundle and list it in the manifest; return where it is.

    Raises ValueError when the results or the weights are another bundle's.
    """
    folder = locate(options.bundle)
    manifest = Manifest.load(folder)
    recipe = _recipe(manifest, options.weights)
    measured = _results(manifest, options.results / "codec.json", codec.Result)
    path = options.results / "memory.json"
    large = _results(manifest, path, memory.Result) if path.exists() else None
    worst = weaknesses.find(Codec(folder, threads=options.threads), options.data, count=WORST)
    for weakness in worst:
        weaknesses.draw(options.pictures, manifest.name, weakness)
    place = Path(os.path.relpath(options.pictures, folder)).as_posix()
    text = "\n\n".join(
        [
            _head(manifest),
            licences.section(manifest.pictures),
            _training(manifest, recipe),
            _quality(measured),
            _cost(manifest, measured, large),
            _weaknesses(manifest, worst, place, measured),
        ]
    )
    _put(folder, manifest, text + "\n")
    return folder / CARD_NAME


def _put(folder: Path, manifest: Manifest, text: str) -> None:
    """Write the card, then the manifest that lists it; the fingerprint stays what it was."""
    write_atomically(folder / CARD_NAME, text.encode())
    files = {**manifest.files, CARD: FileEntry.of(folder, CARD_NAME)}
    write_atomically(folder / FILE_NAME, replace(manifest, files=files).to_json().encode())


def _recipe(manifest: Manifest, weights: str) -> dict[str, Any]:
    from train.engine import checkpoint  # torch takes seconds, and other commands do without

    state = checkpoint.load(checkpoint.find(weights))
    actual = checkpoint.weights_hash(state["average"])
    if actual != manifest.provenance.get("weights_sha256"):
        raise ValueError(
            f"weights {weights!r} are {actual[:16]}…; expected those that bundle {manifest.name!r} "
            f"was exported from, {manifest.provenance.get('weights_sha256')!s:.16}…: --weights"
        )
    recipe: dict[str, Any] = state["recipe"]
    return recipe


R = TypeVar("R", codec.Result, memory.Result)


def _results(manifest: Manifest, path: Path, kind: type[R]) -> R:
    result = results.read(path, kind)
    if result.bundle.fingerprint != manifest.fingerprint.hex():
        raise ValueError(
            f"{path} measured bundle {result.bundle.fingerprint}; expected "
            f"{manifest.fingerprint.hex()}: measure it again with python -m benchmarks {path.stem}"
        )
    return result


def _head(manifest: Manifest) -> str:
    return "\n".join(
        [
            f"# Model card: {manifest.name} {manifest.version}",
            "",
            f"{manifest.description} Fingerprint `{manifest.fingerprint.hex()}`; licence of the "
            f"weights: {manifest.provenance.get('licence', 'not said')}.",
            "",
            "For photographs that people look at. Not for what must come back exactly, and not for "
            "text, drawings and screens, none of which it has learned from; a lossy codec's output "
            "is no evidence.",
        ]
    )


def _training(manifest: Manifest, recipe: dict[str, Any]) -> str:
    provenance = manifest.provenance
    rows = [["field", "value"], *([f"`{key}`", f"{value}"] for key, value in recipe.items()
                                  if key not in ("data", "device", "threads"))]  # fmt: skip
    return (
        f"## Recipe\n\n`python -m train {provenance.get('recipe')}`, step "
        f"{provenance.get('steps')} of the "
        f"recipe below; weights `{provenance.get('weights_sha256')}`.\n\n{table(rows)}"
    )


def _quality(result: codec.Result) -> str:
    low, high = result.rates_bpp
    rates: Rows = [["against", "bytes at equal PSNR", "at equal MS-SSIM"]]
    for name, value in result.bd_rate_percent.items():
        both = (value, result.bd_rate_msssim_percent.get(name))
        rates.append([result.labels[name], *map(percent, both)])
    points: Rows = [["quality", "bpp", "PSNR, dB", "MS-SSIM"]]
    for point in result.points[codec.OURS]:
        values = f"{point.bpp:.3f}", f"{point.psnr_db:.2f}", f"{point.msssim:.4f}"
        points.append([f"{point.quality:g}", *values])
    return (
        f"## Quality\n\nMeans of {result.data.pictures} pictures of {result.data.folder}, file "
        f"sizes as written; BD-rate over {low} to {high} bpp, less is better.\n\n{table(rates)}\n\n"
        f"{table(points)}"
    )


def _cost(manifest: Manifest, result: codec.Result, large: memory.Result | None) -> str:
    rows: Rows = [["codec", "encode, ms", "decode, ms"]]
    for name, label in result.labels.items():
        times = result.latency[name]
        rows.append([label, f"{times.encode.median_ms:.1f}", f"{times.decode.median_ms:.1f}"])
    picture, machine = result.timed_picture, result.environment
    parts = ", ".join(f"{role} {value:.1f}" for role, value in result.kmac_per_pixel.items())
    size_mb = sum(entry.bytes for role, entry in manifest.files.items() if role != CARD) / 1e6
    lines = [
        f"## Cost\n\nMedians of whole calls on {picture.width}×{picture.height} pixels, "
        f"{machine.cpu}, {machine.threads} threads, load average "
        f"{machine.load_average[0]:.1f} before the run.",
        table(rows),
        f"kMAC per pixel: {parts}. The bundle has {size_mb:.1f} MB.",
    ]
    if large is not None:
        calls = {name: large.calls[name] for name in ("compress", "decompress")}
        beyond = " and ".join(f"{c.beyond_picture_mb:.0f} MB to {n}" for n, c in calls.items())
        sides = f"{large.picture.width}×{large.picture.height}"
        lines.append(f"Memory beyond a picture of {sides} pixels: {beyond} it.")
    return "\n\n".join(lines)


def _weaknesses(manifest: Manifest, worst: list[Weakness], place: str, result: codec.Result) -> str:
    grows = "" if result.grows_with_quality_on_every_picture else "not "
    lines = [
        "## Known weaknesses",
        f"Bytes and PSNR do {grows}grow with quality on every picture measured.",
        "Where it does worst beside WebP of no more bytes: in each row the original, Venturi at "
        f"quality {EVERYDAY}, and WebP, at the place of Venturi's largest error. The "
        "pictures are in the source repository alone.",
    ]
    for weakness in worst:
        name = weaknesses.file_name(manifest.name, weakness)
        lines.append(
            f"![{weakness.picture}: original, Venturi, WebP]({place}/{name})\n\n"
            f"{weakness.picture}, {weakness.bpp:.2f} bpp: Venturi {weakness.psnr_db:.2f} dB, WebP "
            f"{weakness.webp_psnr_db:.2f} dB as a whole."
        )
    return "\n\n".join(lines)
