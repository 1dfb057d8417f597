"""The recurrent denoiser's task: to remove the noise of short moving sequences."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from train.data.photographs import Image, step_generator
from train.data.sequences import sequence
from train.engine.task import Metrics
from train.networks.denoiser import Denoised
from train.networks.recurrent import RecurrentNetwork, State
from train.noise.levels import Plane, gaussian, level, smoother
from train.noise.pipeline import drawn
from train.recipes import CameraVideoRecipe
from train.tasks.camera import CameraTask, psnr_db
from train.tasks.photo import to_tensor
from venturi._engine.motion import glance, motion

_VALIDATION_SIDE = 192
_VALIDATION_FRAMES = 12
_VALIDATION_SIGMA = 25
_SETTLED = 4  # frames that are not counted in the quality


def network(recipe: CameraVideoRecipe) -> RecurrentNetwork:
    """Return the network of a recipe."""
    r = recipe
    return RecurrentNetwork(r.width, r.deep_width, r.depth, r.deep_depth, r.grids, r.state, r.slope)


class VideoTask(CameraTask):
    """See :class:`train.engine.task.Task`."""

    recipe: CameraVideoRecipe

    def build(self) -> RecurrentNetwork:
        """Return the network."""
        return network(self.recipe)

    def batch(self, step: int, rank: int, size: int) -> dict[str, Tensor]:
        """Return sequences of noisy frames, targets and noise levels, (N, frames, ...).

        ``motion`` is the shift of each frame since the one before, (down, right) in pixels, as the
        runtime estimates it.
        """
        r = self.recipe
        rng = step_generator(r.seed, step, rank)
        noisy: list[Image] = []
        targets, levels, motions = [], [], []
        strengths = np.ones(size, np.float32)
        for i in range(size):
            if rng.random() < r.stronger_share:
                strengths[i] = rng.uniform(1.0, r.strength_max)
            cut = int(rng.integers(1, r.frames)) if rng.random() < r.cut_share else None
            frames = sequence(self.pictures, rng, frames=r.frames, side=r.crop, cut=cut)
            kind = drawn(rng)
            for frame in frames:
                clean, shot = kind.pair(frame, rng)
                noisy.append(shot)
                levels.append(level(shot, clean))
                targets.append(_target(clean, levels[-1], float(strengths[i])))
            motions.append(_motions(noisy[-r.frames :]))
        batch = {
            "frame": to_tensor(noisy),
            "target": torch.from_numpy(np.stack(targets)).permute(0, 3, 1, 2),
            "level": torch.from_numpy(np.stack(levels)).unsqueeze(1),
        }
        sequences = {
            name: value.reshape(size, r.frames, *value.shape[1:]) for name, value in batch.items()
        }
        return {
            **sequences,
            "strength": torch.from_numpy(strengths),
            "motion": torch.tensor(motions),
        }

    def loss(self, model: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the still denoiser's loss, as a weighted mean over the frames."""
        total = torch.zeros((), device=batch["frame"].device)
        psnrs = []
        stateful = Stateful(model)
        weights = [self.recipe.first_weight, *[1.0] * (self.recipe.frames - 1)]
        for time, weight in enumerate(weights):
            if time % self.recipe.gradient_frames == 0:
                stateful.detach()
            stateful.move(batch["motion"][:, time].tolist())
            now = {
                name: batch[name][:, time].contiguous(memory_format=torch.channels_last)
                for name in ("frame", "target", "level")
            }
            error, metrics = super().loss(stateful, {**now, "strength": batch["strength"]})
            total = total + error * (weight / sum(weights))
            psnrs.append(metrics["psnr_db"])
        return total, {
            "first_psnr_db": psnrs[0],
            "last_psnr_db": psnrs[-1],
            "level_error": metrics["level_error"],
        }

    @torch.no_grad()
    def validate(self, model: nn.Module, device: torch.device) -> Metrics:
        """Return PSNR of moving held-out pictures at sigma 25, with state and frame by frame.

        ``cut_gain`` is the advantage of the state on the first frame after a cut: below 0 it leaves
        ghosts. The state is not reset here; the runtime resets it at cuts that it detects.
        """
        stream, still, noisy = _quality(model, self._moving(), device)
        cut_stream, cut_still, _ = _quality(
            model, self._sequences(_SETTLED + 1, cut=_SETTLED), device
        )
        settled = slice(_SETTLED, None)
        return {
            "noisy_25": float(noisy.mean()),
            "still_25": float(still[:, settled].mean()),
            "stream_25": float(stream[:, settled].mean()),
            "gain": float((stream - still)[:, settled].mean()),
            "least_gain": float((stream - still)[:, settled].mean(1).min()),
            "cut_gain": float((cut_stream - cut_still)[:, -1].mean()),
        }

    @torch.no_grad()
    def stream_psnr_db(self, model: nn.Module, device: torch.device) -> float:
        """Return the mean PSNR of moving held-out pictures at sigma 25, with state."""
        stream, _, _ = _quality(model, self._moving(), device)
        return float(stream[:, _SETTLED:].mean())

    def _moving(self) -> list[list[Image]]:
        return self._sequences(_VALIDATION_FRAMES, cut=None)

    def _sequences(self, frames: int, *, cut: int | None) -> list[list[Image]]:
        return [
            sequence(
                self.held_out,
                step_generator(self.recipe.seed, i),
                frames=frames,
                side=_VALIDATION_SIDE,
                cut=cut,
            )
            for i in range(len(self.held_out))
        ]


