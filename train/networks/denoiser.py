"""The camera denoiser's network: blind, with a strength knob.

    frame ─ analysis 1/4 ─┬──────────── coefficients ──────────────────────────────────(×)─(+)
                          ├─ stem ────────(+)─ fine ─┬─ down 1/8 ─ coarse ─ up ─(+)─ fine ┴───┤
                          └─ estimator ─▶ level ─ × strength          └─── skip ──┘            │
    clean = frame − min(strength, 1) · noise ◀──────────── depth-to-space 4 ─── synthesis ─────┘

What is noise is decided coefficient by coefficient of 4 × 4 patches, as in denoising by a cosine
transform (Yu and Sapiro, IPOL 2011): the network gives each its share of noise, and an offset, and
the coefficients themselves go past it. Without this path all 48 numbers of a patch had to squeeze
through the features, and fewer than 48 channels could not denoise at all. The larger denoiser does
the same for patches that lie between the patches.

The noise level that the estimator sees stands beside the frame as a map (Zhang et al., "FFDNet",
TIP 2018; estimated as in Guo et al., CVPR 2019), so that a user can claim more noise than there is.
Dense 3×3 convolutions and leaky ReLU alone: they reach the peak of a CPU, which lighter blocks do
not.
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
"""The first of them, which are of its brightness."""

EXACT_LAYERS = "analysis", "claim", "synthesis"
"""What the variant in 8 bits computes in float32: the way of the coefficients."""

GRIDS = (2, 2), (0, 2), (2, 0)
"""By how many pixels, down and to the right, grids of patches between the patches are moved."""

SHARE_MAX = 1.0
"""By how much of itself the codec's decoder changes a coefficient at most."""

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
        """Return what it adds to its input."""
        y: Tensor = self.second(self.activation(self.first(x)))
        return y


class Between(nn.Module):
    """What is noise in patches that lie between the patches: a grid moved by half a patch.

    An edge that one grid cuts the other holds whole (translation-invariant denoising: Coifman and
    Donoho, 1995). The coefficients of the moved grid are made of those of the first by one layer,
    and their noise goes back by another, so the frame is not touched again. Nothing at first.

    Of the moved grid only the grey coefficients: with all 48 it gained half as much again, for two
    and a half times the time. A moved patch is that of the place in which it ends, so what begins
    in the last row or column has none.

    Args:
        width: channels of the features.
        down, right: half a patch or 0, in pixels.
        overlapping: what begins there has a place as well, (H/4 + 1, W/4 + 1) in all where both are
            moved, and each has its shares from all patches that it overlaps, none above
            ``SHARE_MAX``: the codec's.
    """

    def __init__(self, width: int, down: int, right: int, *, overlapping: bool = False) -> None:
        super().__init__()
        basis = _moved_basis(down, right)[:GREY_PART]
        kept, _, *size = basis.shape
        kernel = size[0], size[1]
        above, left = (side - 1 for side in kernel)
        around, looked = ((above, left), kernel) if overlapping else ((0, 0), (1, 1))
        none = 0, 0, 0, 0
        self.overlapping = overlapping
        self.before = none if overlapping else (left, 0, above, 0)
        self.after = none if overlapping else (0, left, 0, above)
        self.there = nn.Conv2d(PATCH, kept, kernel, padding=around, bias=False)
        self.share = nn.Conv2d(width, kept, looked, padding=around)
        self.back = nn.Conv2d(kept, PATCH, kernel, bias=False)
        assert self.share.bias is not None
        nn.init.zeros_(self.share.weight)
        nn.init.zeros_(self.share.bias)
        with torch.no_grad():
            self.there.weight.copy_(basis)
            self.back.weight.copy_(basis.flip(2, 3).transpose(0, 1))

    def forward(self, coefficients: Tensor, features: Tensor) -> Tensor:
        """Return the noise of the moved grid as coefficients of the first, (N, 48, H/4, W/4)."""
        share = self.share(features)
        if self.overlapping:
            share = clamp_inwards(share, -SHARE_MAX, SHARE_MAX)
        seen = self.there(functional.pad(coefficients, self.before)) * share
        found: Tensor = self.back(functional.pad(seen, self.after))
        return found


class Denoised(NamedTuple):
    """The clean frame, float32 (N, 3, H, W), and the noise level seen, (N, 1, H/4, W/4)."""

    clean: Tensor
    level: Tensor


class Trace(NamedTuple):
    """What a network sees in a frame.

    Attributes:
        noise: (N, 3, H, W), to be subtracted.
        level: of the noise, (N, 1, H/4, W/4).
        features: the last ones, (N, width, H/4, W/4).
    """

    noise: Tensor
    level: Tensor
    features: Tensor


