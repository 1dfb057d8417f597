"""Cross-layer equalisation: give the channels of a tensor one range before it is quantised.

A channel can be multiplied by any positive factor in the layers that write it and divided by the
same factor in the layers that read it: everything in between is linear or a leaky ReLU, so the
network computes the same function. Channels of equal range use all of the 8 bits that they share
(Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019,
section 4.1).
"""

import copy
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from train.networks.blocks import Block
from train.networks.codec import CodecNetwork, Levels, PostFilter
from train.networks.denoiser import Between, DenoiserNetwork, Residual
from train.networks.recurrent import RecurrentNetwork

Network = TypeVar("Network", bound=nn.Module)
Layer = TypeVar("Layer", bound=nn.Module)

_LEAST = 0.05
"""Channels smaller than this share of the largest are scaled as if they had it."""


class ChannelGroup(NamedTuple):
    """The channels of one tensor, which are scaled together.

    Attributes:
        writers: layers whose sum is the tensor, or levels that multiply it.
        readers: layers that take the tensor; none where it is only multiplied.
        factors: layers that write what the tensor is multiplied by.
        measured: writers whose outputs are measured; if there are none, the readers' inputs are.
    """

    writers: Sequence[nn.Conv2d | Levels]
    readers: Sequence[nn.Conv2d]
    factors: Sequence[nn.Conv2d] = ()
    measured: Sequence[nn.Conv2d] = ()


def still_groups(network: DenoiserNetwork) -> list[ChannelGroup]:
    """Return the tensors of a still denoiser, from the frame to the noise.

    Two are measured where they are written: the mean of a patch gets a hundred times what its
    finest detail gets, and the input of a leaky ReLU, which is rounded before it, still has large
    negative values.
    """
    n, grids = network, _layers(network.between, Between)
    first, *_ = _layers(n.estimator, nn.Conv2d)
    added = [n.offset, *(grid.back for grid in grids)]
    readers = [n.stem, first, *(grid.there for grid in grids), n.synthesis]
    coefficients = ChannelGroup([n.analysis, *added], readers, measured=added)
    return [coefficients, *_features(n, before_leaky=True)]


def recurrent_groups(network: RecurrentNetwork) -> list[ChannelGroup]:
    """Return the tensors of a recurrent denoiser, except its state and what is compared with it."""
    # Measured before their leaky ReLU, like the still denoiser's, they lose 1.5 times as much.
    *rest, main, coarse = _features(network, before_leaky=False)
    writers = [*main.writers, network.recall]
    readers = [*main.readers, network.trust, network.keep]
    return [*rest, ChannelGroup(writers, readers), coarse]


def _features(network: DenoiserNetwork, *, before_leaky: bool) -> list[ChannelGroup]:
    """Return the tensors between the coefficients of the frame and those of the noise."""
    n = network
    estimator = _layers(n.estimator, nn.Conv2d)
    fine = [*_layers(n.fine_in, Residual), *_layers(n.fine_out, Residual)]
    coarse = _layers(n.coarse, Residual)
    grids = _layers(n.between, Between)
    blocks = [(block.first, block.second) for block in (*fine, *coarse)]
    return [
        *(ChannelGroup([grid.there], [], [grid.share], measured=[grid.there]) for grid in grids),
        *(
            ChannelGroup([one], [two], measured=[one] if before_leaky else [])
            for one, two in (*pairwise(estimator), *blocks)
        ),
        ChannelGroup(
            [n.stem, n.claim, n.up, *(block.second for block in fine)],
            [
                n.down,
                n.share,
                n.offset,
                *(grid.share for grid in grids),
                *(block.first for block in fine),
            ],
        ),
        ChannelGroup(
            [n.down, *(block.second for block in coarse)],
            [n.up, *(block.first for block in coarse)],
        ),
    ]


