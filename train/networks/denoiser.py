"""The network of the camera denoiser: blind, with an adjustable strength.

    frame ─ analysis 1/4 ─┬──────────── coefficients ──────────────────────────────────(×)─(+)
                          ├─ stem ────────(+)─ fine ─┬─ down 1/8 ─ coarse ─ up ─(+)─ fine ┴───┤
                          └─ estimator ─▶ level ─ × strength          └─── skip ──┘            │
    clean = frame − min(strength, 1) · noise ◀──────────── depth-to-space 4 ─── synthesis ─────┘

Noise is estimated for each cosine coefficient of 4 × 4 patches, as in DCT denoising (Yu and Sapiro,
IPOL 2011): the network predicts which share of the coefficient is noise, and an offset. The
coefficients themselves bypass the network. Without this bypass all 48 numbers of a patch had to
pass through the features, and networks with fewer than 48 channels could not denoise at all. The
larger denoiser also does this for offset grids of patches.

The estimated noise level is a second input of the network, as a map (Zhang et al., "FFDNet", TIP
2018; estimated as in Guo et al., CVPR 2019), so a user can claim more noise than there is. All
other layers are dense 3×3 convolutions with leaky ReLU: they reach the peak arithmetic of a CPU,
which lighter blocks do not.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from train.networks.blocks import SLOPE, activation, pointwise
from train.networks.integer import clamp_inwards
from train.noise.levels import LEVEL_STRIDE as LEVEL_STRIDE  # one map, made there, read here

STRIDE = 8
"""Both sides of a frame are multiples of this."""

PATCH = 3 * LEVEL_STRIDE**2
"""Coefficients of a patch."""

GREY_PART = PATCH // 3
"""The first coefficients of a patch are those of its brightness: this many."""

EXACT_LAYERS = "analysis", "claim", "synthesis"
"""Layers that the 8-bit variant computes in float32: those that coefficients pass through."""

GRIDS = (2, 2), (0, 2), (2, 0)
"""Offsets of the additional grids of patches, in pixels down and to the right."""

SHARE_MAX = 1.0
"""The codec's decoder changes a coefficient by at most this multiple of itself."""

_ESTIMATOR = 32


class Residual(nn.Module):
    """x + conv(leaky_relu(conv(x))), both 3×3 and dense (18 C² MAC per position)."""

    def __init__(self, channels: int, slope: float = SLOPE) -> None:
        super().__init__()
        self.activation = activation(slope)
        self.first = _conv(channels, channels)
        self.second = _conv(channels, channels)
        with torch.no_grad():
            self.second.weight.mul_(0.2)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to the same shape."""
        return x + self.change(x)

    def change(self, x: Tensor) -> Tensor:
        """Return what the block adds to its input."""
        y: Tensor = self.second(self.activation(self.first(x)))
        return y


class Between(nn.Module):
    """The noise in an offset grid of patches, moved by half a patch.

    An edge that one grid cuts lies inside a patch of the other (translation-invariant denoising:
    Coifman and Donoho, 1995). One layer computes the coefficients of the offset grid from those of
    the first grid, and another converts their noise back, so the frame is not read again. An
    untrained grid contributes nothing.

    Only grey coefficients are used: all 48 gained half as much again, at two and a half times the
    cost. An offset patch has the position in which it ends, so patches that begin in the last row
    or column have none.

    Args:
        width: channels of the features.
        down, right: half a patch or 0, in pixels.
        overlapping: the codec's form. Patches that begin in the last row or column have a position
            as well, (H/4 + 1, W/4 + 1) in all where both axes are offset. The shares of a patch
            come from all patches that it overlaps, and are at most ``SHARE_MAX``.
    """

    def __init__(self, width: int, down: int, right: int, *, overlapping: bool = False) -> None:
        super().__init__()
        basis = _moved_basis(down, right)[:GREY_PART]
        grey_channels, _, *size = basis.shape
        kernel = size[0], size[1]
        rows_above, columns_left = (side - 1 for side in kernel)
        padding, share_kernel = (
            ((rows_above, columns_left), kernel) if overlapping else ((0, 0), (1, 1))
        )
        no_padding = 0, 0, 0, 0
        self.overlapping = overlapping
        self.before = no_padding if overlapping else (columns_left, 0, rows_above, 0)
        self.after = no_padding if overlapping else (0, columns_left, 0, rows_above)
        self.there = nn.Conv2d(PATCH, grey_channels, kernel, padding=padding, bias=False)
        self.share = nn.Conv2d(width, grey_channels, share_kernel, padding=padding)
        self.back = nn.Conv2d(grey_channels, PATCH, kernel, bias=False)
        assert self.share.bias is not None
        nn.init.zeros_(self.share.weight)
        nn.init.zeros_(self.share.bias)
        with torch.no_grad():
            self.there.weight.copy_(basis)
            self.back.weight.copy_(basis.flip(2, 3).transpose(0, 1))

    def forward(self, coefficients: Tensor, features: Tensor) -> Tensor:
        """Return the noise of the offset grid as coefficients of the first, (N, 48, H/4, W/4)."""
        share = self.share(features)
        if self.overlapping:
            share = clamp_inwards(share, -SHARE_MAX, SHARE_MAX)
        shared = self.there(functional.pad(coefficients, self.before)) * share
        noise: Tensor = self.back(functional.pad(shared, self.after))
        return noise


class Denoised(NamedTuple):
    """The clean frame, float32 (N, 3, H, W), and the estimated noise level, (N, 1, H/4, W/4)."""

    clean: Tensor
    level: Tensor


class Trace(NamedTuple):
    """Results of a network for a frame.

    Attributes:
        noise: (N, 3, H, W), to be subtracted.
        level: estimated noise level, (N, 1, H/4, W/4).
        features: the last features, (N, width, H/4, W/4).
    """

    noise: Tensor
    level: Tensor
    features: Tensor


class Past(NamedTuple):
    """What a recurrent network remembers of earlier frames.

    Attributes:
        clean: the last frame's coefficients without noise, (N, 48, H/4, W/4).
        kept: features kept from the last frame, (N, kept, H/4, W/4); the first channel is 1 where
            the last frame is known, and 0 elsewhere.
        recall: layer from the change of each coefficient and ``kept`` to what is added to the stem.
        trust: layer from the last features to the share of each coefficient that is taken from the
            last frame.
    """

    clean: Tensor
    kept: Tensor
    recall: nn.Module
    trust: nn.Module

    def memory(self, coefficients: Tensor) -> Tensor:
        """Return what is added to the stem, (N, width, H/4, W/4): 0 where the past is not known."""
        known = self.kept[:, :1]
        changed = (coefficients - self.clean).abs() * known
        joined: Tensor = self.recall(torch.cat((changed, self.kept), 1)) * known
        return joined

    def correction(self, coefficients: Tensor, features: Tensor) -> Tensor:
        """Return what to subtract from the coefficients to move them towards the last frame's."""
        correction: Tensor = (coefficients - self.clean) * self.kept[:, :1] * self.trust(features)
        return correction


