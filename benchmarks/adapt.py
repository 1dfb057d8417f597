"""What a codec gains that was fine-tuned to one kind of picture, and what it loses elsewhere.

The adapted codec beside the general one that it came from and the classic ones, on pictures of its
kind that it has not seen; and beside the general one on pictures of another kind. Rates are real
file sizes. A picture without colour is compressed as a grey one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks import environment, pictures, results
from benchmarks.bd_rate import bd_rate_percent
from benchmarks.codec import QUALITIES, RATES, Point, Scheme, mean_points, sample_all
from benchmarks.markdown import percent
from benchmarks.peers import PEERS
from benchmarks.pictures import Picture
from venturi import Codec

ADAPTED, GENERAL = "adapted", "general"


@dataclass(frozen=True)
class Options:
    """What to measure.

    adapted, general: bundles by name or path. data: folder of lossless pictures of the kind.
    elsewhere: folder of others. pictures: how many of each at most. threads: for the graphs.
    """

    adapted: str
    general: str
    data: Path
    elsewhere: Path
    pictures: int | None
    threads: int


@dataclass(frozen=True)
class Greyish:
    """One of the two codecs as a scheme, which keeps grey pictures grey."""

    codec: Codec
    name: str
    label: str
    qualities: Sequence[int] = QUALITIES

    def encode(self, image: Picture, quality: int) -> bytes:
        """Return the stream of uint8 (H, W, 3) RGB, of one plane if all are equal."""
        is_grey = bool((image == image[..., :1]).all())
        return self.codec.compress(image[..., 0] if is_grey else image, quality=quality)

    def decode(self, data: bytes) -> Picture:
        """Return uint8 (H, W, 3) RGB."""
        made = self.codec.decompress(data)
        return made if made.ndim == 3 else np.repeat(made[..., None], 3, axis=2)


def measure(options: Options) -> results.Results:
    """Measure everything and return what goes into the results file.

    Raises ValueError when a curve does not grow, or when two have no quality in common.
    """
    cv2.setNumThreads(options.threads)
    before = environment.describe(threads=options.threads)
    codecs = {
        name: Codec(bundle, threads=options.threads)
        for name, bundle in ((ADAPTED, options.adapted), (GENERAL, options.general))
    }
    if codecs[ADAPTED].manifest.fingerprint == codecs[GENERAL].manifest.fingerprint:
        raise ValueError("both bundles have one decoder; expected two to compare: see --bundle")
    ours = [Greyish(codec, name, f"Venturi, {name}") for name, codec in codecs.items()]
    schemes: list[Scheme] = [*ours, *(peer for peer in PEERS if peer.present())]
    manifest = codecs[ADAPTED].manifest
    notes = [note for note in (environment.busy(before),) if note]
    limit = options.pictures
    return {
        "schema_version": results.SCHEMA_VERSION,
        "benchmark": "adapt",
        "environment": before,
        "bundle": results.described(manifest),
        "general_bundle": results.described(codecs[GENERAL].manifest),
        "steps": int(manifest.provenance.get("steps", 0)),
        "trained_on": ", ".join(one.collection for one in manifest.pictures) or "not said",
        "labels": {scheme.name: scheme.label for scheme in schemes},
        "kind": _compared(schemes, options.data, limit, None, notes),
        "elsewhere": _compared(ours, options.elsewhere, limit, RATES, notes),
        "notes": notes,
    }


def rows(found: results.Results) -> list[list[str]]:
    """Return the BD-rates as cells of a table, headings first."""
    cells = [["the adapted codec against", "on its kind", "elsewhere"]]
    kind, elsewhere = (found[part]["bd_rate_percent"] for part in ("kind", "elsewhere"))
    for name in kind:
        other = percent(elsewhere[name]) if name in elsewhere else ""
        cells.append([found["labels"][name], percent(kind[name]), other])
    return cells


def text(found: results.Results) -> str:
    """Return the results as people read them."""
    folders = " and ".join(
        f"{found[part]['data']['pictures']} pictures of {found[part]['data']['folder']}"
        for part in ("kind", "elsewhere")
    )
    return f"BD-rate (PSNR) on {folders}\n{results.table(rows(found))}"


def _compared(
    schemes: Sequence[Scheme],
    folder: Path,
    limit: int | None,
    rates: tuple[float, float] | None,
    notes: list[str],
) -> results.Results:
    """Return points of each scheme, and the adapted codec's BD-rate against each other one.

    rates: bpp between which curves are compared; None takes the qualities that they share, since
    some kinds of picture need far fewer bits than photographs. notes: says which do not meet.
    """
    paths = pictures.listed(folder, limit=limit)
    samples = sample_all(schemes, paths)
    points = {name: mean_points(found) for name, found in samples.items()}
    gains: dict[str, float | None] = {}
    for name in points.keys() - {ADAPTED}:
        try:
            gains[name] = gain(points[ADAPTED], points[name], rates)
        except ValueError as error:
            gains[name] = None
            notes.append(f"{folder.name}: no BD-rate against {name}: {error}")
    return {
        "data": {"folder": "/".join(folder.resolve().parts[-2:]), "pictures": len(paths)},
        "rates_bpp": rates and list(rates),
        "points": points,
        "bd_rate_percent": {name: gains[name] for name in points if name in gains},
    }


def gain(
    adapted: Sequence[Point], anchor: Sequence[Point], rates: tuple[float, float] | None
) -> float:
    """Return the adapted codec's BD-rate in percent against another curve.

    Raises ValueError where the curves do not grow or do not meet.
    """
    curves = [
        [(point["bpp"], point["psnr_db"]) for point in points] for points in (anchor, adapted)
    ]
    return round(bd_rate_percent(curves[0], curves[1], rates=rates), 3)
