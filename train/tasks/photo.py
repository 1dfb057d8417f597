"""The photo codec's task: crops at random qualities, rate plus weighted distortion.

The distortion of photographs is mostly SSIMULACRA2, since people look at them. That of synthetic
pictures is mostly squared error, including that of their worst blocks.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from train.data.photographs import (
    Image,
    centre,
    crop,
    data_folder,
    listed,
    load_folder,
    split,
    step_generator,
)
from train.data.synthetic import CHANGED, DRAWN, of_kind
from train.engine.task import Metrics
from train.networks.blocks import set_bounds
from train.networks.codec import CodecNetwork, Sizes
from train.recipes import PhotoRecipe
from train.tasks.ssimulacra2 import distance, score

_VALIDATION_QUALITIES = (0.0, 0.25, 0.5, 0.75, 1.0)
_VALIDATION_SIDE = 384
_CALIBRATION_CROPS = 200
_BOUND_BATCHES, _BOUND_CROPS, _BOUND_KEY = 40, 8, 0xB0
_BLOCK = 16
"""Pixels: the side of what one looks at at once."""
_KIND_SIDE, _KIND_PICTURES = 192, 2
_AT_ONCE = 4
_ROOT_FLOOR, _PSNR_FLOOR = 1e-12, 1e-8


def sizes(recipe: PhotoRecipe) -> Sizes:
    """Return the sizes of a recipe's networks."""
    return Sizes(**{name: getattr(recipe, name) for name in Sizes._fields})