class DenoiserNetwork(nn.Module):
    """The whole denoiser, for training.

    Args:
        width, deep_width: channels at 1/4 and 1/8 of the resolution, multiples of 16 for speed.
        depth, deep_depth: residual blocks before and after the deep part, and in it.
        grids: how many of ``GRIDS`` are used.
        slope: of the leaky ReLU below zero; the estimator has plain ReLUs. A plain ReLU costs
            nothing in 8 bits.
    """

    def __init__(
        self,
        width: int = 48,
        deep_width: int = 96,
        depth: int = 1,
        deep_depth: int = 2,
        grids: int = 0,
        slope: float = SLOPE,
    ) -> None:
        super().__init__()
        self.analysis = nn.Conv2d(3, PATCH, LEVEL_STRIDE, LEVEL_STRIDE, bias=False)
        level = pointwise(_ESTIMATOR, 4)
        # Plain ReLU: a leaky one would use half of the 8-bit range below zero, and the coarser
        # steps misjudge faint noise.
        self.estimator = nn.Sequential(
            _patches(PATCH, _ESTIMATOR, 2),
            nn.ReLU(),
            _conv(_ESTIMATOR, _ESTIMATOR),
            nn.ReLU(),
            level,
            nn.PixelShuffle(2),
        )
        self.stem = pointwise(PATCH, width)
        self.claim = pointwise(1, width)
        self.fine_in = _residuals(width, depth, slope)
        self.down = _patches(width, deep_width, 2)
        self.coarse = _residuals(deep_width, deep_depth, slope)
        self.up = pointwise(deep_width, width)
        self.fine_out = _residuals(width, depth, slope)
        self.share = pointwise(width, PATCH)
        self.offset = pointwise(width, PATCH)
        self.between = nn.ModuleList(Between(width, *offset) for offset in GRIDS[:grids])
        self.synthesis = pointwise(PATCH, PATCH)
        self.reach = STRIDE * (3 + 2 * deep_depth + bool(grids)) + LEVEL_STRIDE * 4 * depth
        with torch.no_grad():
            for layer in (level, self.share, self.offset):
                layer.weight.mul_(0.1)
            basis = cosines()
            self.analysis.weight.copy_(basis.view_as(self.analysis.weight))
            self.synthesis.weight.copy_(basis.T.unsqueeze(2).unsqueeze(3))

    def forward(self, frame: Tensor, strength: Tensor) -> Denoised:
        """Clean frames, float32 (N, 3, H, W) in [0, 1], with strengths (N,).

        Strength 0 returns the frame, and 1 removes all of the noise. Above 1, the noise level is
        multiplied by the strength, and the result is smoother.
        """
        trace = self.trace(frame, strength)
        removed = trace.noise * strength.clamp(max=1.0).view(-1, 1, 1, 1)
        return Denoised(frame - removed, trace.level)

    def trace(self, frame: Tensor, strength: Tensor, past: Past | None = None) -> Trace:
        """Return the noise, its level and the last features; ``past`` is the memory, if any."""
        coefficients = self.analysis(frame - 0.5)
        estimated_level = functional.relu(self.estimator(coefficients))
        level = estimated_level.detach()
        claim = self.claim(level * strength.clamp(min=1.0).view(-1, 1, 1, 1))
        x = self.stem(coefficients) + claim
        x = self.fine_in(x if past is None else x + past.memory(coefficients))
        deep = self.up(self.coarse(self.down(x)))
        x = self.fine_out(x + functional.interpolate(deep, scale_factor=2.0, mode="nearest"))
        coefficient_noise = decided(coefficients, x, self.share, self.offset, self.between)
        if past is not None:
            coefficient_noise = coefficient_noise + past.correction(coefficients, x)
        noise = functional.pixel_shuffle(self.synthesis(coefficient_noise), LEVEL_STRIDE).float()
        return Trace(noise, estimated_level.float(), x)


