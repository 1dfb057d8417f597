"""Graphs in 8 bits: calibrated on what the training sees, and the denoiser's measured.

What goes past the features, and what is made of them at the end, stays in float32: of a denoiser
only the decision what is noise is taken in 8 bits, of a codec what is added to its linear path, and
of this path in the decoder all but the largest coefficients. A codec's picture goes in without
loss, since its pixels are whole numbers of 1/255.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from export.bundle import Measured
from export.parity import ParityError, run_file
from export.quantise import Feed, quantised, scales
from train.networks.denoiser import LEVEL_STRIDE, Denoised
from train.tasks.camera import CameraTask
from train.tasks.photo import to_tensor
from venturi._engine.arrays import Pixels

LOSS_MAX_DB = 0.5
"""A variant that loses more is broken; the goal is 0.15."""

_CROPS = 256
"""So many that some have much noise: what is clipped of these leaves specks of colour."""

_SIGMA = 25
_PRODUCTS = {"rounded"}
"""Constant matrices whose products are in 8 bits as well: of :class:`export.rows.Strongest`."""

CPU = torch.device("cpu")


class Exported(nn.Module):
    """A denoiser's file, as the network that it was made from: to be measured in its place."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def forward(self, frame: Tensor, strength: Tensor) -> Denoised:
        """Clean frames, float32 (N, 3, H, W); the noise level is not among a file's outputs."""
        given = frame_feeds(frame, strength)
        clean = to_tensor([run_file(self.path, feed)[0] for feed in given])
        level = frame.new_zeros(len(frame), 1, *(side // LEVEL_STRIDE for side in frame.shape[2:]))
        return Denoised(clean, level)


def calibration(task: CameraTask) -> tuple[Tensor, Tensor]:
    """Return noisy crops of training photographs, (N, 3, H, W), and strengths, (N,)."""
    batch = task.batch(0, 0, _CROPS)
    return batch["frame"].contiguous(), batch["strength"]


def feeds(**inputs: Tensor) -> list[Feed]:
    """Return the inputs of a graph one by one, out of batches."""
    rows = zip(*(torch.split(value, 1) for value in inputs.values()), strict=True)
    return [{name: value.numpy() for name, value in zip(inputs, row, strict=True)} for row in rows]


def frame_feeds(frame: Tensor, strength: Tensor) -> list[Feed]:
    """Return the inputs of a still denoiser's graph one by one, out of batches."""
    pairs = zip(to_pixels(frame), torch.split(strength, 1), strict=True)
    return [{"frame": pixels, "strength": amount.numpy()} for pixels, amount in pairs]


def to_pixels(frames: Tensor) -> list[Pixels]:
    """Return float32 (N, 3, H, W) in [0, 1] as frames of pixels, uint8 (H, W, 3)."""
    levels = (255 * frames.permute(0, 2, 3, 1)).round().clamp(0, 255).byte()
    return list(levels.contiguous().numpy())


def write_int8(ready: Path, path: Path, seen: Sequence[Feed], exact: Collection[str] = ()) -> None:
    """Write the variant in 8 bits of a file, with the ranges that these inputs lead to.

    Args:
        ready: the file.
        path: of the variant.
        seen: inputs.
        exact: names of layers that stay in float32, wherever they stand in a path.
    """
    model = onnx.load(ready)
    kept, rounded = (
        {
            node.input[1]
            for node in model.graph.node
            if node.op_type == kind and not set(parts).isdisjoint(node.input[1].split("."))
        }
        for kind, parts in (("Conv", exact), ("MatMul", _PRODUCTS))
    )
    made = quantised(model, scales(model, seen, rounded), kept, rounded)
    path.write_bytes(made.SerializeToString(deterministic=True))


def measure(exact: Path, variant: Path, task: CameraTask) -> Measured:
    """Return PSNR with Gaussian noise on held-out photographs, and what the variant loses of it.

    Raises:
        ParityError: it loses so much that it must be broken.
    """
    psnr, own = (task.gaussian_psnr_db(Exported(path), _SIGMA, CPU) for path in (exact, variant))
    remedy = "fine-tune it with --int8, or leave the variant out with --no-int8"
    require_small_loss(variant.name, psnr - own, remedy, at=f" at sigma {_SIGMA}")
    return {f"psnr_{_SIGMA}_db": psnr, f"int8_psnr_{_SIGMA}_loss_db": psnr - own}


def require_small_loss(
    name: str, loss_db: float, remedy: str = "leave the variant out with --no-int8", at: str = ""
) -> None:
    """Raise :class:`ParityError` when a variant loses so much that it must be broken."""
    if not loss_db <= LOSS_MAX_DB:
        raise ParityError(
            f"{name} loses {loss_db:.3g} dB{at}; expected at most {LOSS_MAX_DB}; {remedy}"
        )