class PhotoTask:
    """See :class:`train.engine.task.Task`."""

    def __init__(self, recipe: PhotoRecipe) -> None:
        self.recipe = recipe
        named = recipe.data.split(",") if recipe.data else _default_folders()
        parts = [_divided(Path(folder), recipe.held_out.split(",")) for folder in named]
        self.pictures, self.held_out = (list(chain(*side)) for side in zip(*parts, strict=True))
        self.extra = load_folder(Path(recipe.extra_data)) if recipe.extra_data else []

    def build(self) -> nn.Module:
        """See the protocol; latents are scaled to the first batch."""
        model = CodecNetwork(sizes(self.recipe))
        images = self.batch(0, 0, _CALIBRATION_CROPS)["image"]
        model.calibrate(images, self.quantiser_step(model.analysis.gain.anchor_levels()))
        return model

    def settle(self, model: nn.Module) -> None:
        """See the protocol; missing bounds are set to the range on photographs, plus a margin."""
        device = next(model.parameters()).device
        rng = step_generator(self.recipe.seed, _BOUND_KEY)
        qualities = torch.linspace(0, 1, _BOUND_CROPS, device=device)
        pictures = (
            to_tensor([self._photograph(rng) for _ in range(_BOUND_CROPS)]).to(device)
            for _ in range(_BOUND_BATCHES)
        )
        set_bounds(model, ((image, qualities, None) for image in pictures))

    def batch(self, step: int, rank: int, size: int) -> dict[str, Tensor]:
        """Return crops, whether each is synthetic, a quality for each, and rounding noise."""
        r = self.recipe
        rng = step_generator(r.seed, step, rank)
        synthetic = rng.random(size) < r.synthetic_share
        crops = [self._synthetic(rng) if other else self._photograph(rng) for other in synthetic]
        torch_rng = torch.Generator().manual_seed(int(rng.integers(2**62)))
        side = r.crop // 64
        return {
            "image": to_tensor(crops),
            "synthetic": torch.from_numpy(synthetic),
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
        """Return the optimal step of an orthonormal transform at the weight of each quality.

        A uniform quantiser of step s has an error of s²/12 and saves log2 s bits per number
        (high-rate theory); bits per pixel count three numbers, the squared error is their mean.
        """
        return torch.sqrt(18 / (math.log(2) * self.weight(quality))) / 255

    def eye_weight(self, quality: Tensor) -> Tensor:
        """Return the weight of SSIMULACRA2's sum for each quality in [0, 1]."""
        r = self.recipe
        return r.ssimulacra2_min * torch.pow(
            torch.as_tensor(r.ssimulacra2_max / r.ssimulacra2_min, device=quality.device), quality
        )

    def loss(self, model: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return bits per pixel plus weighted distortion, balanced over qualities and crops.

        A crop's cost is divided by a power of itself, held constant: saving a tenth counts nearly
        as much for a plain sky as for gravel, which costs twenty times as much.
        """
        image, quality = batch["image"], batch["quality"]
        coded = model(image, quality, (batch["noise"], batch["hyper_noise"]))
        pixels = image.shape[2] * image.shape[3]
        bpp = (coded.latent_bits + coded.hyper_bits) / pixels
        with torch.autocast(image.device.type, enabled=False):
            cost = self._cost(bpp, coded.image.float(), batch)
        psnr = _psnr(coded.image.detach(), image)
        sides = {"psnr_db": ~batch["synthetic"], "synthetic_psnr_db": batch["synthetic"]}
        return (cost / cost.detach().pow(self.recipe.evenness)).mean(), {
            "bpp": bpp.mean().detach(),
            "hyper_bpp": coded.hyper_bits.mean().detach() / pixels,
            **{name: psnr[side].mean() for name, side in sides.items() if side.any()},
        }

    @torch.no_grad()
    def validate(self, model: nn.Module, device: torch.device) -> Metrics:
        """Return loss, rate, PSNR and SSIMULACRA2 on held-out pictures, with true symbols.

        At five qualities; and the PSNR of synthetic pictures, at the middle one.
        """
        image = self.validation_pictures().to(device)
        synthetic = torch.zeros(len(image), dtype=torch.bool, device=device)
        values: Metrics = {}
        logarithm = []
        for quality in _VALIDATION_QUALITIES:
            level = torch.full((len(image),), quality, device=device)
            bpp, decoded = _coded(model, image, level)
            sums = distance(decoded, image)
            values[f"bpp_{quality:.2f}"] = float(bpp.mean())
            values[f"psnr_{quality:.2f}"] = float(_psnr(decoded, image).mean())
            values[f"ssimulacra2_{quality:.2f}"] = float(score(sums).mean())
            batch = {"image": image, "quality": level, "synthetic": synthetic}
            logarithm.append(float(self._cost(bpp, decoded, batch).log().mean()))
        return {"log_loss": fmean(logarithm), **values, **self._kinds(model, device)}

    def validation_pictures(self) -> Tensor:
        """Return the middles of the held-out pictures, float32 (N, 3, 384, 384) in [0, 1]."""
        return to_tensor([centre(p, _VALIDATION_SIDE) for p in self.held_out])

    def _photograph(self, rng: np.random.Generator) -> Image:
        return crop(self.pictures, rng, self.recipe.crop)

    def _synthetic(self, rng: np.random.Generator) -> Image:
        """Return a picture of a random kind."""
        kinds = [*DRAWN, *CHANGED]
        number = int(rng.integers(len(kinds) + bool(self.extra)))
        if number == len(kinds):
            return crop(self.extra, rng, self.recipe.crop)
        return of_kind(kinds[number], rng, self.recipe.crop, lambda: self._photograph(rng))

    def _cost(self, bpp: Tensor, decoded: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        """Return what each crop costs: rate plus distortion, balanced over qualities."""
        image, quality, synthetic = (batch[name] for name in ("image", "quality", "synthetic"))
        r = self.recipe
        weight = self.weight(quality)
        balance = torch.pow(weight / (r.lambda_min * r.lambda_max) ** 0.5, -r.balance)
        error = _squared_error(decoded, image, synthetic)
        share = torch.where(synthetic, r.synthetic_ssimulacra2_share, r.ssimulacra2_share)
        distortion = (1 - share) * weight * 255**2 * error
        if float(share.max()) > 0:
            distortion = distortion + share * self.eye_weight(quality) * distance(decoded, image)
        return (bpp + distortion) * balance

    def _kinds(self, model: nn.Module, device: torch.device) -> Metrics:
        """Return the mean PSNR of all synthetic kinds, and that of the worst four."""
        psnr = {}
        for name in [*DRAWN, *CHANGED]:
            image = to_tensor(self._pictures_of(name)).to(device)
            _, decoded = _coded(model, image, torch.full((len(image),), 0.5, device=device))
            psnr[f"psnr_of_{name}"] = float(_psnr(decoded, image).mean())
        worst = sorted(psnr, key=lambda name: psnr[name])[:4]
        return {"psnr_of_kinds": fmean(psnr.values()), **{name: psnr[name] for name in worst}}

    def _pictures_of(self, kind: str) -> list[Image]:
        """Return validation pictures of a synthetic kind, the same every time."""
        rng = step_generator(*kind.encode())
        side = _KIND_SIDE
        photograph = centre(self.held_out[0], side)
        return [of_kind(kind, rng, side, lambda: photograph) for _ in range(_KIND_PICTURES)]


def to_tensor(images: Sequence[Image]) -> Tensor:
    """Return float32 (N, 3, H, W) in [0, 1] of equal-sized uint8 (H, W, 3) pictures."""
    stacked = torch.stack([torch.from_numpy(image.copy()) for image in images])
    return stacked.permute(0, 3, 1, 2).float() / 255


def _default_folders() -> list[str]:
    return [str(data_folder() / name) for name in ("photos", "cid22", "native")]


def _divided(folder: Path, held_out_names: Collection[str]) -> tuple[list[Image], list[Image]]:
    """Return (training, held out) of a folder's pictures; those named are held out as well."""
    names = [path.stem for path in listed(folder)]
    pairs = list(zip(names, load_folder(folder), strict=True))
    train, held_out = split(pairs)
    held_out += [pair for pair in train if pair[0] in held_out_names]
    train = [pair for pair in train if pair[0] not in held_out_names]
    return [image for _, image in train], [image for _, image in held_out]


def _squared_error(decoded: Tensor, image: Tensor, synthetic: Tensor) -> Tensor:
    """Return each crop's mean squared error; of synthetic ones, that of their worst blocks too."""
    blocks = functional.avg_pool2d((decoded - image).square().mean(1, keepdim=True), _BLOCK)
    worst = (blocks.square().mean((1, 2, 3)) + _ROOT_FLOOR).sqrt()
    mean = blocks.mean((1, 2, 3))
    return torch.where(synthetic, (mean + worst) / 2, mean)


def _coded(model: nn.Module, image: Tensor, quality: Tensor) -> tuple[Tensor, Tensor]:
    """Return bits per pixel, and the pictures as they are decoded, in whole levels."""
    bits, decoded = [], []
    parts = (torch.split(whole, _AT_ONCE) for whole in (image, quality))
    for part, level in zip(*parts, strict=True):
        coded = model(part, level, None)
        bits.append((coded.latent_bits + coded.hyper_bits) / (part.shape[2] * part.shape[3]))
        decoded.append(torch.round(coded.image.float().clamp(0, 1) * 255) / 255)
    return torch.cat(bits), torch.cat(decoded)


def _psnr(decoded: Tensor, image: Tensor) -> Tensor:
    error = (decoded - image).square().mean((1, 2, 3))
    return -10 * torch.log10(error + _PSNR_FLOOR)
