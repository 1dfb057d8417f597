"""8-bit variants of graphs: calibrated on training batches; measured, for the denoisers.

The paths that bypass the features, and the last layers, stay in float32. In a denoiser only the
prediction of the noise is computed in 8 bits; in a codec, what is added to the linear path, and in
the decoder all but the largest coefficients of that path. A codec's picture enters without loss,
since its pixels are whole multiples of 1/255.
"""

from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from export.bundle import Measured
from export.parity import ParityError, run_file
from export.quantise import Feed, quantised, scales
from export.saturation import prove_unsaturated
from export.storage import Stored, store
from train.networks.denoiser import LEVEL_STRIDE, Denoised
from train.tasks.camera import CameraTask
from train.tasks.photo import to_tensor
from venturi._bundle.manifest import INT8_PAIR_SUM
from venturi._engine.arrays import Pixels

LOSS_MAX_DB = 0.5
"""A variant that loses more is refused; the goal is 0.15."""

_CROPS = 256
"""Enough that some are very noisy: values clipped in these leave specks of colour."""

_SIGMA = 25
_PRODUCTS = {"rounded"}
"""Constant matrices whose products are in 8 bits as well: ``channels_last.Strongest``."""

CPU = torch.device("cpu")


class Exported(nn.Module):
    """A denoiser's file with the interface of its network, to be measured."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def forward(self, frame: Tensor, strength: Tensor) -> Denoised:
        """Clean frames, float32 (N, 3, H, W); the noise level is not among a file's outputs."""
        graph_inputs = frame_feeds(frame, strength)
        clean = to_tensor([run_file(self.path, feed)[0] for feed in graph_inputs])
        level = frame.new_zeros(len(frame), 1, *(side // LEVEL_STRIDE for side in frame.shape[2:]))
        return Denoised(clean, level)


def calibration(task: CameraTask) -> tuple[Tensor, Tensor]:
    """Return noisy crops of training photographs, (N, 3, H, W), and strengths, (N,)."""
    batch = task.batch(0, 0, _CROPS)
    return batch["frame"].contiguous(), batch["strength"]


def feeds(**inputs: Tensor) -> list[Feed]:
    """Split batches of inputs into the inputs of single runs."""
    rows = zip(*(torch.split(value, 1) for value in inputs.values()), strict=True)
    return [{name: value.numpy() for name, value in zip(inputs, row, strict=True)} for row in rows]


def frame_feeds(frame: Tensor, strength: Tensor) -> list[Feed]:
    """Split batches into the inputs of single runs of a still denoiser's graph."""
    pairs = zip(to_pixels(frame), torch.split(strength, 1), strict=True)
    return [{"frame": pixels, "strength": amount.numpy()} for pixels, amount in pairs]


def to_pixels(frames: Tensor) -> list[Pixels]:
    """Return float32 (N, 3, H, W) in [0, 1] as frames of pixels, uint8 (H, W, 3)."""
    levels = (255 * frames.permute(0, 2, 3, 1)).round().clamp(0, 255).byte()
    return list(levels.contiguous().numpy())


def write_int8(
    ready: Path, path: Path, inputs: Sequence[Feed], exact: Collection[str] = ()
) -> Measured:
    """Write the 8-bit variant of a file, with ranges calibrated on inputs.

    Returns the proof that no processor saturates its products.

    Args:
        ready: the file.
        path: of the variant.
        inputs: of the file, for calibration.
        exact: names of modules whose layers stay in float32.

    Raises:
        ParityError: a product could saturate.
    """
    model = onnx.load(ready)
    exact_weights, product_weights = (
        {
            node.input[1]
            for node in model.graph.node
            if node.op_type == kind and not set(parts).isdisjoint(node.input[1].split("."))
        }
        for kind, parts in (("Conv", exact), ("MatMul", _PRODUCTS))
    )
    variant = quantised(
        model, scales(model, inputs, product_weights), exact_weights, product_weights
    )
    largest = prove_unsaturated(variant)
    path.write_bytes(variant.SerializeToString(deterministic=True))
    return {INT8_PAIR_SUM: largest}


def measure(exact: Path, variant: Path, task: CameraTask) -> Measured:
    """Store the weights of both files in fewer bits; return PSNR with noise, and the losses.

    Raises:
        ParityError: the variant loses more than ``LOSS_MAX_DB``.
    """
    stored_exact, stored_variant = (
        store([path], partial(task.gaussian_psnr_db, Exported(path), _SIGMA, CPU))
        for path in (exact, variant)
    )
    remedy = "fine-tune it with --int8, or leave the variant out with --no-int8"
    return compared(f"psnr_{_SIGMA}", stored_exact, stored_variant, variant.name, remedy)


def compared(
    metric: str,
    exact: Stored,
    variant: Stored,
    name: str,
    remedy: str = "leave the variant out with --no-int8",
) -> Measured:
    """Return what a variant loses compared with float32, and what storage costs.

    Args:
        metric: name of the metric.
        exact: the file in float32.
        variant: the one in 8 bits.
        name: of the variant, for the message.
        remedy: for the message.

    Raises:
        ParityError: the variant loses more than ``LOSS_MAX_DB``.
    """
    loss_db = exact.psnr_db - variant.psnr_db
    if not loss_db <= LOSS_MAX_DB:
        raise ParityError(
            f"{name} loses {loss_db:.3g} dB of {metric}; expected at most {LOSS_MAX_DB}; {remedy}"
        )
    return {
        f"{metric}_db": exact.psnr_db,
        f"int8_{metric}_loss_db": loss_db,
        "storage_loss_db": max(exact.loss_db, variant.loss_db),
    }
