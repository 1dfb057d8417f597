"""The autoencoder family on test pictures: errors, bytes as written, time, beside PCA and PNG.

Everything is measured on the bundles, as users run them; nothing is trained. A squared error is the
mean over all pixels in [0, 1], before rounding to uint8, and a PSNR is that of the mean error. A
model that cleans gets noisy pictures and is held against the clean ones.
"""

import sys
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean, median
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks import digit_figures, environment, results
from benchmarks.timing import milliseconds
from train.data import digits
from venturi import Autoencoder, Manifest

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]
Model = dict[str, Any]

DATA_SETS = ("mnist", "fashion-mnist")
BATCHES = (1, 256)
NOISE_SEED = 0
GOOD_MSE = 0.010
_SAFE = 1e-7


@dataclass(frozen=True)
class Options:
    """What to measure.

    bundles: folders of bundles, each trained on one of the data sets. json: results; the figures go
    beside it. data: folder that holds the data sets, None for where training takes them from.
    pictures: of each test set at most. threads: for one operator. runs: calls for the latency.
    """

    bundles: Sequence[Path]
    json: Path
    data: Path | None
    pictures: int | None
    threads: int
    runs: int

    @property
    def figures(self) -> Path:
        """The folder of the figures."""
        return self.json.with_name(self.json.stem + "-figures")


@dataclass(frozen=True)
class Sets:
    """A data set as it is measured on: test pictures uint8 (N, H, W), their labels, training."""

    images: Bytes
    labels: Bytes
    train: Bytes


def listed(folder: Path) -> list[Path]:
    """Return the bundles of autoencoders in the runs of a folder.

    Raises ValueError when there are none.
    """
    found = [
        path.parent
        for path in sorted(folder.glob("*/bundle/manifest.json"))
        if Manifest.load(path.parent).task == "autoencoder"
    ]
    if not found:
        raise ValueError(
            f"{folder} holds no run with the bundle of an autoencoder: "
            "python -m train mnist-simple and python -m export runs/mnist-simple make one"
        )
    return found


def measure(options: Options) -> results.Results:
    """Measure all bundles, draw the figures, and return what goes into the results file."""
    before = environment.describe(threads=options.threads)
    notes = [note for note in (environment.busy(before),) if note]
    sets = {name: _load(options, name) for name in DATA_SETS}
    found: dict[str, dict[str, Model]] = {name: {} for name in DATA_SETS}
    for bundle in options.bundles:
        autoencoder = Autoencoder(bundle, threads=options.threads)
        home = ", ".join(one.collection for one in autoencoder.manifest.pictures)
        if home not in sets:
            notes.append(f"{bundle.parent.name}: trained on {home}, not measured")
            continue
        recipe = str(autoencoder.manifest.provenance["recipe"])
        print(f"{home} {recipe}", file=sys.stderr)
        found[home][recipe] = _model(options, autoencoder, sets[home], sets[_other(home)])
        folder = options.figures / home
        digit_figures.draw(folder, recipe, autoencoder, sets[home].images, sets[home].labels)
    return {
        "schema_version": results.SCHEMA_VERSION,
        "benchmark": "mnist",
        "environment": before,
        "data": {name: len(part.images) for name, part in sets.items()},
        "models": found["mnist"],
        "fashion_models": found["fashion-mnist"],
        "pca": _pca_beside(options, found, sets, "mnist"),
        "fashion_pca": _pca_beside(options, found, sets, "fashion-mnist"),
        "lossless_bytes": {name: _lossless(part.images) for name, part in sets.items()},
        "fewest_bytes": _fewest(found["mnist"]),
        "figures": options.figures.name,
        "notes": notes,
    }


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
    seen = digit_figures.noisy(images, noise)
    codes = autoencoder.encode(seen)
    strange = autoencoder.encode(digit_figures.noisy(away.images, noise))
    pictures = autoencoder.decode(codes)
    error = _mse(images, pictures)
    streams = [autoencoder.compress(image) for image in seen]
    restored = np.stack([autoencoder.decompress(data) for data in streams])
    found: Model = {
        "code_numbers": manifest.parameters["code_numbers"],
        "parameters": int(manifest.provenance["parameters"]),
        "test_bce": _bce(images, pictures),
        "test_mse": error,
        "test_psnr_db": _psnr_db(error),
        "bytes_per_digit": fmean(map(len, streams)),
        "bytes_mse": _mse(images, restored / np.float32(255)),
        "encode_us": _times(options, autoencoder.encode, seen),
        "decode_us": _times(options, autoencoder.decode, codes),
        "out_of_domain_mse": _mse(away.images, autoencoder.decode(strange)),
        "zero_share": float((codes == 0).mean()),
    }
    if noise:
        found["noisy_psnr_db"] = _psnr_db(_mse(images, seen / np.float32(255)))
    if "test_negative_elbo_nats" in manifest.measured:
        found["negative_elbo_nats"] = manifest.measured["test_negative_elbo_nats"]
    return {name: _rounded(value) for name, value in found.items()}


