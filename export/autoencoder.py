"""Export an autoencoder: encoder, decoder, and integer tables for its code."""

import copy
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from export.bundle import write_bundle
from export.graphs import Port, export_graph
from export.layers import Unrolled, permuted
from export.parity import largest_difference, require
from export.source import Source
from export.tables import frequencies
from train.data.digits import LICENCES
from train.engine import checkpoint
from train.networks.autoencoders import (
    Autoencoder,
    ConvDecoder,
    Rounded,
    RowDecoder,
    RowEncoder,
    Shape,
    Variational,
)
from train.recipes import RECIPES, AutoencoderRecipe
from train.tasks.digits import DigitsTask, noisy, to_tensor
from venturi._bundle.manifest import Manifest, Pictures
from venturi._format.tables import Tables

TOLERANCE = 1e-5
PRIOR_DEVIATION = 8
"""Rounding steps per standard deviation of the prior of a variational code."""

ROUNDING_LOSS = 0.05
"""Largest relative increase of the squared error by rounding, for codes not trained for it."""

_CHUNK = 500
_PROBES = 500
_NUDGE = 0.05
_RADIUS_MAX = 2047
_OUTSIDE = 1e-4
_BATCHES = (1, 2, 7, 250)


class EncoderGraph(nn.Module):
    """The encoder, with codes counted in rounding steps."""

    def __init__(self, model: Autoencoder, steps: Tensor) -> None:
        super().__init__()
        self.model, self.steps = model, nn.Buffer(steps)

    def forward(self, image: Tensor) -> Tensor:
        """Map float32 (N, C, H, W) in [0, 1] to codes (N, numbers)."""
        return self.model.encode(image) * self.steps


class DecoderGraph(nn.Module):
    """The decoder, from codes counted in rounding steps to a picture."""

    def __init__(self, model: Autoencoder, steps: Tensor) -> None:
        super().__init__()
        self.model, self.unit = model, nn.Buffer(1 / steps)

    def forward(self, code: Tensor) -> Tensor:
        """Map codes (N, numbers) to float32 (N, C, H, W) in [0, 1]."""
        return torch.sigmoid(self.model.decode(code * self.unit))


