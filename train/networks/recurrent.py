"""The camera denoiser with a memory of the frames before: the still network and two paths back.

    past = the last frame without noise; state = kept features, and where there is a past
    |change of the coefficients|, kept features ── recall 3×3 ──▶ (+) at the stem
    coefficients of the last frame ──▶ taken as far as they are to be trusted

The kept features lie at 1/4 of the resolution. Where nothing moved, a coefficient is a running
mean, as in a Kalman filter whose gain the network decides for each; where things moved, the dense
layers after the stem see it (as in Fuoli et al., "Efficient Video Super-Resolution through
Recurrent Latent Space Propagation", ICCVW 2019). The past is a picture, so that whoever runs the
network can move it with the camera. Where no past is known, both paths give nothing; untrained they
do so everywhere.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from train.networks.blocks import SLOPE, pointwise
from train.networks.denoiser import LEVEL_STRIDE, PATCH, STRIDE, DenoiserNetwork, Past, Trace

STATE_STRIDE = LEVEL_STRIDE
"""Pixels of the frame for each place of the kept features."""

STATE_LIMIT = 8.0
"""Of their magnitude, several times what they need: nothing grows over hours of frames."""

GREY = 0.5
"""What stands in the past where it is not known."""

_PATH = ("recall.", "trust.", "keep.")


class State(NamedTuple):
    """What a frame leaves for the next one.

    Attributes:
        past: the clean frame, (N, 3, H, W) in [0, 1].
        kept: (N, 1 + state, H/4, W/4); the first channel is 1 where there is a past, and 0 else.
    """

    past: Tensor
    kept: Tensor

    def moved(self, shifts: Sequence[tuple[int, int]]) -> "State":
        """Return the state of pictures that have moved, each by pixels (down, right)."""
        small = [tuple(round(by / STATE_STRIDE) for by in shift) for shift in shifts]
        return State(_moved(self.past, shifts, GREY), _moved(self.kept, small, 0.0))

    def detach(self) -> "State":
        """Return the state without its gradients."""
        return State(self.past.detach(), self.kept.detach())


class Remembered(NamedTuple):
    """Clean frame and noise level as in :class:`train.networks.denoiser.Denoised`; next state."""

    clean: Tensor
    level: Tensor
    next_state: State


class VideoNetwork(DenoiserNetwork):
    """The recurrent denoiser, for training.

    Args:
        width, deep_width, depth, deep_depth, grids, slope: of the still denoiser.
        state: features that are kept.
    """

    def __init__(
        self,
        width: int = 64,
        deep_width: int = 96,
        depth: int = 1,
        deep_depth: int = 2,
        grids: int = 0,
        state: int = 16,
        slope: float = SLOPE,
    ) -> None:
        super().__init__(width, deep_width, depth, deep_depth, grids, slope)
        self.state_channels = 1 + state
        self.recall = nn.Conv2d(PATCH + self.state_channels, width, 3, padding=1)
        self.trust = nn.Conv2d(width, PATCH, 1)
        self.keep = pointwise(width, state)
        for layer in (self.recall, self.trust):
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
            nn.init.zeros_(layer.weight)
        self.reach += STRIDE  # the recall sees one place of the state farther

    def forward(  # type: ignore[override]  # it also gives the next state
        self, frame: Tensor, strength: Tensor, state: State | None = None
    ) -> Remembered:
        """Clean frames as the still denoiser does, given what the frames before left.

        Args:
            frame: float32 (N, 3, H, W) in [0, 1].
            strength: (N,).
            state: None before the first frame.
        """
        if state is None:
            state = self.first_state(frame)
        before = self.analysis(state.past - GREY)
        found = self.trace(frame, strength, Past(before, state.kept, self.recall, self.trust))
        clean = frame - found.noise * strength.clamp(max=1.0).view(-1, 1, 1, 1)
        return Remembered(clean, found.level, self.next_state(frame, found))

    def next_state(self, frame: Tensor, found: Trace) -> State:
        """Return what a frame leaves, whatever the strength."""
        kept = self.keep(found.features).float().clamp(-STATE_LIMIT, STATE_LIMIT)
        known = kept[:, :1] * 0 + 1
        return State((frame - found.noise).clamp(0, 1), torch.cat((known, kept), 1))

    def first_state(self, frame: Tensor) -> State:
        """Return the state before the first frame, to which nothing is known."""
        height, width = (side // STATE_STRIDE for side in frame.shape[2:])
        kept = frame.new_zeros(len(frame), self.state_channels, height, width)
        return State(torch.full_like(frame, GREY), kept)

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
    """The recurrent denoiser as it ships.

    (frame, strength, past, state) to (clean, next_past, next_state).
    """

    def __init__(self, network: VideoNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, frame: Tensor, strength: Tensor, past: Tensor, state: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Clean a frame, float32 (1, 3, H, W) in [0, 1], with a strength (1,) and a state."""
        found = self.network(frame, strength, State(past, state))
        return found.clean, *found.next_state


def _moved(values: Tensor, shifts: Sequence[tuple[int, ...]], fill: float) -> Tensor:
    """Return (N, C, H, W) moved by whole places, each by its own."""
    return torch.stack(
        [
            functional.pad(one, (right, -right, down, -down), value=fill)
            for one, (down, right) in zip(values, shifts, strict=True)
        ]
    )