class DenoiserGraph(nn.Module):
    """The denoiser as it ships: (frame, strength) to the clean frame.

    Attributes:
        reach: a pixel of the result depends on no pixel of the frame farther than this; a multiple
            of ``STRIDE``.
    """

    def __init__(self, network: DenoiserNetwork) -> None:
        super().__init__()
        self.network = network
        self.reach = network.reach

    def forward(self, frame: Tensor, strength: Tensor) -> Tensor:
        """Clean a frame, float32 (1, 3, H, W) in [0, 1], with a strength (1,)."""
        clean: Tensor = self.network(frame, strength).clean
        return clean


def decided(
    coefficients: Tensor,
    features: Tensor,
    share: Callable[[Tensor], Tensor],
    offset: Callable[[Tensor], Tensor],
    between: Iterable[nn.Module],
) -> Tensor:
    """Return the noise of each coefficient: its share, its offset and that of the offset grids.

    Args:
        coefficients: (N, 48, H/4, W/4).
        features: (N, width, H/4, W/4).
        share, offset: layers from features to a number for each coefficient.
        between: offset grids, as :class:`Between`.
    """
    noise: Tensor = coefficients * share(features) + offset(features)
    for grid in between:
        noise = noise + grid(coefficients, features)
    return noise


def exact_layers(network: nn.Module) -> list[str]:
    """Return the names of the convolutions that the 8-bit variant leaves in float32.

    Args:
        network: a denoiser, or a wrapper around one, such as that of data parallelism.
    """
    return [
        name
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Conv2d) and not set(name.split(".")).isdisjoint(EXACT_LAYERS)
    ]


def cosines() -> Tensor:
    """Return an orthonormal basis of patches, (48, 48): cosines of grey and of two colours."""
    place = torch.arange(LEVEL_STRIDE)
    waves = torch.cos(torch.pi / LEVEL_STRIDE * (place + 0.5) * place.view(-1, 1))
    colours = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [1.0, -2.0, 1.0]])
    waves, colours = (rows / rows.norm(dim=1, keepdim=True) for rows in (waves, colours))
    return torch.kron(colours, torch.kron(waves, waves))


def _moved_basis(down: int, right: int) -> Tensor:
    """Return the kernel from coefficients of patches to those of an offset grid.

    float32 (48, 48, 1 or 2, 1 or 2). An offset patch takes its pixels from a patch of the grid and,
    along each axis that is offset, from the patch before.
    """
    side = LEVEL_STRIDE
    basis = cosines()
    parts = torch.zeros(2 if down else 1, 2 if right else 1, 3, side, side, 3, side, side)
    for row in range(side):
        for column in range(side):
            # The moved patch begins ``down`` rows into the patch before.
            (y, i), (x, j) = divmod(row + down, side), divmod(column + right, side)
            for colour in range(3):
                parts[y, x, colour, row, column, colour, i, j] = 1
    pixel_map = parts.view(*parts.shape[:2], PATCH, PATCH)
    return (basis @ pixel_map @ basis.T).permute(2, 3, 0, 1)


def _residuals(channels: int, count: int, slope: float) -> nn.Sequential:
    return nn.Sequential(*(Residual(channels, slope) for _ in range(count)))


def _patches(inputs: int, outputs: int, side: int) -> nn.Conv2d:
    """Return space-to-depth by ``side`` and a 1×1 convolution, as one strided convolution.

    The initial weights are orthogonal, so that no part of a patch is lost or dominates: after 500
    small steps the denoiser was 2 dB ahead of one that started with normal weights.
    """
    layer = nn.Conv2d(inputs, outputs, side, stride=side)
    nn.init.orthogonal_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    layer = nn.Conv2d(inputs, outputs, 3, padding=1)
    nn.init.kaiming_normal_(layer.weight, a=SLOPE)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
