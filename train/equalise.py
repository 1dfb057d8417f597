"""Make the channels of a denoiser alike before its activations share one scale each.

A channel may be multiplied by any positive number where it is made and divided by it where it is
used: everything between is linear or leaky ReLU, so the network computes the same. Channels of one
size each use all of the 8 bits (Nagel et al., Data-Free Quantization, ICCV 2019, section 4.1).
"""

import copy
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from train.denoiser import DenoiserNetwork, Residual

_LEAST = 0.05
"""Of the largest channel: smaller ones are not made larger than this is."""


class Stream(NamedTuple):
    """Channels that one or more layers add to and others read."""

    makers: Sequence[nn.Conv2d]
    readers: Sequence[nn.Conv2d]


def streams(network: DenoiserNetwork) -> list[Stream]:
    """Return the network's channels, from the frame to the noise."""
    n = network
    estimator = [layer for layer in n.estimator if isinstance(layer, nn.Conv2d)]
    fine = [*_residuals(n.fine_in), *_residuals(n.fine_out)]
    coarse = _residuals(n.coarse)
    return [
        *(Stream([one], [two]) for one, two in pairwise(estimator)),
        *(Stream([block.first], [block.second]) for block in (*fine, *coarse)),
        Stream(
            [n.stem, n.claim, n.up, *(block.second for block in fine)],
            [n.down, n.share, n.offset, *(block.first for block in fine)],
        ),
        Stream(
            [n.down, *(block.second for block in coarse)],
            [n.up, *(block.first for block in coarse)],
        ),
    ]


@torch.no_grad()
def equalised(network: DenoiserNetwork, frames: Tensor, strengths: Tensor) -> DenoiserNetwork:
    """Return a network that computes the same, with channels of one size on these frames.

    Args:
        network: trained.
        frames: float32 (N, 3, H, W) in [0, 1], noisy.
        strengths: (N,).
    """
    made = copy.deepcopy(network).eval()
    sizes: dict[nn.Module, Tensor] = {}
    hooks = []

    def look(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        sizes[layer] = inputs[0].abs().amax((2, 3)).mean(0)

    for stream in streams(made):
        hooks += [reader.register_forward_pre_hook(look) for reader in stream.readers]
    made(frames, strengths)
    for hook in hooks:
        hook.remove()
    for stream in streams(made):
        size = torch.stack([sizes[reader] for reader in stream.readers]).amax(0)
        _scale(stream, 1 / shares(size))
    return made


def shares(size: Tensor) -> Tensor:
    """Return the size of each channel as a share of the largest, (C,), but not too small a one."""
    return (size / size.max().clamp(min=1e-8)).clamp(min=_LEAST)


def _scale(stream: Stream, factors: Tensor) -> None:
    """Multiply the channels of a stream."""
    for maker in stream.makers:
        # A pixel shuffle follows a layer that has more channels than the stream.
        own = factors.repeat_interleave(maker.out_channels // len(factors))
        assert maker.bias is not None
        maker.weight.mul_(own.view(-1, 1, 1, 1))
        maker.bias.mul_(own)
    for reader in stream.readers:
        reader.weight.div_(factors.view(1, -1, 1, 1))


def _residuals(blocks: nn.Sequential) -> list[Residual]:
    return [block for block in blocks if isinstance(block, Residual)]
