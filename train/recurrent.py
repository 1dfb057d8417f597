"""The camera denoiser with a memory of the frames before: the still network and two paths back.

    state = clean coefficients of the last frame, kept features
    |change of the coefficients|, kept features ── recall 3×3 ──▶ (+) at the stem
    clean coefficients of the last frame ──▶ taken as far as they are to be trusted

The state lies at 1/4 of the resolution. Where nothing moved, a coefficient is a running mean, as in
a Kalman filter whose gain the network decides for each; where things moved, the dense layers after
the stem see it (as in Fuoli et al., "Efficient Video Super-Resolution through Recurrent Latent
Space Propagation", ICCVW 2019). Both paths start at zero: untrained, this is the still denoiser.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from train.blocks import pointwise
from train.denoiser import LEVEL_STRIDE, PATCH, STRIDE, DenoiserNetwork, Past

STATE_STRIDE = LEVEL_STRIDE
"""Pixels of the frame for each place of the state."""

STATE_LIMIT = 8.0
"""Of the state's magnitude, several times what it needs: nothing grows over hours of frames."""

_PATH = ("recall.", "trust.", "keep.")


class Remembered(NamedTuple):
    """The clean frame and noise level as :class:`train.denoiser.Denoised`, and the next state."""

    clean: Tensor
    level: Tensor
    next_state: Tensor


class VideoNetwork(DenoiserNetwork):
    """The recurrent denoiser, for training.

    Args:
        width, deep_width, depth, deep_depth: of the still denoiser.
        state: channels of the state beside the coefficients.
    """

    def __init__(
        self,
        width: int = 64,
        deep_width: int = 96,
        depth: int = 1,
        deep_depth: int = 2,
        state: int = 16,
    ) -> None:
        super().__init__(width, deep_width, depth, deep_depth)
        self.state_channels = PATCH + state
        self.recall = nn.Conv2d(self.state_channels, width, 3, padding=1)
        self.trust = nn.Conv2d(width, PATCH, 1)
        self.keep = pointwise(width, state)
        for layer in (self.recall, self.trust):
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
            nn.init.zeros_(layer.weight)
        self.reach += STRIDE  # the recall sees one place of the state farther

    def forward(  # type: ignore[override]  # it also gives the next state
        self, frame: Tensor, strength: Tensor, state: Tensor | None = None
    ) -> Remembered:
        """Clean frames as the still denoiser does, given what the frames before left.

        Args:
            frame: float32 (N, 3, H, W) in [0, 1].
            strength: (N,).
            state: float32 (N, 48 + state, H/4, W/4); None is zeros, before the first frame.
        """
        if state is None:
            state = self.first_state(frame)
        found = self.trace(frame, strength, self.past(state))
        clean = frame - found.noise * strength.clamp(max=1.0).view(-1, 1, 1, 1)
        kept = torch.cat((found.clean, self.keep(found.features)), 1).float()
        return Remembered(clean, found.level, kept.clamp(-STATE_LIMIT, STATE_LIMIT))

    def past(self, state: Tensor) -> Past:
        """Return a state as what is known of the frames before."""
        return Past(state[:, :PATCH], state[:, PATCH:], self.recall, self.trust)

    def first_state(self, frame: Tensor) -> Tensor:
        """Return zeros in the shape of the frame's state."""
        height, width = (side // STATE_STRIDE for side in frame.shape[2:])
        return frame.new_zeros(len(frame), self.state_channels, height, width)

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        """Take weights; those of a still denoiser leave the path back as it is."""
        if not any(name.startswith(_PATH) for name in state_dict):
            own = self.state_dict()
            path = {name: value for name, value in own.items() if name.startswith(_PATH)}
            state_dict = {**path, **state_dict}
        return super().load_state_dict(state_dict, strict, assign)


class VideoGraph(nn.Module):
    """The recurrent denoiser as it ships: (frame, strength, state) to (clean, next_state)."""

    def __init__(self, network: VideoNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, frame: Tensor, strength: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Clean a frame, float32 (1, 3, H, W) in [0, 1], with a strength (1,) and a state."""
        found = self.network(frame, strength, state)
        return found.clean, found.next_state
