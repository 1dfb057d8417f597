"""Export the photo codec: encoder, decoder, the entropy network's graphs, and integer tables."""

import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from export import entropy
from export.bundle import write_bundle
from export.channels_last import (
    LEVELS,
    MIDDLE,
    AllBetween,
    Limits,
    Patches,
    Pointwise,
    Size,
    Strongest,
    after,
    as_linear,
    grid_noise,
    limits,
    linear,
    plus_identity,
    residuals,
    shuffled,
    to_channels_last,
    to_planes,
)
from export.graphs import Port, block_major, export_graph
from export.int8 import compared, feeds, write_int8
from export.layers import in_patches, permuted, strided, without_unshuffle
from export.parity import (
    largest_difference,
    pixel_difference,
    require,
    require_pixels,
    run_file,
)
from export.source import Source
from export.storage import Stored, store
from export.tables import COUNT_RADIUS, build
from train.engine import checkpoint
from train.networks.blocks import without_bounds
from train.networks.codec import SCALE_COUNT, Analysis, CodecNetwork, Synthesis
from train.networks.denoiser import LEVEL_STRIDE, SHARE_MAX
from train.networks.equalization import codec_groups, equalised
from train.recipes import PhotoRecipe
from train.tasks.photo import PhotoTask, sizes, to_tensor
from venturi._bundle.manifest import INT8_PAIR_SUM, Manifest
from venturi._layout import CHUNK, HYPER_MAX, HYPER_STRIDE, LATENT_STRIDE, MEAN_SCALE

TOLERANCE = 2e-4
EXACT_LAYERS = "linear", "stem", "head", "hyper"
"""Convolutions of the encoder that stay in float32 in its 8-bit variant, as all matrix products do:
the linear path, the first and last layers beside it, and the hyper-latent."""

FILES = {
    "encoder": "encoder.onnx",
    **entropy.FILES,
    "decoder": "decoder.onnx",
    "tables": "tables.bin",
}
VARIANT = {"encoder_int8": "encoder-int8.onnx", "decoder_int8": "decoder-int8.onnx"}

_COUNT_BATCHES = 60
_CALIBRATION_CROPS = 48
_MEASURED_QUALITIES = 0.25, 0.5, 0.75
_SIDES = ((64, 64), (64, 192), (320, 128), (448, 576))


class EncoderGraph(nn.Module):
    """Analysis for deployment: space-to-depth is folded into strided convolutions."""

    def __init__(self, analysis: Analysis) -> None:
        super().__init__()
        self.analysis = analysis
        self.linear = strided(analysis.linear, 8, 2, centre=0.5)
        self.stem = strided(analysis.stem, 8, centre=0.5)
        self.down = strided(analysis.down, 2)
        self.hyper = nn.Sequential(*without_unshuffle(analysis.hyper))

    def forward(self, image: Tensor, quality: Tensor) -> tuple[Tensor, Tensor]:
        """Map an image and a quality in [0, 1] to latent and hyper-latent."""
        part = self.analysis
        x = part.fine(self.stem(image)) * part.modulation(quality)
        latent = self.linear(image) + part.head(part.coarse(self.down(x)))
        latent = latent * part.gain(quality)
        return latent, self.hyper(latent)