class Stateful(nn.Module):
    """A recurrent network with the interface of a still one: it keeps its state between calls."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.state: State | None = None

    def forward(self, frame: Tensor, strength: Tensor) -> Denoised:
        """Return the clean frame and the noise level."""
        clean, level, self.state = self.network(frame, strength, self.state)
        return Denoised(clean, level)

    def move(self, shifts: Sequence[tuple[int, int]]) -> None:
        """Shift the state with the pictures, each by pixels (down, right)."""
        if self.state is not None:
            self.state = self.state.moved(shifts)

    def detach(self) -> None:
        """Detach the state from the gradients of earlier frames."""
        if self.state is not None:
            self.state = self.state.detach()


def _target(clean: Image, deviation: Plane, strength: float) -> Plane:
    """Return the target of a frame, float32 (H, W, 3) in [0, 1]."""
    plain = np.asarray(clean / np.float32(255), np.float32)
    return smoother(plain, deviation, strength) if strength > 1 else plain


def _motions(frames: Sequence[Image]) -> list[tuple[int, int]]:
    """Return the shift of each frame of a sequence since the one before, (down, right)."""
    glances = [glance(frame) for frame in frames]
    return [(0, 0), *(motion(before, after) for before, after in pairwise(glances))]


def _quality(
    model: nn.Module, sequences: list[list[Image]], device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """Return PSNRs in dB, (sequences, frames): with state, without, and of the noisy frames."""
    stateful = Stateful(model)
    ones = torch.ones(len(sequences), device=device)
    psnrs: tuple[list[Tensor], list[Tensor], list[Tensor]] = ([], [], [])
    noisy_sequences = [
        [
            gaussian(frame, _VALIDATION_SIGMA, step_generator(i, time))
            for time, frame in enumerate(frames)
        ]
        for i, frames in enumerate(sequences)
    ]
    shifts = [_motions(frames) for frames in noisy_sequences]
    for time, frames in enumerate(zip(*sequences, strict=True)):
        noisy = [one[time] for one in noisy_sequences]
        stateful.move([one[time] for one in shifts])
        clean, frame = to_tensor(list(frames)).to(device), to_tensor(noisy).to(device)
        results = stateful(frame, ones)[0], model(frame, ones).clean, frame
        for values, result in zip(psnrs, results, strict=True):
            rounded = torch.floor(result.clamp(0, 1) * 255 + 0.5) / 255
            values.append(psnr_db((rounded - clean).square()))
    stream, still, untouched = (torch.stack(values, 1) for values in psnrs)
    return stream, still, untouched