class Past(NamedTuple):
    """What a network with a memory knows of the frames before.

    Attributes:
        clean: the last frame's coefficients without noise, (N, 48, H/4, W/4).
        kept: of the last frame's features, (N, kept, H/4, W/4); the first channel is 1 where the
            last frame is known, and 0 elsewhere.
        recall: from how much each coefficient changed, and what was kept, to what joins the stem.
        trust: from the last features to how far each coefficient is taken from the last frame.
    """

    clean: Tensor
    kept: Tensor
    recall: nn.Module
    trust: nn.Module

    def memory(self, coefficients: Tensor) -> Tensor:
        """Return what joins the stem, (N, width, H/4, W/4): nothing where nothing is known."""
        known = self.kept[:, :1]
        changed = (coefficients - self.clean).abs() * known
        found: Tensor = self.recall(torch.cat((changed, self.kept), 1)) * known
        return found

    def correction(self, coefficients: Tensor, features: Tensor) -> Tensor:
        """Return what goes of the coefficients to bring them nearer to the last frame's."""
        found: Tensor = (coefficients - self.clean) * self.kept[:, :1] * self.trust(features)
        return found


class DenoiserNetwork(nn.Module):
    """The whole denoiser, for training.

    Args:
        width, deep_width: channels at 1/4 and 1/8 of the resolution, multiples of 16 for speed.
        depth, deep_depth: residual blocks before and after the deep part, and in it.
        grids: how many of ``GRIDS`` are looked at besides.
        slope: of the leaky ReLU below zero, but for the estimator, whose is plain; a plain one
            costs nothing in 8 bits.
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
        # Plain ReLU: half of the range is half a step in 8 bits, by which faint noise is misjudged.
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
        self.between = nn.ModuleList(Between(width, *moved) for moved in GRIDS[:grids])
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

        Strength 0 returns the frame, and up to 1 ever more of the noise goes; beyond 1 the noise is
        taken for that many times what it seems, and the result is smoother.
        """
        found = self.trace(frame, strength)
        removed = found.noise * strength.clamp(max=1.0).view(-1, 1, 1, 1)
        return Denoised(frame - removed, found.level)

    def trace(self, frame: Tensor, strength: Tensor, past: Past | None = None) -> Trace:
        """Return what ``forward`` works out, given what is known of the frames before."""
        coefficients = self.analysis(frame - 0.5)
        seen_level = functional.relu(self.estimator(coefficients))
        level = seen_level.detach()
        claim = self.claim(level * strength.clamp(min=1.0).view(-1, 1, 1, 1))
        x = self.stem(coefficients) + claim
        x = self.fine_in(x if past is None else x + past.memory(coefficients))
        deep = self.up(self.coarse(self.down(x)))
        x = self.fine_out(x + functional.interpolate(deep, scale_factor=2.0, mode="nearest"))
        seen = decided(coefficients, x, self.share, self.offset, self.between)
        if past is not None:
            seen = seen + past.correction(coefficients, x)
        noise = functional.pixel_shuffle(self.synthesis(seen), LEVEL_STRIDE).float()
        return Trace(noise, seen_level.float(), x)


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
    """Return each coefficient's share and offset, and what patches between the patches add to it.

    Args:
        coefficients: (N, 48, H/4, W/4).
        features: what decides, (N, width, H/4, W/4).
        share, offset: from features to a number for each coefficient.
        between: grids that are moved, as :class:`Between`.
    """
    found: Tensor = coefficients * share(features) + offset(features)
    for grid in between:
        found = found + grid(coefficients, features)
    return found


def exact_layers(network: nn.Module) -> list[str]:
    """Return the names of the convolutions that the variant in 8 bits leaves in float32.

    Args:
        network: a denoiser, or what holds one, as data parallelism does.
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
    """Return how patches moved by pixels are made of those of the grid, (48, 48, 1 or 2, 1 or 2).

    Of a patch and the one before it where it moves, the pixels that they share with it.
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
    moved = parts.view(*parts.shape[:2], PATCH, PATCH)
    return (basis @ moved @ basis.T).permute(2, 3, 0, 1)


def _residuals(channels: int, count: int, slope: float) -> nn.Sequential:
    return nn.Sequential(*(Residual(channels, slope) for _ in range(count)))


def _patches(inputs: int, outputs: int, side: int) -> nn.Conv2d:
    """Return space-to-depth by ``side`` and a 1×1 convolution, as the one convolution they are.

    Orthogonal at first, so that nothing of a patch is lost or outshouted: after 500 small steps the
    denoiser was 2 dB ahead of one that started with normal weights.
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
