"""The denoisers' networks as they ship: from pixels to pixels.

At both ends, where bytes become patches and patches become bytes, they have the channels-last
matmul form (:mod:`export.channels_last`). Between them they have planes, which onnxruntime keeps in
the layout of its convolutions: blocks of channels in float32, channels last in 8 bits. No layer
needs a change of layout.
"""

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

from export.channels_last import (
    LEVELS,
    MIDDLE,
    AllBetween,
    Patches,
    Size,
    after,
    as_convolution,
    as_linear,
    convolution,
    linear,
    places,
    shuffled,
    shuffled_planes,
    to_channels_last,
    to_planes,
)
from export.graphs import block_major
from export.layers import permuted
from train.networks.denoiser import LEVEL_STRIDE, PATCH, DenoiserNetwork
from train.networks.recurrent import STATE_LIMIT, RecurrentNetwork

_WORD = 4  # channels; an 8-bit convolution of any other multiple takes three times as long
_BLOCK = 16  # the same in float32

_CLAIM_MAX = 0.75
"""The largest noise level, full scale 1, that can be claimed in 8 bits."""


class FloatForm(nn.Module):
    """The parts of a network that are computed differently in float32 and in 8 bits: float32.

    Attributes:
        first: the estimator's first layer.
        level: the estimator's last layer.
    """

    def __init__(self, network: DenoiserNetwork) -> None:
        super().__init__()
        self.analysis = as_convolution(_of_levels(network.analysis))
        self.stem, self.claim, self.up = network.stem, network.claim, network.up
        self.first, self.level = _ends(network.estimator)
        self.offset = as_convolution(_offset(network))
        self.between = AllBetween(network.between) if network.between else None

    def of(self, patches: Tensor, levels: Tensor, size: Size) -> tuple[Tensor, Tensor]:
        """Return the input of the convolutions and the coefficients, both (1, 48, H/4, W/4).

        Args:
            patches: of the frame, uint8 (positions, 48).
            levels: the same, float32.
            size: height and width in positions.
        """
        coefficients = self.analysis(to_planes(levels, size))
        return coefficients, coefficients

    def features(self, patches: Tensor, source: Tensor, claim: Tensor, size: Size) -> Tensor:
        """Return the first features, (1, width, H/4, W/4).

        Args:
            patches, size: as above.
            source: input of the convolutions.
            claim: the claimed noise level, full scale 1, as :attr:`level` gives it.
        """
        features: Tensor = self.stem(source) + self.claim(shuffled_planes(claim, size))
        return features

    def widened(self, deep: Tensor, size: Size) -> Tensor:
        """Return features at 1/8 upsampled to 1/4, to be added there."""
        return functional.interpolate(self.up(deep), scale_factor=2.0, mode="nearest")

    def noise(self, source: Tensor, shared: Tensor, x: Tensor) -> Tensor:
        """Return the noise of each coefficient, (1, 48, H/4, W/4).

        Args:
            source: input of the convolutions.
            shared: coefficients times their shares.
            x: the last features.
        """
        noise: Tensor = shared + self.offset(x)  # onnxruntime fuses the sum into the convolution
        return noise if self.between is None else noise + self.between(source, x)


