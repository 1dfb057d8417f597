"""The denoiser in 8 bits: calibrated on training photographs with the training's noise, measured.

Only the noise is estimated in 8 bits; it is subtracted from the frame in float32. The frame itself
goes in without loss, since its pixels are whole numbers of 1/255.
"""

from collections.abc import Collection
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from export.bundle import Measured
from export.parity import ParityError, run_file
from export.quantise import quantised, scales
from train.camera import CameraTask
from train.denoiser import LEVEL_STRIDE, Denoised

LOSS_MAX_DB = 0.5
"""A variant that loses more is broken; the goal is 0.15."""

_CROPS = 64
_SIGMA = 25
_CPU = torch.device("cpu")


class Exported(nn.Module):
    """A denoiser's file, as the network that it was made from: to be measured in its place."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def forward(self, frame: Tensor, strength: Tensor) -> Denoised:
        """Clean frames, float32 (N, 3, H, W); the noise level is not among a file's outputs."""
        clean = [
            torch.from_numpy(
                run_file(self.path, {"frame": one.numpy(), "strength": two.numpy()})[0]
            )
            for one, two in zip(torch.split(frame, 1), torch.split(strength, 1), strict=True)
        ]
        level = frame.new_zeros(len(frame), 1, *(side // LEVEL_STRIDE for side in frame.shape[2:]))
        return Denoised(torch.cat(clean), level)


def calibration(task: CameraTask) -> tuple[Tensor, Tensor]:
    """Return noisy crops of training photographs, (N, 3, H, W), and strengths, (N,)."""
    batch = task.batch(0, 0, _CROPS)
    return batch["frame"].contiguous(), batch["strength"]


def write_int8(
    ready: Path, path: Path, frames: Tensor, strengths: Tensor, exact: Collection[str]
) -> None:
    """Write the variant in 8 bits of a denoiser's file, with ranges seen on these frames.

    ``exact`` names the weights of the layers that stay in float32.
    """
    model = onnx.load(ready)
    feeds = [
        {"frame": frame.numpy(), "strength": strength.numpy()}
        for frame, strength in zip(torch.split(frames, 1), torch.split(strengths, 1), strict=True)
    ]
    made = quantised(model, scales(model, feeds), exact)
    path.write_bytes(made.SerializeToString(deterministic=True))


def measure(exact: Path, variant: Path, task: CameraTask) -> Measured:
    """Return PSNR with Gaussian noise on held-out photographs, and what the variant loses of it.

    Raises:
        ParityError: it loses so much that it must be broken.
    """
    psnr, own = (task.gaussian_psnr_db(Exported(path), _SIGMA, _CPU) for path in (exact, variant))
    if not psnr - own <= LOSS_MAX_DB:
        raise ParityError(
            f"{variant.name} loses {psnr - own:.3g} dB at sigma {_SIGMA}; expected at most "
            f"{LOSS_MAX_DB}; fine-tune it with --int8, or leave the variant out with --no-int8"
        )
    return {f"psnr_{_SIGMA}_db": psnr, f"int8_psnr_{_SIGMA}_loss_db": psnr - own}
