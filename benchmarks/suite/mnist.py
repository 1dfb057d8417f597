"""The autoencoder family on test pictures: errors, bytes as written, time, beside PCA and PNG.

Everything is measured on the bundles, as users run them; nothing is trained. A squared error is the
mean over all pixels in [0, 1], before rounding to uint8, and a PSNR is that of the mean error. A
model that cleans gets noisy pictures and is held against the clean ones.
"""

import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean, median
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks import charts, digit_figures, environment, markdown
from benchmarks.figures import ERROR_NOISE, Figure, decibels, milliseconds
from benchmarks.options import MeasureOptions, option
from benchmarks.pieces import Conditions, Drawings, Piece, Plots, Table
from benchmarks.registry import AbsentError, Benchmark, Sources
from benchmarks.results import Measured, record
from benchmarks.timing import milliseconds as timed_ms
from train.data import digits
from venturi import Autoencoder, Manifest

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]

DATA_SETS = ("mnist", "fashion-mnist")
BATCHES = (1, 256)
GOOD_MSE = 0.010
_SAFE = 1e-7


@dataclass(frozen=True, kw_only=True)
class Options(MeasureOptions):
    """What to measure."""

    bundles: tuple[Path, ...] = option(
        "folders of bundles, each trained on one of the data sets; without any, those of all runs",
        (), metavar="BUNDLE", positional=True,
    )  # fmt: skip
    runs_folder: Path = option("folder of training runs", Path("runs"), metavar="FOLDER")
    data: Path | None = option(
        "folder that holds mnist and fashion-mnist; without it, as in training", None,
        metavar="FOLDER",
    )  # fmt: skip
    pictures: int | None = option("the first N pictures of each test set", None)
    runs: int = option("calls for the latency", 64)


@record
class Model:
    """One autoencoder on the test pictures of its data set.

    Squared errors are means over pixels in [0, 1]; bytes_mse is that of decompressed pictures.
    encode_us, decode_us: per picture, by size of the batch. noisy_psnr_db: of what a model that
    denoises gets. negative_elbo_nats: as measured at export.
    """

    code_numbers: int
    parameters: int
    test_bce: float
    test_mse: float
    test_psnr_db: float
    bytes_per_digit: float
    bytes_mse: float
    encode_us: dict[str, float]
    decode_us: dict[str, float]
    out_of_domain_mse: float
    zero_share: float
    noisy_psnr_db: float | None = None
    negative_elbo_nats: float | None = None


@record
class Components:
    """A number of principal components in place of a model."""

    test_mse: float
    test_psnr_db: float
    out_of_domain_mse: float


@record
class Fewest:
    """The recipe with the fewest bytes whose decompressed pictures are good enough."""

    recipe: str
    at_most_mse: float
    bytes_per_digit: float
    bytes_mse: float


@record
class Result(Measured):
    """Results: models by recipe, components by their number, lossless bytes by data set and format.

    data: how many test pictures each set has. figures: the folder of drawings beside the file.
    """

    benchmark: Literal["mnist"] = "mnist"
    data: dict[str, int]
    models: dict[str, Model]
    fashion_models: dict[str, Model]
    pca: dict[str, Components]
    fashion_pca: dict[str, Components]
    lossless_bytes: dict[str, dict[str, float]]
    fewest_bytes: Fewest | None
    figures: str | None


@dataclass(frozen=True)
class Sets:
    """A data set: test pictures uint8 (N, H, W), their labels, training pictures."""

    images: Bytes
    labels: Bytes
    train: Bytes


def listed(folder: Path) -> list[Path]:
    """Return the bundles of autoencoders in the runs of a folder.

    Raises ValueError when there are none.
    """
    bundles = [
        path.parent
        for path in sorted(folder.glob("*/bundle/manifest.json"))
        if Manifest.load(path.parent).task == "autoencoder"
    ]
    if not bundles:
        raise ValueError(
            f"{folder} holds no run with the bundle of an autoencoder: "
            "python -m train mnist-simple and python -m export runs/mnist-simple make one"
        )
    return bundles


