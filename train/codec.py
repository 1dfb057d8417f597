"""The photo codec's networks and training loss.

    image ──g_a──▶ latent y ─(× gain)─▶ round ─▶ y_hat ─(× inverse gain)──g_s──▶ image
                      │                   ▲
                     h_a                  │ mean, scale index   (exact integers, in two steps:
                      ▼                   │  the second step sees what the first has decoded)
                 hyper-latent z ─▶ round ─▶ entropy network

Mean-scale hyperprior (Minnen et al., NeurIPS 2018), one model for every rate by gain vectors (Cui
et al., CVPR 2021), a two-step entropy model over a checkerboard that alternates between the halves
of the channels (Li et al., "Neural Video Compression with Diverse Contexts", CVPR 2023).
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from train.blocks import blocks, pointwise
from train.integer import (
    ACTIVATION_UNIT,
    IntegerConv,
    activate,
    clamp_inwards,
    floor_through,
    round_through,
)

HYPER_MAX = 127
MEAN_UNIT = 16
CONTEXT_MAX = 2047
SCALE_COUNT = 64
SCALE_MIN, SCALE_MAX = 0.11, 128.0
BUCKETS = 8
INDEX_UNIT = 16
STEP_MARK = 64


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


class Levels(nn.Module):
    """A positive vector per channel for each quality: anchors, interpolated in the logarithm.

    Interpolation uses only Sub, Abs, Relu, MatMul and Exp, which every ONNX device has.
    """

    def __init__(self, channels: int, anchors: int = 8) -> None:
        super().__init__()
        self.log = nn.Parameter(torch.zeros(anchors, channels))
        self.register_buffer("anchor", torch.arange(anchors, dtype=torch.float32), persistent=False)

    def forward(self, quality: Tensor) -> Tensor:
        """Map float32 (N,) in [0, 1] to (N, channels, 1, 1)."""
        anchor = self.get_buffer("anchor")
        place = quality.unsqueeze(1) * (len(anchor) - 1)
        weight = functional.relu(1.0 - (place - anchor).abs())
        return torch.exp(weight @ self.log).unsqueeze(2).unsqueeze(3)


class Analysis(nn.Module):
    """g_a and h_a: image to gained latent (stride 16) and hyper-latent (stride 64)."""

    def __init__(self, width: int, deep_width: int, latent: int, hyper: int, depth: int) -> None:
        super().__init__()
        self.stem = pointwise(192, width)
        self.fine = blocks(width, depth)
        self.modulation = Levels(width)
        self.down = pointwise(4 * width, deep_width)
        self.coarse = blocks(deep_width, 3)
        self.head = pointwise(deep_width, latent)
        self.gain = Levels(latent)
        self.hyper = nn.Sequential(
            pointwise(latent, 128),
            nn.ReLU(),
            nn.PixelUnshuffle(2),
            pointwise(512, 128),
            nn.ReLU(),
            blocks(128, 1),
            nn.PixelUnshuffle(2),
            pointwise(512, 128),
            nn.ReLU(),
            pointwise(128, hyper),
        )

    def forward(self, image: Tensor, quality: Tensor) -> tuple[Tensor, Tensor]:
        """Map images (N, 3, H, W) and qualities (N,) in [0, 1] to latent and hyper-latent."""
        x = self.stem(functional.pixel_unshuffle(image - 0.5, 8))
        x = self.fine(x) * self.modulation(quality)
        x = self.coarse(self.down(functional.pixel_unshuffle(x, 2)))
        with torch.autocast(image.device.type, enabled=False):
            latent = self.head(x.float()) * self.gain(quality)
        return latent, self.hyper(latent).float()


class Synthesis(nn.Module):
    """g_s: dequantised latent (stride 16) to image."""

    def __init__(self, width: int, deep_width: int, latent: int, depth: int) -> None:
        super().__init__()
        self.inverse_gain = Levels(latent)
        self.stem = pointwise(latent, deep_width)
        self.coarse = blocks(deep_width, 3)
        self.up = pointwise(deep_width, 4 * width)
        self.modulation = Levels(width)
        self.fine = blocks(width, depth)
        self.head = pointwise(width, 192)

    def forward(self, latent: Tensor, quality: Tensor) -> Tensor:
        """Map dequantised latents (N, C, h, w) and qualities (N,) to images (N, 3, 16h, 16w)."""
        x = self.coarse(self.stem(latent * self.inverse_gain(quality)))
        x = functional.pixel_shuffle(self.up(x), 2) * self.modulation(quality)
        x = self.fine(x)
        with torch.autocast(latent.device.type, enabled=False):
            x = functional.pixel_shuffle(self.head(x.float()), 8)
        return x + 0.5


class EntropyNetwork(nn.Module):
    """h_s and the context model, in exact integers: what is known to mean and scale index."""

    def __init__(self, latent: int, hyper: int) -> None:
        super().__init__()
        self.enter = IntegerConv(hyper + 1, 128, input_max=255)
        self.mix = IntegerConv(128, 128, 3, depthwise=True)
        self.up1 = IntegerConv(128, 4 * 96)
        self.mix1 = IntegerConv(96, 96, 3, depthwise=True)
        self.up2 = IntegerConv(96, 4 * 128)
        self.known = IntegerConv(latent, 128, input_max=CONTEXT_MAX)
        self.around = IntegerConv(128, 128, 5, depthwise=True)
        self.fuse = IntegerConv(128 + 128 + 1, 192)
        self.mix2 = IntegerConv(192, 192, 3, depthwise=True)
        self.deep = IntegerConv(192, 192)
        self.mean = IntegerConv(192, latent, unit=MEAN_UNIT)
        self.index = IntegerConv(192, latent, unit=INDEX_UNIT)
        for layer in (self.mix, self.mix1, self.mix2, self.around):
            nn.init.dirac_(layer.weight, groups=layer.groups)
        with torch.no_grad():
            self.known.weight.mul_(ACTIVATION_UNIT / MEAN_UNIT / 8)
            self.mean.weight.mul_(0.1)
            self.index.weight.mul_(0.1)
            self.index.bias.fill_(20.0)

    def forward(
        self, hyper_latent: Tensor, quality: Tensor, context: Tensor, step: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the means in 1/16 and the scale indices in [0, 63], integers in float32.

        Args:
            hyper_latent: integers in [-127, 127], (N, hyper, h, w).
            quality: integers in [0, 255], (N,).
            context: y_hat in 1/16 where it is known, else 0, (N, latent, 4h, 4w).
            step: 0 or 1, (N,).
        """
        plane = quality.view(-1, 1, 1, 1) + 0 * hyper_latent[:, :1]
        x = activate(self.enter(torch.cat((hyper_latent, plane), 1)))
        x = activate(self.up1(activate(self.mix(x))))
        x = activate(self.up2(activate(self.mix1(functional.pixel_shuffle(x, 2)))))
        x = functional.pixel_shuffle(x, 2)
        c = clamp_inwards(context, -CONTEXT_MAX, CONTEXT_MAX)
        c = activate(self.around(activate(self.known(c))))
        marker = STEP_MARK * step.view(-1, 1, 1, 1) + 0 * x[:, :1]
        x = activate(self.fuse(torch.cat((x, c, marker), 1)))
        x = activate(self.deep(activate(self.mix2(x))))
        mean = floor_through(self.mean(x))
        index = clamp_inwards(floor_through(self.index(x) / INDEX_UNIT), 0, SCALE_COUNT - 1)
        return mean, index


