"""Export the recurrent denoiser: from pixels, strength and state to clean pixels and state."""

import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from export.bundle import Measured
from export.denoiser import (
    FRAME,
    SIDES,
    STRENGTH,
    STRENGTHS,
    random_frame,
    write_denoiser,
)
from export.graphs import Port, export_graph
from export.int8 import CPU, compared, frame_feeds, to_pixels, write_int8
from export.parity import (
    difference,
    pixel_difference,
    require,
    require_pixels,
    run_file,
)
from export.pixels import ShippedVideo
from export.quantise import Feed
from export.source import Source
from export.storage import store
from train.networks.denoiser import STRIDE
from train.networks.equalization import equalised, recurrent_groups
from train.networks.recurrent import (
    STATE_STRIDE,
    RecurrentGraph,
    RecurrentNetwork,
    Remembered,
    State,
)
from train.recipes import CameraVideoRecipe
from train.tasks.photo import to_tensor
from train.tasks.video import VideoTask
from train.tasks.video import network as recurrent_network
from venturi._bundle.load import Bundle
from venturi._bundle.manifest import Manifest

INT8 = "int8"

_STATE_TOLERANCE = 1e-4
_STATE_TOLERANCE_INT8 = 0.1
"""The same for the 8-bit form, whose noise level is a byte; 1e-3 after training."""

_SEQUENCES = 8
_FRAMES = 4


def export_video(source: Source) -> Manifest:
    """Write the bundle of a recurrent denoiser.

    Raises:
        ParityError: the file does not compute what the model computes.
        ValueError: the bundle for frames without a past is not that of a still denoiser.
    """
    recipe = CameraVideoRecipe(**source.recipe)
    network = recurrent_network(recipe)
    return write_denoiser(
        source,
        network,
        lambda path: write_graph(network, path),
        lambda exact, variant: write_variant(network, VideoTask(recipe), exact, variant),
        description="Blind denoiser for video, with a memory of earlier frames and a strength.",
        state={"state_channels": network.state_channels, "state_stride": STATE_STRIDE},
        still=_still(source),
    )


def _still(source: Source) -> Bundle | None:
    if source.still is None:
        return None
    bundle = Bundle.load(source.still, task="denoiser")
    manifest = bundle.manifest
    is_proven = INT8 in manifest.precisions and manifest.never_saturates
    if manifest.is_recurrent or source.int8 > is_proven:
        condition = f" that has {INT8!r}, proven not to saturate" if source.int8 else ""
        raise ValueError(
            f"--still is {source.still!r}; expected a still denoiser's bundle{condition}"
        )
    return bundle


def write_variant(
    network: RecurrentNetwork, task: VideoTask, exact: Path, variant: Path
) -> Measured:
    """Write the 8-bit variant of the graph; return what it loses.

    Raises:
        ParityError: the prepared network differs from the original, or the variant loses too much.
    """
    calibration_inputs = calibration(network, task)
    frame, strength, past, kept = (
        torch.cat(values) for values in zip(*calibration_inputs, strict=True)
    )
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "equalised.onnx"
        equalised_network = equalised(network, recurrent_groups, frame, strength, State(past, kept))
        write_graph(equalised_network, prepared, reference=network, for_int8=True)
        proof = write_int8(prepared, variant, state_feeds(frame, strength, State(past, kept)))
    stored_exact, stored_variant = (
        store([path], partial(task.stream_psnr_db, Exported(path, network), CPU))
        for path in (exact, variant)
    )
    return proof | compared("stream_psnr_25", stored_exact, stored_variant, variant.name)


@torch.no_grad()
def calibration(network: RecurrentNetwork, task: VideoTask) -> list[tuple[Tensor, ...]]:
    """Return inputs of the graph, batches of (frame, strength, past, state) over sequences."""
    batch = task.batch(0, 0, _SEQUENCES)
    state = network.first_state(batch["frame"][:, 0])
    inputs: list[tuple[Tensor, ...]] = []
    for time in range(task.recipe.frames):
        state = state.moved(batch["motion"][:, time].tolist())
        case = batch["frame"][:, time].contiguous(), batch["strength"], *state
        inputs.append(case)
        state = network(case[0], case[1], state).next_state
    return inputs


