"""The denoiser's networks as they ship: from pixels to pixels, channels last throughout."""

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
    Pointwise,
    Size,
    after,
    as_planes,
    as_rows,
    convolution,
    linear,
    of_grids,
    of_rows,
    places,
    residuals,
    shuffled,
)
from train.denoiser import LEVEL_STRIDE, PATCH, DenoiserNetwork
from train.recurrent import STATE_LIMIT, VideoNetwork

_WORD = 4  # channels; a convolution in 8 bits of a number between takes three times as long


class ShippedDenoiser(nn.Module):
    """The still denoiser: (frame, strength) to the clean frame.

    Args:
        network: in evaluation mode.
        for_int8: all but the coefficients themselves in convolutions, which are to be rounded.
    """

    def __init__(self, network: DenoiserNetwork, *, for_int8: bool = False) -> None:
        super().__init__()
        n = self.network = copy.deepcopy(network)
        self.analysis, centred = _of_levels(n.analysis), _of_levels(n.analysis, MIDDLE)
        self.synthesis, offset = _to_levels(n.synthesis, of_rows(n.offset))
        share, bias = of_rows(n.share), self.analysis.bias.detach()
        if for_int8:  # it is cheaper to take the share of the bias as well
            self.analysis = nn.Linear(PATCH, PATCH, bias=False)
            self.analysis.weight.data = centred.weight.detach()
            offset.weight.data += bias.unsqueeze(1) * share.weight.detach()
            offset.bias.data += bias * share.bias.detach()
        first, self.level = _ends(n.estimator)
        stem = after(n.stem, centred)
        self.claim, stem.bias = _claim(n, stem)
        layers = (after(first, centred), stem, share, offset)
        self.first, self.stem, self.share, self.offset = (
            Pointwise(layer, for_int8=for_int8) for layer in layers
        )
        self.up = permuted(n.up, 2)
        self.between = AllBetween(n.between, centred) if n.between and for_int8 else None
        self.patches = Patches()

    def forward(self, frame: Tensor, strength: Tensor) -> Tensor:
        """Map a frame, uint8 (H, W, 3), and a strength (1,) to the clean frame, uint8."""
        size = places(frame)
        patches = self.patches.of(frame)
        levels = patches.float()
        seen, _ = self.decide(patches, self.analysis(levels), strength, size)
        noise = functional.linear(seen, self.synthesis * strength.clamp(max=1.0))
        return self.patches.picture(levels + noise, size)

    def decide(
        self,
        patches: Tensor,
        coefficients: Tensor,
        strength: Tensor,
        size: Size,
        memory: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return the noise of each coefficient, (places, 48), and the last features.

        Args:
            patches: of the frame, uint8.
            coefficients: of them; in the variant for 8 bits without the bias of the analysis.
            strength: (1,).
            size: how many places there are.
            memory: what joins the stem.
        """
        n, pixels = self.network, self.patches.centred(patches)
        level = functional.relu(self.noise_level(pixels, size))
        claim = functional.linear(level, self.claim * strength.clamp(min=1.0))
        x = self.stem(pixels, size) + claim
        x = residuals(n.fine_in, x if memory is None else x + memory, size)
        half = size[0] // 2, size[1] // 2
        deep = residuals(n.coarse, as_rows(n.down(as_planes(x, size))), half)
        x = x + shuffled(as_rows(self.up(as_planes(deep, half))), half)
        x = residuals(n.fine_out, x, size)
        beside = self.offset(x, size)
        if n.between:
            grids = of_grids(n.between, self.between, pixels, coefficients, x, size)
            beside = beside + grids
        return coefficients * self.share(x, size) + beside, x

    def noise_level(self, pixels: Tensor, size: Size) -> Tensor:
        """Return the level of the noise, (places, 1)."""
        x = self.network.estimator[1:-2](as_planes(self.first(pixels, size), size))
        return shuffled(as_rows(self.level(x)), (size[0] // 2, size[1] // 2))


class ShippedVideo(ShippedDenoiser):
    """The recurrent denoiser.

    (frame, strength, past, state) to (clean, next_past, next_state).
    """

    network: VideoNetwork

    def __init__(self, network: VideoNetwork, *, for_int8: bool = False) -> None:
        super().__init__(network, for_int8=for_int8)
        self.trust, self.keep = of_rows(network.trust), of_rows(network.keep)
        self.spare = -network.recall.in_channels % _WORD
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
        coefficients = self.analysis(levels)
        kept = state.view(size[0] * size[1], self.network.state_channels)
        known = kept[:, :1]
        change = (coefficients - self.analysis(self.patches.of(past).float())) * known
        seen = torch.cat((change.abs(), kept, kept[:, : self.spare]), 1)
        memory = as_rows(self.recall(as_planes(seen, size))) * known
        noise, x = self.decide(patches, coefficients, strength, size, memory)
        noise = functional.linear(noise + change * self.trust(x), self.synthesis)
        clean = self.patches.picture(levels + noise * strength.clamp(max=1.0), size)
        found = self.keep(x).clamp(-STATE_LIMIT, STATE_LIMIT)
        next_state = torch.cat((known * 0 + 1, found), 1).view(*size, -1)
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


def _claim(network: DenoiserNetwork, stem: nn.Linear) -> tuple[Tensor, nn.Parameter]:
    """Return the claim's weight, (width, 1), and the bias that it and the stem have together."""
    claim = of_rows(network.claim)
    return claim.weight, nn.Parameter(claim.bias.detach() + stem.bias.detach())


def _ends(estimator: nn.Sequential) -> tuple[nn.Conv2d, nn.Conv2d]:
    """Return an estimator's first layer, and its last one in the order of a DCR pixel shuffle."""
    first, last = estimator[0], estimator[-2]
    assert isinstance(first, nn.Conv2d)
    assert isinstance(last, nn.Conv2d)
    return first, permuted(last, 2)