class Coded(NamedTuple):
    """What a forward pass yields: the picture and its ideal cost."""

    image: Tensor
    latent_bits: Tensor
    hyper_bits: Tensor


class CodecNetwork(nn.Module):
    """The whole codec, for training."""

    def __init__(
        self,
        width: int = 128,
        deep_width: int = 192,
        latent: int = 256,
        hyper: int = 96,
        depth: int = 6,
    ) -> None:
        super().__init__()
        self.analysis = Analysis(width, deep_width, latent, hyper, depth)
        self.synthesis = Synthesis(width, deep_width, latent, depth)
        self.entropy = EntropyNetwork(latent, hyper)
        self.hyper_index = nn.Parameter(torch.full((BUCKETS, hyper), 30.0))

    @torch.no_grad()
    def calibrate(self, image: Tensor, low: float = 2.0, high: float = 40.0) -> None:
        """Start latents with deviations ``low`` to ``high``, so that rounding erases no signal."""
        gain, inverse = self.analysis.gain.log, self.synthesis.inverse_gain.log
        latent, _ = self.analysis(image, torch.zeros(len(image), device=image.device))
        target = torch.linspace(math.log(low), math.log(high), len(gain), device=image.device)
        gain.copy_((target - latent.std().log()).unsqueeze(1).expand_as(gain))
        inverse.copy_(-gain)
        latent, hyper = self.analysis(image, torch.full((len(image),), 0.5, device=image.device))
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
            row = self.hyper_index[(byte * BUCKETS / 256).long()]
            index = row.clamp(0, SCALE_COUNT - 1).unsqueeze(2).unsqueeze(3)
            hyper_seen = hyper_hat if noise is None else hyper + noise[1]
            hyper_bits = bits(hyper_seen, index).sum((1, 2, 3))
            residual, mean, index = self.two_steps(latent, hyper_hat, byte)
            symbol = round_through(residual)
            latent_bits = bits(symbol if noise is None else residual + noise[0], index)
        image = self.synthesis(symbol + mean, quality)
        return Coded(image, latent_bits.sum((1, 2, 3)), hyper_bits)

    def two_steps(
        self, latent: Tensor, hyper_hat: Tensor, byte: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return latent minus mean, mean, and scale index, as the coder's two steps see them."""
        mask = first_step_mask(latent)
        step = torch.zeros_like(byte)
        mean0, index0 = self.entropy(hyper_hat, byte, torch.zeros_like(latent), step)
        known = (round_through(latent - mean0 / MEAN_UNIT) * MEAN_UNIT + mean0) * mask
        mean1, index1 = self.entropy(hyper_hat, byte, known, step + 1)
        mean = torch.where(mask, mean0, mean1) / MEAN_UNIT
        return latent - mean, mean, torch.where(mask, index0, index1)


def first_step_mask(latent: Tensor) -> Tensor:
    """Return bool (1, C, H, W): what the first step codes; halves of the channels alternate."""
    _, channels, height, width = latent.shape
    row = torch.arange(height, device=latent.device).view(-1, 1)
    column = torch.arange(width, device=latent.device)
    half = (torch.arange(channels, device=latent.device) >= channels // 2).view(-1, 1, 1)
    return ((row + column + half) % 2 == 0).unsqueeze(0)