class DecoderGraph(nn.Module):
    """Synthesis for deployment, in the channels-last matmul form, with pixels as its output.

    The layers for patches of 16×16 and 8×8 produce coefficients of 4×4 patches directly.

    Args:
        synthesis: in evaluation mode.
        for_int8: use the form for 8 bits: see the classes of :mod:`export.channels_last`.
    """

    def __init__(self, synthesis: Synthesis, *, for_int8: bool = False) -> None:
        super().__init__()
        part = self.synthesis = synthesis
        basis = part.filter.get_buffer("basis")
        linear_layer, head_layer = (in_patches(layer, basis) for layer in (part.linear, part.head))
        head = as_linear(permuted(head_layer, 2))
        self.head = nn.Buffer(head.weight.detach().T.contiguous())
        linear = as_linear(permuted(linear_layer, 2, 2))
        # The head adds its bias at each of 2 × 2 places.
        linear.bias.data = head.bias.detach().repeat(4)
        self.linear, self.stem = (
            Strongest(layer, for_int8=for_int8) for layer in (linear, as_linear(part.stem))
        )
        self.up, self.enter = permuted(part.up, 2), permuted(part.filter.enter, 2)
        self.pixels, analysis = _between_pixels_and(basis)
        end = part.filter
        factors = Limits(1 - SHARE_MAX, 1 + SHARE_MAX)
        self.kept, self.filter_kept = (
            Pointwise(plus_identity(share), for_int8=for_int8, limits=factors)
            for share in (part.share, end.share)
        )
        self.filter_stem, self.offset = (
            Pointwise(layer, for_int8=for_int8)
            for layer in (as_linear(after(end.stem, analysis)), as_linear(end.offset))
        )
        self.between = AllBetween(end.between, analysis) if for_int8 else None
        self.deep_enters, self.deep_leaves, self.leaves, self.filter_enters, self.filter_leaves = (
            limits(bound)
            for bound in (part.deep_enters, part.deep_leaves, part.leaves, end.enters, end.leaves)
        )
        self.patches = Patches(MIDDLE)

    def forward(self, latent: Tensor, quality: Tensor) -> Tensor:
        """Map a dequantised latent and a quality in [0, 1] to a picture, uint8 (H, W, 3)."""
        part, (height, width) = self.synthesis, latent.shape[2:]
        sizes = [(factor * height, factor * width) for factor in (1, 2, 4)]
        scaled_latent = to_channels_last(latent * part.inverse_gain(quality))
        deep = self.deep_enters(self.stem(scaled_latent) * part.deep_modulation(quality).flatten())
        deep = self.deep_leaves(residuals(part.coarse, deep, sizes[0]))
        x = shuffled(to_channels_last(self.up(to_planes(deep, sizes[0]))), sizes[0])
        x = residuals(part.fine, x * part.modulation(quality).flatten(), sizes[1])
        x = self.leaves(x)
        linear = shuffled(self.linear(scaled_latent * self.kept(deep, sizes[0])), sizes[0])
        coefficients = shuffled(torch.addmm(linear, x, self.head), sizes[1])
        filter_features = shuffled(to_channels_last(self.enter(to_planes(x, sizes[1]))), sizes[1])
        filtered = self.filtered(coefficients, filter_features, sizes[2])
        return self.patches.picture(self.pixels(filtered), sizes[2])

    def filtered(self, coefficients: Tensor, features: Tensor, size: Size) -> Tensor:
        """Return coefficients, (places, 48), after the post-filter."""
        part = self.synthesis.filter
        pixels = self.pixels(coefficients)
        x = self.filter_enters(self.filter_stem(pixels, size) + features)
        x = self.filter_leaves(residuals(part.blocks, x, size))
        offset = self.offset(x, size)
        offset = offset + grid_noise(part.between, self.between, pixels, coefficients, x, size)
        filtered: Tensor = coefficients * self.filter_kept(x, size) + offset
        return filtered


def _between_pixels_and(basis: Tensor) -> tuple[nn.Linear, nn.Linear]:
    """Return the layers that convert coefficients of patches to levels minus 128, and back."""
    order = block_major(len(basis), LEVEL_STRIDE)
    basis_dcr = basis[:, order].double()
    middle_levels = torch.full((len(basis),), LEVELS / 2 - MIDDLE, dtype=torch.float64)
    to_pixels = linear(LEVELS * basis_dcr.T, middle_levels)
    return to_pixels, linear(basis_dcr / LEVELS, -basis_dcr @ middle_levels / LEVELS)


