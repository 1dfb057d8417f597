"""Make the channels of a network alike before its activations share one scale each.

A channel may be multiplied by any positive number where it is made and divided by it where it is
used: everything between is linear or leaky ReLU, so the network computes the same. Channels of one
size each use all of the 8 bits (Nagel et al., Data-Free Quantization, ICCV 2019, section 4.1).
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
from train.networks.recurrent import VideoNetwork

Network = TypeVar("Network", bound=nn.Module)
Layer = TypeVar("Layer", bound=nn.Module)

_LEAST = 0.05
"""Of the largest channel: smaller ones are not made larger than this is."""


class Stream(NamedTuple):
    """Channels that one or more layers add to and others read.

    Attributes:
        makers: what adds to them, or multiplies them by levels.
        readers: what takes them; nothing does where they are only multiplied.
        factors: what makes the numbers that they are multiplied by.
        measured: makers whose channels tell what size they have; where none are named, it is the
            size that readers see.
    """

    makers: Sequence[nn.Conv2d | Levels]
    readers: Sequence[nn.Conv2d]
    factors: Sequence[nn.Conv2d] = ()
    measured: Sequence[nn.Conv2d] = ()


def still_streams(network: DenoiserNetwork) -> list[Stream]:
    """Return a still denoiser's channels, from the frame to the noise.

    What is added to the mean of a patch is a hundred times what is added to its finest detail, and
    what a leaky ReLU reads, which is rounded before it, has negative numbers that are large still.
    """
    n, grids = network, _layers(network.between, Between)
    first, *_ = _layers(n.estimator, nn.Conv2d)
    added = [n.offset, *(grid.back for grid in grids)]
    readers = [n.stem, first, *(grid.there for grid in grids), n.synthesis]
    coefficients = Stream([n.analysis, *added], readers, measured=added)
    return [coefficients, *_features(n, before_leaky=True)]


def video_streams(network: VideoNetwork) -> list[Stream]:
    """Return a recurrent denoiser's channels; what it keeps or compares stays as it is."""
    # Compared before their leaky ReLU, as the still denoiser's are, they lose a half more here.
    *rest, main, coarse = _features(network, before_leaky=False)
    makers, readers = [*main.makers, network.recall], [*main.readers, network.trust, network.keep]
    return [*rest, Stream(makers, readers), coarse]


def _features(network: DenoiserNetwork, *, before_leaky: bool) -> list[Stream]:
    """Return the channels between the coefficients of the frame and those of the noise."""
    n = network
    estimator = _layers(n.estimator, nn.Conv2d)
    fine = [*_layers(n.fine_in, Residual), *_layers(n.fine_out, Residual)]
    coarse = _layers(n.coarse, Residual)
    grids = _layers(n.between, Between)
    blocks = [(block.first, block.second) for block in (*fine, *coarse)]
    return [
        *(Stream([grid.there], [], [grid.share], measured=[grid.there]) for grid in grids),
        *(
            Stream([one], [two], measured=[one] if before_leaky else [])
            for one, two in (*pairwise(estimator), *blocks)
        ),
        Stream(
            [n.stem, n.claim, n.up, *(block.second for block in fine)],
            [
                n.down,
                n.share,
                n.offset,
                *(grid.share for grid in grids),
                *(block.first for block in fine),
            ],
        ),
        Stream(
            [n.down, *(block.second for block in coarse)],
            [n.up, *(block.first for block in coarse)],
        ),
    ]


def codec_streams(network: CodecNetwork) -> list[Stream]:
    """Return a codec's channels in encoder and decoder, but for the hyper-latent's."""
    one, two = network.analysis, network.synthesis
    stacks = [_layers(stack, Block) for stack in (one.fine, one.coarse, two.coarse, two.fine)]
    first, deep, second, last = stacks
    return [
        *(Stream([block.spatial], [block.project]) for stack in stacks for block in stack),
        _residual([one.stem], first, [one.down]),
        _residual([one.down], deep, [one.head]),
        Stream([two.inverse_gain], [two.stem, two.linear]),
        _residual([two.stem], second, [two.up, two.share]),
        _residual([two.up], last, [two.head, two.filter.enter]),
        *_filter(two.filter),
    ]


def _filter(part: PostFilter) -> list[Stream]:
    """Return the channels of a decoder's end."""
    blocks = _layers(part.blocks, Residual)
    grids = _layers(part.between, Between)
    makers = [part.stem, part.enter, *(block.second for block in blocks)]
    shares = [part.share, *(grid.share for grid in grids)]
    return [
        *(Stream([grid.there], [], [grid.share], measured=[grid.there]) for grid in grids),
        *(Stream([block.first], [block.second]) for block in blocks),
        Stream(makers, [part.offset, *shares, *(block.first for block in blocks)]),
    ]


@torch.no_grad()
def equalised(
    network: Network, streams: Callable[[Network], list[Stream]], *inputs: Any
) -> Network:
    """Return a network that computes the same, with channels of one size on these inputs.

    Args:
        network: trained.
        streams: what tells the network's channels.
        inputs: of the network.
    """
    made = copy.deepcopy(network).eval()
    taken: dict[nn.Module, Tensor] = {}
    given: dict[nn.Module, Tensor] = {}
    hooks = []

    def look(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        taken[layer] = _sizes(inputs[0])

    def look_after(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        given[layer] = _sizes(output)

    for stream in streams(made):
        hooks += [reader.register_forward_pre_hook(look) for reader in stream.readers]
        hooks += [maker.register_forward_hook(look_after) for maker in stream.measured]
    made(*inputs)
    for hook in hooks:
        hook.remove()
    for stream in streams(made):
        seen = [given[maker] for maker in stream.measured]
        seen = seen or [taken[reader] for reader in stream.readers]
        count = min(len(size) for size in seen)
        # A pixel unshuffle in front of a layer makes several channels of each.
        size = [each.view(count, -1).amax(1) for each in seen]
        _scale(stream, 1 / shares(torch.stack(size).amax(0)))
    return made


def _sizes(values: Tensor) -> Tensor:
    return values.abs().amax((2, 3)).mean(0)


def shares(size: Tensor) -> Tensor:
    """Return the size of each channel as a share of the largest, (C,), but not too small a one."""
    return (size / size.max().clamp(min=1e-8)).clamp(min=_LEAST)


def _scale(stream: Stream, factors: Tensor) -> None:
    """Multiply the channels of a stream."""
    for maker in stream.makers:
        if isinstance(maker, Levels):
            maker.log.add_(factors.log())
            continue
        # A pixel shuffle follows a layer that has more channels than the stream.
        own = factors.repeat_interleave(maker.out_channels // len(factors))
        _multiply(maker, own)
    for layer in stream.factors:
        _multiply(layer, 1 / factors)
    for reader in stream.readers:
        own = factors.repeat_interleave(reader.in_channels // len(factors))
        reader.weight.div_(own.view(1, -1, 1, 1))


def _multiply(layer: nn.Conv2d, own: Tensor) -> None:
    """Multiply what each channel of a layer gives."""
    layer.weight.mul_(own.view(-1, 1, 1, 1))
    if layer.bias is not None:
        layer.bias.mul_(own)


def _residual(makers: list[nn.Conv2d], blocks: Sequence[Block], readers: list[nn.Conv2d]) -> Stream:
    """Return the stream that blocks read and add to."""
    return Stream(
        [*makers, *(block.project for block in blocks)],
        [*readers, *(block.spatial for block in blocks)],
    )


def _layers(stack: Iterable[nn.Module], kind: type[Layer]) -> list[Layer]:
    return [layer for layer in stack if isinstance(layer, kind)]