class IntegerForm(nn.Module):
    """The same parts for 8 bits: convolutions read the bytes of the frame directly.

    The claimed level is one more byte of each patch. The coefficients are not rounded; they are a
    matrix product of levels that count from black, while the network's count from grey, and the
    offset layer makes up for the difference.
    """

    def __init__(self, network: DenoiserNetwork) -> None:
        super().__init__()
        analysis, claim = _of_levels(network.analysis, MIDDLE), as_linear(network.claim)
        self.analysis = nn.Buffer(analysis.weight.detach())
        first, level = _ends(network.estimator)
        self.level = _repeated(level, _WORD, each=True)  # as often as its byte is beside it
        stem, byte = as_linear(after(network.stem, analysis)), claim.weight.detach()
        byte = byte * (_CLAIM_MAX / LEVELS)
        weight = torch.cat((stem.weight.detach(), (byte / _WORD).expand(-1, _WORD)), 1)
        bias = stem.bias.detach() + claim.bias.detach() + MIDDLE * byte[:, 0]
        self.first, self.stem = after(first, analysis), as_convolution(linear(weight, bias))
        self.up = _repeated(network.up, 4)  # for four positions at once
        self.offset = as_convolution(_offset(network, _of_levels(network.analysis).bias.detach()))
        self.between = AllBetween(network.between, analysis) if network.between else None
        self.patches = Patches()

    def of(self, patches: Tensor, levels: Tensor, size: Size) -> tuple[Tensor, Tensor]:
        """See :meth:`FloatForm.of`."""
        coefficients = functional.linear(levels, self.analysis)
        return to_planes(self.patches.centred(patches), size), to_planes(coefficients, size)

    def features(self, patches: Tensor, source: Tensor, claim: Tensor, size: Size) -> Tensor:
        """See :meth:`FloatForm.features`."""
        half = size[0] // 2, size[1] // 2
        claimed = self.patches.bytes(claim * (LEVELS / _CLAIM_MAX))
        patches_and_level = torch.cat((patches, shuffled(to_channels_last(claimed), half)), 1)
        features: Tensor = self.stem(to_planes(self.patches.centred(patches_and_level), size))
        return features

    def widened(self, deep: Tensor, size: Size) -> Tensor:
        """See :meth:`FloatForm.widened`."""
        return shuffled_planes(self.up(deep), size)

    def noise(self, source: Tensor, shared: Tensor, x: Tensor) -> Tensor:
        """See :meth:`FloatForm.noise`."""
        offset_noise: Tensor = self.offset(x)
        return shared + (
            offset_noise if self.between is None else offset_noise + self.between(source, x)
        )


class ShippedDenoiser(nn.Module):
    """The still denoiser: (frame, strength) to the clean frame.

    Args:
        network: in evaluation mode.
        for_int8: use convolutions, which will be rounded, for everything but the coefficients.
    """

    def __init__(self, network: DenoiserNetwork, *, for_int8: bool = False) -> None:
        super().__init__()
        n = self.network = copy.deepcopy(network)
        self.form = (IntegerForm if for_int8 else FloatForm)(n)
        self.synthesis = nn.Buffer(_to_levels(n.synthesis))
        self.patches = Patches()

    def forward(self, frame: Tensor, strength: Tensor) -> Tensor:
        """Map a frame, uint8 (H, W, 3), and a strength (1,) to the clean frame, uint8."""
        size = places(frame)
        patches = self.patches.of(frame)
        levels = patches.float()
        source, coefficients = self.form.of(patches, levels, size)
        x = self.form.features(patches, source, self.claim(source, strength), size)
        coefficient_noise, _ = self.decide(source, coefficients, x, size)
        noise = functional.linear(
            to_channels_last(coefficient_noise), self.synthesis * strength.clamp(max=1.0)
        )
        return self.patches.picture(levels + noise, size)

    def claim(self, source: Tensor, strength: Tensor) -> Tensor:
        """Return the claimed noise level, planes of 2 × 2 blocks at 1/8."""
        x = self.network.estimator[1:-2](self.form.first(source))
        return functional.relu(self.form.level(x)) * strength.clamp(min=1.0).view(1, 1, 1, 1)

    def decide(
        self, source: Tensor, coefficients: Tensor, x: Tensor, size: Size
    ) -> tuple[Tensor, Tensor]:
        """Return the noise of each coefficient, (1, 48, H/4, W/4), and the last features.

        Args:
            source, coefficients: from :meth:`FloatForm.of`.
            x: the first features.
            size: height and width in positions.
        """
        n = self.network
        x = n.fine_in(x)
        x = n.fine_out(x + self.form.widened(n.coarse(n.down(x)), size))
        return self.form.noise(source, coefficients * n.share(x), x), x


