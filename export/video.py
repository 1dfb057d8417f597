"""Export the recurrent denoiser: frame, strength and state to clean frame and next state."""

from pathlib import Path

import torch
from torch import Tensor

from export.bundle import write_bundle
from export.denoiser import TOLERANCE, ShippedDenoiser
from export.graphs import Port, export_graph
from export.parity import largest_difference, require
from export.source import Source
from train.denoiser import STRIDE
from train.recurrent import STATE_LIMIT, STATE_STRIDE, VideoGraph, VideoNetwork
from train.video import VideoRecipe
from venturi.manifest import Manifest

_SIDES = ((STRIDE, STRIDE), (5 * STRIDE, 64), (64, 9 * STRIDE), (240, 320))
_FRAMES = 4


class ShippedVideo(ShippedDenoiser):
    """The recurrent denoiser as it ships: as the still one, with its paths back."""

    def __init__(self, network: VideoNetwork) -> None:
        super().__init__(network)
        self.past, self.keep = network.past, network.keep

    def forward(  # type: ignore[override]
        self, frame: Tensor, strength: Tensor, state: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Map frames, strengths and states to clean frames and next states."""
        found = self.trace(frame, strength, self.past(state))
        clean = frame - found.noise * strength.clamp(max=1.0).view(-1, 1, 1, 1)
        kept = torch.cat((found.clean, self.keep(found.features)), 1)
        return clean, kept.clamp(-STATE_LIMIT, STATE_LIMIT)


def export_video(source: Source) -> Manifest:
    """Write the bundle of a recurrent denoiser.

    Raises:
        ParityError: the file computes something else than the model.
    """
    recipe = VideoRecipe(**source.recipe)
    network = VideoNetwork(
        recipe.width, recipe.deep_width, recipe.depth, recipe.deep_depth, recipe.state
    )
    network.load_state_dict(source.weights)
    return write_bundle(
        source.folder,
        lambda folder: write_graph(network.eval(), folder / "denoiser.onnx"),
        name=source.name,
        task="denoiser",
        description="Blind denoiser for video, which remembers the frames before; strength knob.",
        stride=STRIDE,
        files={"denoiser": "denoiser.onnx"},
        parameters={
            "margin": -(-network.reach // STRIDE) * STRIDE,
            "state_channels": network.state_channels,
            "state_stride": STATE_STRIDE,
        },
        provenance=source.provenance(),
    )


def write_graph(network: VideoNetwork, path: Path) -> dict[str, float]:
    """Write the graph; return what was measured against PyTorch, after several frames.

    Raises:
        ParityError: the file computes something else than the model.
    """
    frame = Port("frame", (1, 3, "height", "width"))
    state = Port("state", (1, network.state_channels, "state_height", "state_width"))
    example = torch.zeros(1, 3, 6 * STRIDE, 4 * STRIDE)
    export_graph(
        ShippedVideo(network),
        (example, torch.ones(1), network.first_state(example)),
        [frame, Port("strength", (1,)), state],
        [Port("clean", frame.axes), Port("next_state", state.axes)],
        path,
    )
    graph = VideoGraph(network)
    cases = [
        _case(graph, side, strength)
        for side, strength in zip(_SIDES, (1.0, 0.0, 0.4, 1.7), strict=True)
    ]
    error = largest_difference(path, ("frame", "strength", "state"), graph, cases)
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
        case = frame, amount, state
        state = graph(*case)[1]
    return case