class ShippedRowEncoder(nn.Module):
    """A recurrent encoder, unrolled."""

    def __init__(self, encoder: RowEncoder, shape: Shape) -> None:
        super().__init__()
        self.encoder, self.rows = encoder, Unrolled(encoder.rows, shape[1])

    def forward(self, image: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, outputs)."""
        state = image.new_zeros(len(image), self.encoder.rows.hidden_size)
        states = self.rows(image.transpose(1, 2).flatten(2), state)
        code: Tensor = self.encoder.head(states[:, -1])
        return code


class ShippedRowDecoder(nn.Module):
    """A recurrent decoder, unrolled."""

    def __init__(self, decoder: RowDecoder) -> None:
        super().__init__()
        self.decoder, self.rows = decoder, Unrolled(decoder.rows, decoder.shape[1])

    def forward(self, code: Tensor) -> Tensor:
        """Map (N, numbers) to (N, C, H, W)."""
        states = self.rows(code.unsqueeze(1), torch.tanh(self.decoder.start(code)))
        return self.decoder.picture(states)


def shipped(model: Autoencoder, shape: Shape) -> Autoencoder:
    """Return the model for deployment: the same function in operators that every device runs."""
    ships = copy.deepcopy(model)
    if isinstance(ships.encoder, RowEncoder):
        ships.encoder = ShippedRowEncoder(ships.encoder, shape)
    if isinstance(ships.decoder, RowDecoder):
        ships.decoder = ShippedRowDecoder(ships.decoder)
    if isinstance(ships.decoder, ConvDecoder):
        ships.decoder.coarse = permuted(ships.decoder.coarse, 2)
        ships.decoder.fine = permuted(ships.decoder.fine, 2)
    return ships


def export_autoencoder(source: Source) -> Manifest:
    """Write the bundle of an autoencoder.

    Raises:
        ParityError: a file does not compute what the model computes.
    """
    recipe = RECIPES[source.task](**source.recipe)
    assert isinstance(recipe, AutoencoderRecipe)
    task = DigitsTask(recipe)
    model = task.build().eval()
    checkpoint.fill(model, source.weights)
    channels, height, width = task.data.shape
    steps = rounding_steps(model, task)

    def write_files(folder: Path) -> dict[str, float]:
        measured = write_graphs(model, steps, task.images, folder)
        tables = code_tables(codes(model, steps, task))
        (folder / "tables.bin").write_bytes(tables.to_bytes())
        return measured | quality(model, steps, task)

    return write_bundle(
        source.folder,
        write_files,
        name=source.name,
        task="autoencoder",
        description=f"Autoencoder, recipe {source.task}: pictures to {recipe.numbers} numbers.",
        channels=channels,
        stride=1,
        files={"encoder": "encoder.onnx", "decoder": "decoder.onnx", "tables": "tables.bin"},
        parameters={
            "height": height,
            "width": width,
            "code_numbers": recipe.numbers,
            "prior_deviation": PRIOR_DEVIATION if isinstance(model, Variational) else 0,
        },
        provenance=source.provenance() | _provenance(source, task, model),
        version=source.version,
        parent=source.parent,
        pictures=_pictures(task),
    )


def _provenance(
    source: Source, task: DigitsTask, model: Autoencoder
) -> dict[str, str | int | float]:
    recipe = task.recipe
    return {
        "noise": float(recipe.noise),
        "parameters": sum(weights.numel() for weights in model.parameters()),
        "recipe": source.task,
    }


def _pictures(task: DigitsTask) -> tuple[Pictures, ...]:
    recipe = task.recipe
    if recipe.data:
        return (Pictures(f"folder {Path(recipe.data).name!r}", len(task.images), "not stated"),)
    return (Pictures(recipe.dataset, len(task.images), LICENCES[recipe.dataset]),)


@torch.no_grad()
def rounding_steps(model: Autoencoder, task: DigitsTask) -> Tensor:
    """Return the rounding steps per unit of each number of the code, (numbers,).

    Steps are proportional to a number's effect on the picture, so that all numbers add the same
    error: if a step changes the picture by s, n numbers add n s² / 12. A model that was trained for
    rounding keeps its own steps.
    """
    numbers = task.recipe.numbers
    if isinstance(model, Rounded):
        return torch.ones(numbers)
    if isinstance(model, Variational):
        return torch.full((numbers,), float(PRIOR_DEVIATION))
    image = task.images[:_PROBES].float() / 255
    code = model.encode(image)
    picture = torch.sigmoid(model.decode(code))
    error = float((picture - image).square().mean())
    effect = torch.empty(numbers)
    size = code.square().mean(0).sqrt()
    for number in range(numbers):
        nudge = _NUDGE * max(float(size[number]), 1e-3)
        nudged = code.clone()
        nudged[:, number] += nudge
        change = torch.sigmoid(model.decode(nudged)) - picture
        effect[number] = change.square().mean().sqrt() / nudge
    step = (12 * ROUNDING_LOSS * error / numbers) ** 0.5
    steps: Tensor = (effect / step).clamp(min=1e-3)
    return steps


@torch.no_grad()
def codes(model: Autoencoder, steps: Tensor, task: DigitsTask) -> NDArray[np.int64]:
    """Return the symbols int64 (N, numbers) of the training pictures."""
    rng = torch.Generator().manual_seed(0)
    parts = []
    for part in torch.split(task.images, _CHUNK):
        image = noisy(part.float() / 255, task.recipe.noise, rng)
        parts.append(torch.round(model.encode(image) * steps).long())
    symbols: NDArray[np.int64] = torch.cat(parts).numpy()
    return symbols


def code_tables(symbols: NDArray[np.int64]) -> Tables:
    """Return a table for each number of a code, fitted to symbols int64 (N, numbers).

    Half an occurrence is added to each symbol, so that none within the radius is impossible. The
    ends of the distribution, one in ten thousand, are escaped.
    """
    rows = [_table(column) for column in symbols.T]
    return Tables(tuple(rows), np.arange(len(rows), dtype=np.uint8)[None])


def _table(symbols: NDArray[np.int64]) -> NDArray[np.uint16]:
    magnitude = np.abs(symbols)
    radius = int(np.clip(np.quantile(magnitude, 1 - _OUTSIDE, method="higher"), 1, _RADIUS_MAX))
    entry = np.where(magnitude <= radius, symbols + radius, 2 * radius + 1)
    counts = np.bincount(entry, minlength=2 * radius + 2).astype(np.float64)
    return frequencies(counts + 0.5)


def write_graphs(
    model: Autoencoder, steps: Tensor, samples: Tensor, folder: Path
) -> dict[str, float]:
    """Write the two graphs; return their differences from PyTorch on sample pictures.

    Raises:
        ParityError: a file does not compute what the model computes.
    """
    numbers, shape = len(steps), (samples.shape[1], samples.shape[2], samples.shape[3])
    image, code = Port("image", ("batch", *shape)), Port("code", ("batch", numbers))
    encoder, decoder = folder / "encoder.onnx", folder / "decoder.onnx"
    ships = shipped(model, shape)
    export_graph(EncoderGraph(ships, steps), (torch.rand(3, *shape),), [image], [code], encoder)
    export_graph(DecoderGraph(ships, steps), (torch.zeros(3, numbers),), [code], [image], decoder)
    # In float64, so that rounding errors of a recurrent network do not count against the file.
    exact = copy.deepcopy(model).double()
    to_code, to_image = (
        part(exact, steps.double()).eval() for part in (EncoderGraph, DecoderGraph)
    )
    images = [(samples[:count].float() / 255).double() for count in _BATCHES]
    with torch.no_grad():
        rounded = [torch.round(to_code(part)) for part in images]
    encoder_error = largest_difference(
        encoder, ("image",), to_code, [[part] for part in images], relative_to="tensor"
    )
    require(encoder, encoder_error, TOLERANCE)
    decoder_error = largest_difference(decoder, ("code",), to_image, [[part] for part in rounded])
    require(decoder, decoder_error, TOLERANCE)
    return {
        "encoder_max_relative_error": encoder_error,
        "decoder_max_relative_error": decoder_error,
    }


@torch.no_grad()
def quality(model: Autoencoder, steps: Tensor, task: DigitsTask) -> dict[str, float]:
    """Return errors per pixel on the test pictures, with exact and with rounded codes.

    For a variational model also the negative evidence lower bound in nats, from one sample per
    picture; it cannot be measured on the bundle, which holds no variances.
    """
    rng = torch.Generator().manual_seed(0)
    images = to_tensor(task.data.test.images)
    totals: dict[str, float] = {}
    for part in torch.split(images, _CHUNK):
        image = part.float() / 255
        code = model.encode(noisy(image, task.recipe.noise, rng))
        rounded = torch.round(code * steps) / steps
        values = {
            "test_bce": _bce(model.decode(code), image),
            "test_mse": _mse(model.decode(code), image),
            "test_rounded_mse": _mse(model.decode(rounded), image),
        }
        if isinstance(model, Variational):
            noise = torch.randn(code.shape, generator=rng)
            logits, _, nats = model(image, noise)
            bce = _bce(logits, image) * image[0].numel()
            values["test_negative_elbo_nats"] = bce + float(nats.mean())
        for name, value in values.items():
            totals[name] = totals.get(name, 0.0) + value * len(part) / len(images)
    return totals


def _bce(logits: Tensor, image: Tensor) -> float:
    return float(functional.binary_cross_entropy_with_logits(logits, image))


def _mse(logits: Tensor, image: Tensor) -> float:
    return float((torch.sigmoid(logits) - image).square().mean())