class ShippedVideo(ShippedDenoiser):
    """The recurrent denoiser.

    (frame, strength, past, state) to (clean, next_past, next_state).
    """

    network: RecurrentNetwork

    def __init__(self, network: RecurrentNetwork, *, for_int8: bool = False) -> None:
        super().__init__(network, for_int8=for_int8)
        self.trust, self.keep = as_linear(network.trust), as_linear(network.keep)
        self.spare = -network.recall.in_channels % (_WORD if for_int8 else _BLOCK)
        weight = functional.pad(network.recall.weight.detach(), (0, 0, 0, 0, 0, self.spare))
        assert network.recall.bias is not None
        self.recall = convolution(weight, network.recall.bias.detach(), 1)

    def forward(  # type: ignore[override]
        self, frame: Tensor, strength: Tensor, past: Tensor, state: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Map a frame and the state of the previous one to the clean frame and the next state.

        Args:
            frame: uint8 (H, W, 3).
            strength: float32 (1,).
            past: uint8 (H, W, 3).
            state: float32 (H / 4, W / 4, state channels).
        """
        size = places(frame)
        patches = self.patches.of(frame)
        levels = patches.float()
        source, coefficients = self.form.of(patches, levels, size)
        state_matrix = state.view(size[0] * size[1], self.network.state_channels)
        has_past = state_matrix[:, :1]
        past_patches = self.patches.of(past)
        _, past_coefficients = self.form.of(past_patches, past_patches.float(), size)
        change = to_channels_last(coefficients - past_coefficients) * has_past
        spare_channels = state_matrix.new_zeros(size[0] * size[1], self.spare)
        memory = to_channels_last(
            self.recall(to_planes(torch.cat((change.abs(), state_matrix, spare_channels), 1), size))
        )
        x = self.form.features(patches, source, self.claim(source, strength), size)
        coefficient_noise, x = self.decide(
            source, coefficients, x + to_planes(memory * has_past, size), size
        )
        features = to_channels_last(x)
        noise = functional.linear(
            to_channels_last(coefficient_noise) + change * self.trust(features), self.synthesis
        )
        clean = self.patches.picture(levels + noise * strength.clamp(max=1.0), size)
        kept_features = self.keep(features).clamp(-STATE_LIMIT, STATE_LIMIT)
        is_known = state_matrix.new_ones(size[0] * size[1], 1)
        next_state = torch.cat((is_known, kept_features), 1).view_as(state)
        return clean, self.patches.picture(levels + noise, size), next_state


def _of_levels(layer: nn.Conv2d, zero: int = 0) -> nn.Linear:
    """Return the analysis of (patch − 0.5) as a linear layer of its levels minus ``zero``."""
    weight = layer.weight.detach().double()
    bias = (zero / LEVELS - 0.5) * weight.sum((1, 2, 3))
    return linear(weight.permute(0, 2, 3, 1).reshape(PATCH, PATCH) / LEVELS, bias)


def _to_levels(synthesis: nn.Conv2d) -> Tensor:
    """Return the matrix from the noise of coefficients to what is added to levels, (48, 48)."""
    weight = synthesis.weight[:, :, 0, 0].detach().double()
    return (-LEVELS * weight[block_major(PATCH, LEVEL_STRIDE)]).float()


def _offset(network: DenoiserNetwork, missing: Tensor | None = None) -> nn.Linear:
    """Return the layer of the offsets, which also takes over the bias of the synthesis.

    Args:
        network: the denoiser.
        missing: constants that the coefficients lack and that shares apply to, (48,).
    """
    offset, share = as_linear(network.offset), as_linear(network.share)
    synthesis = network.synthesis
    assert synthesis.bias is not None
    matrix, synthesis_bias = (
        x.detach().double() for x in (synthesis.weight[:, :, 0, 0], synthesis.bias)
    )
    weight = offset.weight.detach()
    bias = offset.bias.detach() + torch.linalg.solve(matrix, synthesis_bias)
    if missing is not None:
        weight = weight + missing.unsqueeze(1) * share.weight.detach()
        bias = bias + missing * share.bias.detach()
    return linear(weight, bias)


def _repeated(layer: nn.Conv2d, times: int, *, each: bool = False) -> nn.Conv2d:
    """Return a 1 × 1 convolution with its outputs repeated, as a whole or one by one."""
    pointwise = as_linear(layer)
    order = torch.arange(layer.out_channels)
    order = order.repeat_interleave(times) if each else order.repeat(times)
    return as_convolution(linear(pointwise.weight.detach()[order], pointwise.bias.detach()[order]))


def _ends(estimator: nn.Sequential) -> tuple[nn.Conv2d, nn.Conv2d]:
    """Return an estimator's first layer, and its last one in the order of a DCR pixel shuffle."""
    first, last = estimator[0], estimator[-2]
    assert isinstance(first, nn.Conv2d)
    assert isinstance(last, nn.Conv2d)
    return first, permuted(last, 2)
