"""Networks with the channels last: rows of what each place has, in raster order.

The bytes of a picture become rows of 4 × 4 patches by moves of 12 bytes, layers of 1 × 1 are
products of matrices, pixel shuffles move whole lines, and larger convolutions see the rows through
a transposition, which onnxruntime takes out again where it computes in 8 bits. So next to nothing
is spent on moving planes about.

Planes in float32 are faster yet where one convolution follows another, since onnxruntime adds
within its convolutions: the denoiser has rows at both ends only (:mod:`export.pixels`).
"""

import functools
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from train.networks.blocks import Block
from train.networks.denoiser import LEVEL_STRIDE, PATCH, Between, Residual

Size = tuple[int, int]
"""Rows and columns of places, which a tensor of rows does not tell."""

LEVELS = 255
MIDDLE = 128
"""What a level is counted from: a convolution's padding with 0 is middle grey."""

_LINE = 3 * LEVEL_STRIDE


class Patches(nn.Module):
    """From pictures, uint8 (H, W, 3), to rows of their patches, (places, 48), and back.

    Args:
        zero: the level from which those are counted that a picture is made of.
    """

    def __init__(self, zero: int = 0) -> None:
        super().__init__()
        self.step = nn.Buffer(torch.tensor(1.0))
        self.middle, self.zero = (nn.Buffer(torch.tensor(of).byte()) for of in (MIDDLE, zero))

    def of(self, picture: Tensor) -> Tensor:
        """Return the patches of a picture, uint8."""
        height, width = places(picture)
        lines = picture.view(height, LEVEL_STRIDE, width, _LINE)
        return lines.permute(0, 2, 1, 3).reshape(height * width, PATCH)

    def centred(self, patches: Tensor) -> Tensor:
        """Return levels minus 128 of patches: what convolutions in 8 bits read as it is."""
        levels: Tensor = torch.onnx.ops.symbolic(
            "DequantizeLinear",
            (patches, self.step, self.middle),
            dtype=torch.float32,
            shape=patches.shape,
        )
        return levels

    def bytes(self, levels: Tensor) -> Tensor:
        """Return levels rounded and clipped, uint8."""
        found: Tensor = torch.onnx.ops.symbolic(
            "QuantizeLinear",
            (levels, self.step, self.zero),
            dtype=torch.uint8,
            shape=levels.shape,
        )
        return found

    def picture(self, levels: Tensor, size: Size) -> Tensor:
        """Return the picture that has patches of these levels: rounded and clipped."""
        height, width = size
        lines = self.bytes(levels).view(height, width, LEVEL_STRIDE, _LINE).permute(0, 2, 1, 3)
        return lines.reshape(LEVEL_STRIDE * height, LEVEL_STRIDE * width, 3)


class AllBetween(nn.Module):
    """The grids between the patches, all at once.

    What is moved along one axis only has kernels of one row or column; with zeros beside them they
    are 2 × 2 as the others, and give, where the grids overlap, what nobody reads in a row or column
    more.

    For 8 bits they are made of the pixels, which have no more, while the mean of a patch needs more
    beside its details. Beyond the frame the pixels are level 128 then, and for the network the
    coefficients are 0, which is half a level darker.

    Args:
        between: the grids.
        analysis: from pixels to coefficients; None is for grids made of the coefficients.
    """

    def __init__(self, between: Iterable[nn.Module], analysis: nn.Linear | None = None) -> None:
        super().__init__()
        grids = [grid for grid in between if isinstance(grid, Between)]
        there, look = (
            torch.cat(_alike(layers, after=False))
            for layers in ([grid.there for grid in grids], [grid.share for grid in grids])
        )
        back = torch.cat(_alike([grid.back for grid in grids], after=True), 1)
        biases = [grid.share.bias.detach() for grid in grids if grid.share.bias is not None]
        padding = int(any(grid.overlapping for grid in grids))
        self.there = convolution(there, torch.zeros(len(there)), padding)
        if analysis is not None:
            self.there = after(self.there, analysis)
        self.look = convolution(look, torch.cat(biases), padding)
        self.back = convolution(back, torch.zeros(PATCH), 0)
        self.before, self.after = (
            tuple(map(max, zip(*sides, strict=True)))
            for sides in ([grid.before for grid in grids], [grid.after for grid in grids])
        )

    def forward(self, seen: Tensor, features: Tensor) -> Tensor:
        """Return the noise of all grids as coefficients of the first, (1, 48, H/4, W/4)."""
        found = self.there(functional.pad(seen, self.before)) * self.look(features)
        made: Tensor = self.back(functional.pad(found, self.after))
        return made


def of_grids(
    between: Iterable[nn.Module],
    at_once: AllBetween | None,
    pixels: Tensor,
    coefficients: Tensor,
    features: Tensor,
    size: Size,
) -> Tensor:
    """Return what grids between the patches add to coefficients, (places, 48).

    Args:
        between: the grids, which see the coefficients.
        at_once: all of them in one, which sees the pixels, where that is what ships.
        pixels, coefficients, features: rows.
        size: of these.
    """
    seen = as_planes(features, size)
    if at_once is not None:
        return as_rows(at_once(as_planes(pixels, size), seen))
    planes = as_planes(coefficients, size)
    return as_rows(functools.reduce(torch.add, [grid(planes, seen) for grid in between]))


def places(picture: Tensor) -> Size:
    """Return how many patches a picture, uint8 (H, W, 3), has."""
    return picture.shape[0] // LEVEL_STRIDE, picture.shape[1] // LEVEL_STRIDE


