"""The camera denoiser with a memory of the frames before: the still network and a path back.

    state ── recall 3×3 ──▶ (+) at the stem      next_state = see(clean) + keep(last features)

The state lies at 1/4 of the resolution. It holds what became of the frame, as 4 × 4 patches, and
what the network thought of it; where things moved to is found by the dense layers after the stem
(as in Fuoli et al., "Efficient Video Super-Resolution through Recurrent Latent Space Propagation",
ICCVW 2019). The recall starts at zero: untrained, this is the still denoiser.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from train.blocks import pointwise
from train.denoiser import LEVEL_STRIDE, STRIDE, DenoiserNetwork

STATE_STRIDE = LEVEL_STRIDE
"""Pixels of the frame for each place of the state."""

STATE_LIMIT = 8.0
"""Of the state's magnitude, several times what it needs: nothing grows over hours of frames."""

_PATH = ("recall.", "see.", "keep.")


class Remembered(NamedTuple):
    """The clean frame and noise level as :class:`train.denoiser.Denoised`, and the next state."""

    clean: Tensor
    level: Tensor
    next_state: Tensor


class VideoNetwork(DenoiserNetwork):
    """The recurrent denoiser, for training.

    Args:
        width, deep_width, depth, deep_depth: of the still denoiser.
        state: channels of the state.
    """

    def __init__(
        self,
        width: int = 64,
        deep_width: int = 96,
        depth: int = 1,
        deep_depth: int = 2,
        state: int = 48,
    ) -> None:
        super().__init__(width, deep_width, depth, deep_depth)
        self.state_channels = state
        self.recall = nn.Conv2d(state, width, 3, padding=1)
        self.see = nn.Conv2d(3, state, STATE_STRIDE, stride=STATE_STRIDE)
        self.keep = pointwise(width, state)
        nn.init.orthogonal_(self.see.weight)
        with torch.no_grad():
            self.keep.weight.mul_(0.1)
        for layer in (self.recall, self.see):
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
        nn.init.zeros_(self.recall.weight)
        self.reach += STRIDE  # the recall sees one place of the state farther

    def forward(  # type: ignore[override]  # it also gives the next state
        self, frame: Tensor, strength: Tensor, state: Tensor | None = None
    ) -> Remembered:
        """Clean frames as the still denoiser does, given what the frames before left.

        Args:
            frame: float32 (N, 3, H, W) in [0, 1].
            strength: (N,).
            state: float32 (N, state, H/4, W/4); None is zeros, before the first frame.
        """
        if state is None:
            state = self.first_state(frame)
        noise, level, features = self.trace(frame, strength, self.recall(state))
        clean = frame - noise * strength.clamp(max=1.0).view(-1, 1, 1, 1)
        seen = self.see(frame - noise - 0.5) + self.keep(features)
        return Remembered(clean, level, seen.float().clamp(-STATE_LIMIT, STATE_LIMIT))

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