def _rounded(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _times(
    options: Options, call: Callable[[Any], object], inputs: NDArray[Any]
) -> dict[str, float]:
    """Return the median time of a call in µs per picture, by the size of the batch."""
    found = {}
    for batch in BATCHES:
        part = inputs[:batch]
        call(part)
        samples = [milliseconds(partial(call, part)) for _ in range(options.runs)]
        found[str(batch)] = round(1000 * median(samples) / len(part), 2)
    return found


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
    options: Options,
    found: Mapping[str, Mapping[str, Model]],
    sets: Mapping[str, Sets],
    name: str,
) -> dict[str, Model]:
    """Return what as many principal components as each model has numbers give, by their count.

    Draws the same figures of them as of a model.
    """
    counts = sorted({model["code_numbers"] for model in found[name].values()})
    if not counts:
        return {}
    home, away = sets[name], sets[_other(name)]
    mean, axes = _principal_axes(home.train)
    beside: dict[str, Model] = {}
    for count in counts:
        used = axes[:, :count]
        errors = [_mse(part.images, _restored(part.images, mean, used)) for part in (home, away)]
        beside[str(count)] = {
            "test_mse": _rounded(errors[0]),
            "test_psnr_db": _rounded(_psnr_db(errors[0])),
            "out_of_domain_mse": _rounded(errors[1]),
        }
        digit_figures.draw_pca(
            options.figures / name,
            home.images,
            home.labels,
            axes=used,
            restore=lambda images, used=used: _restored(images, mean, used),  # type: ignore[misc]
        )
    return beside


def _principal_axes(train: Bytes) -> tuple[Floats, Floats]:
    """Return the mean and the axes, the widest first, as columns."""
    rows = train.reshape(len(train), -1)
    mean = rows.mean(0) / 255
    centred = rows.astype(np.float32) / 255 - mean.astype(np.float32)
    _, axes = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    return mean, axes[:, ::-1]


def _restored(images: Bytes, mean: Floats, axes: Floats) -> Floats:
    """Return pictures as some axes hold them, clipped to [0, 1] as pictures are."""
    rows = images.reshape(len(images), -1) / 255
    return np.clip((rows - mean) @ axes @ axes.T + mean, 0, 1).reshape(images.shape)


def _lossless(images: Bytes) -> dict[str, float]:
    """Return the mean bytes of PNG at its smallest, and of zlib on the raw pixels."""
    setting = [cv2.IMWRITE_PNG_COMPRESSION, 9]
    png = [len(cv2.imencode(".png", image, setting)[1]) for image in images]
    raw = [len(zlib.compress(image.tobytes(), 9)) for image in images]
    return {"png": round(fmean(png), 2), "zlib": round(fmean(raw), 2)}


def _fewest(models: Mapping[str, Model]) -> Model | None:
    """Return the recipe with the fewest bytes whose streams are good enough, and its figures."""
    good = {name: m for name, m in models.items() if m["bytes_mse"] <= GOOD_MSE}
    if not good:
        return None
    name = min(good, key=lambda name: good[name]["bytes_per_digit"])
    figures = {key: good[name][key] for key in ("bytes_per_digit", "bytes_mse")}
    return {"recipe": name, "at_most_mse": GOOD_MSE, **figures}


def text(found: results.Results) -> str:
    """Return the results as people read them."""
    notes = [f"note: {note}" for note in found["notes"]]
    return "\n\n".join([results.table(rows(found)), *notes])


def rows(found: results.Results) -> list[list[str]]:
    """Return the models, PCA and the lossless formats as cells of a table, headings first."""
    made = [
        [
            "model", "numbers", "parameters", "BCE", "MSE", "PSNR dB", "bytes", "encode µs",
            "at 256", "decode µs", "at 256", "MSE out of domain",
        ]
    ]  # fmt: skip
    for suffix, models, pca, lossless in (
        ("", "models", "pca", "mnist"),
        (" (Fashion)", "fashion_models", "fashion_pca", "fashion-mnist"),
    ):
        made += [_row(name + suffix, model) for name, model in found[models].items()]
        made += [
            [f"PCA{suffix}", count, "", "", f"{p['test_mse']:.5f}", f"{p['test_psnr_db']:.2f}"]
            + [""] * 5
            + [f"{p['out_of_domain_mse']:.5f}"]
            for count, p in found[pca].items()
        ]
        if found[models]:
            made += [
                [name + suffix, *[""] * 5, f"{found['lossless_bytes'][lossless][key]:.1f}"]
                + [""] * 5
                for name, key in (("PNG", "png"), ("zlib", "zlib"))
            ]
    return made


def _row(name: str, model: Model) -> list[str]:
    times = (model[key][str(batch)] for key in ("encode_us", "decode_us") for batch in BATCHES)
    return [
        name,
        str(model["code_numbers"]),
        str(model["parameters"]),
        f"{model['test_bce']:.4f}",
        f"{model['test_mse']:.5f}",
        f"{model['test_psnr_db']:.2f}",
        f"{model['bytes_per_digit']:.1f}",
        *(f"{us:.1f}" for us in times),
        f"{model['out_of_domain_mse']:.5f}",
    ]
