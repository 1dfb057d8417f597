"""Export the photo codec: four graphs, integer tables, and the proof of exactness."""

import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from export.bundle import write_bundle
from export.graphs import Port, block_major, export_graph
from export.int8 import feeds, require_small_loss, write_int8
from export.layers import in_patches, permuted, strided, without_unshuffle
from export.parity import (
    ParityError,
    largest_difference,
    pixel_difference,
    require,
    require_pixels,
    run_file,
)
from export.rows import (
    LEVELS,
    MIDDLE,
    AllBetween,
    Patches,
    Pointwise,
    Size,
    after,
    as_planes,
    as_rows,
    linear,
    of_grids,
    of_rows,
    residuals,
    shuffled,
)
from export.source import Source
from export.tables import COUNT_RADIUS, build
from train.codec import (
    CONTEXT_MAX,
    HYPER_MAX,
    INDEX_UNIT,
    MEAN_UNIT,
    SCALE_COUNT,
    STEP_MARK,
    Analysis,
    CodecNetwork,
    EntropyNetwork,
    Synthesis,
)
from train.denoiser import LEVEL_STRIDE
from train.equalise import codec_streams, equalised
from train.integer import ACCUMULATOR_LIMIT, ACTIVATION_MAX, IntegerConv
from train.photo import PhotoTask, sizes, to_tensor
from train.recipes import PhotoRecipe
from venturi.manifest import Manifest

TOLERANCE = 2e-4
EXACT_LAYERS = "linear", "stem", "head", "hyper"
"""Convolutions of the encoder that its variant in 8 bits computes in float32, as all products of
matrices are: the linear path, what enters and leaves the blocks beside it, and the hyper-latent."""

FILES = {
    "encoder": "encoder.onnx",
    "entropy_first": "entropy-first.onnx",
    "entropy_second": "entropy-second.onnx",
    "decoder": "decoder.onnx",
    "tables": "tables.bin",
}
VARIANT = {"encoder_int8": "encoder-int8.onnx", "decoder_int8": "decoder-int8.onnx"}

_COUNT_BATCHES = 60
_CALIBRATION_CROPS = 48
_MEASURED_QUALITIES = 0.25, 0.5, 0.75
_SIDES = ((64, 64), (64, 192), (320, 128), (448, 576))


class EncoderGraph(nn.Module):
    """Analysis as it ships: space-to-depth folded into strided convolutions, shifts into biases."""

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
    """Synthesis as it ships: channels last, and pixels at its end.

    What makes patches of 16×16 and of 8×8 makes the coefficients of those of 4×4 at once.

    Args:
        synthesis: in evaluation mode.
        for_int8: compute the grids between the patches as :class:`export.rows.AllBetween` does.
    """

    def __init__(self, synthesis: Synthesis, *, for_int8: bool = False) -> None:
        super().__init__()
        part = self.synthesis = synthesis
        basis = part.filter.get_buffer("basis")
        linear_layer, head = (in_patches(layer, basis) for layer in (part.linear, part.head))
        self.linear, self.head = of_rows(permuted(linear_layer, 2, 2)), of_rows(permuted(head, 2))
        self.stem, self.share = of_rows(part.stem), of_rows(part.share)
        self.up, self.enter = permuted(part.up, 2), permuted(part.filter.enter, 2)
        self.pixels, analysis = _between_pixels_and(basis)
        end = part.filter
        layers = (after(end.stem, analysis), of_rows(end.share), of_rows(end.offset))
        self.filter_stem, self.filter_share, self.offset = (
            Pointwise(layer, for_int8=for_int8) for layer in layers
        )
        self.between = AllBetween(end.between, analysis) if for_int8 else None
        self.patches = Patches(MIDDLE)

    def forward(self, latent: Tensor, quality: Tensor) -> Tensor:
        """Map a dequantised latent and a quality in [0, 1] to a picture, uint8 (H, W, 3)."""
        part, (height, width) = self.synthesis, latent.shape[2:]
        sizes = [(factor * height, factor * width) for factor in (1, 2, 4)]
        rows = as_rows(latent * part.inverse_gain(quality))
        deep = self.stem(rows) * part.deep_modulation(quality).flatten()
        deep = residuals(part.coarse, deep, sizes[0])
        x = shuffled(as_rows(self.up(as_planes(deep, sizes[0]))), sizes[0])
        x = residuals(part.fine, x * part.modulation(quality).flatten(), sizes[1])
        linear = shuffled(self.linear(rows + rows * self.share(deep)), sizes[0])
        coefficients = shuffled(linear + self.head(x), sizes[1])
        told = shuffled(as_rows(self.enter(as_planes(x, sizes[1]))), sizes[1])
        found = self.filtered(coefficients, told, sizes[2])
        return self.patches.picture(self.pixels(found), sizes[2])

    def filtered(self, coefficients: Tensor, told: Tensor, size: Size) -> Tensor:
        """Return coefficients, (places, 48), as the filter leaves them."""
        part = self.synthesis.filter
        pixels = self.pixels(coefficients)
        x = residuals(part.blocks, self.filter_stem(pixels, size) + told, size)
        beside = self.offset(x, size)
        beside = beside + of_grids(part.between, self.between, pixels, coefficients, x, size)
        found: Tensor = coefficients + coefficients * self.filter_share(x, size) + beside
        return found