class Exported(nn.Module):
    """A recurrent denoiser's file with the interface of its network, to be measured."""

    def __init__(self, path: Path, network: RecurrentNetwork) -> None:
        super().__init__()
        self.path, self.network = path, network

    def forward(self, frame: Tensor, strength: Tensor, state: State | None = None) -> Remembered:
        """Clean frames, float32 (N, 3, H, W); the noise level is not among a file's outputs."""
        if state is None:
            state = self.network.first_state(frame)
        graph_inputs = state_feeds(frame, strength, state)
        clean, past, kept = zip(*(run_file(self.path, feed) for feed in graph_inputs), strict=True)
        planes = torch.from_numpy(np.stack(kept)).permute(0, 3, 1, 2)
        next_state = State(to_tensor(past), planes)
        return Remembered(to_tensor(clean), torch.zeros_like(planes[:, :1]), next_state)


def state_feeds(frame: Tensor, strength: Tensor, state: State) -> list[Feed]:
    """Split batches into the inputs of single runs of a recurrent denoiser's graph."""
    runs = zip(frame_feeds(frame, strength), to_pixels(state.past), state.kept, strict=True)
    return [
        {**feed, "past": past, "state": kept.permute(1, 2, 0).contiguous().numpy()}
        for feed, past, kept in runs
    ]


def write_graph(
    network: RecurrentNetwork,
    path: Path,
    *,
    reference: RecurrentNetwork | None = None,
    for_int8: bool = False,
) -> Measured:
    """Write the graph; return its differences from PyTorch, after several frames.

    Args:
        network: in evaluation mode.
        path: of the file.
        reference: the network to compare with; None is ``network``.
        for_int8: prepare it for rounding to 8 bits.

    Raises:
        ParityError: the file does not compute what the model computes.
    """
    state = Port("state", ("state_height", "state_width", network.state_channels))
    example = torch.zeros(6 * STRIDE, 4 * STRIDE, 3, dtype=torch.uint8)
    first = network.first_state(torch.zeros(1, 3, *example.shape[:2]))
    export_graph(
        ShippedVideo(network, for_int8=for_int8),
        (example, torch.ones(1), example.clone(), first.kept[0].permute(1, 2, 0).contiguous()),
        [FRAME, STRENGTH, Port("past", FRAME.axes), state],
        [
            Port("clean", FRAME.axes),
            Port("next_past", FRAME.axes),
            Port("next_state", state.axes),
        ],
        path,
    )
    graph = RecurrentGraph(reference or network)
    errors = [
        _differences(path, graph, side, strength)
        for side, strength in zip(SIDES, STRENGTHS, strict=True)
    ]
    pixel_error, state_error = (max(values) for values in zip(*errors, strict=True))
    require_pixels(path, pixel_error, for_int8=for_int8)
    require(path, state_error, _STATE_TOLERANCE_INT8 if for_int8 else _STATE_TOLERANCE)
    return {"denoiser_max_error_levels": pixel_error, "state_max_relative_error": state_error}


@torch.no_grad()
def _differences(
    path: Path, graph: RecurrentGraph, side: tuple[int, int], strength: float
) -> tuple[float, float]:
    """Return how far pixels, in levels, and the state are from PyTorch's, after some frames."""
    rng = np.random.default_rng(1)
    amount = torch.tensor([strength])
    state = graph.network.first_state(torch.zeros(1, 3, *side))
    for _ in range(_FRAMES):
        frame = to_tensor([random_frame(side, rng)])
        # Rounded to pixels, so that both get the same past.
        state = state._replace(past=to_tensor(to_pixels(state.past)))
        case = frame, amount, state
        state = State(*graph(frame, amount, *state)[1:])
    clean, past, kept = run_file(path, state_feeds(*case)[0])
    reference = graph(frame, amount, *case[2])
    pixels = max(
        pixel_difference(path, exported, planes)
        for exported, planes in zip((clean, past), reference, strict=False)
    )
    return pixels, difference(path, kept, reference[2][0].permute(1, 2, 0).numpy())
