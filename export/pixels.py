"""The denoiser's networks as they ship: from pixels to pixels.

Rows at both ends, where bytes become patches and patches bytes, and planes between them, which
onnxruntime keeps in the layout of its convolutions: in blocks of channels in float32, with the
channels last in 8 bits. Nothing is moved from one layer to the next.
"""

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

from export.graphs import block_major
from export.layers import permuted
from export.rows import (
    LEVELS,
    MIDDLE,
    AllBetween,
    Patches,
    Size,
    after,
    as_planes,
    as_rows,
    convolution,
    linear,
    of_planes,
    of_rows,
    places,
    shuffled,
    shuffled_planes,
)
from train.denoiser import LEVEL_STRIDE, PATCH, DenoiserNetwork
from train.recurrent import STATE_LIMIT, VideoNetwork

_WORD = 4  # channels; a convolution in 8 bits of a number between takes three times as long
_BLOCK = 16  # the same in float32

_CLAIM_MAX = 0.75
"""The largest noise level, full scale 1, that can be claimed in 8 bits."""


class Entry(nn.Module):
    """The layers that see the frame, in float32.

    Attributes:
        first: the estimator's first layer.
        level: its last one.
    """

    def __init__(self, network: DenoiserNetwork) -> None:
        super().__init__()
        self.analysis = of_planes(_of_levels(network.analysis))
        self.stem, self.claim = network.stem, network.claim
        self.first, self.level = _ends(network.estimator)

    def of(self, patches: Tensor, levels: Tensor, size: Size) -> tuple[Tensor, Tensor]:
        """Return what convolutions read of a frame, and its coefficients: (1, 48, H/4, W/4).

        Args:
            patches: of the frame, uint8 (places, 48).
            levels: the same, float32.
            size: how many places there are.
        """
        coefficients = self.analysis(as_planes(levels, size))
        return coefficients, coefficients

    def features(self, patches: Tensor, seen: Tensor, claim: Tensor, size: Size) -> Tensor:
        """Return the first features, (1, width, H/4, W/4).

        Args:
            patches, size: as above.
            seen: what convolutions read.
            claim: the noise level that is claimed, full scale 1, as :attr:`level` gives it.
        """
        found: Tensor = self.stem(seen) + self.claim(shuffled_planes(claim, size))
        return found


class IntegerEntry(nn.Module):
    """The same to be rounded: convolutions read the bytes of the frame as they are.

    The claim is a byte beside those of its patch. The coefficients, which are not rounded, are a
    product of rows, and lack the bias of the analysis.
    """

    def __init__(self, network: DenoiserNetwork) -> None:
        super().__init__()
        analysis, claim = _of_levels(network.analysis, MIDDLE), of_rows(network.claim)
        self.analysis = nn.Buffer(analysis.weight.detach())
        first, level = _ends(network.estimator)
        levels = of_rows(level)
        self.level = of_planes(  # each as often as its byte is beside the patch
            linear(*(part.detach().repeat_interleave(_WORD, 0) for part in levels.parameters()))
        )
        stem, byte = after(network.stem, analysis), claim.weight.detach() * _CLAIM_MAX / LEVELS
        weight = torch.cat((stem.weight.detach(), (byte / _WORD).expand(-1, _WORD)), 1)
        bias = stem.bias.detach() + claim.bias.detach() + MIDDLE * byte[:, 0]
        self.first, self.stem = of_planes(after(first, analysis)), of_planes(linear(weight, bias))
        self.patches = Patches()

    def of(self, patches: Tensor, levels: Tensor, size: Size) -> tuple[Tensor, Tensor]:
        """See :meth:`Entry.of`."""
        coefficients = functional.linear(levels, self.analysis)
        return as_planes(self.patches.centred(patches), size), as_planes(coefficients, size)

    def features(self, patches: Tensor, seen: Tensor, claim: Tensor, size: Size) -> Tensor:
        """See :meth:`Entry.features`."""
        half = size[0] // 2, size[1] // 2
        claimed = self.patches.bytes(claim * (LEVELS / _CLAIM_MAX))
        both = torch.cat((patches, shuffled(as_rows(claimed), half)), 1)
        found: Tensor = self.stem(as_planes(self.patches.centred(both), size))
        return found


