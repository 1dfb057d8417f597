"""The photo codec's networks and training loss.

    image ──g_a──▶ latent y ─(× gain)─▶ round ─▶ y_hat ─(× inverse gain)──g_s──▶ image
                      │                   ▲
                     h_a                  │ mean, scale index   (exact integers, in three steps:
                      ▼                   │  each one sees what those before have decoded)
                 hyper-latent z ─▶ round ─▶ entropy network

This is a mean-scale hyperprior (Minnen et al., NeurIPS 2018). Gain vectors give one model for every
rate (Cui et al., CVPR 2021). The entropy model codes the latent in three steps, a quarter, a
quarter and a half, at positions that alternate between four groups of channels (Li et al., "Neural
Video Compression with Diverse Contexts", CVPR 2023, section 3.3, whose quadtree splits the half).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from train.networks.blocks import SLOPE, Bound, blocks, pointwise
from train.networks.denoiser import (
    GRIDS,
    LEVEL_STRIDE,
    SHARE_MAX,
    Between,
    Residual,
    cosines,
    decided,
)
from train.networks.integer import (
    ACTIVATION_UNIT,
    IntegerConv,
    activate,
    clamp_inwards,
    floor_through,
    round_through,
)
from venturi._entropy.latents import BIT_PRICE, OFFSET_MAX
from venturi._layout import HYPER_MAX, MEAN_SCALE, ORDER, STEPS

CONTEXT_MAX = 2047
SCALE_COUNT = 64
SCALE_MIN, SCALE_MAX = 0.11, 128.0
BUCKETS = 8
INDEX_UNIT = 16
STEP_MARK = 64
GROUPS = 4
PATCH = 3 * 8 * 8


def scale_of(index: Tensor) -> Tensor:
    """Return the standard deviation that a scale index stands for; indices are logarithmic."""
    step = math.log(SCALE_MAX / SCALE_MIN) / (SCALE_COUNT - 1)
    return SCALE_MIN * torch.exp(index * step)


def bits(symbol: Tensor, index: Tensor) -> Tensor:
    """Return the ideal code length, in bits, of symbols under zero-mean Gaussians."""
    scale = scale_of(index)
    distance = symbol.abs()
    upper = torch.special.erfc((distance - 0.5) / scale * 0.5**0.5)
    lower = torch.special.erfc((distance + 0.5) / scale * 0.5**0.5)
    probability = (upper - lower) * 0.5
    return (
        -torch.log2(probability.clamp_min(1e-9) + 0 * scale)
        + functional.relu(1e-9 - probability) * 1e9
    )


def dead_zone(residual: Tensor, index: Tensor) -> Tensor:
    """Move residuals towards 0, as the encoder does before it rounds them.

    The offset is half the price of the additional bits of a 1 compared with a 0. The gradient is
    that of the residual.
    """
    with torch.no_grad():
        zero, one = torch.zeros_like(index), torch.ones_like(index)
        offset = 0.5 * BIT_PRICE * (bits(one, index) - bits(zero, index))
        change = torch.clamp(residual, -offset.clamp_(0, OFFSET_MAX), offset)
    return residual - change


class Levels(nn.Module):
    """A positive vector per channel for each quality: anchors, interpolated in the logarithm.

    Interpolation uses only Sub, Abs, Relu, MatMul and Exp, which every ONNX device has.
    """

    def __init__(self, channels: int, anchors: int = 8) -> None:
        super().__init__()
        self.log = nn.Parameter(torch.zeros(anchors, channels))
        self.register_buffer("anchor", torch.arange(anchors, dtype=torch.float32), persistent=False)

    def anchor_levels(self) -> Tensor:
        """Return float32 (anchors,) in [0, 1]: the quality of each anchor."""
        anchor = self.get_buffer("anchor")
        return anchor / (len(anchor) - 1)

    def forward(self, quality: Tensor) -> Tensor:
        """Map float32 (N,) in [0, 1] to (N, channels, 1, 1)."""
        anchor = self.get_buffer("anchor")
        place = quality.unsqueeze(1) * (len(anchor) - 1)
        weight = functional.relu(1.0 - (place - anchor).abs())
        # Half a step of bfloat16 in the logarithm is a gain that is 1.5 % off.
        with torch.autocast(quality.device.type, enabled=False):
            return torch.exp(weight @ self.log).unsqueeze(2).unsqueeze(3)


class Sizes(NamedTuple):
    """Sizes of the networks.

    Attributes:
        width, deep_width: channels at 1/8 and at 1/16 of the resolution.
        latent, hyper: channels of the latent (1/16) and of the hyper-latent (1/64).
        analysis_depth, synthesis_depth: blocks at 1/8.
        deep_depth: blocks at 1/16, each way.
        filter_width, filter_depth: channels and blocks at 1/4, where the decoder ends.
    """

    width: int = 96
    deep_width: int = 192
    latent: int = 256
    hyper: int = 96
    analysis_depth: int = 3
    synthesis_depth: int = 2
    deep_depth: int = 2
    filter_width: int = 32
    filter_depth: int = 1


class Analysis(nn.Module):
    """g_a and h_a: image to gained latent (stride 16) and hyper-latent (stride 64)."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        width, deep_width, latent = sizes.width, sizes.deep_width, sizes.latent
        self.linear = nn.Conv2d(4 * PATCH, latent, 1, bias=False)
        self.stem = pointwise(PATCH, width)
        self.fine = blocks(width, sizes.analysis_depth)
        self.modulation = Levels(width)
        self.down = pointwise(4 * width, deep_width)
        self.coarse = blocks(deep_width, sizes.deep_depth)
        self.head = pointwise(deep_width, latent)
        self.gain = Levels(latent)
        self.hyper = nn.Sequential(
            pointwise(latent, 128),
            nn.LeakyReLU(SLOPE),
            nn.PixelUnshuffle(2),
            pointwise(512, 128),
            nn.LeakyReLU(SLOPE),
            blocks(128, 1),
            nn.PixelUnshuffle(2),
            pointwise(512, 128),
            nn.LeakyReLU(SLOPE),
            pointwise(128, sizes.hyper),
        )

    def forward(self, image: Tensor, quality: Tensor) -> tuple[Tensor, Tensor]:
        """Map images (N, 3, H, W) and qualities (N,) in [0, 1] to latent and hyper-latent."""
        centred = functional.pixel_unshuffle(image - 0.5, 8)
        x = self.fine(self.stem(centred)) * self.modulation(quality)
        x = self.coarse(self.down(functional.pixel_unshuffle(x, 2)))
        with torch.autocast(image.device.type, enabled=False):
            latent = self.linear(functional.pixel_unshuffle(centred, 2)) + self.head(x.float())
            latent = latent * self.gain(quality)
        return latent, self.hyper(latent).float()