def as_planes(rows: Tensor, size: Size) -> Tensor:
    """Return (places, channels) as (1, channels, height, width)."""
    return rows.view(1, *size, rows.shape[1]).permute(0, 3, 1, 2)


def as_rows(planes: Tensor) -> Tensor:
    """Return (1, channels, height, width) as (places, channels)."""
    return planes.permute(0, 2, 3, 1).reshape(-1, planes.shape[1])


def shuffled(rows: Tensor, size: Size) -> Tensor:
    """Return rows of 2 × 2 blocks as rows of the places in them."""
    height, width = size
    line = rows.shape[1] // 2
    lines = rows.view(height, width, 2, line).permute(0, 2, 1, 3)
    return lines.reshape(4 * height * width, line // 2)


def shuffled_planes(planes: Tensor, size: Size) -> Tensor:
    """Return planes of 2 × 2 blocks as planes of the places in them, ``size``."""
    return as_planes(shuffled(as_rows(planes), (size[0] // 2, size[1] // 2)), size)


class Pointwise(nn.Module):
    """A layer of rows: a product of matrices, or the convolution that it is, to be rounded.

    Args:
        layer: what it computes.
        for_int8: be a convolution.
    """

    def __init__(self, layer: nn.Linear, *, for_int8: bool) -> None:
        super().__init__()
        self.layer = of_planes(layer) if for_int8 else layer

    def forward(self, rows: Tensor, size: Size) -> Tensor:
        """Map (places, inputs) to (places, outputs)."""
        if isinstance(self.layer, nn.Conv2d):
            return as_rows(self.layer(as_planes(rows, size)))
        found: Tensor = self.layer(rows)
        return found


class Strongest(nn.Module):
    """A layer of rows, of which the first inputs are left alone where the others are rounded.

    Of a transform's coefficients the first are the largest: 8 bits for all would be coarse.

    Args:
        layer: what it computes.
        for_int8: keep a tenth of the inputs apart; else none.
    """

    def __init__(self, layer: nn.Linear, *, for_int8: bool) -> None:
        super().__init__()
        weight = layer.weight.detach().T.contiguous()
        exact = -(-len(weight) // 10) if for_int8 else len(weight)
        self.parts = [exact, len(weight) - exact]
        self.exact, self.bias = nn.Buffer(weight[:exact]), nn.Buffer(layer.bias.detach())
        self.rounded = nn.Buffer(weight[exact:]) if for_int8 else None

    def forward(self, rows: Tensor) -> Tensor:
        """Map (places, inputs) to (places, outputs)."""
        if self.rounded is None:
            return torch.addmm(self.bias, rows, self.exact)
        first, rest = rows.split_with_sizes(self.parts, 1)
        return torch.addmm(self.bias, first, self.exact) + rest @ self.rounded


def after(layer: nn.Conv2d, analysis: nn.Linear) -> nn.Conv2d:
    """Return a convolution of coefficients as one of what they are made of.

    Where they are padded, with zeros, it is that which is padded.
    """
    assert layer.bias is not None
    own, bias = layer.weight.detach().double(), layer.bias.detach().double()
    matrix, constant = (part.detach().double() for part in (analysis.weight, analysis.bias))
    made = convolution(
        torch.einsum("ocyx,cp->opyx", own, matrix),
        bias + torch.einsum("ocyx,c->o", own, constant),
        0,
    )
    made.stride, made.padding = layer.stride, layer.padding
    return made


def residuals(blocks: nn.Sequential, rows: Tensor, size: Size) -> Tensor:
    """Return what blocks in a row make of rows."""
    for block in blocks:
        assert isinstance(block, Block | Residual)
        rows = rows + as_rows(block.change(as_planes(rows, size)))
    return rows


def linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    """Return a layer of rows with this weight and bias."""
    made = nn.Linear(weight.shape[1], weight.shape[0])
    made.weight.data, made.bias.data = weight.float().clone(), bias.float().clone()
    return made


def convolution(weight: Tensor, bias: Tensor, padding: int) -> nn.Conv2d:
    """Return a convolution with this weight and bias."""
    outputs, inputs = weight.shape[:2]
    made = nn.Conv2d(inputs, outputs, weight.shape[2], padding=padding)
    made.weight.data, made.bias = weight.float().contiguous(), nn.Parameter(bias.float())
    return made


def of_rows(layer: nn.Conv2d) -> nn.Linear:
    """Return a 1 × 1 convolution as a layer of rows."""
    weight = layer.weight.detach()[:, :, 0, 0]
    bias = weight.new_zeros(len(weight)) if layer.bias is None else layer.bias.detach()
    return linear(weight, bias)


def of_planes(layer: nn.Linear) -> nn.Conv2d:
    """Return a layer of rows as the 1 × 1 convolution that it is."""
    return convolution(layer.weight.detach()[:, :, None, None], layer.bias.detach(), 0)


def kept(layer: nn.Conv2d) -> nn.Linear:
    """Return a 1 × 1 convolution to shares, by which numbers grow, as a layer to their factors."""
    made = of_rows(layer)
    return linear(made.weight.detach(), made.bias.detach() + 1)


def _alike(layers: Sequence[nn.Conv2d], *, after: bool) -> list[Tensor]:
    """Return kernels as large as the largest, with zeros after or before rows and columns."""
    weights = [layer.weight.detach() for layer in layers]
    height, width = (max(weight.shape[axis] for weight in weights) for axis in (2, 3))
    made = []
    for weight in weights:
        down, right = height - weight.shape[2], width - weight.shape[3]
        made.append(functional.pad(weight, (0, right, 0, down) if after else (right, 0, down, 0)))
    return made