def export_codec(source: Source) -> Manifest:
    """Write the bundle of a photo codec.

    Raises:
        ParityError: a file does not compute what the model computes.
    """
    recipe = PhotoRecipe(**source.recipe)
    model = CodecNetwork(sizes(recipe)).eval()
    checkpoint.fill(model, source.weights)
    task = PhotoTask(recipe)
    task.settle(model)
    files = dict(FILES)
    if source.int8:
        files |= VARIANT

    def write_files(folder: Path) -> dict[str, float]:
        measured = write_transforms(model, folder) | entropy.write_entropy(model.entropy, folder)
        tables = build(symbol_counts(model, task), hyper_index(model))
        (folder / FILES["tables"]).write_bytes(tables.to_bytes())
        if source.int8:
            measured |= write_variant(model, task, folder)
        return measured | store_transforms(folder, task.validation_pictures(), int8=source.int8)

    return write_bundle(
        source.folder,
        write_files,
        name=source.name,
        task="codec",
        description="Lossy codec for photographs, one model for every rate.",
        stride=HYPER_STRIDE,
        files=files,
        parameters={
            "latent_channels": recipe.latent,
            "latent_stride": LATENT_STRIDE,
            "hyper_channels": recipe.hyper,
            "hyper_stride": HYPER_STRIDE,
            "mean_scale": MEAN_SCALE,
            "chunk": CHUNK,
            "encoder_margin": margin(recipe.analysis_depth, recipe.deep_depth, hyper=True),
            "decoder_margin": margin(
                recipe.synthesis_depth, recipe.deep_depth, filter_depth=recipe.filter_depth
            ),
        },
        provenance=source.provenance(),
        version=source.version,
        parent=source.parent,
        pictures=source.photographs(),
    )


