"""Layers rewritten for deployment: the same functions in operators that every device runs fast."""

import copy
import math

import torch
from torch import Tensor, nn

from export.graphs import block_major


def strided(layer: nn.Conv2d, *unshuffles: int, centre: float = 0.0) -> nn.Conv2d:
    """Fold "subtract ``centre``, pixel-unshuffle, 1×1 convolution" into one strided convolution."""
    outputs, inputs = layer.weight.shape[:2]
    block = math.prod(unshuffles)
    convolution = nn.Conv2d(inputs // block**2, outputs, block, stride=block)
    weight = layer.weight.detach()
    sides = [side for unshuffle in unshuffles for side in (unshuffle, unshuffle)]
    # A later unshuffle is the coarser part of a pixel's place and the finer part of its channel.
    rows, columns = (range(2 * len(unshuffles) + axis, 1, -2) for axis in (0, 1))
    parts = weight.reshape(outputs, -1, *sides).permute(0, 1, *rows, *columns)
    bias = torch.zeros(outputs) if layer.bias is None else layer.bias.detach()
    assert convolution.bias is not None
    convolution.weight.data = parts.reshape(convolution.weight.shape).contiguous()
    convolution.bias.data = (bias.double() - centre * weight.double().sum((1, 2, 3))).float()
    return convolution


def without_unshuffle(layers: nn.Sequential) -> list[nn.Module]:
    """Return the layers with each pixel unshuffle folded into the 1×1 convolution after it."""
    folded: list[nn.Module] = []
    pending = 1
    for layer in layers:
        if isinstance(layer, nn.PixelUnshuffle):
            pending = layer.downscale_factor
        elif pending > 1:
            assert isinstance(layer, nn.Conv2d)
            folded.append(strided(layer, pending))
            pending = 1
        else:
            folded.append(layer)
    return folded


def permuted(layer: nn.Conv2d, *shuffles: int) -> nn.Conv2d:
    """Return a convolution with its outputs in the order of the DCR DepthToSpaces that follow."""
    order = torch.arange(layer.out_channels)
    for place in reversed(range(len(shuffles))):
        # The channels left by the shuffles before this one, each with those that they consume.
        groups = order.view(-1, math.prod(shuffles[:place]) ** 2)
        order = groups[block_major(len(groups), shuffles[place])].flatten()
    reordered = copy.deepcopy(layer)
    bias = torch.zeros(layer.out_channels) if layer.bias is None else layer.bias.detach()
    reordered.weight.data = layer.weight.detach()[order].contiguous()
    reordered.bias = nn.Parameter(bias[order])
    return reordered


def in_patches(layer: nn.Conv2d, basis: Tensor) -> nn.Conv2d:
    """Return a convolution whose pixel shuffle by 2 yields coefficients of smaller patches.

    Args:
        layer: before a pixel shuffle by 2 · side into a picture of three colours, or before one by
            2 and then that one.
        basis: orthonormal, (3 · side², 3 · side²), of rows over (colour, row, column).
    """
    side = math.isqrt(len(basis) // 3)
    converted = copy.deepcopy(layer)

    def turned(values: Tensor) -> Tensor:
        parts = values.double().reshape(3, 2, side, 2, side, -1).permute(0, 2, 4, 1, 3, 5)
        turned = basis.double() @ parts.reshape(len(basis), -1)
        return turned.view(values.shape).float()

    converted.weight.data = turned(layer.weight.detach())
    if layer.bias is not None:
        converted.bias = nn.Parameter(turned(layer.bias.detach()))
    return converted


class Unrolled(nn.Module):
    """A GRU, unrolled over its steps so that the graph has no loop."""

    def __init__(self, layer: nn.GRU, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.seen, self.known = _linear(layer, "ih"), _linear(layer, "hh")

    def forward(self, rows: Tensor, state: Tensor) -> Tensor:
        """Return the states (N, steps, W).

        Args:
            rows: float32 (N, steps, inputs), or (N, 1, inputs) if every step gets the same.
            state: float32 (N, W), before the first step.
        """
        input_parts = self.seen(rows)
        states = []
        for step in range(self.steps):
            reset, update, new = input_parts[:, min(step, rows.shape[1] - 1)].chunk(3, 1)
            reset_known, update_known, new_known = self.known(state).chunk(3, 1)
            gate = torch.sigmoid(update + update_known)
            candidate = torch.tanh(new + torch.sigmoid(reset + reset_known) * new_known)
            state = candidate + gate * (state - candidate)
            states.append(state)
        return torch.stack(states, 1)


def _linear(layer: nn.GRU, kind: str) -> nn.Linear:
    """Return one of the two linear layers of a GRU: "ih" (input) or "hh" (hidden)."""
    weights = layer.state_dict()
    outputs, inputs = weights[f"weight_{kind}_l0"].shape
    linear = nn.Linear(inputs, outputs)
    names = {"weight": f"weight_{kind}_l0", "bias": f"bias_{kind}_l0"}
    linear.load_state_dict({name: weights[source] for name, source in names.items()})
    return linear
