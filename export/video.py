"""Export the recurrent denoiser: frame, strength and past to clean frame and next past."""

import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn

from export.bundle import Measured
from export.denoiser import TOLERANCE, ShippedDenoiser, write_denoiser
from export.graphs import Port, export_graph
from export.int8 import CPU, feeds, require_small_loss, write_int8
from export.parity import largest_difference, require, run_file
from export.source import Source
from train.denoiser import EXACT_LAYERS, STRIDE
from train.equalise import equalised, video_streams
from train.recurrent import STATE_STRIDE, Remembered, State, VideoGraph, VideoNetwork
from train.video import VideoRecipe, VideoTask, recurrent
from venturi.manifest import Manifest

_EXACT_LAYERS = *EXACT_LAYERS, "recall", "trust", "keep"

_SEQUENCES = 8
_SIDES = ((STRIDE, STRIDE), (5 * STRIDE, 64), (64, 9 * STRIDE), (240, 320))
_FRAMES = 4


class ShippedVideo(ShippedDenoiser):
    """The recurrent denoiser as it ships: as the still one, with its paths back."""

    network: VideoNetwork

    def forward(  # type: ignore[override]
        self, frame: Tensor, strength: Tensor, past: Tensor, state: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Map frames, strengths, pasts and states to clean frames, next pasts and next states."""
        known = self.network.past(State(past, state), self.analysis(past))
        found = self.trace(frame, strength, known)
        clean = frame - found.noise * strength.clamp(max=1.0).view(-1, 1, 1, 1)
        return clean, *self.network.next_state(frame, found)


def export_video(source: Source) -> Manifest:
    """Write the bundle of a recurrent denoiser.

    Raises:
        ParityError: the file computes something else than the model.
    """
    recipe = VideoRecipe(**source.recipe)
    network = recurrent(recipe)
    return write_denoiser(
        source,
        network,
        lambda path: write_graph(network, path),
        lambda exact, variant: write_variant(network, VideoTask(recipe), exact, variant),
        description="Blind denoiser for video, which remembers the frames before; strength knob.",
        state={"state_channels": network.state_channels, "state_stride": STATE_STRIDE},
    )


def write_variant(network: VideoNetwork, task: VideoTask, exact: Path, variant: Path) -> Measured:
    """Write the graph in 8 bits beside the one in float32; return what it loses.

    Raises:
        ParityError: the network made ready for it computes something else, or it is of no use.
    """
    seen = calibration(network, task)
    frame, strength, past, kept = (torch.cat(values) for values in zip(*seen, strict=True))
    with tempfile.TemporaryDirectory() as aside:
        ready = Path(aside) / "equalised.onnx"
        alike = equalised(network, video_streams, frame, strength, State(past, kept))
        write_graph(alike, ready, wanted=network)
        inputs = feeds(frame=frame, strength=strength, past=past, state=kept)
        write_int8(ready, variant, inputs, _EXACT_LAYERS)
    psnr, own = (task.stream_psnr_db(Exported(path, network), CPU) for path in (exact, variant))
    require_small_loss(variant.name, psnr - own)
    return {"stream_psnr_25_db": psnr, "int8_stream_psnr_25_loss_db": psnr - own}


@torch.no_grad()
def calibration(network: VideoNetwork, task: VideoTask) -> list[tuple[Tensor, ...]]:
    """Return inputs of the graph, batches of (frame, strength, past, state) over sequences."""
    batch = task.batch(0, 0, _SEQUENCES)
    state = network.first_state(batch["frame"][:, 0])
    seen: list[tuple[Tensor, ...]] = []
    for time in range(task.recipe.frames):
        state = state.moved(batch["motion"][:, time].tolist())
        case = batch["frame"][:, time].contiguous(), batch["strength"], *state
        seen.append(case)
        state = network(case[0], case[1], state).next_state
    return seen


class Exported(nn.Module):
    """A recurrent denoiser's file, as the network that it was made from: to be measured."""

    def __init__(self, path: Path, network: VideoNetwork) -> None:
        super().__init__()
        self.path, self.network = path, network

    def forward(self, frame: Tensor, strength: Tensor, state: State | None = None) -> Remembered:
        """Clean frames, float32 (N, 3, H, W); the noise level is not among a file's outputs."""
        if state is None:
            state = self.network.first_state(frame)
        found = [
            [torch.from_numpy(value) for value in run_file(self.path, feed)]
            for feed in feeds(frame=frame, strength=strength, past=state.past, state=state.kept)
        ]
        clean, past, kept = (torch.cat(values) for values in zip(*found, strict=True))
        return Remembered(clean, torch.zeros_like(kept[:, :1]), State(past, kept))


def write_graph(
    network: VideoNetwork, path: Path, *, wanted: VideoNetwork | None = None
) -> Measured:
    """Write the graph; return what was measured against PyTorch, after several frames.

    Args:
        network: in evaluation mode.
        path: of the file.
        wanted: what the file must compute; None is the network itself.

    Raises:
        ParityError: the file computes something else than the model.
    """
    frame = Port("frame", (1, 3, "height", "width"))
    state = Port("state", (1, network.state_channels, "state_height", "state_width"))
    example = torch.zeros(1, 3, 6 * STRIDE, 4 * STRIDE)
    inputs = [frame, Port("strength", (1,)), Port("past", frame.axes), state]
    export_graph(
        ShippedVideo(network),
        (example, torch.ones(1), *network.first_state(example)),
        inputs,
        [
            Port("clean", frame.axes),
            Port("next_past", frame.axes),
            Port("next_state", state.axes),
        ],
        path,
    )
    graph = VideoGraph(wanted or network)
    cases = [
        _case(graph, side, strength)
        for side, strength in zip(_SIDES, (1.0, 0.0, 0.4, 1.7), strict=True)
    ]
    error = largest_difference(path, [port.name for port in inputs], graph, cases)
    require(path, error, TOLERANCE)
    return {"denoiser_max_relative_error": error}


@torch.no_grad()
def _case(graph: VideoGraph, side: tuple[int, int], strength: float) -> tuple[Tensor, ...]:
    """Return inputs as they are after some frames, so that the state is one that occurs."""
    rng = torch.Generator().manual_seed(1)
    amount = torch.tensor([strength])
    state = graph.network.first_state(torch.zeros(1, 3, *side))
    for _ in range(_FRAMES):
        frame = torch.rand(1, 3, *side, generator=rng)
        case = frame, amount, *state
        state = State(*graph(*case)[1:])
    return case