class PostFilter(nn.Module):
    """The end of the decoder: a correction of 4×4 patches, and of offset grids of them.

    Patches of 8×8 and of 16×16 do not see across their borders. As in the denoiser, a share and an
    offset are added to each cosine coefficient of a smaller patch, predicted from features that
    see its surroundings; so are the grey coefficients of the offset grids. An untrained filter
    changes nothing.

    Args:
        inputs: channels of the decoder's features at 1/8.
        width: channels at 1/4.
        depth: blocks.
    """

    def __init__(self, inputs: int, width: int, depth: int) -> None:
        super().__init__()
        basis = cosines()
        self.register_buffer("basis", basis, persistent=False)
        self.stem = pointwise(len(basis), width)
        self.enter = pointwise(inputs, 4 * width)
        self.enters = Bound()
        self.blocks = nn.Sequential(*(Residual(width) for _ in range(depth)))
        self.leaves = Bound()
        self.share, self.offset = (nn.Conv2d(width, len(basis), 1) for _ in range(2))
        self.between = nn.ModuleList(Between(width, *moved, overlapping=True) for moved in GRIDS)
        for layer in (self.share, self.offset):
            assert layer.bias is not None
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, image: Tensor, features: Tensor) -> Tensor:
        """Return the corrected image, (N, 3, 8h, 8w), from it and features (N, inputs, h, w)."""
        basis = self.get_buffer("basis")
        kernel = basis.view(-1, 3, LEVEL_STRIDE, LEVEL_STRIDE)
        coefficients = functional.conv2d(image, kernel, stride=LEVEL_STRIDE)
        change = self.change(coefficients, functional.pixel_shuffle(self.enter(features), 2))
        filtered: Tensor = image + functional.conv_transpose2d(change, kernel, stride=LEVEL_STRIDE)
        return filtered

    def change(self, coefficients: Tensor, features: Tensor) -> Tensor:
        """Return what to add to coefficients (N, 48, 2h, 2w), from features (N, width, 2h, 2w)."""
        x = self.leaves(self.blocks(self.enters(self.stem(coefficients) + features)))
        return decided(coefficients, x, self.bounded_share, self.offset, self.between)

    def bounded_share(self, features: Tensor) -> Tensor:
        """Return how much of each coefficient is added to it, ``SHARE_MAX`` at most."""
        return clamp_inwards(self.share(features), -SHARE_MAX, SHARE_MAX)


