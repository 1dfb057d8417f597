"""What a codec gains that was fine-tuned to one kind of picture, and what it loses elsewhere.

The adapted codec beside the general one that it came from and the classic ones, on pictures of its
kind that training did not use; and beside the general one on pictures of another kind. Rates are
real file sizes. A picture without colour is compressed as a grey one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from benchmarks import environment, markdown, pictures, rate_distortion
from benchmarks.figures import RATE_NOISE_PERCENT, Figure
from benchmarks.markdown import percent
from benchmarks.options import MeasureOptions, option
from benchmarks.peers import PEERS
from benchmarks.pictures import Picture
from benchmarks.pieces import Conditions, Facts, Note, Piece, Plots, Table
from benchmarks.rate_distortion import QUALITIES, RATES, Point, Scheme
from benchmarks.registry import Benchmark
from benchmarks.results import Bundle, Measured, PictureSet, record
from venturi import Codec

ADAPTED, GENERAL = "adapted", "general"


@dataclass(frozen=True, kw_only=True)
class Options(MeasureOptions):
    """What to measure."""

    bundle: str = option("the fine-tuned codec")
    general: str = option("the codec that it was fine-tuned from", "photo")
    data: Path = option("folder of lossless pictures of its kind", metavar="FOLDER")
    elsewhere: Path = option("folder of other lossless pictures", metavar="FOLDER")
    pictures: int | None = option("the first N pictures of each folder", None)


@record
class Part:
    """The curves on one set of pictures, and the adapted codec's BD-rate against each other one.

    rates_bpp: between which curves are compared; None where it is the qualities that they share.
    """

    data: PictureSet
    rates_bpp: tuple[float, float] | None
    points: dict[str, list[Point]]
    bd_rate_percent: dict[str, float | None]


@record
class Result(Measured):
    """Results; what is by codec has the names of `labels` as keys."""

    benchmark: Literal["adapt"] = "adapt"
    bundle: Bundle
    general_bundle: Bundle
    steps: int
    trained_on: str
    labels: dict[str, str]
    kind: Part
    elsewhere: Part

    @property
    def parts(self) -> dict[str, Part]:
        """Both sets of pictures, by what the tables call them."""
        return {"on its kind": self.kind, "elsewhere": self.elsewhere}


@dataclass(frozen=True)
class Greyish:
    """One of the two codecs as a scheme, which keeps grey pictures grey."""

    codec: Codec
    name: str
    label: str
    qualities: Sequence[int] = QUALITIES

    def encode(self, image: Picture, quality: int) -> bytes:
        """Return the container of uint8 (H, W, 3) RGB, of one plane if all are equal."""
        is_grey = bool((image == image[..., :1]).all())
        return self.codec.compress(image[..., 0] if is_grey else image, quality=quality)

    def decode(self, data: bytes) -> Picture:
        """Return uint8 (H, W, 3) RGB."""
        back = self.codec.decompress(data)
        return back if back.ndim == 3 else np.repeat(back[..., None], 3, axis=2)


def measure(options: Options) -> Result:
    """Measure everything.

    Raises ValueError when both codecs are the same.
    """
    cv2.setNumThreads(options.threads)
    before = environment.describe(threads=options.threads)
    adapted, general = (
        Codec(bundle, threads=options.threads) for bundle in (options.bundle, options.general)
    )
    if adapted.manifest.fingerprint == general.manifest.fingerprint:
        raise ValueError("both bundles have one decoder; expected two to compare: see --bundle")
    ours = [Greyish(adapted, ADAPTED, "Venturi, adapted"),
            Greyish(general, GENERAL, "Venturi, general")]  # fmt: skip
    schemes: list[Scheme] = [*ours, *(peer for peer in PEERS if peer.present())]
    notes = environment.notes(before)
    provenance = adapted.manifest.provenance
    return Result(
        environment=before,
        notes=notes,
        bundle=Bundle.of(adapted.manifest),
        general_bundle=Bundle.of(general.manifest),
        steps=int(provenance.get("steps", 0)),
        trained_on=", ".join(one.collection for one in adapted.manifest.pictures) or "not said",
        labels={scheme.name: scheme.label for scheme in schemes},
        kind=_compared(schemes, options.data, options.pictures, None, notes),
        elsewhere=_compared(ours, options.elsewhere, options.pictures, RATES, notes),
    )


def _compared(
    schemes: Sequence[Scheme],
    folder: Path,
    limit: int | None,
    rates: tuple[float, float] | None,
    notes: list[str],
) -> Part:
    """Return the curves of each scheme on a folder.

    rates: None compares over the qualities that two curves share, since some kinds of picture need
    far fewer bits than photographs. notes: gets those that do not meet.
    """
    paths = pictures.listed(folder, limit=limit)
    samples = rate_distortion.sample_all(schemes, paths)
    points = {name: rate_distortion.mean_points(each) for name, each in samples.items()}
    return Part(
        data=PictureSet(folder="/".join(folder.resolve().parts[-2:]), pictures=len(paths)),
        rates_bpp=rates,
        points=points,
        bd_rate_percent=rate_distortion.against(
            points, ADAPTED, notes, rates=rates, where=f"{folder.name}: "
        ),
    )


def figures(result: Result) -> Iterator[Figure]:
    """Yield what can get better or worse."""
    for name, part in (("kind", result.kind), ("elsewhere", result.elsewhere)):
        for anchor, value in part.bd_rate_percent.items():
            if value is not None:
                yield Figure(f"{name}: BD-rate against {anchor}, %", value, RATE_NOISE_PERCENT)


def rows(result: Result) -> list[list[str]]:
    """Return the BD-rates as cells of a table, headings first."""
    cells = [["the adapted codec against", *result.parts]]
    for name in result.kind.bd_rate_percent:
        percents = (part.bd_rate_percent for part in result.parts.values())
        shown = (percent(each[name]) if name in each else "" for each in percents)
        cells.append([result.labels[name], *shown])
    return cells


def pieces(result: Result, place: Path) -> list[Piece]:
    """Return what the results are shown in."""
    del place
    facts = {
        f"bytes against the general codec, {words}": percent(part.bd_rate_percent[GENERAL])
        for words, part in result.parts.items()
        if part.bd_rate_percent.get(GENERAL) is not None
    }
    curves = [
        rate_distortion.drawn(
            part.points, result.labels, f"{part.data.pictures} pictures of {part.data.folder}"
        )
        for part in result.parts.values()
    ]
    return [
        Facts(facts),
        Note(
            f"The general codec ({result.general_bundle.name}) beside itself trained on with "
            f"one kind of picture ({result.bundle.name}, {result.steps:,} steps): on others "
            "of the kind, which training did not use, and elsewhere. Fewer bytes are better."
        ),
        Plots(curves),
        Table("Bytes of the adapted codec at equal PSNR (BD-rate)", rows(result)),
        *(
            Table(
                f"All points {words}",
                rate_distortion.point_rows(part.points, result.labels),
                folded=True,
            )
            for words, part in result.parts.items()
        ),
        Conditions.of(result),
    ]


def markdown_block(result: Result, place: Path) -> str:
    """Return the table of the documents."""
    del place
    kind, elsewhere = result.kind.data, result.elsewhere.data
    return (
        "The photo codec adapted to one kind of picture: its bytes at equal quality against "
        f"each other codec, on {kind.pictures} pictures of that kind ({kind.folder}) and "
        f"on {elsewhere.pictures} others ({elsewhere.folder}).\n\n{markdown.table(rows(result))}"
    )


BENCHMARK = Benchmark(
    name="adapt",
    title="Adaptation",
    help="a fine-tuned codec beside the one it came from",
    order=20,
    options=Options,
    result=Result,
    measure=measure,
    figures=figures,
    pieces=pieces,
    markdown=markdown_block,
    same=lambda result: {"data": [part.data for part in result.parts.values()]},
)