def measure(options: Options) -> Result:
    """Measure all bundles and draw the figures."""
    before = environment.describe(threads=options.threads)
    notes = environment.notes(before)
    sets = {name: _load(options, name) for name in DATA_SETS}
    models: dict[str, dict[str, Model]] = {name: {} for name in DATA_SETS}
    place = options.folder_beside("figures")
    for bundle in options.bundles or listed(options.runs_folder):
        autoencoder = Autoencoder(bundle, threads=options.threads)
        home = ", ".join(one.collection for one in autoencoder.manifest.pictures)
        if home not in sets:
            notes.append(f"{bundle.parent.name}: trained on {home}, not measured")
            continue
        recipe = str(autoencoder.manifest.provenance["recipe"])
        print(f"{home} {recipe}", file=sys.stderr)
        models[home][recipe] = _model(options, autoencoder, sets[home], sets[_other(home)])
        if place:
            images, labels = sets[home].images, sets[home].labels
            digit_figures.draw(place / home, recipe, autoencoder, images, labels)
    pca = {name: _pca_beside(place, models[name], sets, name) for name in DATA_SETS}
    return Result(
        environment=before,
        notes=notes,
        data={name: len(part.images) for name, part in sets.items()},
        models=models["mnist"],
        fashion_models=models["fashion-mnist"],
        pca=pca["mnist"],
        fashion_pca=pca["fashion-mnist"],
        lossless_bytes={name: _lossless(part.images) for name, part in sets.items()},
        fewest_bytes=_fewest(models["mnist"]),
        figures=place.name if place else None,
    )


def _other(name: str) -> str:
    return next(other for other in DATA_SETS if other != name)


def _load(options: Options, name: str) -> Sets:
    folder = "" if options.data is None else str(options.data / name)
    data = digits.load(name, folder)
    images, labels = (array[: options.pictures] for array in data.test)
    return Sets(images, labels, data.train.images)


def _model(options: Options, autoencoder: Autoencoder, home: Sets, away: Sets) -> Model:
    manifest, images = autoencoder.manifest, home.images
    noise = float(manifest.provenance.get("noise", 0.0))
    inputs = digit_figures.noisy(images, noise)
    codes = autoencoder.encode(inputs)
    strange = autoencoder.encode(digit_figures.noisy(away.images, noise))
    pictures = autoencoder.decode(codes)
    error = _mse(images, pictures)
    files = [autoencoder.compress(image) for image in inputs]
    restored = np.stack([autoencoder.decompress(data) for data in files])
    elbo = manifest.measured.get("test_negative_elbo_nats")
    return Model(
        code_numbers=manifest.parameters["code_numbers"],
        parameters=int(manifest.provenance["parameters"]),
        test_bce=_rounded(_bce(images, pictures)),
        test_mse=_rounded(error),
        test_psnr_db=_rounded(_psnr_db(error)),
        bytes_per_digit=_rounded(fmean(map(len, files))),
        bytes_mse=_rounded(_mse(images, restored / np.float32(255))),
        encode_us=_times(options, autoencoder.encode, inputs),
        decode_us=_times(options, autoencoder.decode, codes),
        out_of_domain_mse=_rounded(_mse(away.images, autoencoder.decode(strange))),
        zero_share=_rounded(float((codes == 0).mean())),
        noisy_psnr_db=(
            _rounded(_psnr_db(_mse(images, inputs / np.float32(255)))) if noise else None
        ),
        negative_elbo_nats=None if elbo is None else _rounded(elbo),
    )


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def _times(
    options: Options, call: Callable[[Any], object], inputs: NDArray[Any]
) -> dict[str, float]:
    """Return the median time of a call in µs per picture, by the size of the batch."""
    times = {}
    for batch in BATCHES:
        part = inputs[:batch]
        call(part)
        samples = [timed_ms(partial(call, part)) for _ in range(options.runs)]
        times[str(batch)] = round(1000 * median(samples) / len(part), 2)
    return times


def _mse(images: Bytes, pictures: NDArray[np.floating[Any]]) -> float:
    return float(np.square(pictures - images / np.float32(255)).mean(dtype=np.float64))


def _bce(images: Bytes, pictures: NDArray[np.float32]) -> float:
    """Return the binary cross-entropy per pixel, in nats."""
    p = np.clip(pictures.astype(np.float64), _SAFE, 1 - _SAFE)
    x = images / 255
    return float(-(x * np.log(p) + (1 - x) * np.log1p(-p)).mean())


def _psnr_db(error: float) -> float:
    return float(-10 * np.log10(max(error, 1e-12)))


def _pca_beside(
    place: Path | None, models: Mapping[str, Model], sets: Mapping[str, Sets], name: str
) -> dict[str, Components]:
    """Return the results of as many principal components as each model has numbers, by count.

    Draws the same figures of them as of a model.
    """
    home, away = sets[name], sets[_other(name)]
    counts = sorted({model.code_numbers for model in models.values()})
    mean, axes = _principal_axes(home.train) if counts else (None, None)
    beside: dict[str, Components] = {}
    for count in counts:
        assert mean is not None and axes is not None
        restore = partial(_restored, mean=mean, axes=axes[:, :count])
        errors = [_mse(part.images, restore(part.images)) for part in (home, away)]
        beside[str(count)] = Components(
            test_mse=_rounded(errors[0]),
            test_psnr_db=_rounded(_psnr_db(errors[0])),
            out_of_domain_mse=_rounded(errors[1]),
        )
        if place:
            digit_figures.draw_pca(
                place / name, home.images, home.labels, axes=axes[:, :count], restore=restore
            )
    return beside