def _between_pixels_and(basis: Tensor) -> tuple[nn.Linear, nn.Linear]:
    """Return the layers from coefficients of patches to their levels minus 128, and back."""
    order = block_major(len(basis), LEVEL_STRIDE)
    forth = basis[:, order].double()
    middle = torch.full((len(basis),), LEVELS / 2 - MIDDLE, dtype=torch.float64)
    there = linear(LEVELS * forth.T, middle)
    return there, linear(forth / LEVELS, -forth @ middle / LEVELS)


class FirstGraph(nn.Module):
    """The entropy network's first step, its integers frozen; planes of a constant become biases.

    Layers of 1×1 are products of matrices, which take and give channels first or last as what comes
    before and after wants them: nothing is turned round, and places are picked as whole lines.
    """

    def __init__(self, network: EntropyNetwork) -> None:
        super().__init__()
        n = network
        hyper, width = n.enter.weight.shape[1] - 1, n.up2.weight.shape[0] // 4
        self.enter = _Pointwise(n.enter, slice(0, hyper))
        self.enter_quality = nn.Buffer(_Pointwise(n.enter, slice(hyper, None)).weight)
        self.mix, self.mix1 = _Depthwise(n.mix), _Depthwise(n.mix1)
        self.up1, self.up2 = _Pointwise(n.up1, block=2), _Pointwise(n.up2, block=2)
        self.fuse = _Pointwise(n.fuse, slice(0, width))
        self.heads = _Heads(network)

    def forward(self, hyper_latent: Tensor, quality: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return what the second step begins with, mean int32 in 1/16 and scale index uint8."""
        height, width = hyper_latent.shape[2:]
        sizes = [(factor * height, factor * width) for factor in (1, 2, 4)]
        x = self.enter(_flat(hyper_latent))
        x = _activation(x + self.enter_quality * quality)
        x = _activation(self.up1.rows(self.mix(x, sizes[0]).T))
        x = shuffled(x, sizes[0]).T
        x = _activation(self.up2.rows(self.mix1(x, sizes[1]).T))
        shared = self.fuse(shuffled(x, sizes[1]).T)
        mean, index = self.heads(shared, sizes[2], 0)
        return shared.view(1, len(shared), *sizes[2]), mean, index


class SecondGraph(nn.Module):
    """Its second step, which sees what the first has decoded."""

    def __init__(self, network: EntropyNetwork) -> None:
        super().__init__()
        n = network
        marker = n.fuse.weight.shape[1] - 1
        self.known, self.around = _Pointwise(n.known), _Depthwise(n.around)
        self.fuse = _Pointwise(n.fuse, slice(marker - n.around.weight.shape[0], marker))
        self.fuse.bias = nn.Buffer(STEP_MARK * _Pointwise(n.fuse, slice(marker, None)).weight[:, 0])
        self.heads = _Heads(network)

    def forward(self, shared: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean int32 in 1/16 and scale index uint8."""
        height, width = context.shape[2:]
        size = height, width
        known = _flat(context).clamp(-CONTEXT_MAX, CONTEXT_MAX)
        around = self.around(_activation(self.known(known)), size)
        mean, index = self.heads(_flat(shared) + self.fuse(around), size, 1)
        return mean, index


class _Heads(nn.Module):
    """What both steps end with: sums to means and scale indices, at one step's places."""

    def __init__(self, network: EntropyNetwork) -> None:
        super().__init__()
        n = network
        self.mix2, self.deep = _Depthwise(n.mix2), _Pointwise(n.deep)
        self.mean, self.index = (
            nn.ModuleList(_Pointwise(layer, half=half, extra_scale=scale) for half in (0, 1))
            for layer, scale in ((n.mean, 1.0), (n.index, 1 / INDEX_UNIT))
        )

    def forward(self, sums: Tensor, size: Size, step: int) -> tuple[Tensor, Tensor]:
        height, width = size
        x = _activation(self.deep.rows(self.mix2(_activation(sums), size).T))
        places = [rows.T for rows in _row_halves(x, size, step)]
        mean, index = (
            torch.floor(torch.cat([part(x) for part, x in zip(parts, places, strict=True)]))
            for parts in (self.mean, self.index)
        )
        half = (1, len(mean), height, width // 2)
        return (
            mean.to(torch.int32).view(half),
            index.clamp(0, SCALE_COUNT - 1).to(torch.uint8).view(half),
        )


class _Pointwise(nn.Module):
    """A 1×1 :class:`IntegerConv` with constant integers, times their scale, a power of two."""

    def __init__(
        self,
        layer: IntegerConv,
        inputs: slice = slice(None),
        *,
        block: int = 1,
        half: int | None = None,
        extra_scale: float = 1.0,
    ) -> None:
        super().__init__()
        weight, bias = _scaled(layer)
        if half is not None:
            weight, bias = (part.chunk(2)[half] for part in (weight, bias))
        order = block_major(len(weight), block)
        self.weight = nn.Buffer(extra_scale * weight[order][:, inputs, 0, 0])
        self.bias = nn.Buffer(extra_scale * bias[order])

    def forward(self, x: Tensor) -> Tensor:
        """Map (inputs, places) to (outputs, places)."""
        return torch.addmm(self.bias.unsqueeze(1), self.weight, x)

    def rows(self, x: Tensor) -> Tensor:
        """Map (places, inputs) to (places, outputs)."""
        return torch.addmm(self.bias, x, self.weight.T)


class _Depthwise(nn.Module):
    """One with a kernel for each channel, and what activates its sums."""

    def __init__(self, layer: IntegerConv) -> None:
        super().__init__()
        self.weight, self.bias = (nn.Buffer(part) for part in _scaled(layer))
        self.padding = layer.padding

    def forward(self, x: Tensor, size: Size) -> Tensor:
        """Map (channels, places) to the same shape."""
        planes, count = x.view(1, -1, *size), len(self.bias)
        y = functional.conv2d(planes, self.weight, self.bias, padding=self.padding, groups=count)
        return _flat(_activation(y))


def _scaled(layer: IntegerConv) -> tuple[Tensor, Tensor]:
    """Return weights and biases as what they stand for: exact, scales being powers of two."""
    weight, bias, scale = (tensor.detach() for tensor in layer.quantised())
    return weight * scale.view(-1, 1, 1, 1), bias * scale


def _flat(planes: Tensor) -> Tensor:
    """Return (1, channels, height, width) as (channels, places)."""
    return planes.reshape(planes.shape[1], -1)


def _activation(sums: Tensor) -> Tensor:
    # Clamped first, which onnxruntime fuses into a convolution.
    return torch.floor(sums.clamp(0, ACTIVATION_MAX))


def _row_halves(rows: Tensor, size: Size, step: int) -> list[Tensor]:
    """Return what :func:`train.codec.halves` does, of rows of places."""
    height, width = size
    pairs = rows.view(height // 2, 2, width // 2, 2, -1)
    return [
        torch.stack((pairs[:, 0, :, column], pairs[:, 1, :, 1 - column]), 1).flatten(0, 2)
        for column in ((0, 1), (1, 0))[step]
    ]


def prove_exact(network: EntropyNetwork) -> float:
    """Return the largest |partial sum| that any input can cause in any integer layer.

    Raises:
        ParityError: it is not below 2^24, where float32 stops to be exact.
    """
    layers = [layer for layer in network.modules() if isinstance(layer, IntegerConv)]
    worst = max(float(layer.largest_sum().max()) for layer in layers)
    if worst >= ACCUMULATOR_LIMIT:
        raise ParityError(
            f"the entropy network: a partial sum can reach {worst:.0f}; expected less than 2^24; "
            "no bundle was written"
        )
    return worst


def export_codec(source: Source) -> Manifest:
    """Write the bundle of a photo codec.

    Raises:
        ParityError: a file computes something else than the model.
    """
    recipe = PhotoRecipe(**source.recipe)
    model = CodecNetwork(sizes(recipe)).eval()
    model.load_state_dict(source.weights)
    task = PhotoTask(recipe)
    files = dict(FILES)
    if source.int8:
        files |= VARIANT

    def write_files(folder: Path) -> dict[str, float]:
        measured = write_transforms(model, folder) | write_entropy(model, folder)
        tables = build(symbol_counts(model, task), hyper_index(model))
        (folder / FILES["tables"]).write_bytes(tables.to_bytes())
        if source.int8:
            measured |= write_variant(model, task, folder)
        return measured

    return write_bundle(
        source.folder,
        write_files,
        name=source.name,
        task="codec",
        description="Lossy codec for photographs, one model for every rate.",
        stride=64,
        files=files,
        parameters={
            "latent_channels": recipe.latent,
            "latent_stride": 16,
            "hyper_channels": recipe.hyper,
            "hyper_stride": 64,
            "mean_scale": MEAN_UNIT,
            "chunk": 1024,
            "encoder_margin": margin(recipe.analysis_depth, recipe.deep_depth, hyper=True),
            "decoder_margin": margin(
                recipe.synthesis_depth, recipe.deep_depth, filter_depth=recipe.filter_depth
            ),
        },
        provenance=source.provenance(),
    )


def margin(
    depth: int, deep_depth: int, *, hyper: bool = False, filter_depth: int | None = None
) -> int:
    """Return the pixels around a window that can reach into it, rounded up to 64.

    Each block reaches one cell: of 8 pixels, of 16 when it is deep, of 32 in the hyper-encoder.
    Those of the filter reach two cells of 4 pixels, and patches between the patches two more.
    """
    reach = 8 * depth + 16 * deep_depth + 32 * hyper
    if filter_depth is not None:
        reach += 8 * filter_depth + 8
    return -(-reach // 64) * 64


@torch.no_grad()
def symbol_counts(model: CodecNetwork, task: PhotoTask) -> NDArray[np.int64]:
    """Count how often each symbol meets each scale index on training crops at all qualities."""
    counts = np.zeros((SCALE_COUNT, 2 * COUNT_RADIUS + 1), np.int64)
    for step in range(_COUNT_BATCHES):
        batch = task.batch(-1 - step & 0xFFFF_FFFF, 0, task.recipe.batch)
        latent, hyper = model.analysis(batch["image"], batch["quality"])
        hyper_hat = torch.round(hyper).clamp(-HYPER_MAX, HYPER_MAX)
        byte = torch.floor(batch["quality"] * 255)
        coded = model.two_steps(latent, hyper_hat, byte)
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
    wanted: CodecNetwork | None = None,
    for_int8: bool = False,
) -> dict[str, float]:
    """Write the encoder's and the decoder's graph; return what was measured against PyTorch.

    Args:
        model: in evaluation mode.
        folder: of the files.
        wanted: what the files must compute; None is the model itself.
        for_int8: make them ready to be rounded.

    Raises:
        ParityError: a file computes something else than the model.
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
    return _measure(wanted or model, folder, for_int8=for_int8)


def write_entropy(model: CodecNetwork, folder: Path) -> dict[str, float]:
    """Write the entropy network's two graphs; return the proof that they are exact.

    Raises:
        ParityError: a file computes something else than the network, or could on some machine.
    """
    latent, hyper = model.synthesis.stem.in_channels, model.hyper_level.shape[1]
    _write_steps(model.entropy, folder, latent, hyper)
    return {
        "entropy_max_error": _entropy_error(model.entropy, folder, latent, hyper),
        "entropy_largest_partial_sum": prove_exact(model.entropy),
    }


def write_variant(model: CodecNetwork, task: PhotoTask, folder: Path) -> dict[str, float]:
    """Write encoder and decoder in 8 bits beside those in float32; return what they lose.

    Raises:
        ParityError: the model made ready for it computes something else, or it is of no use.
    """
    batch = task.batch(0, 0, _CALIBRATION_CROPS)
    image, quality = batch["image"].contiguous(), batch["quality"]
    with torch.no_grad():
        latent = torch.round(model.analysis(image, quality)[0])
    seen = {
        "encoder": feeds(image=image, quality=quality),
        "decoder": feeds(latent=latent, quality=quality),
    }
    with tempfile.TemporaryDirectory() as aside:
        ready = Path(aside)
        alike = equalised(model, codec_streams, image, quality, None)
        write_transforms(alike, ready, wanted=model, for_int8=True)
        for role, inputs in seen.items():
            exact = EXACT_LAYERS if role == "encoder" else ()
            write_int8(ready / FILES[role], folder / VARIANT[f"{role}_int8"], inputs, exact)
    pictures = task.validation_pictures()
    psnr, own = (
        _psnr_db(folder, names, pictures)
        for names in (FILES, {role: VARIANT[f"{role}_int8"] for role in seen})
    )
    require_small_loss(" and ".join(VARIANT.values()), psnr - own)
    return {"psnr_db": psnr, "int8_psnr_loss_db": psnr - own}


def _psnr_db(folder: Path, names: Mapping[str, str], pictures: Tensor) -> float:
    """Return the mean PSNR of pictures whose latents were rounded, at several qualities."""
    found = []
    for level in _MEASURED_QUALITIES:
        quality = np.array([level], np.float32)
        for picture in torch.split(pictures, 1):
            image = picture.contiguous().numpy()
            encoded = run_file(folder / names["encoder"], {"image": image, "quality": quality})
            latent = np.rint(encoded[0])
            (made,) = run_file(folder / names["decoder"], {"latent": latent, "quality": quality})
            error = (to_tensor([made]) - picture).square().mean(dtype=torch.float64)
            found.append(-10 * math.log10(float(error)))
    return fmean(found)


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


def _write_steps(network: EntropyNetwork, folder: Path, latent: int, hyper: int) -> None:
    coarse = "latent_height", "latent_width"
    width = network.fuse.weight.shape[0]
    z = Port("hyper_latent", (1, hyper, "hyper_height", "hyper_width"))
    shared = Port("shared", (1, width, *coarse))
    half = (1, latent, "latent_height", "half_width")
    choice = [Port("mean", half), Port("scale_index", half)]
    export_graph(
        FirstGraph(network),
        (torch.zeros(1, hyper, 3, 2), torch.full((1,), 100.0)),
        [z, Port("quality", (1,))],
        [shared, *choice],
        folder / FILES["entropy_first"],
    )
    export_graph(
        SecondGraph(network),
        (torch.zeros(1, width, 12, 8), torch.zeros(1, latent, 12, 8)),
        [shared, Port("context", (1, latent, *coarse))],
        choice,
        folder / FILES["entropy_second"],
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
            wanted = model.synthesis(latent, quality)
        (picture,) = run_file(decoder, {"latent": latent.numpy(), "quality": quality.numpy()})
        decoder_error = max(decoder_error, pixel_difference(decoder, picture, wanted))
    require_pixels(decoder, decoder_error, for_int8=for_int8)
    return {
        "encoder_max_relative_error": encoder_error,
        "decoder_max_error_levels": decoder_error,
    }


def _entropy_error(network: EntropyNetwork, folder: Path, latent: int, hyper: int) -> float:
    """Return how far the entropy graphs are from the network, which must be 0."""
    cases = _entropy_cases(latent, hyper)
    with torch.no_grad():
        later = [[network.shared(z, quality), context] for z, quality, context in cases]

    def first(hyper_latent: Tensor, quality: Tensor) -> tuple[Tensor, ...]:
        shared = network.shared(hyper_latent, quality)
        return shared, *network.first(shared)

    paths = [folder / FILES[role] for role in ("entropy_first", "entropy_second")]
    earlier = [case[:2] for case in cases]
    errors = [
        largest_difference(paths[0], ("hyper_latent", "quality"), first, earlier),
        largest_difference(paths[1], ("shared", "context"), network.second, later),
    ]
    for path, error in zip(paths, errors, strict=True):
        require(path, error, 0.0)
    return max(errors)


def _entropy_cases(latent: int, hyper: int) -> list[list[Tensor]]:
    """Return ordinary and extreme integers: hyper-latents, qualities and contexts."""
    rng = torch.Generator().manual_seed(2)
    cases = []
    for height, width, spread in ((1, 1, HYPER_MAX), (2, 5, 9), (7, 3, HYPER_MAX), (4, 4, 2)):
        z = torch.randint(-spread, spread + 1, (1, hyper, height, width), generator=rng).float()
        size = (1, latent, 4 * height, 4 * width)
        known = torch.randint(-40 * spread, 40 * spread + 1, size, generator=rng).float()
        cases += [[z, torch.tensor([quality]), known] for quality in (0.0, 77.0, 255.0)]
    return cases
