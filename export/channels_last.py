"""The channels-last matmul form: tensors as matrices (positions, channels), in raster order.

A picture becomes a matrix of 4 × 4 patches by moves of 12 bytes, 1 × 1 layers are matrix products,
and pixel shuffles move whole lines. Larger convolutions transpose the matrix to planes, which
onnxruntime undoes where it computes in 8 bits. So almost no time is spent on layout.

In float32, planes are still faster where one convolution follows another, since onnxruntime fuses
additions into convolutions; the denoiser therefore has matrices only at its ends
(:mod:`export.pixels`).

Below, a *matrix* is (positions, channels), and *planes* are (1, channels, height, width).
"""

import functools
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from train.networks.blocks import Block, Bound
from train.networks.denoiser import LEVEL_STRIDE, PATCH, SHARE_MAX, Between, Residual

Size = tuple[int, int]
"""Height and width in positions, which a matrix does not hold."""

LEVELS = 255
MIDDLE = 128
"""The level that counts as 0, so that the zero padding of convolutions is middle grey."""

_LINE = 3 * LEVEL_STRIDE


class Patches(nn.Module):
    """Conversion from pictures, uint8 (H, W, 3), to patches, (positions, 48), and back.

    Args:
        zero: the level that counts as 0 when patches become a picture.
    """

    def __init__(self, zero: int = 0) -> None:
        super().__init__()
        self.step = nn.Buffer(torch.tensor(1.0))
        self.middle, self.zero = (nn.Buffer(torch.tensor(level).byte()) for level in (MIDDLE, zero))

    def of(self, picture: Tensor) -> Tensor:
        """Return the patches of a picture, uint8."""
        height, width = places(picture)
        lines = picture.view(height, LEVEL_STRIDE, width, _LINE)
        return lines.permute(0, 2, 1, 3).reshape(height * width, PATCH)

    def centred(self, patches: Tensor) -> Tensor:
        """Return the levels of patches minus 128, which 8-bit convolutions read as they are."""
        levels: Tensor = torch.onnx.ops.symbolic(
            "DequantizeLinear",
            (patches, self.step, self.middle),
            dtype=torch.float32,
            shape=patches.shape,
        )
        return levels

    def bytes(self, levels: Tensor) -> Tensor:
        """Return levels rounded and clipped, uint8."""
        pixels: Tensor = torch.onnx.ops.symbolic(
            "QuantizeLinear",
            (levels, self.step, self.zero),
            dtype=torch.uint8,
            shape=levels.shape,
        )
        return pixels

    def picture(self, levels: Tensor, size: Size) -> Tensor:
        """Return the picture of patches with these levels, rounded and clipped."""
        height, width = size
        lines = self.bytes(levels).view(height, width, LEVEL_STRIDE, _LINE).permute(0, 2, 1, 3)
        return lines.reshape(LEVEL_STRIDE * height, LEVEL_STRIDE * width, 3)


class AllBetween(nn.Module):
    """All offset grids of patches, computed at once.

    Grids that are offset along one axis have kernels of one row or column. Padded with zeros, all
    kernels are 2 × 2; where grids overlap, this yields one more row or column that is not read.

    In 8 bits, grids are computed from the pixels, which 8 bits hold exactly; in coefficients, the
    mean of a patch needs more bits than its details leave. Beyond the frame the pixels then have
    level 128, while in the network the coefficients are 0, which is half a level darker.

    Args:
        between: the grids.
        analysis: from pixels to coefficients; None computes the grids from the coefficients.
    """

    def __init__(self, between: Iterable[nn.Module], analysis: nn.Linear | None = None) -> None:
        super().__init__()
        grids = [grid for grid in between if isinstance(grid, Between)]
        to_grid, share_weight = (
            torch.cat(_alike(layers, after=False))
            for layers in ([grid.there for grid in grids], [grid.share for grid in grids])
        )
        from_grid = torch.cat(_alike([grid.back for grid in grids], after=True), 1)
        biases = [grid.share.bias.detach() for grid in grids if grid.share.bias is not None]
        overlapping = any(grid.overlapping for grid in grids)
        self.limits = Limits(-SHARE_MAX, SHARE_MAX) if overlapping else nn.Identity()
        padding = int(overlapping)
        self.there = convolution(to_grid, torch.zeros(len(to_grid)), padding)
        if analysis is not None:
            self.there = after(self.there, analysis)
        self.look = convolution(share_weight, torch.cat(biases), padding)
        self.back = convolution(from_grid, torch.zeros(PATCH), 0)
        self.before, self.after = (
            tuple(map(max, zip(*sides, strict=True)))
            for sides in ([grid.before for grid in grids], [grid.after for grid in grids])
        )

    def forward(self, source: Tensor, features: Tensor) -> Tensor:
        """Return the noise of all grids as coefficients of the first, (1, 48, H/4, W/4)."""
        share = self.limits(self.look(features))
        shared = self.there(functional.pad(source, self.before)) * share
        noise: Tensor = self.back(functional.pad(shared, self.after))
        return noise