def _principal_axes(train: Bytes) -> tuple[Floats, Floats]:
    """Return the mean and the axes, the widest first, as columns."""
    rows = train.reshape(len(train), -1)
    mean = rows.mean(0) / 255
    centred = rows.astype(np.float32) / 255 - mean.astype(np.float32)
    _, axes = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    return mean, axes[:, ::-1]


def _restored(images: Bytes, *, mean: Floats, axes: Floats) -> Floats:
    """Return pictures as some axes hold them, clipped to [0, 1] as pictures are."""
    rows = images.reshape(len(images), -1) / 255
    return np.clip((rows - mean) @ axes @ axes.T + mean, 0, 1).reshape(images.shape)


def _lossless(images: Bytes) -> dict[str, float]:
    """Return the mean bytes of PNG at its smallest, and of zlib on the raw pixels."""
    setting = [cv2.IMWRITE_PNG_COMPRESSION, 9]
    png = [len(cv2.imencode(".png", image, setting)[1]) for image in images]
    raw = [len(zlib.compress(image.tobytes(), 9)) for image in images]
    return {"png": round(fmean(png), 2), "zlib": round(fmean(raw), 2)}


def _fewest(models: Mapping[str, Model]) -> Fewest | None:
    """Return the recipe with the fewest bytes that are good enough, None where none is."""
    good = {name: model for name, model in models.items() if model.bytes_mse <= GOOD_MSE}
    if not good:
        return None
    name = min(good, key=lambda name: good[name].bytes_per_digit)
    return Fewest(
        recipe=name,
        at_most_mse=GOOD_MSE,
        bytes_per_digit=good[name].bytes_per_digit,
        bytes_mse=good[name].bytes_mse,
    )


def figures(result: Result) -> Iterator[Figure]:
    """Yield what can get better or worse."""
    for models, suffix in ((result.models, ""), (result.fashion_models, " (Fashion)")):
        for recipe, model in models.items():
            yield from _of_model(recipe + suffix, model)


def _of_model(name: str, model: Model) -> Iterator[Figure]:
    for key in ("code_numbers", "parameters"):
        yield Figure(f"{name} {key}", getattr(model, key), 0.0)
    for key in ("test_bce", "test_mse", "bytes_per_digit", "bytes_mse", "negative_elbo_nats"):
        if getattr(model, key) is not None:
            yield Figure(f"{name} {key}", getattr(model, key), ERROR_NOISE, relative=True)
    yield decibels(f"{name} PSNR, dB", model.test_psnr_db)
    for call, times in (("encode", model.encode_us), ("decode", model.decode_us)):
        for batch, value in times.items():
            yield milliseconds(f"{name} {call} at {batch}, µs", value)


def rows(result: Result) -> list[list[str]]:
    """Return the models, PCA and the lossless formats as cells of a table, headings first."""
    cells = [
        [
            "model", "numbers", "parameters", "BCE", "MSE", "PSNR dB", "bytes", "encode µs",
            "at 256", "decode µs", "at 256", "MSE out of domain",
        ]
    ]  # fmt: skip
    for suffix, models, pca, name in (
        ("", result.models, result.pca, "mnist"),
        (" (Fashion)", result.fashion_models, result.fashion_pca, "fashion-mnist"),
    ):
        cells += [_row(recipe + suffix, model) for recipe, model in models.items()]
        cells += [
            [f"PCA{suffix}", count, "", "", f"{p.test_mse:.5f}", f"{p.test_psnr_db:.2f}"]
            + [""] * 5
            + [f"{p.out_of_domain_mse:.5f}"]
            for count, p in pca.items()
        ]
        if models:
            lossless = result.lossless_bytes[name]
            cells += [
                [words + suffix, *[""] * 5, f"{lossless[key]:.1f}"] + [""] * 5
                for words, key in (("PNG", "png"), ("zlib", "zlib"))
            ]
    return cells


