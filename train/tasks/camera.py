"""The camera denoiser's task: to remove the noise of crops, Gaussian or from a camera."""

import functools
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from train.data.photographs import (
    Image,
    centre,
    crop,
    data_folder,
    detail,
    load_folder,
    split,
    step_generator,
)
from train.engine.task import Metrics
from train.networks.denoiser import DenoiserNetwork, exact_layers
from train.networks.quantised import Rounded
from train.noise.levels import gaussian, level, smoother
from train.noise.pipeline import drawn
from train.noise.validation_cameras import pairs
from train.recipes import CameraRecipe
from train.tasks.photo import to_tensor

_CANDIDATES = 2
"""Crops of which the most detailed one is taken, as photographs scaled down are mostly smooth.

Crops for a simulated camera are not selected: at the resolution of a sensor, pictures are smooth.
"""

_LEAST_ERROR = 1e-3
_VALIDATION_SIGMAS = (15, 25, 50)
_VALIDATION_STRENGTH = 2.0
_VALIDATION_SIDE = 256


def network(recipe: CameraRecipe) -> DenoiserNetwork:
    """Return the network of a recipe."""
    r = recipe
    return DenoiserNetwork(r.width, r.deep_width, r.depth, r.deep_depth, r.grids, r.slope)


class CameraTask:
    """See :class:`train.engine.task.Task`."""

    def __init__(self, recipe: CameraRecipe) -> None:
        self.recipe = recipe
        folder = Path(recipe.data) if recipe.data else data_folder() / "photos"
        self.pictures, self.held_out = split(load_folder(folder))

    def build(self) -> nn.Module:
        """Return the network."""
        return network(self.recipe)

    def settle(self, model: nn.Module) -> None:
        """See the protocol; nothing to complete."""

    def batch(self, step: int, rank: int, size: int) -> dict[str, Tensor]:
        """Return noisy frames, targets, noise levels and strengths, in channels_last."""
        r = self.recipe
        rng = step_generator(r.seed, step, rank)
        frames = np.empty((size, r.crop, r.crop, 3), np.float32)
        targets = np.empty_like(frames)
        strengths = np.ones(size, np.float32)
        levels = []
        for i in range(size):
            kind = drawn(rng)
            candidates = 1 if kind.of_camera else _CANDIDATES
            crops = (crop(self.pictures, rng, r.crop) for _ in range(candidates))
            clean, noisy = kind.pair(max(crops, key=detail), rng)
            frames[i], targets[i] = noisy, clean
            levels.append(level(noisy, clean))
            if rng.random() < r.stronger_share:
                strengths[i] = rng.uniform(1.0, r.strength_max)
        frames /= 255
        targets /= 255
        for i in np.flatnonzero(strengths > 1).tolist():
            targets[i] = smoother(targets[i], levels[i], float(strengths[i]))
        return {
            "frame": torch.from_numpy(frames).permute(0, 3, 1, 2),
            "target": torch.from_numpy(targets).permute(0, 3, 1, 2),
            "level": torch.from_numpy(np.stack(levels)).unsqueeze(1),
            "strength": torch.from_numpy(strengths),
        }

    def loss(self, model: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the root of each crop's mean squared error, plus the estimator's loss.

        The root weighs crops almost as PSNR does, so that difficult or very noisy ones do not
        dominate. Estimates that are too low cost more than those that are too high (Guo et al.,
        CVPR 2019, section 3.3): noise that stays hurts more than detail that is lost.
        """
        network = self._rounded(model) if self.recipe.int8 else model
        clean, estimate = network(batch["frame"], batch["strength"])
        square = (clean - batch["target"]).square()
        error = (square.mean((1, 2, 3)) + _LEAST_ERROR**2).sqrt().mean()
        missing = batch["level"] - estimate
        share = self.recipe.underestimation
        level_error = torch.maximum(share * missing, (share - 1) * missing).mean()
        loss = error + self.recipe.level_weight * level_error
        return loss, {
            "psnr_db": psnr_db(square.detach()).mean(),
            "level_error": missing.detach().abs().mean(),
        }

    @torch.no_grad()
    def validate(self, model: nn.Module, device: torch.device) -> Metrics:
        """Return PSNR on held-out pictures: Gaussian, mixed, validation cameras' and no noise."""
        pictures = self._validation_pictures()
        metrics: Metrics = {}
        for sigma in _VALIDATION_SIGMAS:
            noisy = _with_gaussian(pictures, sigma)
            metrics[f"noisy_{sigma}"] = float(psnr_db(_difference(noisy, pictures)).mean())
            metrics[f"psnr_{sigma}"] = self.gaussian_psnr_db(model, sigma, device)
            if self.recipe.int8:
                rounded = self._rounded(model)
                metrics[f"psnr_{sigma}_int8"] = self.gaussian_psnr_db(rounded, sigma, device)
        generators = map(step_generator, range(len(pictures)))
        clean, noisy = _apart(
            drawn(rng).pair(p, rng) for p, rng in zip(pictures, generators, strict=True)
        )
        metrics["psnr_mixed"] = _cleaned_psnr_db(model, noisy, clean, 1.0, device)
        metrics["psnr_mixed_stronger"] = _cleaned_psnr_db(
            model, noisy, clean, _VALIDATION_STRENGTH, device
        )
        clean, noisy = self._shots
        metrics["psnr_cameras"] = _cleaned_psnr_db(model, noisy, clean, 1.0, device)
        metrics["psnr_clean"] = _cleaned_psnr_db(model, pictures, pictures, 1.0, device)
        return metrics

    @torch.no_grad()
    def gaussian_psnr_db(self, model: nn.Module, sigma: int, device: torch.device) -> float:
        """Return the mean PSNR on held-out pictures with Gaussian noise (sigma on 0–255)."""
        pictures = self._validation_pictures()
        return _cleaned_psnr_db(model, _with_gaussian(pictures, sigma), pictures, 1.0, device)

    @functools.cached_property
    def _shots(self) -> tuple[list[Image], list[Image]]:
        """Held-out pictures from the validation cameras: (clean, noisy)."""
        return _apart(pairs(self.held_out, _VALIDATION_SIDE))

    def _rounded(self, model: nn.Module) -> nn.Module:
        return Rounded(model, exact_layers(model))

    def _validation_pictures(self) -> list[Image]:
        return [centre(picture, _VALIDATION_SIDE) for picture in self.held_out]


def _apart(pairs: Iterable[tuple[Image, Image]]) -> tuple[list[Image], list[Image]]:
    clean, noisy = zip(*pairs, strict=True)
    return list(clean), list(noisy)


def _with_gaussian(pictures: list[Image], sigma: int) -> list[Image]:
    return [gaussian(p, sigma, step_generator(i, sigma)) for i, p in enumerate(pictures)]


def _cleaned_psnr_db(
    model: nn.Module, noisy: list[Image], clean: list[Image], strength: float, device: torch.device
) -> float:
    """Return the mean PSNR of the model's results, rounded to uint8 as a user gets them."""
    frame = to_tensor(noisy).to(device)
    result = model(frame, torch.full((len(noisy),), strength, device=device)).clean
    rounded = torch.floor(result.clamp(0, 1) * 255 + 0.5) / 255
    return float(psnr_db((rounded - to_tensor(clean).to(device)).square()).mean())


def _difference(a: list[Image], b: list[Image]) -> Tensor:
    return (to_tensor(a) - to_tensor(b)).square()


def psnr_db(square: Tensor) -> Tensor:
    """Return the PSNR of each picture, 80 dB at most, from squared errors."""
    return -10 * torch.log10(functional.relu(square.mean((1, 2, 3)) - 1e-8) + 1e-8)
