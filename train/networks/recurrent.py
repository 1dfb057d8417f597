"""The recurrent denoiser: the still network and two connections from the previous frame.

    past = the last clean frame; state = kept features and a mask of where there is a past
    |change of the coefficients|, kept features ── recall 3×3 ──▶ (+) at the stem
    coefficients of the last clean frame ──▶ blended in, by a trust for each coefficient

The kept features are at 1/4 of the resolution. Where nothing moves, a coefficient becomes a running
mean, as in a Kalman filter whose gain the network chooses; where something moves, the dense layers
after the stem see it (as in Fuoli et al., "Efficient Video Super-Resolution through Recurrent
Latent Space Propagation", ICCVW 2019). The past is a picture, so the caller can shift it with the
camera. Where there is no past, both connections contribute 0; so does an untrained network.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from train.networks.blocks import SLOPE, pointwise
from train.networks.denoiser import LEVEL_STRIDE, PATCH, STRIDE, DenoiserNetwork, Past, Trace

STATE_STRIDE = LEVEL_STRIDE
"""Pixels per position of the kept features, along each axis."""

STATE_LIMIT = 8.0
"""Limit of kept features, several times their usual range, so that nothing grows over hours."""

GREY = 0.5
"""Value of the past where it is unknown."""

_RECURRENT = ("recall.", "trust.", "keep.")


class State(NamedTuple):
    """The state that one frame passes to the next.

    Attributes:
        past: the clean frame, (N, 3, H, W) in [0, 1].
        kept: (N, 1 + state, H/4, W/4); the first channel is 1 where there is a past, else 0.
    """

    past: Tensor
    kept: Tensor

    def moved(self, shifts: Sequence[tuple[int, int]]) -> "State":
        """Return the state shifted with its pictures, each by pixels (down, right)."""
        small = [tuple(round(by / STATE_STRIDE) for by in shift) for shift in shifts]
        return State(_moved(self.past, shifts, GREY), _moved(self.kept, small, 0.0))

    def detach(self) -> "State":
        """Return the state without gradients."""
        return State(self.past.detach(), self.kept.detach())


class Remembered(NamedTuple):
    """Clean frame and noise level as in :class:`train.networks.denoiser.Denoised`; next state."""

    clean: Tensor
    level: Tensor
    next_state: State


class RecurrentNetwork(DenoiserNetwork):
    """The recurrent denoiser, for training.

    Args:
        width, deep_width, depth, deep_depth, grids, slope: as in the still denoiser.
        state: channels of kept features.
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
        self.reach += STRIDE  # the recall reads one position of the state farther

    def forward(  # type: ignore[override]  # it also gives the next state
        self, frame: Tensor, strength: Tensor, state: State | None = None
    ) -> Remembered:
        """Clean frames as the still denoiser does, with the state of the previous frame.

        Args:
            frame: float32 (N, 3, H, W) in [0, 1].
            strength: (N,).
            state: of the previous frame; None before the first one.
        """
        if state is None:
            state = self.first_state(frame)
        before = self.analysis(state.past - GREY)
        trace = self.trace(frame, strength, Past(before, state.kept, self.recall, self.trust))
        clean = frame - trace.noise * strength.clamp(max=1.0).view(-1, 1, 1, 1)
        return Remembered(clean, trace.level, self.next_state(frame, trace))

    def next_state(self, frame: Tensor, trace: Trace) -> State:
        """Return the state after a frame, which does not depend on the strength."""
        kept = self.keep(trace.features).float().clamp(-STATE_LIMIT, STATE_LIMIT)
        known = kept[:, :1] * 0 + 1
        return State((frame - trace.noise).clamp(0, 1), torch.cat((known, kept), 1))

    def first_state(self, frame: Tensor) -> State:
        """Return the state before the first frame: no past."""
        height, width = (side // STATE_STRIDE for side in frame.shape[2:])
        kept = frame.new_zeros(len(frame), self.state_channels, height, width)
        return State(torch.full_like(frame, GREY), kept)

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        """Load weights; those of a still denoiser leave the recurrent connections as they are."""
        if not any(name.startswith(_RECURRENT) for name in state_dict):
            own = self.state_dict()
            rest = {name: value for name, value in own.items() if name.startswith(_RECURRENT)}
            state_dict = {**rest, **state_dict}
        return super().load_state_dict(state_dict, strict, assign)


class RecurrentGraph(nn.Module):
    """The recurrent denoiser as it ships.

    (frame, strength, past, state) to (clean, next_past, next_state).
    """

    def __init__(self, network: RecurrentNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, frame: Tensor, strength: Tensor, past: Tensor, state: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Clean a frame, float32 (1, 3, H, W) in [0, 1], with a strength (1,) and a state."""
        result = self.network(frame, strength, State(past, state))
        return result.clean, *result.next_state


def _moved(values: Tensor, shifts: Sequence[tuple[int, ...]], fill: float) -> Tensor:
    """Shift (N, C, H, W) by whole positions, each sample by its own shift."""
    return torch.stack(
        [
            functional.pad(one, (right, -right, down, -down), value=fill)
            for one, (down, right) in zip(values, shifts, strict=True)
        ]
    )