def _row(name: str, model: Model) -> list[str]:
    times = (each[str(batch)] for each in (model.encode_us, model.decode_us) for batch in BATCHES)
    return [
        name,
        str(model.code_numbers),
        str(model.parameters),
        f"{model.test_bce:.4f}",
        f"{model.test_mse:.5f}",
        f"{model.test_psnr_db:.2f}",
        f"{model.bytes_per_digit:.1f}",
        *(f"{us:.1f}" for us in times),
        f"{model.out_of_domain_mse:.5f}",
    ]


def pieces(result: Result, place: Path) -> list[Piece]:
    """Return what the results are shown in. place: the folder of the results, for the drawings."""
    models = result.models
    by_bytes = {name: (m.bytes_per_digit, m.test_psnr_db) for name, m in models.items()}
    by_time = {name: (m.encode_us["1"], m.test_psnr_db) for name, m in models.items()}
    plots = [
        charts.scatter(points, title=title, x=x, y="PSNR, dB")
        for points, title, x in (
            (by_bytes, "Quality over the bytes of a digit", "bytes"),
            (by_time, "Quality over the time to encode a digit", "µs"),
        )
        if points
    ]
    return [
        Plots(plots),
        Table("Errors on the test set, bytes, times", rows(result), ours=None),
        Drawings(_captions(place / (result.figures or "mnist-figures")), BENCHMARK.how),
        Conditions.of(result),
    ]


def _captions(place: Path) -> dict[Path, str]:
    """Return the drawings of a folder with what they show, the maps last."""
    kinds = {"-generated": "sampled from the prior", "-map": "codes on their two main axes"}
    captions = {}
    for path in [*sorted(place.rglob("*.png")), *sorted(place.rglob("*.svg"))]:
        kind = next((kind for kind in kinds if path.stem.endswith(kind)), "")
        recipe = path.stem.removesuffix(kind).replace("pca", "PCA")
        words = kinds.get(kind, "originals above, reconstructions below")
        captions[path] = f"{recipe} ({path.parent.name}): {words}"
    return captions


def markdown_block(result: Result, place: Path) -> str:
    """Return the table and the drawings of the documents."""
    fewest, lossless = result.fewest_bytes, result.lossless_bytes["mnist"]["png"]
    parts = [markdown.table(rows(result))]
    if fewest:
        parts.append(
            f"Fewest bytes at a squared error of at most {fewest.at_most_mse}: "
            f"`{fewest.recipe}`, {fewest.bytes_per_digit:.1f} bytes for a digit, "
            f"{fewest.bytes_per_digit / lossless:.2f} of PNG's."
        )
    for name, model in result.models.items():
        if model.negative_elbo_nats is not None:
            bound = model.negative_elbo_nats
            parts.append(f"`{name}`: negative evidence lower bound {bound:.1f} nats.")
        if model.noisy_psnr_db is not None:
            before, after = model.noisy_psnr_db, model.test_psnr_db
            parts.append(f"`{name}`: {before:.2f} dB before, {after:.2f} dB after.")
    if "mnist-sparse" in result.models:
        share = result.models["mnist-sparse"].zero_share
        parts.append(f"`mnist-sparse`: {share:.0%} of the code is exactly zero.")
    drawings = _linked(place / (result.figures or "mnist-figures") / "mnist", result.models)
    return "\n\n".join([*parts, markdown.machine(result.environment), *drawings])


def _linked(place: Path, recipes: Mapping[str, Model]) -> list[str]:
    """Return links to the drawings that there are: pictures, samples, maps of the codes."""
    kinds = {
        "{}.png": "{}: originals above, reconstructions below",
        "{}-generated.png": "{}: sampled from the prior",
        "{}-map.svg": "{}: codes on their two main axes, a colour for each digit",
    }
    lines = [
        f"![{words.format(recipe)}]({(place / pattern.format(recipe)).as_posix()})"
        for pattern, words in kinds.items()
        for recipe in recipes
        if (place / pattern.format(recipe)).exists()
    ]
    maps = [line for line in lines if ".svg" in line]
    return [line for line in lines if line not in maps] + ([" ".join(maps)] if maps else [])


def _plan(sources: Sources) -> dict[str, Path]:
    data = sources.holding("mnist")
    try:
        listed(sources.runs_folder)
    except ValueError as error:
        raise AbsentError(str(error)) from error
    return data | {"runs_folder": sources.runs_folder}


BENCHMARK = Benchmark(
    name="mnist",
    title="Autoencoders",
    help="the autoencoder family beside PCA and PNG",
    order=80,
    options=Options,
    result=Result,
    measure=measure,
    figures=figures,
    pieces=pieces,
    markdown=markdown_block,
    plan=_plan,
    same=lambda result: {"data": result.data},
)
