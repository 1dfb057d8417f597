"""The block family of the pixel networks: cheap convolutions at low resolution."""

import copy
from collections.abc import Iterable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from train.networks.integer import clamp_inwards

SLOPE = 0.1
"""Of the leaky ReLU below zero: plain ReLU let nine tenths of the coarse units die."""

Network = TypeVar("Network", bound=nn.Module)

_UNBOUNDED = torch.finfo(torch.float32).max
_ROOM = 1.5
"""Of the largest feature on photographs, its bound: training moves them."""


class Block(nn.Module):
    """Residual: dense 3×3, leaky ReLU, 1×1 (10 C² MAC per position).

    Dense 3×3 layers reach the peak of a CPU in training and in onnxruntime, which depthwise ones do
    not; the activation is one that onnxruntime fuses into its convolution.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.spatial = nn.Conv2d(channels, channels, 3, padding=1)
        self.project = nn.Conv2d(channels, channels, 1)
        nn.init.kaiming_normal_(self.spatial.weight, a=SLOPE)
        nn.init.normal_(self.project.weight, std=0.1 / channels**0.5)
        for layer in (self.spatial, self.project):
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        return x + self.change(x)

    def change(self, x: Tensor) -> Tensor:
        """Return what the block adds to its input."""
        y: Tensor = self.project(functional.leaky_relu(self.spatial(x), SLOPE))
        return y


def blocks(channels: int, count: int) -> nn.Sequential:
    """Return ``count`` blocks in a row."""
    return nn.Sequential(*(Block(channels) for _ in range(count)))


def activation(slope: float = SLOPE) -> nn.Module:
    """Return a leaky ReLU, or a plain one for slope 0."""
    return nn.LeakyReLU(slope) if slope else nn.ReLU()


def pointwise(inputs: int, outputs: int) -> nn.Conv2d:
    """Return a 1×1 convolution with orthogonal initial weights, which preserve information."""
    layer = nn.Conv2d(inputs, outputs, 1)
    nn.init.orthogonal_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


class Bound(nn.Module):
    """Clip features to the range that they have on photographs; initially without a bound.

    On pictures unlike any photograph, features beyond the trained range were multiplied by each
    other, and the surroundings of a flat blue box were decoded as garbage.
    """

    def __init__(self) -> None:
        super().__init__()
        # Not infinite: the average of two infinities is none.
        self.register_buffer("largest", torch.tensor(_UNBOUNDED))

    @property
    def is_set(self) -> bool:
        """Whether there is a bound."""
        return float(self.get_buffer("largest")) < _UNBOUNDED

    def forward(self, x: Tensor) -> Tensor:
        """Clip features of any shape; gradients pass where they lead back."""
        largest = self.get_buffer("largest")
        bounded: Tensor = clamp_inwards(x, -largest, largest)
        return bounded

    def _load_from_state_dict(self, state: dict[str, Tensor], prefix: str, *rest: Any) -> None:
        """Accept checkpoints from before there were bounds, and leave the bound unset."""
        state.setdefault(f"{prefix}largest", torch.tensor(_UNBOUNDED))
        super()._load_from_state_dict(state, prefix, *rest)


@torch.no_grad()
def set_bounds(network: nn.Module, inputs: Iterable[tuple[Any, ...]]) -> None:
    """Set every unset bound to one and a half times the largest value on a network's inputs."""
    unset = [bound for bound in _bounds(network) if not bound.is_set]
    if not unset:
        return
    sizes: dict[nn.Module, float] = dict.fromkeys(unset, 0.0)

    def measure(bound: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        sizes[bound] = max(sizes[bound], float(output.abs().max()))

    hooks = [bound.register_forward_hook(measure) for bound in unset]
    for each in inputs:
        network(*each)
    for hook in hooks:
        hook.remove()
    for bound, size in sizes.items():
        bound.get_buffer("largest").fill_(_ROOM * size)


def without_bounds(network: Network) -> Network:
    """Return a copy of a network without bounds."""
    free = copy.deepcopy(network)
    for bound in _bounds(free):
        bound.get_buffer("largest").fill_(_UNBOUNDED)
    return free


def _bounds(network: nn.Module) -> list[Bound]:
    return [layer for layer in network.modules() if isinstance(layer, Bound)]