def grid_noise(
    between: Iterable[nn.Module],
    merged: AllBetween | None,
    pixels: Tensor,
    coefficients: Tensor,
    features: Tensor,
    size: Size,
) -> Tensor:
    """Return what the offset grids add to coefficients, (positions, 48).

    Args:
        between: the grids, which read the coefficients.
        merged: all grids in one, reading the pixels; used instead of them if it is not None.
        pixels, coefficients, features: matrices.
        size: their height and width in positions.
    """
    feature_planes = to_planes(features, size)
    if merged is not None:
        return to_channels_last(merged(to_planes(pixels, size), feature_planes))
    coefficient_planes = to_planes(coefficients, size)
    return to_channels_last(
        functools.reduce(torch.add, [grid(coefficient_planes, feature_planes) for grid in between])
    )


def places(picture: Tensor) -> Size:
    """Return the height and width in patches of a picture, uint8 (H, W, 3)."""
    return picture.shape[0] // LEVEL_STRIDE, picture.shape[1] // LEVEL_STRIDE


def to_planes(matrix: Tensor, size: Size) -> Tensor:
    """Convert (positions, channels) to (1, channels, height, width)."""
    return matrix.view(1, *size, matrix.shape[1]).permute(0, 3, 1, 2)


def to_channels_last(planes: Tensor) -> Tensor:
    """Convert (1, channels, height, width) to (positions, channels)."""
    return planes.permute(0, 2, 3, 1).reshape(-1, planes.shape[1])


