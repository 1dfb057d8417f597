"""The autoencoders' task: small pictures, or noisy ones, through a code and back."""

import math
from dataclasses import replace

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
from train.recipes import (
    AutoencoderRecipe,
    MnistBytesRecipe,
    MnistConvRecipe,
    MnistDeepRecipe,
    MnistSeq2seqRecipe,
    MnistSimpleRecipe,
    MnistVaeRecipe,
)

_CHUNK = 500


def network(recipe: AutoencoderRecipe, shape: Shape) -> Autoencoder:
    """Return the freshly initialised networks of a recipe, for pictures of one shape."""
    numbers = recipe.numbers
    match recipe:
        case MnistSimpleRecipe():
            encoder = nn.Sequential(dense_encoder(shape, (), numbers), nn.ReLU())
            return Autoencoder(encoder, DenseDecoder(shape, (), numbers))
        case MnistDeepRecipe(wide=wide, narrow=narrow):
            return Autoencoder(
                dense_encoder(shape, (wide, narrow), numbers),
                DenseDecoder(shape, (narrow, wide), numbers),
            )
        case MnistSeq2seqRecipe(width=width):
            return Autoencoder(RowEncoder(shape, width, numbers), RowDecoder(shape, width, numbers))
        case MnistConvRecipe():
            return _convolutional(recipe, shape)
    raise TypeError(f"{type(recipe).__name__} has no network; expected one of the recipes above")


def _convolutional(recipe: MnistConvRecipe, shape: Shape) -> Autoencoder:
    numbers = recipe.numbers
    outputs = 2 * numbers if isinstance(recipe, MnistVaeRecipe) else numbers
    encoder = ConvEncoder(shape, recipe.width, recipe.dense, outputs)
    decoder = ConvDecoder(shape, recipe.width, recipe.dense, numbers)
    match recipe:
        case MnistVaeRecipe():
            return Variational(encoder, decoder)
        case MnistBytesRecipe():
            return Rounded(encoder, decoder, numbers)
    return Autoencoder(encoder, decoder)


class DigitsTask:
    """See :class:`train.engine.task.Task`."""

    def __init__(self, recipe: AutoencoderRecipe) -> None:
        self.recipe = recipe
        self.data = digits.load(recipe.dataset, recipe.data)
        self.images = to_tensor(self.data.train.images)
        self.held_out = to_tensor(self.data.validation.images)
        self._epoch, self._order = -1, np.empty(0, np.int64)

    def build(self) -> Autoencoder:
        """Return the networks that belong to the recipe."""
        return network(self.recipe, self.data.shape)

    def train_for(self, epochs: float) -> None:
        """Set the recipe's steps so that each training picture is shown ``epochs`` times.

        Raises:
            ValueError: no positive number of epochs.
        """
        if not 0 < epochs < math.inf:
            raise ValueError(f"epochs is {epochs}; expected a number above 0")
        steps = math.ceil(epochs * len(self.images) / self.recipe.batch)
        self.recipe = replace(self.recipe, steps=steps)

    def settle(self, model: nn.Module) -> None:
        """See the protocol; nothing to complete."""

    def batch(self, step: int, rank: int, size: int) -> dict[str, Tensor]:
        """Return input pictures, their targets and noise for the code; epochs are shuffled anew."""
        r = self.recipe
        target = self.images[self._places(step, rank, size)].float() / 255
        rng = torch.Generator().manual_seed(int(step_generator(r.seed, step, rank).integers(2**62)))
        image = noisy(target, r.noise, rng)
        batch = {"image": image, "target": target}
        if isinstance(r, MnistVaeRecipe):
            batch["noise"] = torch.randn(size, r.numbers, generator=rng)
        elif isinstance(r, MnistBytesRecipe):
            batch["noise"] = torch.rand(size, r.numbers, generator=rng) - 0.5
        return batch

    def _places(self, step: int, rank: int, size: int) -> Tensor:
        """Return the indices of a step's pictures; each epoch has its own order."""
        count, whole = len(self.images), self.recipe.batch
        places = []
        for place in range(step * whole + rank * size, step * whole + (rank + 1) * size):
            if place // count != self._epoch:
                self._epoch = place // count
                self._order = step_generator(self.recipe.seed, self._epoch).permutation(count)
            places.append(int(self._order[place % count]))
        return torch.tensor(places)

    def loss(self, model: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return binary cross-entropy per pixel plus the penalties on the code."""
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
        """Return errors per pixel and statistics of the codes, on the validation pictures."""
        rng = torch.Generator().manual_seed(self.recipe.seed)
        totals: dict[str, float] = {}
        for part in torch.split(self.held_out, _CHUNK):
            target = part.float() / 255
            image = noisy(target, self.recipe.noise, rng)
            noise = None
            if isinstance(self.recipe, MnistVaeRecipe):
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
    """Return the activity of codes (N, numbers): mean magnitude over root mean square, per number.

    It is 1 where all pictures have the same magnitude and near 0 where few are not zero. A penalty
    on the magnitude alone is evaded by smaller codes and larger decoder weights, without zeros.
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
