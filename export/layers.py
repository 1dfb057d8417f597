"""Layers rewritten for deployment: the same function, in operators that every device runs fast."""

import copy

from torch import nn

from export.graphs import block_major


def strided(layer: nn.Conv2d, block: int, *, centre: float = 0.0) -> nn.Conv2d:
    """Return the convolution that equals pixel unshuffle, minus ``centre``, then a 1×1 layer."""
    outputs, inputs = layer.weight.shape[:2]
    made = nn.Conv2d(inputs // block**2, outputs, block, stride=block)
    weight, bias = layer.weight.detach(), layer.bias
    assert bias is not None and made.bias is not None
    made.weight.data = weight.reshape(outputs, -1, block, block).contiguous()
    made.bias.data = (bias.detach().double() - centre * weight.double().sum((1, 2, 3))).float()
    return made


def centred(layer: nn.Conv2d, centre: float) -> nn.Conv2d:
    """Return the convolution that equals minus ``centre``, then a layer without padding."""
    made = copy.deepcopy(layer)
    assert made.bias is not None
    shift = centre * made.weight.detach().double().sum((1, 2, 3))
    made.bias.data = (made.bias.detach().double() - shift).float()
    return made


def without_unshuffle(layers: nn.Sequential) -> list[nn.Module]:
    """Return the layers with each pixel unshuffle folded into the 1×1 convolution after it."""
    found: list[nn.Module] = []
    pending = 1
    for layer in layers:
        if isinstance(layer, nn.PixelUnshuffle):
            pending = layer.downscale_factor
        elif pending > 1:
            assert isinstance(layer, nn.Conv2d)
            found.append(strided(layer, pending))
            pending = 1
        else:
            found.append(layer)
    return found


def permuted(layer: nn.Conv2d, block: int, *, add: float = 0.0) -> nn.Conv2d:
    """Return a 1×1 layer, plus ``add``, whose channels are in the order of DCR DepthToSpace."""
    order = block_major(layer.out_channels, block)
    made = nn.Conv2d(layer.in_channels, layer.out_channels, 1)
    assert layer.bias is not None and made.bias is not None
    made.weight.data = layer.weight.detach()[order].contiguous()
    made.bias.data = layer.bias.detach()[order] + add
    return made


def identity(channels: int) -> nn.Conv2d:
    """Return a convolution that changes nothing but the memory layout of what follows."""
    layer = nn.Conv2d(channels, channels, 1, groups=channels, bias=False)
    nn.init.ones_(layer.weight)
    return layer