def shuffled(matrix: Tensor, size: Size) -> Tensor:
    """Pixel-shuffle a channels-last matrix by 2 (DCR order)."""
    height, width = size
    line = matrix.shape[1] // 2
    lines = matrix.view(height, width, 2, line).permute(0, 2, 1, 3)
    return lines.reshape(4 * height * width, line // 2)


def shuffled_planes(planes: Tensor, size: Size) -> Tensor:
    """Pixel-shuffle planes by 2 (DCR order) to ``size``."""
    return to_planes(shuffled(to_channels_last(planes), (size[0] // 2, size[1] // 2)), size)


class Pointwise(nn.Module):
    """A 1 × 1 layer of matrices: a product in float32, a convolution where it is to be rounded.

    Args:
        layer: the layer.
        for_int8: export it as a convolution.
        limits: limits of its outputs; none by default.
    """

    def __init__(
        self, layer: nn.Linear, *, for_int8: bool, limits: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.layer = as_convolution(layer) if for_int8 else layer
        self.limits = limits or nn.Identity()

    def forward(self, matrix: Tensor, size: Size) -> Tensor:
        """Map (positions, inputs) to (positions, outputs)."""
        if isinstance(self.layer, nn.Conv2d):
            return to_channels_last(self.limits(self.layer(to_planes(matrix, size))))
        limited: Tensor = self.limits(self.layer(matrix))
        return limited


class Limits(nn.Module):
    """Keep values within a range, as one Clip: the exporter takes half a minute for torch.clamp.

    Args:
        low, high: ends of the range.
    """

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        self.low, self.high = (nn.Buffer(torch.tensor(end)) for end in (low, high))

    def forward(self, values: Tensor) -> Tensor:
        """Clip float32 values of any shape."""
        if not torch.compiler.is_exporting():
            return values.clamp(self.low, self.high)
        limited: Tensor = torch.onnx.ops.symbolic(
            "Clip", (values, self.low, self.high), dtype=torch.float32, shape=values.shape
        )
        return limited


def limits(bound: Bound) -> nn.Module:
    """Return a bound for deployment: the identity if it is not set."""
    largest = float(bound.get_buffer("largest"))
    return Limits(-largest, largest) if bound.is_set else nn.Identity()


class Strongest(nn.Module):
    """A 1 × 1 layer whose first inputs stay in float32 when the others are rounded.

    The first coefficients of a transform are the largest; 8 bits for all of them would be coarse.

    Args:
        layer: the layer.
        for_int8: keep a tenth of the inputs in float32.
    """

    def __init__(self, layer: nn.Linear, *, for_int8: bool) -> None:
        super().__init__()
        weight = layer.weight.detach().T.contiguous()
        exact = -(-len(weight) // 10) if for_int8 else len(weight)
        self.parts = [exact, len(weight) - exact]
        self.exact, self.bias = nn.Buffer(weight[:exact]), nn.Buffer(layer.bias.detach())
        self.rounded = nn.Buffer(weight[exact:]) if for_int8 else None

    def forward(self, matrix: Tensor) -> Tensor:
        """Map (positions, inputs) to (positions, outputs)."""
        if self.rounded is None:
            return torch.addmm(self.bias, matrix, self.exact)
        first, rest = matrix.split_with_sizes(self.parts, 1)
        return torch.addmm(self.bias, first, self.exact) + rest @ self.rounded


def after(layer: nn.Conv2d, analysis: nn.Linear) -> nn.Conv2d:
    """Return a convolution of coefficients as a convolution of the pixels that they come from.

    The padding then applies to the pixels instead of the coefficients.
    """
    assert layer.bias is not None
    kernel, bias = layer.weight.detach().double(), layer.bias.detach().double()
    matrix, constant = (part.detach().double() for part in (analysis.weight, analysis.bias))
    composed = convolution(
        torch.einsum("ocyx,cp->opyx", kernel, matrix),
        bias + torch.einsum("ocyx,c->o", kernel, constant),
        0,
    )
    composed.stride, composed.padding = layer.stride, layer.padding
    return composed


def residuals(blocks: nn.Sequential, matrix: Tensor, size: Size) -> Tensor:
    """Apply residual blocks to a matrix."""
    for block in blocks:
        assert isinstance(block, Block | Residual)
        matrix = matrix + to_channels_last(block.change(to_planes(matrix, size)))
    return matrix


def linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    """Return a linear layer with this weight and bias."""
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight.data, layer.bias.data = weight.float().clone(), bias.float().clone()
    return layer


def convolution(weight: Tensor, bias: Tensor, padding: int) -> nn.Conv2d:
    """Return a convolution with this weight and bias."""
    outputs, inputs = weight.shape[:2]
    layer = nn.Conv2d(inputs, outputs, weight.shape[2], padding=padding)
    layer.weight.data, layer.bias = weight.float().contiguous(), nn.Parameter(bias.float())
    return layer


def as_linear(layer: nn.Conv2d) -> nn.Linear:
    """Return a 1 × 1 convolution as a linear layer."""
    weight = layer.weight.detach()[:, :, 0, 0]
    bias = weight.new_zeros(len(weight)) if layer.bias is None else layer.bias.detach()
    return linear(weight, bias)


def as_convolution(layer: nn.Linear) -> nn.Conv2d:
    """Return a linear layer as a 1 × 1 convolution."""
    return convolution(layer.weight.detach()[:, :, None, None], layer.bias.detach(), 0)


def plus_identity(layer: nn.Conv2d) -> nn.Linear:
    """Return a 1 × 1 convolution with 1 added to its outputs, as a linear layer."""
    plain = as_linear(layer)
    return linear(plain.weight.detach(), plain.bias.detach() + 1)


def _alike(layers: Sequence[nn.Conv2d], *, after: bool) -> list[Tensor]:
    """Return kernels zero-padded to the size of the largest, at their ends or beginnings."""
    weights = [layer.weight.detach() for layer in layers]
    height, width = (max(weight.shape[axis] for weight in weights) for axis in (2, 3))
    padded = []
    for weight in weights:
        down, right = height - weight.shape[2], width - weight.shape[3]
        padded.append(functional.pad(weight, (0, right, 0, down) if after else (right, 0, down, 0)))
    return padded