def margin(
    depth: int, deep_depth: int, *, hyper: bool = False, filter_depth: int | None = None
) -> int:
    """Return how many pixels around a tile influence its result, rounded up to the stride.

    Each block extends the receptive field by one position: 8 pixels, 16 in the deep part, 32 in the
    hyper-encoder. Blocks of the post-filter extend it by two positions of 4 pixels, and its offset
    grids by two more.
    """
    field = 8 * depth + 16 * deep_depth + 32 * hyper
    if filter_depth is not None:
        field += 8 * filter_depth + 8
    return -(-field // HYPER_STRIDE) * HYPER_STRIDE


@torch.no_grad()
def symbol_counts(model: CodecNetwork, task: PhotoTask) -> NDArray[np.int64]:
    """Count how often each symbol meets each scale index on training crops at all qualities."""
    counts = np.zeros((SCALE_COUNT, 2 * COUNT_RADIUS + 1), np.int64)
    for step in range(_COUNT_BATCHES):
        batch = task.batch(-1 - step & 0xFFFF_FFFF, 0, task.recipe.batch)
        latent, hyper = model.analysis(batch["image"], batch["quality"])
        hyper_hat = torch.round(hyper).clamp(-HYPER_MAX, HYPER_MAX)
        byte = torch.floor(batch["quality"] * 255)
        coded = model.code(latent, hyper_hat, byte)
        symbol = coded.symbol.clamp(-COUNT_RADIUS, COUNT_RADIUS).long() + COUNT_RADIUS
        flat = (coded.scale.long() * counts.shape[1] + symbol).flatten()
        counts += torch.bincount(flat, minlength=counts.size).numpy().reshape(counts.shape)
    return counts


def hyper_index(model: CodecNetwork) -> NDArray[np.uint8]:
    """Return uint8 (8, hyper): the table of each hyper-latent channel in each quality bucket."""
    return np.asarray(model.hyper_index().detach().round().numpy(), np.uint8)


def write_transforms(
    model: CodecNetwork,
    folder: Path,
    *,
    reference: CodecNetwork | None = None,
    for_int8: bool = False,
) -> dict[str, float]:
    """Write the graphs of encoder and decoder; return their differences from PyTorch.

    Args:
        model: in evaluation mode.
        folder: of the files.
        reference: the model to compare with; None is ``model``.
        for_int8: prepare them for rounding to 8 bits.

    Raises:
        ParityError: a file does not compute what the model computes.
    """
    latent, hyper = model.synthesis.stem.in_channels, model.hyper_level.shape[1]
    coarse: tuple[str | int, ...] = ("latent_height", "latent_width")
    _write_encoder(model, folder / FILES["encoder"], latent, hyper)
    export_graph(
        DecoderGraph(model.synthesis, for_int8=for_int8),
        (torch.zeros(1, latent, 12, 8), torch.full((1,), 0.5)),
        [Port("latent", (1, latent, *coarse)), Port("quality", (1,))],
        [Port("image", ("height", "width", 3))],
        folder / FILES["decoder"],
    )
    return _measure(reference or model, folder, for_int8=for_int8)


def write_variant(model: CodecNetwork, task: PhotoTask, folder: Path) -> dict[str, float]:
    """Write encoder and decoder in 8 bits; return the proof that no product saturates.

    Raises:
        ParityError: the prepared model differs from the original, or a product could saturate.
    """
    batch = task.batch(0, 0, _CALIBRATION_CROPS)
    image, quality = batch["image"].contiguous(), batch["quality"]
    with torch.no_grad():
        latent = torch.round(model.analysis(image, quality)[0])
    calibration = {
        "encoder": feeds(image=image, quality=quality),
        "decoder": feeds(latent=latent, quality=quality),
    }
    # The 8-bit ranges are those of photographs' features, well within the bounds.
    unbounded = without_bounds(model)
    with tempfile.TemporaryDirectory() as aside:
        prepared_folder = Path(aside)
        equalised_model = equalised(unbounded, codec_groups, image, quality, None)
        write_transforms(equalised_model, prepared_folder, reference=unbounded, for_int8=True)
        proofs = []
        for role, inputs in calibration.items():
            exact = EXACT_LAYERS if role == "encoder" else ()
            path = folder / VARIANT[f"{role}_int8"]
            proofs.append(
                write_int8(prepared_folder / FILES[role], path, inputs, exact)[INT8_PAIR_SUM]
            )
    return {INT8_PAIR_SUM: max(proofs)}


def store_transforms(folder: Path, pictures: Tensor, *, int8: bool) -> dict[str, float]:
    """Store the weights of encoders and decoders in fewer bits; return PSNR and losses.

    Raises:
        ParityError: the 8-bit variant loses too much.
    """

    def stored(encoder: str, decoder: str) -> Stored:
        names = {"encoder": encoder, "decoder": decoder}
        paths = [folder / name for name in names.values()]
        return store(paths, lambda: _psnr_db(folder, names, pictures))

    exact = stored(FILES["encoder"], FILES["decoder"])
    if int8:
        return compared("psnr", exact, stored(*VARIANT.values()), " and ".join(VARIANT.values()))
    return {"psnr_db": exact.psnr_db, "storage_loss_db": exact.loss_db}


def _psnr_db(folder: Path, names: Mapping[str, str], pictures: Tensor) -> float:
    """Return the mean PSNR of pictures with rounded latents, over several qualities."""
    psnrs_db = []
    for level in _MEASURED_QUALITIES:
        quality = np.array([level], np.float32)
        for picture in torch.split(pictures, 1):
            image = picture.contiguous().numpy()
            encoded = run_file(folder / names["encoder"], {"image": image, "quality": quality})
            latent = np.rint(encoded[0])
            (decoded,) = run_file(folder / names["decoder"], {"latent": latent, "quality": quality})
            error = (to_tensor([decoded]) - picture).square().mean(dtype=torch.float64)
            psnrs_db.append(-10 * math.log10(float(error)))
    return fmean(psnrs_db)


def _write_encoder(model: CodecNetwork, path: Path, latent: int, hyper: int) -> None:
    export_graph(
        EncoderGraph(model.analysis),
        (torch.zeros(1, 3, 192, 128), torch.full((1,), 0.5)),
        [Port("image", (1, 3, "height", "width")), Port("quality", (1,))],
        [
            Port("latent", (1, latent, "latent_height", "latent_width")),
            Port("hyper_latent", (1, hyper, "hyper_height", "hyper_width")),
        ],
        path,
    )


def _measure(model: CodecNetwork, folder: Path, *, for_int8: bool) -> dict[str, float]:
    rng = torch.Generator().manual_seed(1)
    levels = [torch.tensor([q]) for q in (0.0, 0.31, 0.75, 1.0)]
    images = [torch.rand(1, 3, *side, generator=rng) for side in _SIDES]
    encoder, decoder = folder / FILES["encoder"], folder / FILES["decoder"]
    cases = list(zip(images, levels, strict=True))
    encoder_error = largest_difference(encoder, ("image", "quality"), model.analysis, cases)
    require(encoder, encoder_error, TOLERANCE)
    decoder_error = 0.0
    for image, quality in cases:
        with torch.no_grad():
            latent = torch.round(model.analysis(image, quality)[0])
            reference = model.synthesis(latent, quality)
        (picture,) = run_file(decoder, {"latent": latent.numpy(), "quality": quality.numpy()})
        decoder_error = max(decoder_error, pixel_difference(decoder, picture, reference))
    require_pixels(decoder, decoder_error, for_int8=for_int8)
    return {
        "encoder_max_relative_error": encoder_error,
        "decoder_max_error_levels": decoder_error,
    }
