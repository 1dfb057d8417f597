"""The denoiser's networks as they ship: from pixels to pixels, with the channels last throughout.

A row is what one place has, its channels side by side; rows lie in raster order. A frame's bytes
become rows of 4 × 4 patches by moves of 12 bytes, layers of 1 × 1 are products of matrices, and
larger convolutions see the rows through a transposition, which onnxruntime takes out again where it
computes in 8 bits. So next to nothing is spent on moving planes about.
"""

import copy
import functools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from export.graphs import block_major
from export.layers import permuted
from train.blocks import SLOPE
from train.denoiser import LEVEL_STRIDE, PATCH, Between, DenoiserNetwork, Residual
from train.recurrent import STATE_LIMIT, VideoNetwork

Size = tuple[int, int]
"""Rows and columns of places, which a tensor of rows does not tell."""

_LINE = 3 * LEVEL_STRIDE
_WORD = 4  # channels; a convolution in 8 bits of a number between takes three times as long
_LEVELS = 255
_MIDDLE = 128  # what a level is counted from: a convolution's padding with 0 is middle grey


class ShippedDenoiser(nn.Module):
    """The still denoiser: (frame, strength) to the clean frame.

    Args:
        network: in evaluation mode.
        for_int8: compute the grids between the patches as :class:`AllBetween` does.
    """

    def __init__(self, network: DenoiserNetwork, *, for_int8: bool = False) -> None:
        super().__init__()
        n = self.network = copy.deepcopy(network)
        self.analysis = _of_pixels(n.analysis)
        self.stem, self.share, self.offset = (_rows(x) for x in (n.stem, n.share, n.offset))
        self.claim, self.stem.bias = _claim(n)
        self.up, self.level = permuted(n.up, 2), permuted(_last(n.estimator), 2)
        grids = [grid for grid in n.between if isinstance(grid, Between)]
        self.between = AllBetween(grids, self.analysis) if grids and for_int8 else None
        self.synthesis = _to_pixels(n.synthesis)
        self.step, self.zero = nn.Buffer(torch.tensor(1.0)), nn.Buffer(torch.tensor(_MIDDLE).byte())

    def forward(self, frame: Tensor, strength: Tensor) -> Tensor:
        """Map a frame, uint8 (H, W, 3), and a strength (1,) to the clean frame, uint8."""
        size = _places(frame)
        pixels = self.patches(frame)
        seen, _ = self.decide(pixels, self.analysis(pixels), strength, size)
        part = strength.clamp(max=1.0)
        bias = self.synthesis.bias * part
        noise = functional.linear(seen, self.synthesis.weight * part, bias)
        return self.frame(pixels + noise, size)

    def patches(self, frame: Tensor) -> Tensor:
        """Return a frame, uint8 (H, W, 3), as rows of patches, (places, 48): levels minus 128."""
        height, width = _places(frame)
        lines = frame.view(height, LEVEL_STRIDE, width, _LINE)
        rows = lines.permute(0, 2, 1, 3).reshape(height * width, PATCH)
        levels: Tensor = torch.onnx.ops.symbolic(
            "DequantizeLinear",
            (rows, self.step, self.zero),
            dtype=torch.float32,
            shape=rows.shape,
        )
        return levels

    def frame(self, levels: Tensor, size: Size) -> Tensor:
        """Return rows of patches as a frame, uint8 (H, W, 3): rounded and clipped."""
        height, width = size
        rows: Tensor = torch.onnx.ops.symbolic(
            "QuantizeLinear",
            (levels, self.step, self.zero),
            dtype=torch.uint8,
            shape=levels.shape,
        )
        lines = rows.view(height, width, LEVEL_STRIDE, _LINE).permute(0, 2, 1, 3)
        return lines.reshape(LEVEL_STRIDE * height, LEVEL_STRIDE * width, 3)

    def decide(
        self,
        pixels: Tensor,
        coefficients: Tensor,
        strength: Tensor,
        size: Size,
        memory: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return the noise of each coefficient, (places, 48), and the last features.

        Args:
            pixels, coefficients: rows of patches.
            strength: (1,).
            size: how many places there are.
            memory: what joins the stem.
        """
        n = self.network
        level = functional.relu(self.noise_level(coefficients, size))
        claim = functional.linear(level * strength.clamp(min=1.0), self.claim)
        x = self.stem(coefficients) + claim
        x = _blocks(n.fine_in, x if memory is None else x + memory, size)
        half = size[0] // 2, size[1] // 2
        deep = _blocks(n.coarse, _as_rows(n.down(_as_planes(x, size))), half)
        x = x + _shuffled(_as_rows(self.up(_as_planes(deep, half))), half)
        x = _blocks(n.fine_out, x, size)
        seen = coefficients * self.share(x) + self.offset(x)
        features = _as_planes(x, size)
        if self.between is not None:
            seen = seen + _as_rows(self.between(_as_planes(pixels, size), features))
        elif n.between:
            planes = _as_planes(coefficients, size)
            noise = [grid(planes, features) for grid in n.between]
            seen = seen + _as_rows(functools.reduce(torch.add, noise))
        return seen, x

    def noise_level(self, coefficients: Tensor, size: Size) -> Tensor:
        """Return the level of the noise, (places, 1)."""
        x = _as_planes(coefficients, size)
        x = self.network.estimator[:-2](x)
        return _shuffled(_as_rows(self.level(x)), (size[0] // 2, size[1] // 2))


class AllBetween(nn.Module):
    """The grids between the patches, all at once and made of the pixels, for 8 bits.

    Pixels have no more than 8 bits, while the mean of a patch needs more beside its details. What
    is moved along one axis only has kernels of one row or column; with zeros beside them they are
    2 × 2 as the others, and give what nobody reads in a row or column more.

    Beyond the frame the pixels are middle grey here, and for the network the coefficients are 0.
    This differs by the bias of the analysis, along the border, by less than 8 bits do everywhere.
    """

    def __init__(self, grids: Sequence[Between], analysis: nn.Linear) -> None:
        super().__init__()
        there, look = (
            torch.cat([_square(part, after=False) for part in parts])
            for parts in ([grid.there for grid in grids], [grid.share for grid in grids])
        )
        back = torch.cat([_square(grid.back, after=True) for grid in grids], 1)
        biases = [grid.share.bias.detach() for grid in grids if grid.share.bias is not None]
        matrix, bias = analysis.weight.detach().double(), analysis.bias.detach().double()
        of_pixels = torch.einsum("kcyx,cp->kpyx", there.double(), matrix)
        self.there = _conv(of_pixels, torch.einsum("kcyx,c->k", there.double(), bias), 1)
        self.look = _conv(look, torch.cat(biases), 1)
        self.back = _conv(back, torch.zeros(PATCH), 0)

    def forward(self, pixels: Tensor, features: Tensor) -> Tensor:
        """Return the noise of all grids as coefficients of the first, (1, 48, H/4, W/4)."""
        found: Tensor = self.back(self.there(pixels) * self.look(features))
        return found


class ShippedVideo(ShippedDenoiser):
    """The recurrent denoiser.

    (frame, strength, past, state) to (clean, next_past, next_state).
    """

    network: VideoNetwork

    def __init__(self, network: VideoNetwork, *, for_int8: bool = False) -> None:
        super().__init__(network, for_int8=for_int8)
        self.trust, self.keep = _rows(network.trust), _rows(network.keep)
        self.spare = -network.recall.in_channels % _WORD
        weight = functional.pad(network.recall.weight.detach(), (0, 0, 0, 0, 0, self.spare))
        assert network.recall.bias is not None
        self.recall = _conv(weight, network.recall.bias.detach(), 1)

    def forward(  # type: ignore[override]
        self, frame: Tensor, strength: Tensor, past: Tensor, state: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Map a frame and what the one before left to the clean frame and what it leaves.

        Args:
            frame: uint8 (H, W, 3).
            strength: float32 (1,).
            past: uint8 (H, W, 3).
            state: float32 (H / 4, W / 4, state channels).
        """
        size = _places(frame)
        pixels = self.patches(frame)
        coefficients = self.analysis(pixels)
        kept = state.view(size[0] * size[1], self.network.state_channels)
        known = kept[:, :1]
        change = (coefficients - self.analysis(self.patches(past))) * known
        seen = torch.cat((change.abs(), kept, kept[:, : self.spare]), 1)
        memory = _as_rows(self.recall(_as_planes(seen, size))) * known
        noise, x = self.decide(pixels, coefficients, strength, size, memory)
        noise = self.synthesis(noise + change * self.trust(x))
        clean = self.frame(pixels + noise * strength.clamp(max=1.0), size)
        found = self.keep(x).clamp(-STATE_LIMIT, STATE_LIMIT)
        next_state = torch.cat((known * 0 + 1, found), 1).view(*size, -1)
        return clean, self.frame(pixels + noise, size), next_state


def _places(frame: Tensor) -> Size:
    return frame.shape[0] // LEVEL_STRIDE, frame.shape[1] // LEVEL_STRIDE


def _as_planes(rows: Tensor, size: Size) -> Tensor:
    """Return (places, channels) as (1, channels, height, width)."""
    return rows.view(1, *size, rows.shape[1]).permute(0, 3, 1, 2)


def _as_rows(planes: Tensor) -> Tensor:
    return planes.permute(0, 2, 3, 1).reshape(-1, planes.shape[1])


def _shuffled(rows: Tensor, size: Size) -> Tensor:
    """Return rows of 2 × 2 blocks as rows of the places in them."""
    height, width = size
    line = rows.shape[1] // 2
    lines = rows.view(height, width, 2, line).permute(0, 2, 1, 3)
    return lines.reshape(4 * height * width, line // 2)


def _blocks(blocks: nn.Sequential, x: Tensor, size: Size) -> Tensor:
    for block in blocks:
        assert isinstance(block, Residual)
        first = functional.leaky_relu(block.first(_as_planes(x, size)), SLOPE)
        x = x + _as_rows(block.second(first))
    return x


def _square(layer: nn.Conv2d, *, after: bool) -> Tensor:
    """Return a kernel as 2 × 2, with zeros after or before its rows and columns."""
    weight = layer.weight.detach()
    down, right = (2 - side for side in weight.shape[2:])
    around = (0, right, 0, down) if after else (right, 0, down, 0)
    return functional.pad(weight, around)


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    made = nn.Linear(weight.shape[1], weight.shape[0])
    made.weight.data, made.bias.data = weight.float().contiguous(), bias.float()
    return made


def _conv(weight: Tensor, bias: Tensor, padding: int) -> nn.Conv2d:
    outputs, inputs = weight.shape[:2]
    made = nn.Conv2d(inputs, outputs, weight.shape[2], padding=padding)
    made.weight.data, made.bias = weight.float().contiguous(), nn.Parameter(bias.float())
    return made


def _rows(layer: nn.Conv2d) -> nn.Linear:
    """Return a 1 × 1 convolution as a layer of rows."""
    assert layer.bias is not None
    return _linear(layer.weight.detach()[:, :, 0, 0], layer.bias.detach())


def _of_pixels(layer: nn.Conv2d) -> nn.Linear:
    """Return the analysis of patches less 0.5 as a layer of their levels minus 128."""
    assert layer.bias is not None
    weight = layer.weight.detach().double()
    middle = _MIDDLE / _LEVELS - 0.5
    bias = layer.bias.detach().double() + middle * weight.sum((1, 2, 3))
    return _linear(weight.permute(0, 2, 3, 1).reshape(PATCH, PATCH) / _LEVELS, bias)


def _to_pixels(layer: nn.Conv2d) -> nn.Linear:
    """Return the synthesis of noise as a layer of what it adds to the levels."""
    assert layer.bias is not None
    order = block_major(PATCH, LEVEL_STRIDE)
    made = _rows(layer)
    return _linear(-_LEVELS * made.weight.detach()[order], -_LEVELS * made.bias.detach()[order])


def _claim(network: DenoiserNetwork) -> tuple[Tensor, nn.Parameter]:
    """Return the claim's weight, (width, 1), and the bias that it and the stem have together."""
    claim, stem = _rows(network.claim), _rows(network.stem)
    return claim.weight, nn.Parameter(claim.bias.detach() + stem.bias.detach())


def _last(estimator: nn.Sequential) -> nn.Conv2d:
    """Return the layer in front of the estimator's pixel shuffle."""
    layer = estimator[-2]
    assert isinstance(layer, nn.Conv2d)
    return layer
