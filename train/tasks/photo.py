"""The photo codec's task: crops at random qualities, rate plus weighted squared error."""

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from train.data.photographs import (
    Image,
    centre,
    crop,
    data_folder,
    load_folder,
    split,
    step_generator,
)
from train.engine.task import Metrics
from train.networks.codec import CodecNetwork, Sizes
from train.recipes import PhotoRecipe

_VALIDATION_QUALITIES = (0.0, 0.25, 0.5, 0.75, 1.0)
_VALIDATION_SIDE = 384
_CALIBRATION_CROPS = 200


def sizes(recipe: PhotoRecipe) -> Sizes:
    """Return what a recipe says of the networks."""
    return Sizes(**{name: getattr(recipe, name) for name in Sizes._fields})


class PhotoTask:
    """See :class:`train.engine.task.Task`."""

    def __init__(self, recipe: PhotoRecipe) -> None:
        self.recipe = recipe
        folder = Path(recipe.data) if recipe.data else data_folder() / "photos"
        self.pictures, self.held_out = split(load_folder(folder))

    def build(self) -> nn.Module:
        """See the protocol; latents are scaled to the first batch."""
        model = CodecNetwork(sizes(self.recipe))
        images = self.batch(0, 0, _CALIBRATION_CROPS)["image"]
        model.calibrate(images, self.quantiser_step(model.analysis.gain.anchor_levels()))
        return model

    def batch(self, step: int, rank: int, size: int) -> dict[str, Tensor]:
        """Return crops, a quality for each, and the noise that stands for rounding."""
        r = self.recipe
        rng = step_generator(r.seed, step, rank)
        crops = [crop(self.pictures, rng, r.crop) for _ in range(size)]
        torch_rng = torch.Generator().manual_seed(int(rng.integers(2**62)))
        side = r.crop // 64
        return {
            "image": to_tensor(crops),
            # The median of three: of everyday qualities more than of the ends.
            "quality": torch.rand(size, 3, generator=torch_rng).median(1).values,
            "noise": torch.rand(size, r.latent, 4 * side, 4 * side, generator=torch_rng) - 0.5,
            "hyper_noise": torch.rand(size, r.hyper, side, side, generator=torch_rng) - 0.5,
        }

    def weight(self, quality: Tensor) -> Tensor:
        """Return lambda for each quality in [0, 1]."""
        r = self.recipe
        return r.lambda_min * torch.pow(
            torch.as_tensor(r.lambda_max / r.lambda_min, device=quality.device), quality
        )

    def quantiser_step(self, quality: Tensor) -> Tensor:
        """Return the step of an orthonormal transform that the weight of each quality asks for.

        A uniform quantiser of step s errs by s²/12 and saves log2 s bits per number (high-rate
        theory); bits per pixel count three numbers, the squared error is their mean.
        """
        return torch.sqrt(18 / (math.log(2) * self.weight(quality))) / 255

    def _cost(self, bpp: Tensor, error: Tensor, quality: Tensor) -> Tensor:
        weight = self.weight(quality)
        middle = (self.recipe.lambda_min * self.recipe.lambda_max) ** 0.5
        balance = torch.pow(weight / middle, -self.recipe.balance)
        return (bpp + weight * 255**2 * error) * balance

    def loss(self, model: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return bits per pixel plus lambda times squared error, balanced over qualities and crops.

        A crop's cost is divided by a power of itself, held constant: a tenth less is worth nearly
        as much in a plain sky as in gravel, which costs twenty times as much.
        """
        image, quality = batch["image"], batch["quality"]
        coded = model(image, quality, (batch["noise"], batch["hyper_noise"]))
        pixels = image.shape[2] * image.shape[3]
        bpp = (coded.latent_bits + coded.hyper_bits) / pixels
        error = functional.mse_loss(coded.image, image, reduction="none").mean((1, 2, 3))
        cost = self._cost(bpp, error, quality)
        return (cost / cost.detach().pow(self.recipe.evenness)).mean(), {
            "bpp": bpp.mean().detach(),
            "hyper_bpp": coded.hyper_bits.mean().detach() / pixels,
            "psnr_db": (-10 * torch.log10(error.detach())).mean(),
        }

    @torch.no_grad()
    def validate(self, model: nn.Module, device: torch.device) -> Metrics:
        """Return loss, rate and PSNR, with true symbols, at five qualities."""
        image = self.validation_pictures().to(device)
        found: Metrics = {}
        total = logarithm = 0.0
        for quality in _VALIDATION_QUALITIES:
            level = torch.full((len(image),), quality, device=device)
            coded = model(image, level, None)
            bpp = (coded.latent_bits + coded.hyper_bits).mean() / _VALIDATION_SIDE**2
            error = (coded.image.clamp(0, 1) - image).square().mean((1, 2, 3))
            found[f"bpp_{quality:.2f}"] = float(bpp)
            found[f"psnr_{quality:.2f}"] = float((-10 * torch.log10(error)).mean())
            cost = self._cost(bpp, error, level)
            total += float(cost.mean()) / len(_VALIDATION_QUALITIES)
            logarithm += float(cost.log().mean()) / len(_VALIDATION_QUALITIES)
        return {"loss": total, "log_loss": logarithm, **found}

    def validation_pictures(self) -> Tensor:
        """Return the middles of the held-out pictures, float32 (N, 3, 384, 384) in [0, 1]."""
        return to_tensor([centre(p, _VALIDATION_SIDE) for p in self.held_out])


def to_tensor(images: Sequence[Image]) -> Tensor:
    """Return float32 (N, 3, H, W) in [0, 1] of equal-sized uint8 (H, W, 3) pictures."""
    stacked = torch.stack([torch.from_numpy(image.copy()) for image in images])
    return stacked.permute(0, 3, 1, 2).float() / 255