def codec_groups(network: CodecNetwork) -> list[ChannelGroup]:
    """Return the tensors of a codec's encoder and decoder, except those of the hyper-latent."""
    one, two = network.analysis, network.synthesis
    stacks = [_layers(stack, Block) for stack in (one.fine, one.coarse, two.coarse, two.fine)]
    first, deep, second, last = stacks
    return [
        *(ChannelGroup([block.spatial], [block.project]) for stack in stacks for block in stack),
        _residual([one.stem], first, [one.down]),
        _residual([one.down], deep, [one.head]),
        ChannelGroup([two.inverse_gain], [two.stem, two.linear]),
        _residual([two.stem], second, [two.up, two.share]),
        _residual([two.up], last, [two.head, two.filter.enter]),
        *_filter(two.filter),
    ]


def _filter(part: PostFilter) -> list[ChannelGroup]:
    """Return the tensors of the post-filter."""
    blocks = _layers(part.blocks, Residual)
    grids = _layers(part.between, Between)
    writers = [part.stem, part.enter, *(block.second for block in blocks)]
    shares = [part.share, *(grid.share for grid in grids)]
    return [
        # Their shares have limits, which are the same for all channels.
        *(ChannelGroup([grid.there], [grid.back], measured=[grid.there]) for grid in grids),
        *(ChannelGroup([block.first], [block.second]) for block in blocks),
        ChannelGroup(writers, [part.offset, *shares, *(block.first for block in blocks)]),
    ]


@torch.no_grad()
def equalised(
    network: Network, groups: Callable[[Network], list[ChannelGroup]], *inputs: Any
) -> Network:
    """Return a network that computes the same, with channels of one range on these inputs.

    Args:
        network: trained.
        groups: returns the tensors of a network.
        inputs: inputs of the network to measure on.
    """
    equal = copy.deepcopy(network).eval()
    input_sizes: dict[nn.Module, Tensor] = {}
    output_sizes: dict[nn.Module, Tensor] = {}
    hooks = []

    def measure_input(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        input_sizes[layer] = _sizes(inputs[0])

    def measure_output(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        output_sizes[layer] = _sizes(output)

    for group in groups(equal):
        hooks += [reader.register_forward_pre_hook(measure_input) for reader in group.readers]
        hooks += [writer.register_forward_hook(measure_output) for writer in group.measured]
    equal(*inputs)
    for hook in hooks:
        hook.remove()
    for group in groups(equal):
        sizes = [output_sizes[writer] for writer in group.measured]
        sizes = sizes or [input_sizes[reader] for reader in group.readers]
        count = min(len(size) for size in sizes)
        # A pixel unshuffle in front of a layer splits each channel into several.
        largest = torch.stack([size.view(count, -1).amax(1) for size in sizes]).amax(0)
        _scale(group, 1 / shares(largest))
    return equal


def _sizes(values: Tensor) -> Tensor:
    return values.abs().amax((2, 3)).mean(0)


def shares(size: Tensor) -> Tensor:
    """Return the size of each channel as a share of the largest, (C,), 0.05 at least."""
    return (size / size.max().clamp(min=1e-8)).clamp(min=_LEAST)


def _scale(group: ChannelGroup, factors: Tensor) -> None:
    """Multiply the channels of a tensor."""
    for writer in group.writers:
        if isinstance(writer, Levels):
            writer.log.add_(factors.log())
            continue
        # A layer with more channels than the tensor is followed by a pixel shuffle.
        own = factors.repeat_interleave(writer.out_channels // len(factors))
        _multiply(writer, own)
    for layer in group.factors:
        _multiply(layer, 1 / factors)
    for reader in group.readers:
        own = factors.repeat_interleave(reader.in_channels // len(factors))
        reader.weight.div_(own.view(1, -1, 1, 1))


def _multiply(layer: nn.Conv2d, own: Tensor) -> None:
    """Multiply the output channels of a layer."""
    layer.weight.mul_(own.view(-1, 1, 1, 1))
    if layer.bias is not None:
        layer.bias.mul_(own)


def _residual(
    writers: list[nn.Conv2d], blocks: Sequence[Block], readers: list[nn.Conv2d]
) -> ChannelGroup:
    """Return the tensor that residual blocks read and add to."""
    return ChannelGroup(
        [*writers, *(block.project for block in blocks)],
        [*readers, *(block.spatial for block in blocks)],
    )


def _layers(stack: Iterable[nn.Module], kind: type[Layer]) -> list[Layer]:
    return [layer for layer in stack if isinstance(layer, kind)]
