"""Export the camera denoiser: frame and strength to clean frame, in float32 and in 8 bits."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from export.bundle import Measured, write_bundle
from export.graphs import Port, export_graph
from export.int8 import calibration, feeds, measure, write_int8
from export.layers import centred, permuted
from export.parity import largest_difference, require
from export.source import Source
from train.camera import CameraTask, denoiser
from train.denoiser import (
    EXACT_LAYERS,
    LEVEL_STRIDE,
    STRIDE,
    DenoiserGraph,
    DenoiserNetwork,
    Past,
    Trace,
)
from train.equalise import denoiser_streams, equalised
from train.recipes import CameraRecipe
from venturi.manifest import Manifest

TOLERANCE = 1e-4


_SIDES = ((STRIDE, STRIDE), (5 * STRIDE, 64), (64, 9 * STRIDE), (240, 320))


class ShippedDenoiser(nn.Module):
    """The denoiser as it ships: centring folded into biases, channels in DCR order."""

    def __init__(self, network: DenoiserNetwork) -> None:
        super().__init__()
        n = self.network = network
        self.analysis = centred(n.analysis, 0.5)
        self.up, self.synthesis = permuted(n.up, 2), permuted(n.synthesis, LEVEL_STRIDE)

    def forward(self, frame: Tensor, strength: Tensor) -> Tensor:
        """Map frames and strengths to clean frames."""
        noise = self.trace(frame, strength).noise
        return frame - noise * strength.clamp(max=1.0).view(-1, 1, 1, 1)

    def trace(self, frame: Tensor, strength: Tensor, past: Past | None = None) -> Trace:
        """Return what the network's own ``trace`` does."""
        coefficients = self.analysis(frame)
        level = functional.relu(self.network.estimator(coefficients))
        return self.network.decide(coefficients, level, strength, past, self.up, self.synthesis)


def export_denoiser(source: Source) -> Manifest:
    """Write the bundle of a camera denoiser.

    Raises:
        ParityError: a file computes something else than the model.
        FileNotFoundError: the photographs are not there, which the variant in 8 bits needs.
    """
    recipe = CameraRecipe(**source.recipe)
    network = denoiser(recipe)
    return write_denoiser(
        source,
        network,
        lambda path: write_graph(network, path),
        lambda exact, variant: write_variant(network, CameraTask(recipe), exact, variant),
        description="Blind denoiser for photographs and camera frames, with a strength knob.",
    )


def write_denoiser(
    source: Source,
    network: DenoiserNetwork,
    write: Callable[[Path], Measured],
    write_rounded: Callable[[Path, Path], Measured],
    *,
    description: str,
    state: Mapping[str, int] | None = None,
) -> Manifest:
    """Write the bundle of a denoiser, still or recurrent.

    Args:
        source: what it is made from.
        network: what takes its weights.
        write: writes the graph at a path.
        write_rounded: given its path, writes the variant in 8 bits at another.
        description: one sentence for people.
        state: the parameters that a recurrent one has besides.
    """
    network.load_state_dict(source.weights)
    network.eval()
    files = {"denoiser": "denoiser.onnx"}
    if source.int8:
        files["denoiser_int8"] = "denoiser-int8.onnx"

    def write_files(folder: Path) -> Measured:
        exact = folder / files["denoiser"]
        measured = write(exact)
        if source.int8:
            measured |= write_rounded(exact, folder / files["denoiser_int8"])
        return measured

    return write_bundle(
        source.folder,
        write_files,
        name=source.name,
        task="denoiser",
        description=description,
        stride=STRIDE,
        files=files,
        parameters={"margin": -(-network.reach // STRIDE) * STRIDE, **(state or {})},
        provenance=source.provenance(),
    )


def write_variant(
    network: DenoiserNetwork, task: CameraTask, exact: Path, variant: Path
) -> Measured:
    """Write the graph in 8 bits beside the one in float32; return what it loses.

    Raises:
        ParityError: the network made ready for it computes something else, or it is of no use.
    """
    frames, strengths = calibration(task)
    with tempfile.TemporaryDirectory() as aside:
        ready = Path(aside) / "equalised.onnx"
        alike = equalised(network, denoiser_streams, frames, strengths)
        write_graph(alike, ready, wanted=network)
        write_int8(ready, variant, feeds(frame=frames, strength=strengths), EXACT_LAYERS)
    return measure(exact, variant, task)


def write_graph(
    network: DenoiserNetwork, path: Path, *, wanted: DenoiserNetwork | None = None
) -> Measured:
    """Write the graph; return what was measured against PyTorch.

    Args:
        network: in evaluation mode.
        path: of the file.
        wanted: what the file must compute; None is the network itself.

    Raises:
        ParityError: the file computes something else than the model.
    """
    frame = Port("frame", (1, 3, "height", "width"))
    export_graph(
        ShippedDenoiser(network),
        (torch.zeros(1, 3, 6 * STRIDE, 4 * STRIDE), torch.ones(1)),
        [frame, Port("strength", (1,))],
        [Port("clean", frame.axes)],
        path,
    )
    rng = torch.Generator().manual_seed(1)
    cases = [
        (torch.rand(1, 3, *side, generator=rng), torch.tensor([strength]))
        for side, strength in zip(_SIDES, (1.0, 0.0, 0.4, 1.7), strict=True)
    ]
    error = largest_difference(path, ("frame", "strength"), DenoiserGraph(wanted or network), cases)
    require(path, error, TOLERANCE)
    return {"denoiser_max_relative_error": error}