class Synthesis(nn.Module):
    """g_s: dequantised latent (stride 16) to image."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        width, deep_width = sizes.width, sizes.deep_width
        self.inverse_gain = Levels(sizes.latent)
        self.linear = nn.Conv2d(sizes.latent, 4 * PATCH, 1, bias=False)
        self.stem = pointwise(sizes.latent, deep_width)
        self.deep_modulation = Levels(deep_width)
        self.deep_enters = Bound()
        self.coarse = blocks(deep_width, sizes.deep_depth)
        self.deep_leaves = Bound()
        self.share = nn.Conv2d(deep_width, sizes.latent, 1)
        self.up = pointwise(deep_width, 4 * width)
        self.modulation = Levels(width)
        self.fine = blocks(width, sizes.synthesis_depth)
        self.leaves = Bound()
        self.head = pointwise(width, PATCH)
        self.filter = PostFilter(width, sizes.filter_width, sizes.filter_depth)
        assert self.share.bias is not None
        nn.init.zeros_(self.share.weight)
        nn.init.zeros_(self.share.bias)

    def forward(self, latent: Tensor, quality: Tensor) -> Tensor:
        """Map dequantised latents (N, C, h, w) and qualities (N,) to images (N, 3, 16h, 16w)."""
        latent = latent * self.inverse_gain(quality)
        deep = self.deep_enters(self.stem(latent) * self.deep_modulation(quality))
        deep = self.deep_leaves(self.coarse(deep))
        x = functional.pixel_shuffle(self.up(deep), 2)
        x = self.leaves(self.fine(x * self.modulation(quality)))
        share = clamp_inwards(self.share(deep).float(), -SHARE_MAX, SHARE_MAX)
        with torch.autocast(latent.device.type, enabled=False):
            linear = functional.pixel_shuffle(self.linear(latent + latent * share), 2)
            image = functional.pixel_shuffle(linear + self.head(x.float()), 8)
        result: Tensor = self.filter(image, x) + 0.5
        return result


class ContextFeatures(nn.Module):
    """The decoded latents around a position, as features: exact integers, like all that follows.

    Args:
        latent: channels of the latent.
        width: features.
    """

    def __init__(self, latent: int, width: int) -> None:
        super().__init__()
        self.known = IntegerConv(latent, width, input_max=CONTEXT_MAX)
        self.around = IntegerConv(width, width, 5, depthwise=True)
        nn.init.dirac_(self.around.weight, groups=width)
        with torch.no_grad():
            self.known.weight.mul_(ACTIVATION_UNIT / MEAN_SCALE / 8)

    def forward(self, context: Tensor) -> Tensor:
        """Map y_hat in 1/16 where it is known, else 0, (N, latent, H, W), to (N, width, H, W)."""
        c = clamp_inwards(context, -CONTEXT_MAX, CONTEXT_MAX)
        return activate(self.around(activate(self.known(c))))


class EntropyNetwork(nn.Module):
    """h_s and the context model in exact integers: predict a mean and a scale index per latent."""

    def __init__(self, latent: int, hyper: int) -> None:
        super().__init__()
        self.enter = IntegerConv(hyper + 1, 128, input_max=255)
        self.mix = IntegerConv(128, 128, 3, depthwise=True)
        self.up1 = IntegerConv(128, 4 * 96)
        self.mix1 = IntegerConv(96, 96, 3, depthwise=True)
        self.up2 = IntegerConv(96, 4 * 128)
        self.early, self.late = ContextFeatures(latent, 96), ContextFeatures(latent, 128)
        self.correct = IntegerConv(96, 192)
        self.fuse = IntegerConv(128 + 128 + 1, 192)
        self.mix2 = IntegerConv(192, 192, 3, depthwise=True)
        self.deep = IntegerConv(192, 192)
        self.mean = IntegerConv(192, latent, unit=MEAN_SCALE)
        self.index = IntegerConv(192, latent, unit=INDEX_UNIT)
        for layer in (self.mix, self.mix1, self.mix2):
            nn.init.dirac_(layer.weight, groups=layer.groups)
        with torch.no_grad():
            for layer in (self.correct, self.mean, self.index):
                layer.weight.mul_(0.1)
            self.index.bias.fill_(20.0)

    def shared(self, hyper_latent: Tensor, quality: Tensor) -> Tensor:
        """Return the hyper-latent's part of the fusing layer's sums.

        Args:
            hyper_latent: integers in [-127, 127], (N, hyper, h, w).
            quality: integers in [0, 255], (N,).

        Returns:
            Multiples of a half of the layer's scales, (N, 192, 4h, 4w).
        """
        plane = quality.view(-1, 1, 1, 1) + 0 * hyper_latent[:, :1]
        x = activate(self.enter(torch.cat((hyper_latent, plane), 1)))
        x = activate(self.up1(activate(self.mix(x))))
        x = activate(self.up2(activate(self.mix1(functional.pixel_shuffle(x, 2)))))
        x = functional.pixel_shuffle(x, 2)
        weight, bias, scale = self.fuse.quantised()
        return functional.conv2d(x, weight[:, : x.shape[1]], bias) * scale.view(1, -1, 1, 1)

    def first(self, shared: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the features of the first two steps, and the means and indices of the first.

        Returns:
            Integers in float32: features in [0, 1023], (N, 192, 4h, 4w); means in 1/16 and scale
            indices in [0, 63] at the step's positions, in the order of :func:`gather`.
        """
        features = self._features(shared)
        return features, *self._heads(features, 0)

    def second(self, features: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and indices of the second step, which corrects the first step's features.

        Args:
            features: see above.
            context: y_hat in 1/16 where it is known, else 0, (N, latent, 4h, 4w).
        """
        return self._heads(activate(features + self.correct(self.early(context))), 1)

    def third(self, shared: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and indices of the third step, which sees half of the latents; as above."""
        c = self.late(context)
        weight, _, scale = self.fuse.quantised()
        context_weight, marker = weight[:, -1 - c.shape[1] : -1], weight[:, -1].flatten()
        context_sums = functional.conv2d(c, context_weight, STEP_MARK * marker)
        return self._heads(self._features(shared + context_sums * scale.view(1, -1, 1, 1)), 2)

    def _features(self, sums: Tensor) -> Tensor:
        return activate(self.deep(activate(self.mix2(activate(sums)))))

    def _heads(self, features: Tensor, step: int) -> tuple[Tensor, Tensor]:
        places = at_places(features, step)
        index = floor_through(self.index.parted(*places) / INDEX_UNIT)
        mean = floor_through(self.mean.parted(*places))
        return mean, clamp_inwards(index, 0, SCALE_COUNT - 1)


class Coded(NamedTuple):
    """What a forward pass yields: the picture and its ideal cost."""

    image: Tensor
    latent_bits: Tensor
    hyper_bits: Tensor


class CodecNetwork(nn.Module):
    """The whole codec, for training."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.analysis = Analysis(sizes)
        self.synthesis = Synthesis(sizes)
        self.entropy = EntropyNetwork(sizes.latent, sizes.hyper)
        self.hyper_level = nn.Parameter(torch.full((BUCKETS, sizes.hyper), 20.0 / SCALE_COUNT))

    @torch.no_grad()
    def calibrate(self, image: Tensor, steps: Tensor) -> None:
        """Start as a transform codec: the principal components of 16×16 patches, and little else.

        Args:
            image: float32 (N, 3, H, W) in [0, 1], some thousands of patches.
            steps: float32 (anchors,), the quantiser's step at each anchor of the gains.
        """
        patches = functional.pixel_unshuffle(functional.pixel_unshuffle(image - 0.5, 8), 2)
        samples = patches.permute(0, 2, 3, 1).flatten(0, 2).double()
        _, vectors = torch.linalg.eigh(samples.T @ samples)
        basis = vectors.flip(1)[:, : self.analysis.linear.out_channels].float()
        self.analysis.linear.weight.copy_(basis.T.unsqueeze(2).unsqueeze(3))
        self.synthesis.linear.weight.copy_(basis.unsqueeze(2).unsqueeze(3))
        self.analysis.head.weight.mul_(0.1)
        self.synthesis.head.weight.mul_(0.1)
        gain, inverse = self.analysis.gain.log, self.synthesis.inverse_gain.log
        gain.copy_(-steps.log().unsqueeze(1).expand_as(gain))
        inverse.copy_(-gain)
        _, hyper = self.analysis(image, torch.full((len(image),), 0.5, device=image.device))
        last = self.analysis.hyper[-1]
        assert isinstance(last, nn.Conv2d)
        last.weight.mul_(3.0 / hyper.std())

    def forward(self, image: Tensor, quality: Tensor, noise: tuple[Tensor, Tensor] | None) -> Coded:
        """Code images (N, 3, H, W) in [0, 1], sides multiples of 64, at qualities (N,) in [0, 1].

        ``noise``, uniform in [-0.5, 0.5) and shaped like latent and hyper-latent, stands for
        rounding in the rate; the picture is always made of rounded values ("mixed"
        quantisation, Minnen and Singh, ICIP 2020, section 3.3). None gives the true symbols' rate.
        """
        latent, hyper = self.analysis(image, quality)
        with torch.autocast(image.device.type, enabled=False):
            byte = torch.floor(quality * 255)
            hyper_hat = clamp_inwards(round_through(hyper), -HYPER_MAX, HYPER_MAX)
            row = self.hyper_index()[(byte * BUCKETS / 256).long()]
            index = row.unsqueeze(2).unsqueeze(3)
            noisy_hyper = hyper_hat if noise is None else hyper + noise[1]
            hyper_bits = bits(noisy_hyper, index).sum((1, 2, 3))
            coded = self.code(latent, hyper_hat, byte)
            noisy_symbol = coded.symbol
            if noise is not None:
                noisy_symbol = coded.residual + noise[0].view_as(coded.residual)
            latent_bits = bits(noisy_symbol, coded.scale)
        image = self.synthesis(coded.latent, quality)
        return Coded(image, latent_bits.sum((1, 2, 3)), hyper_bits)

    def hyper_index(self) -> Tensor:
        """Return float32 (buckets, hyper) in [0, 63]: the scale index of hyper-latents, unrounded.

        The parameter is a 64th of it: an optimiser's steps are of the size of weights, and indices
        that it moved by a thousandth at a time stayed wrong for a whole training.
        """
        return clamp_inwards(SCALE_COUNT * self.hyper_level, 0, SCALE_COUNT - 1)

    def code(self, latent: Tensor, hyper_hat: Tensor, byte: Tensor) -> "Symbols":
        """Code latents as the coder does, step by step."""
        shared = self.entropy.shared(hyper_hat, byte)
        features, *choice = self.entropy.first(shared)
        steps = [_symbols(latent, 0, *choice)]
        steps.append(_symbols(latent, 1, *self.entropy.second(features, _context(steps))))
        steps.append(_symbols(latent, 2, *self.entropy.third(shared, _context(steps))))
        return Symbols(
            torch.cat([step.residual for step in steps], 2),
            torch.cat([step.symbol for step in steps], 2),
            torch.cat([step.scale for step in steps], 2),
            scattered([step.latent for step in steps]),
        )


class Symbols(NamedTuple):
    """The symbols of latents, in the order of coding.

    Attributes:
        residual: latent minus mean, in the order of :func:`gather`.
        symbol: the rounded residual.
        scale: scale index of each symbol.
        latent: as decoded; for all steps together, at its original positions.
    """

    residual: Tensor
    symbol: Tensor
    scale: Tensor
    latent: Tensor


def _symbols(latent: Tensor, step: int, mean: Tensor, index: Tensor) -> Symbols:
    """Return the symbols of a step."""
    mean = mean / MEAN_SCALE
    residual = gather(latent, step) - mean
    # The rate is that of the residual. If it were that of the symbol, values in the dead zone would
    # cost nothing however close to 1 they are; the quantiser then became ever finer.
    symbol = round_through(dead_zone(residual, index))
    return Symbols(residual, symbol, index, symbol + mean)


def _context(steps: Sequence[Symbols]) -> Tensor:
    return MEAN_SCALE * scattered([step.latent for step in steps])


def place_of(group: int, quarter: int) -> int:
    """Return the position of a quarter of the latent in squares of 2×2, for a group of channels.

    Positions are counted 0, 1 above 2, 3. A quarter has another position in each group, and the
    quarters of a group have different ones.
    """
    return ORDER[group] ^ ORDER[quarter]


def partner(place: int, one: int) -> int:
    """Return the quarter that a group has at a place; or the group that a quarter has there."""
    return ORDER.index(place ^ ORDER[one])


def at_places(x: Tensor, step: int) -> list[Tensor]:
    """Return the values at the places of a step, for each group of channels.

    Args:
        x: (N, C, H, W), H and W even.
        step: 0, 1 or 2.

    Returns:
        Four tensors (N, C, H / 2, W / 2), or twice as high in a step of two quarters, one quarter
        below the other.
    """
    return [_of_group(x, group, step) for group in range(GROUPS)]


def gather(latent: Tensor, step: int) -> Tensor:
    """Return a step's values of (N, M, H, W): (N, M, H / 2, W / 2), or twice as high."""
    groups = enumerate(latent.chunk(GROUPS, 1))
    return torch.cat([_of_group(part, group, step) for group, part in groups], 1)


def _of_group(x: Tensor, group: int, step: int) -> Tensor:
    quarter_places = [place_of(group, quarter) for quarter in STEPS[step]]
    return torch.cat([x[:, :, place >> 1 :: 2, place & 1 :: 2] for place in quarter_places], 2)


def scattered(gathered: Sequence[Tensor]) -> Tensor:
    """Invert :func:`gather` for the first steps: return (N, M, H, W), 0 where nothing is known."""
    quarters = [
        part.chunk(GROUPS, 1)
        for step, values in enumerate(gathered)
        for part in values.chunk(len(STEPS[step]), 2)
    ]
    zeros = torch.zeros_like(quarters[0][0])
    squares = []
    for place in range(GROUPS):
        group_quarters = [partner(place, group) for group in range(GROUPS)]
        group_values = [
            quarters[quarter][group] if quarter < len(quarters) else zeros
            for group, quarter in enumerate(group_quarters)
        ]
        squares.append(torch.cat(group_values, 1))
    return functional.pixel_shuffle(torch.stack(squares, 2).flatten(1, 2), 2)
