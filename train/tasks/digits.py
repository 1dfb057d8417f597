"""The autoencoder family: its recipes, and the task that trains any of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from train.data import digits
from train.data.photographs import step_generator
from train.engine.task import Metrics
from train.networks.autoencoders import (
    Autoencoder,
    ConvDecoder,
    ConvEncoder,
    DenseDecoder,
    Rounded,
    RowDecoder,
    RowEncoder,
    Shape,
    Variational,
    dense_encoder,
)
from train.recipes import Recipe

EPOCH = 215
"""Steps of 256 that make an epoch of MNIST's training set."""

_CHUNK = 500


@dataclass(frozen=True, kw_only=True)
class FamilyRecipe(Recipe):
    """What all autoencoders share.

    Attributes:
        dataset: ``mnist`` or ``fashion-mnist``, where ``data`` is empty; ``data`` is a folder of
            idx files or of pictures of one size.
        numbers: in the code.
        activity: weight of the penalty that makes the code sparse (:func:`activity`).
        noise: deviation of the Gaussian noise on the input, which is then clipped to [0, 1].
        cost_weight: of what the code costs, against the picture's cross-entropy, both in nats.
    """

    steps: int = 50 * EPOCH
    batch: int = 256
    bfloat16: bool = False
    checkpoint_every: int = 10 * EPOCH
    validate_every: int = 10 * EPOCH
    dataset: str = "mnist"
    numbers: int = 32
    activity: float = 0.0
    noise: float = 0.0
    cost_weight: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.numbers <= 256:
            raise ValueError(f"numbers is {self.numbers}; expected 1 to 256, as many tables")
        for name in ("activity", "noise", "cost_weight"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least 0")


@dataclass(frozen=True, kw_only=True)
class SimpleRecipe(FamilyRecipe):
    """One layer each way, with ReLU on the code."""


@dataclass(frozen=True, kw_only=True)
class SparseRecipe(FamilyRecipe):
    """The same, and a code that is mostly zero.

    It has more numbers to choose from: of 64, half being zero cost too much of the picture.
    """

    numbers: int = 128
    activity: float = 6e-2


@dataclass(frozen=True, kw_only=True)
class DeepRecipe(FamilyRecipe):
    """Fully connected layers.

    Attributes:
        wide, narrow: of the hidden layers.
    """

    steps: int = 150 * EPOCH
    learning_rate: float = 2e-3
    wide: int = 128
    narrow: int = 64


@dataclass(frozen=True, kw_only=True)
class BestRecipe(DeepRecipe):
    """The same with wider layers, for the best picture that 32 numbers give."""

    steps: int = 70 * EPOCH
    learning_rate: float = 1e-3
    wide: int = 512
    narrow: int = 256


@dataclass(frozen=True, kw_only=True)
class ConvRecipe(FamilyRecipe):
    """Convolutions, then dense layers.

    Attributes:
        width: channels at half resolution; twice as many at a quarter.
        dense: width of the dense layers.
    """

    steps: int = 40 * EPOCH
    learning_rate: float = 2e-3
    numbers: int = 128
    width: int = 16
    dense: int = 256


@dataclass(frozen=True, kw_only=True)
class DenoiseRecipe(ConvRecipe):
    """The same, fed with noise: it returns the clean picture."""

    steps: int = 30 * EPOCH
    noise: float = 0.5


@dataclass(frozen=True, kw_only=True)
class VariationalRecipe(ConvRecipe):
    """The same with a code that is drawn from a posterior."""

    steps: int = 30 * EPOCH
    numbers: int = 20
    cost_weight: float = 1.0
    dense: int = 400


@dataclass(frozen=True, kw_only=True)
class BytesRecipe(ConvRecipe):
    """The same, trained for rounding: the fewest bytes for a picture of a given fidelity."""

    steps: int = 30 * EPOCH
    numbers: int = 32
    cost_weight: float = 0.4


@dataclass(frozen=True, kw_only=True)
class SequenceRecipe(FamilyRecipe):
    """Rows as a sequence: a recurrent encoder to one vector, a recurrent decoder back.

    Attributes:
        width: of the recurrent states.
    """

    steps: int = 25 * EPOCH
    learning_rate: float = 3e-3
    numbers: int = 64
    width: int = 128


def simple(recipe: FamilyRecipe, shape: Shape) -> Autoencoder:
    """Build the networks of ``mnist-simple`` and ``mnist-sparse``."""
    encoder = nn.Sequential(dense_encoder(shape, (), recipe.numbers), nn.ReLU())
    return Autoencoder(encoder, DenseDecoder(shape, (), recipe.numbers))


def deep(recipe: DeepRecipe, shape: Shape) -> Autoencoder:
    """Build the networks of ``mnist-deep`` and ``mnist-best``."""
    return Autoencoder(
        dense_encoder(shape, (recipe.wide, recipe.narrow), recipe.numbers),
        DenseDecoder(shape, (recipe.narrow, recipe.wide), recipe.numbers),
    )


def convolutional(recipe: ConvRecipe, shape: Shape) -> Autoencoder:
    """Build the networks of ``mnist-conv`` and ``mnist-denoise``."""
    return Autoencoder(_conv_encoder(recipe, shape, recipe.numbers), _conv_decoder(recipe, shape))


def variational(recipe: VariationalRecipe, shape: Shape) -> Autoencoder:
    """Build the networks of ``mnist-vae``."""
    encoder = _conv_encoder(recipe, shape, 2 * recipe.numbers)
    return Variational(encoder, _conv_decoder(recipe, shape))


def rounded(recipe: BytesRecipe, shape: Shape) -> Autoencoder:
    """Build the networks of ``mnist-bytes``."""
    encoder = _conv_encoder(recipe, shape, recipe.numbers)
    return Rounded(encoder, _conv_decoder(recipe, shape), recipe.numbers)


def sequence(recipe: SequenceRecipe, shape: Shape) -> Autoencoder:
    """Build the networks of ``mnist-seq2seq``."""
    return Autoencoder(
        RowEncoder(shape, recipe.width, recipe.numbers),
        RowDecoder(shape, recipe.width, recipe.numbers),
    )


def _conv_encoder(recipe: ConvRecipe, shape: Shape, outputs: int) -> ConvEncoder:
    return ConvEncoder(shape, recipe.width, recipe.dense, outputs)


def _conv_decoder(recipe: ConvRecipe, shape: Shape) -> ConvDecoder:
    return ConvDecoder(shape, recipe.width, recipe.dense, recipe.numbers)


FAMILY: Mapping[str, tuple[type[FamilyRecipe], Callable[..., Autoencoder]]] = {
    "mnist-simple": (SimpleRecipe, simple),
    "mnist-sparse": (SparseRecipe, simple),
    "mnist-deep": (DeepRecipe, deep),
    "mnist-conv": (ConvRecipe, convolutional),
    "mnist-seq2seq": (SequenceRecipe, sequence),
    "mnist-vae": (VariationalRecipe, variational),
    "mnist-denoise": (DenoiseRecipe, convolutional),
    "mnist-best": (BestRecipe, deep),
    "mnist-bytes": (BytesRecipe, rounded),
}
"""The recipes by the name that the command line takes, each with what builds its networks."""


class FamilyTask:
    """See :class:`train.engine.task.Task`."""

    def __init__(self, recipe: FamilyRecipe) -> None:
        self.recipe = recipe
        self.data = digits.load(recipe.dataset, recipe.data)
        self.images = to_tensor(self.data.train.images)
        self.held_out = to_tensor(self.data.validation.images)
        self._epoch, self._order = -1, np.empty(0, np.int64)

    def build(self) -> Autoencoder:
        """Return the networks that belong to the recipe."""
        builders = dict(FAMILY.values())
        return builders[type(self.recipe)](self.recipe, self.data.shape)

    def batch(self, step: int, rank: int, size: int) -> dict[str, Tensor]:
        """Return pictures, each as often as any other, what to make of them, and noise."""
        r = self.recipe
        target = self.images[self._places(step, rank, size)].float() / 255
        rng = torch.Generator().manual_seed(int(step_generator(r.seed, step, rank).integers(2**62)))
        image = noisy(target, r.noise, rng)
        found = {"image": image, "target": target}
        if isinstance(r, VariationalRecipe):
            found["noise"] = torch.randn(size, r.numbers, generator=rng)
        elif isinstance(r, BytesRecipe):
            found["noise"] = torch.rand(size, r.numbers, generator=rng) - 0.5
        return found

    def _places(self, step: int, rank: int, size: int) -> Tensor:
        """Return which pictures a step takes: a new order in every epoch."""
        count, whole = len(self.images), self.recipe.batch
        places = []
        for place in range(step * whole + rank * size, step * whole + (rank + 1) * size):
            if place // count != self._epoch:
                self._epoch = place // count
                self._order = step_generator(self.recipe.seed, self._epoch).permutation(count)
            places.append(int(self._order[place % count]))
        return torch.tensor(places)

    def loss(self, model: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return binary cross-entropy per pixel, and what the code is charged."""
        r, target = self.recipe, batch["target"]
        logits, code, nats = model(batch["image"], batch.get("noise"))
        error = functional.binary_cross_entropy_with_logits(logits.float(), target)
        cost = nats.mean() / target[0].numel()
        loss = error + r.cost_weight * cost
        if r.activity:
            loss = loss + r.activity * activity(code)
        return loss, {"bce": error.detach(), "nats": nats.detach().mean()}

    @torch.no_grad()
    def validate(self, model: nn.Module, device: torch.device) -> Metrics:
        """Return errors on the validation pictures, per pixel, and what their codes are like."""
        rng = torch.Generator().manual_seed(self.recipe.seed)
        totals: dict[str, float] = {}
        for part in torch.split(self.held_out, _CHUNK):
            target = part.float() / 255
            image = noisy(target, self.recipe.noise, rng)
            noise = None
            if isinstance(self.recipe, VariationalRecipe):
                noise = torch.randn(len(part), self.recipe.numbers, generator=rng).to(device)
            logits, code, nats = model(image.to(device), noise)
            sums = _sums(logits.float().cpu(), target) | {
                "nats": float(nats.sum()) / len(nats),
                "zero_share": float((code == 0).float().mean()),
                "noisy_mse": float((image - target).square().mean()),
            }
            for name, value in sums.items():
                totals[name] = totals.get(name, 0.0) + value * len(part) / len(self.held_out)
        totals["psnr_db"] = -10 * float(np.log10(totals["mse"]))
        totals["negative_elbo"] = totals["bce"] * self.held_out[0].numel() + totals["nats"]
        return totals


def activity(code: Tensor) -> Tensor:
    """Return how busy codes (N, numbers) are: mean magnitude over root mean square, per number.

    1 where every picture has the same magnitude, near 0 where few have any. A plain magnitude
    would be met by smaller codes and larger weights after them, with no more zeros.
    """
    size = (code.square().mean(0) + 1e-12).sqrt()
    return (code.abs().mean(0) / size).mean()


def to_tensor(images: digits.Bytes) -> Tensor:
    """Return uint8 (N, C, H, W) of uint8 (N, H, W) or (N, H, W, C)."""
    stacked = torch.from_numpy(images.copy())
    return stacked.unsqueeze(1) if images.ndim == 3 else stacked.permute(0, 3, 1, 2).contiguous()


def _sums(logits: Tensor, target: Tensor) -> dict[str, float]:
    return {
        "bce": float(functional.binary_cross_entropy_with_logits(logits, target)),
        "mse": float((torch.sigmoid(logits) - target).square().mean()),
    }


def noisy(image: Tensor, deviation: float, rng: torch.Generator) -> Tensor:
    """Add Gaussian noise to pictures in [0, 1], clipped to the same range; none for 0."""
    if not deviation:
        return image
    noise = torch.randn(image.shape, generator=rng)
    return (image + deviation * noise).clamp(0, 1)
