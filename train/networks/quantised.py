"""Quantisation-aware training of a denoiser: simulate the rounding of its 8-bit variant.

Values are rounded in the forward pass and gradients pass unchanged (Jacob et al., CVPR 2018,
section 3). Weights are rounded to int8 per output channel; inputs and outputs of convolutions to
uint8 per tensor, over their range in the batch.
"""

from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from train.networks.equalization import shares

_TAIL = 1e-4
_SAMPLES = 2**16


class Rounded(nn.Module):
    """A network with simulated 8-bit convolutions; it shares the network's float32 weights.

    Args:
        network: the network.
        exact: names of the convolutions that are not rounded.
    """

    def __init__(self, network: nn.Module, exact: Collection[str]) -> None:
        super().__init__()
        self.network = network
        self.layers = {
            name: layer for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d)
        }
        unknown = sorted(set(exact) - set(self.layers))
        if unknown:
            raise ValueError(
                f"layers {unknown} are not among {sorted(self.layers)}; expected names of the "
                "network's convolutions"
            )
        for name in exact:
            del self.layers[name]

    def forward(self, *inputs: Tensor) -> Any:
        """Run the network with rounded weights and activations."""
        hooks = []
        for layer in self.layers.values():
            hooks.append(layer.register_forward_pre_hook(_round_input))
            hooks.append(layer.register_forward_hook(_round_output))
        weights = {f"{name}.weight": round_weight(x.weight) for name, x in self.layers.items()}
        try:
            return functional_call(self.network, weights, inputs)
        finally:
            for hook in hooks:
                hook.remove()


def round_weight(weight: Tensor) -> Tensor:
    """Round a convolution's weight to int8, with one step per output channel."""
    step = weight.detach().abs().amax((1, 2, 3), keepdim=True).clamp(min=1e-8) / 127
    return _straight(weight, torch.round(weight / step) * step)


def round_activation(values: Tensor) -> Tensor:
    """Round (N, C, H, W) to uint8 with one step over its range, without the rarest values.

    Channels are equalised first, as export does through the weights
    (:mod:`train.networks.equalization`).
    """
    values = values.float()
    share = shares(values.detach().abs().amax((2, 3)).mean(0)).view(1, -1, 1, 1)
    return _round(values / share) * share


def _round(values: Tensor) -> Tensor:
    samples = values.detach().flatten()
    samples = samples[:: max(1, len(samples) // _SAMPLES)]
    low, high = torch.quantile(samples, samples.new_tensor([_TAIL, 1 - _TAIL])).unbind()
    low, high = low.clamp(max=0), high.clamp(min=0)
    step = (high - low).clamp(min=1e-8) / 255
    zero = torch.round(-low / step)
    rounded = (torch.clamp(torch.round(values / step) + zero, 0, 255) - zero) * step
    return _straight(values, rounded)


def _straight(exact: Tensor, rounded: Tensor) -> Tensor:
    """Return the rounded values with the gradient of the exact ones (straight-through)."""
    return exact + (rounded - exact).detach()


def _round_input(layer: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (round_activation(inputs[0]),)


def _round_output(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    return round_activation(output)
