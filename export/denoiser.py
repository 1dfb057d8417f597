"""Export the camera denoiser: pixels and strength to clean pixels, in float32 and in 8 bits."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch

from export.bundle import Measured, write_bundle
from export.graphs import Port, export_graph
from export.int8 import calibration, frame_feeds, measure, write_int8
from export.parity import pixel_difference, require_pixels, run_file
from export.pixels import ShippedDenoiser
from export.source import Source
from train.engine import checkpoint
from train.networks.denoiser import STRIDE, DenoiserGraph, DenoiserNetwork
from train.networks.equalization import equalised, still_groups
from train.recipes import CameraRecipe
from train.tasks.camera import CameraTask
from train.tasks.camera import network as denoiser_network
from train.tasks.photo import to_tensor
from venturi._bundle.load import Bundle
from venturi._bundle.manifest import Manifest
from venturi._bundle.tasks import STILL
from venturi._engine.arrays import Pixels

FRAME = Port("frame", ("height", "width", 3))
STRENGTH = Port("strength", (1,))

SIDES = ((STRIDE, STRIDE), (5 * STRIDE, 64), (64, 9 * STRIDE), (240, 320))
STRENGTHS = (1.0, 0.0, 0.4, 1.7)


def export_denoiser(source: Source) -> Manifest:
    """Write the bundle of a camera denoiser.

    Raises:
        ParityError: a file does not compute what the model computes.
        FileNotFoundError: the photographs for calibrating the 8-bit variant are missing.
    """
    recipe = CameraRecipe(**source.recipe)
    network = denoiser_network(recipe)
    return write_denoiser(
        source,
        network,
        lambda path: write_graph(network, path),
        lambda exact, variant: write_variant(network, CameraTask(recipe), exact, variant),
        description="Blind denoiser for photographs and camera frames, with a strength.",
    )


def write_denoiser(
    source: Source,
    network: DenoiserNetwork,
    write: Callable[[Path], Measured],
    write_rounded: Callable[[Path, Path], Measured],
    *,
    description: str,
    state: Mapping[str, int] | None = None,
    still: Bundle | None = None,
) -> Manifest:
    """Write the bundle of a denoiser, still or recurrent.

    Args:
        source: the checkpoint.
        network: the network that loads its weights.
        write: writes the graph at a path.
        write_rounded: writes the 8-bit variant of the first path at the second.
        description: one sentence for people.
        state: additional parameters of a recurrent denoiser.
        still: bundle whose graphs a recurrent denoiser uses for frames without a past.
    """
    checkpoint.fill(network, source.weights)
    network.eval()
    files = {"denoiser": "denoiser.onnx"}
    if source.int8:
        files["denoiser_int8"] = "denoiser-int8.onnx"
    margin, origin = -(-network.reach // STRIDE) * STRIDE, source.provenance()
    still_files: dict[str, bytes] = {}
    if still is not None:
        for role in list(files):
            role_still = role.replace("denoiser", STILL)
            files[role_still] = files[role].replace("denoiser", STILL)
            still_files[files[role_still]] = still.files[role]
        margin = max(margin, still.manifest.parameters["margin"])
        origin[STILL] = f"{still.manifest.name} {still.manifest.fingerprint.hex()}"

    def write_files(folder: Path) -> Measured:
        exact = folder / files["denoiser"]
        measured = write(exact)
        if source.int8:
            measured |= write_rounded(exact, folder / files["denoiser_int8"])
        for path, content in still_files.items():
            (folder / path).write_bytes(content)
        return measured

    return write_bundle(
        source.folder,
        write_files,
        name=source.name,
        task="denoiser",
        description=description,
        stride=STRIDE,
        files=files,
        parameters={"margin": margin, **(state or {})},
        provenance=origin,
        version=source.version,
        parent=source.parent,
        pictures=source.photographs(),
    )


def write_variant(
    network: DenoiserNetwork, task: CameraTask, exact: Path, variant: Path
) -> Measured:
    """Write the 8-bit variant of the graph; return what it loses.

    Raises:
        ParityError: the prepared network differs from the original, or the variant loses too much.
    """
    frames, strengths = calibration(task)
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "equalised.onnx"
        equalised_network = equalised(network, still_groups, frames, strengths)
        write_graph(equalised_network, prepared, reference=network, for_int8=True)
        proof = write_int8(prepared, variant, frame_feeds(frames, strengths))
    return proof | measure(exact, variant, task)


def write_graph(
    network: DenoiserNetwork,
    path: Path,
    *,
    reference: DenoiserNetwork | None = None,
    for_int8: bool = False,
) -> Measured:
    """Write the graph; return its differences from PyTorch.

    Args:
        network: in evaluation mode.
        path: of the file.
        reference: the network to compare with; None is ``network``.
        for_int8: prepare it for rounding to 8 bits.

    Raises:
        ParityError: the file does not compute what the model computes.
    """
    export_graph(
        ShippedDenoiser(network, for_int8=for_int8),
        (torch.zeros(6 * STRIDE, 4 * STRIDE, 3, dtype=torch.uint8), torch.ones(1)),
        [FRAME, STRENGTH],
        [Port("clean", FRAME.axes)],
        path,
    )
    graph = DenoiserGraph(reference or network)
    rng = np.random.default_rng(1)
    cases = [(random_frame(side, rng), s) for side, s in zip(SIDES, STRENGTHS, strict=True)]
    error = max(_difference(path, graph, frame, strength) for frame, strength in cases)
    require_pixels(path, error, for_int8=for_int8)
    return {"denoiser_max_error_levels": error}


def random_frame(side: tuple[int, int], rng: np.random.Generator) -> Pixels:
    """Return random pixels, uint8 (*side, 3)."""
    return rng.integers(0, 256, (*side, 3), np.uint8)


@torch.no_grad()
def _difference(path: Path, graph: DenoiserGraph, frame: Pixels, strength: float) -> float:
    amount = torch.tensor([strength])
    (clean,) = run_file(path, {"frame": frame, "strength": amount.numpy()})
    return pixel_difference(path, clean, graph(to_tensor([frame]), amount))
