"""The interface between the training loop and the tasks."""

from dataclasses import asdict
from typing import Protocol

import torch
from torch import Tensor, nn

from train.recipes import Recipe

Metrics = dict[str, float]


class Task(Protocol):
    """A network to train, with its batches and its loss.

    Batches and noise depend on (seed, step, rank) alone, so a resumed run is identical.
    """

    @property
    def recipe(self) -> Recipe:
        """Network, data and length of the training."""

    def build(self) -> nn.Module:
        """Return the network, freshly initialised."""

    def settle(self, model: nn.Module) -> None:
        """Complete a network that was filled with the weights of another run."""

    def batch(self, step: int, rank: int, size: int) -> dict[str, Tensor]:
        """Return the inputs of one step for one process, on the CPU."""

    def loss(self, model: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss to minimise, and metrics for the log."""

    def validate(self, model: nn.Module, device: torch.device) -> Metrics:
        """Return metrics on pictures that were kept out of training."""


def recipe_values(recipe: Recipe) -> dict[str, str | int | float | bool]:
    """Return the fields of a recipe as plain values, for checkpoints and manifests."""
    return asdict(recipe)