class ShippedDenoiser(nn.Module):
    """The still denoiser: (frame, strength) to the clean frame.

    Args:
        network: in evaluation mode.
        for_int8: all but the coefficients themselves in convolutions, which are to be rounded.
    """

    def __init__(self, network: DenoiserNetwork, *, for_int8: bool = False) -> None:
        super().__init__()
        n = self.network = copy.deepcopy(network)
        self.entry = (IntegerEntry if for_int8 else Entry)(n)
        self.synthesis, offset = _to_levels(n.synthesis, of_rows(n.offset))
        if for_int8:  # the share of the bias that coefficients lack
            share, bias = of_rows(n.share), _of_levels(n.analysis).bias.detach()
            offset.weight.data += bias.unsqueeze(1) * share.weight.detach()
            offset.bias.data += bias * share.bias.detach()
        self.offset, self.up = of_planes(offset), permuted(n.up, 2)
        of_pixels = _of_levels(n.analysis, MIDDLE) if for_int8 else None
        self.between = AllBetween(n.between, of_pixels) if n.between else None
        self.same = None if for_int8 else _same(n.up.out_channels // 4)
        self.patches = Patches()

    def forward(self, frame: Tensor, strength: Tensor) -> Tensor:
        """Map a frame, uint8 (H, W, 3), and a strength (1,) to the clean frame, uint8."""
        size = places(frame)
        patches = self.patches.of(frame)
        levels = patches.float()
        seen, coefficients = self.entry.of(patches, levels, size)
        x = self.entry.features(patches, seen, self.claim(seen, strength), size)
        found, _ = self.decide(seen, coefficients, x, size)
        noise = functional.linear(as_rows(found), self.synthesis * strength.clamp(max=1.0))
        return self.patches.picture(levels + noise, size)

    def claim(self, seen: Tensor, strength: Tensor) -> Tensor:
        """Return the noise level that is claimed, planes of 2 × 2 blocks at 1/8."""
        x = self.network.estimator[1:-2](self.entry.first(seen))
        return functional.relu(self.entry.level(x)) * strength.clamp(min=1.0).view(1, 1, 1, 1)

    def decide(
        self, seen: Tensor, coefficients: Tensor, x: Tensor, size: Size
    ) -> tuple[Tensor, Tensor]:
        """Return the noise of each coefficient, (1, 48, H/4, W/4), and the last features.

        Args:
            seen, coefficients: of the frame, as :meth:`Entry.of` gives them.
            x: the first features.
            size: how many places there are.
        """
        n = self.network
        x = n.fine_in(x)
        deep = shuffled_planes(self.up(n.coarse(n.down(x))), size)
        x = n.fine_out(x + (deep if self.same is None else self.same(deep)))
        shared, offset = coefficients * n.share(x), self.offset(x)
        if self.between is None:
            return shared + offset, x
        between = self.between(seen, x)
        # Convolutions in float32 add what was there before them; in 8 bits sums are cheaper.
        found = shared + (offset + between) if self.same is None else (shared + offset) + between
        return found, x


class ShippedVideo(ShippedDenoiser):
    """The recurrent denoiser.

    (frame, strength, past, state) to (clean, next_past, next_state).
    """

    network: VideoNetwork

    def __init__(self, network: VideoNetwork, *, for_int8: bool = False) -> None:
        super().__init__(network, for_int8=for_int8)
        self.trust, self.keep = of_rows(network.trust), of_rows(network.keep)
        self.spare = -network.recall.in_channels % (_WORD if for_int8 else _BLOCK)
        weight = functional.pad(network.recall.weight.detach(), (0, 0, 0, 0, 0, self.spare))
        assert network.recall.bias is not None
        self.recall = convolution(weight, network.recall.bias.detach(), 1)

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
        size = places(frame)
        patches = self.patches.of(frame)
        levels = patches.float()
        looked, coefficients = self.entry.of(patches, levels, size)
        kept = state.view(size[0] * size[1], self.network.state_channels)
        known = kept[:, :1]
        before = self.patches.of(past)
        _, clean_before = self.entry.of(before, before.float(), size)
        change = as_rows(coefficients - clean_before) * known
        spare = kept.new_zeros(size[0] * size[1], self.spare)
        memory = as_rows(self.recall(as_planes(torch.cat((change.abs(), kept, spare), 1), size)))
        x = self.entry.features(patches, looked, self.claim(looked, strength), size)
        found, x = self.decide(looked, coefficients, x + as_planes(memory * known, size), size)
        features = as_rows(x)
        noise = functional.linear(as_rows(found) + change * self.trust(features), self.synthesis)
        clean = self.patches.picture(levels + noise * strength.clamp(max=1.0), size)
        kept_next = self.keep(features).clamp(-STATE_LIMIT, STATE_LIMIT)
        next_state = torch.cat((kept.new_ones(size[0] * size[1], 1), kept_next), 1).view_as(state)
        return clean, self.patches.picture(levels + noise, size), next_state


def _of_levels(layer: nn.Conv2d, zero: int = 0) -> nn.Linear:
    """Return the analysis of patches less 0.5 as a layer of their levels minus ``zero``."""
    assert layer.bias is not None
    weight = layer.weight.detach().double()
    bias = layer.bias.detach().double() + (zero / LEVELS - 0.5) * weight.sum((1, 2, 3))
    return linear(weight.permute(0, 2, 3, 1).reshape(PATCH, PATCH) / LEVELS, bias)


def _to_levels(synthesis: nn.Conv2d, offset: nn.Linear) -> tuple[Tensor, nn.Linear]:
    """Return what makes of noise what it adds to the levels, and an offset that has its bias."""
    assert synthesis.bias is not None
    weight, bias = (x.detach().double() for x in (synthesis.weight[:, :, 0, 0], synthesis.bias))
    own = torch.linalg.solve(weight, bias)
    order = block_major(PATCH, LEVEL_STRIDE)
    made = linear(offset.weight.detach(), offset.bias.detach().double() + own)
    return nn.Buffer((-LEVELS * weight[order]).float()), made


def _ends(estimator: nn.Sequential) -> tuple[nn.Conv2d, nn.Conv2d]:
    """Return an estimator's first layer, and its last one in the order of a DCR pixel shuffle."""
    first, last = estimator[0], estimator[-2]
    assert isinstance(first, nn.Conv2d)
    assert isinstance(last, nn.Conv2d)
    return first, permuted(last, 2)


def _same(channels: int) -> nn.Conv2d:
    """Return a convolution that changes nothing.

    onnxruntime adds planes in the layout of its convolutions only to what one of them gave.
    """
    made = nn.Conv2d(channels, channels, 1, groups=channels, bias=False)
    made.weight.data = torch.ones_like(made.weight)
    return made
