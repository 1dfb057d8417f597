"""The model card of a codec: what it was made of, what it costs, and where it is at its worst.

It is written from the manifest, the checkpoint, the results files and the pictures; no number is
typed. The card goes into the bundle; its pictures stay in the repository, since devices that
install the bundle have no use for them.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks import codec, results, weaknesses
from benchmarks.markdown import percent, table
from benchmarks.weaknesses import Weakness
from train.data import licences
from train.engine import checkpoint
from venturi import Codec, Manifest
from venturi._bundle.load import locate
from venturi._bundle.manifest import CARD, CARD_NAME, FILE_NAME, FileEntry
from venturi._io.files import write_atomically

WORST = 3

Rows = list[list[str]]


@dataclass(frozen=True)
class Options:
    """What a card is made of.

    bundle: name or path of a codec. weights: name or path of its checkpoint. results: folder with
    codec.json and, if it is there, memory.json, of the same bundle. data: folder of lossless
    pictures, to find its weaknesses in. pictures: folder for crops of them. threads: of the graphs.
    """

    bundle: str
    weights: str
    results: Path
    data: Path
    pictures: Path
    threads: int


def write(options: Options) -> Path:
    """Write the card into the bundle and list it in the manifest; return where it is.

    Raises ValueError when the results or the weights are another bundle's.
    """
    folder = locate(options.bundle)
    manifest = Manifest.load(folder)
    recipe = _recipe(manifest, options.weights)
    found = _results(manifest, options.results / "codec.json")
    memory_path = options.results / "memory.json"
    memory = _results(manifest, memory_path) if memory_path.exists() else None
    worst = weaknesses.find(Codec(folder, threads=options.threads), options.data, count=WORST)
    for weakness in worst:
        weaknesses.draw(options.pictures, manifest.name, weakness)
    place = Path(os.path.relpath(options.pictures, folder)).as_posix()
    text = "\n\n".join(
        [
            _head(manifest),
            licences.section(manifest.pictures),
            _training(manifest, recipe),
            _quality(found),
            _cost(manifest, found, memory),
            _weaknesses(manifest, worst, place, found),
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
    state = checkpoint.load(checkpoint.find(weights))
    found = checkpoint.weights_hash(state["average"])
    if found != manifest.provenance.get("weights_sha256"):
        raise ValueError(
            f"weights {weights!r} are {found[:16]}…; expected those that bundle {manifest.name!r} "
            f"was exported from, {manifest.provenance.get('weights_sha256')!s:.16}…: --weights"
        )
    recipe: dict[str, Any] = state["recipe"]
    return recipe


def _results(manifest: Manifest, path: Path) -> results.Results:
    found = results.read(path)
    if found["bundle"]["fingerprint"] != manifest.fingerprint.hex():
        raise ValueError(
            f"{path} measured bundle {found['bundle']['fingerprint']}; expected "
            f"{manifest.fingerprint.hex()}: measure it again with python -m benchmarks {path.stem}"
        )
    return found


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
    told = manifest.provenance
    rows = [["field", "value"], *([f"`{key}`", f"{value}"] for key, value in recipe.items()
                                  if key not in ("data", "device", "threads"))]  # fmt: skip
    return (
        f"## Recipe\n\n`python -m train {told.get('recipe')}`, step {told.get('steps')} of the "
        f"recipe below; weights `{told.get('weights_sha256')}`.\n\n{table(rows)}"
    )


def _quality(found: results.Results) -> str:
    low, high = found["rates_bpp"]
    rates: Rows = [["against", "bytes at equal PSNR", "at equal MS-SSIM"]]
    for name, value in found["bd_rate_percent"].items():
        both = (value, found["bd_rate_msssim_percent"].get(name))
        rates.append([found["labels"][name], *map(percent, both)])
    points: Rows = [["quality", "bpp", "PSNR, dB", "MS-SSIM"]]
    for point in found["points"][codec.OURS]:
        values = f"{point['bpp']:.3f}", f"{point['psnr_db']:.2f}", f"{point['msssim']:.4f}"
        points.append([f"{point['quality']:g}", *values])
    data = found["data"]
    return (
        f"## Quality\n\nMeans of {data['pictures']} pictures of {data['folder']}, file sizes as "
        f"written; BD-rate over {low} to {high} bpp, less is better.\n\n{table(rates)}\n\n"
        f"{table(points)}"
    )


def _cost(manifest: Manifest, found: results.Results, memory: results.Results | None) -> str:
    rows: Rows = [["codec", "encode, ms", "decode, ms"]]
    for name, label in found["labels"].items():
        times = (found["latency"][name][call]["median_ms"] for call in ("encode", "decode"))
        rows.append([label, *(f"{time:.1f}" for time in times)])
    picture, machine = found["latency"]["picture"], found["environment"]
    parts = ", ".join(f"{role} {value:.1f}" for role, value in found["kmac_per_pixel"].items())
    size_mb = sum(entry.bytes for role, entry in manifest.files.items() if role != CARD) / 1e6
    lines = [
        f"## Cost\n\nMedians of whole calls on {picture['width']}×{picture['height']} pixels, "
        f"{machine['cpu']}, {machine['threads']} threads, load average "
        f"{machine['load_average'][0]:.1f} before the run.",
        table(rows),
        f"kMAC per pixel: {parts}. The bundle has {size_mb:.1f} MB.",
    ]
    if memory is not None:
        calls = {name: memory["calls"][name] for name in ("compress", "decompress")}
        beyond = " and ".join(f"{c['beyond_picture_mb']:.0f} MB to {n}" for n, c in calls.items())
        sides = f"{memory['picture']['width']}×{memory['picture']['height']}"
        lines.append(f"Memory beyond a picture of {sides} pixels: {beyond} it.")
    return "\n\n".join(lines)


def _weaknesses(
    manifest: Manifest, worst: list[Weakness], place: str, found: results.Results
) -> str:
    grows = "" if found["grows_with_quality_on_every_picture"] else "not "
    lines = [
        "## Known weaknesses",
        f"Bytes and PSNR do {grows}grow with quality on every picture measured.",
        "Where it does worst beside WebP of no more bytes: in each row the original, Venturi at "
        f"quality {codec.EVERYDAY}, and WebP, at the place of Venturi's largest error. The "
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
