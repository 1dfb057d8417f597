"""Recipes: what is trained, on what, and for how long. Each field is an option of the command line.

A recipe has the name of the bundle that it leads to. Its task and its network belong to its kind:

    recipe                      task                          network
    photo                       train.tasks.photo             train.networks.codec
    camera, camera-fast         train.tasks.camera            train.networks.denoiser
    camera-video                train.tasks.video             train.networks.recurrent
    mnist-simple and the like   train.tasks.digits            train.networks.autoencoders

The ``Attributes`` sections below are also what ``python -m train RECIPE --help`` prints.
"""

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TypeVar

from venturi._layout import MAX_TABLES

T = TypeVar("T")

_EPOCH = 215
"""Steps of 256 pictures that show MNIST's 55,000 training pictures once."""

_FIELD = re.compile(r"^    (\w+(?:, \w+)*): (.*(?:\n {8}.*)*)", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The fields of every recipe.

    Attributes:
        data: folder of training pictures; the codec takes several, separated by commas; empty reads
            the recipe's folders in VENTURI_DATA.
        steps: number of optimiser steps.
        batch: pictures, crops or sequences in a step, over all processes together.
        learning_rate: peak learning rate, reached after the warm-up.
        final_learning_rate: learning rate at the last step, where the cosine schedule ends.
        warmup: steps over which the learning rate rises linearly.
        muon: optimise the weights of layers with Muon and the rest with Adam; otherwise use only
            Adam.
        clip_norm: gradients are scaled down to this norm when theirs is larger.
        average: decay of the exponential moving average of the weights, which is what is exported.
        seed: seed of the initial weights, the batches and the noise.
        threads: CPU threads.
        device: cpu, cuda, or auto, which takes CUDA where there is a GPU.
        bfloat16: run the pixel networks in bfloat16 (autocast).
        compile: use torch.compile, which is faster on a GPU and was slower on a CPU.
        checkpoint_every: steps between checkpoints.
        validate_every: steps between validations.
    """

    data: str = ""
    steps: int
    batch: int
    learning_rate: float = 1e-3
    final_learning_rate: float = 1e-5
    warmup: int = 500
    muon: bool = False
    clip_norm: float = 1.0
    average: float = 0.999
    seed: int = 0
    threads: int = 2
    device: str = "auto"
    bfloat16: bool = True
    compile: bool = False
    checkpoint_every: int = 500
    validate_every: int = 1000

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "crop", "checkpoint_every", "validate_every", "threads"):
            # Not every recipe has crops.
            self._require(name, getattr(self, name, 1) >= 1, "at least 1")
        self._require("average", 0 <= self.average < 1, "a decay in [0, 1)")

    def _require(self, name: str, holds: bool, expected: str) -> None:
        if not holds:
            raise ValueError(f"{name} is {getattr(self, name)}; expected {expected}")

    @classmethod
    def names(cls) -> list[str]:
        """Return the names of all fields."""
        return [field.name for field in fields(cls)]

    @classmethod
    def summary(cls) -> str:
        """Return the first line of the docstring: what the recipe trains."""
        return inspect.cleandoc(cls.__doc__ or "").partition("\n")[0]

    @classmethod
    def descriptions(cls) -> dict[str, str]:
        """Return what each field means, as the ``Attributes`` of this and the base classes say."""
        texts: dict[str, str] = {}
        for kind in reversed(cls.__mro__):
            _, _, section = inspect.cleandoc(kind.__doc__ or "").partition("Attributes:\n")
            for names, text in _FIELD.findall(section):
                texts |= dict.fromkeys(names.split(", "), " ".join(text.split()).rstrip("."))
        return {name: texts[name] for name in cls.names() if name in texts}


@dataclass(frozen=True, kw_only=True)
class PhotoRecipe(Recipe):
    """The photo codec: one model for every rate.

    Attributes:
        crop: side of a crop, in pixels.
        lambda_min: weight of the squared error (on the 0–255 scale) against bits per pixel at
            quality 1; logarithmic in between.
        lambda_max: the same weight at quality 100.
        balance: each crop's loss is divided by (its lambda / the middle lambda) to this power, so
            that high rates do not dominate low ones.
        evenness: each crop's loss is divided by itself to this power, so that difficult pictures do
            not dominate easy ones: 0 minimises the total of bytes, 1 the mean of percentages.
        held_out: pictures kept from training in addition to every twentieth: names without suffix,
            separated by commas; by default, pictures that another folder has in its validation.
        ssimulacra2_share: share of SSIMULACRA2 in the distortion of photographs, the rest being
            squared error; 0 trains for PSNR.
        ssimulacra2_min: weight of SSIMULACRA2's sum of errors against bits per pixel at quality 1,
            where it is all of the distortion; logarithmic in between.
        ssimulacra2_max: the same weight at quality 100.
        synthetic_share: share of crops that no camera took: text, plots, flat colours and the like.
        synthetic_ssimulacra2_share: share of SSIMULACRA2 in the distortion of these crops.
        extra_data: folder of pictures that are one more kind of these crops, such as X-rays; empty
            for none.
        width: channels at 1/8 of the resolution.
        deep_width: channels at 1/16 of the resolution.
        latent: channels of the latent, at 1/16 of the resolution.
        hyper: channels of the hyper-latent, at 1/64 of the resolution.
        analysis_depth: blocks of the encoder at 1/8 of the resolution.
        synthesis_depth: blocks of the decoder at 1/8 of the resolution.
        deep_depth: blocks at 1/16 of the resolution, in the encoder and in the decoder.
        filter_width: channels at 1/4 of the resolution, in the decoder's post-filter.
        filter_depth: blocks at 1/4 of the resolution, in the decoder's post-filter.
    """

    steps: int = 100_000
    batch: int = 6
    learning_rate: float = 3e-3
    warmup: int = 200
    muon: bool = True
    crop: int = 192
    held_out: str = (
        "budgie-high-trestle-trail,budgie-valley-midnight,budgie-waves-midnight,"
        "elementary-Martin-Adams,elementary-Viktor-Forgacs,solus-lower-antelope-canyon,"
        "wallpaper-046,wallpaper-175"
    )
    lambda_min: float = 0.0006
    lambda_max: float = 0.2
    balance: float = 0.35
    evenness: float = 0.5
    ssimulacra2_share: float = 0.85
    ssimulacra2_min: float = 0.007
    ssimulacra2_max: float = 2.9
    synthetic_share: float = 0.15
    synthetic_ssimulacra2_share: float = 0.4
    extra_data: str = ""
    width: int = 96
    deep_width: int = 192
    latent: int = 320
    hyper: int = 96
    analysis_depth: int = 3
    synthesis_depth: int = 2
    deep_depth: int = 2
    filter_width: int = 32
    filter_depth: int = 1


@dataclass(frozen=True, kw_only=True)
class CameraRecipe(Recipe):
    """The camera denoiser.

    Attributes:
        crop: side of a crop, in pixels.
        stronger_share: share of the crops that are trained at a strength above 1.
        strength_max: largest strength that is trained.
        level_weight: weight of the noise estimator's loss against that of the picture.
        underestimation: weight of an estimate that is too low; one that is too high has the rest
            of 1.
        width: channels at 1/4 of the resolution.
        deep_width: channels at 1/8 of the resolution.
        depth: residual blocks at 1/4 of the resolution, before and after the deep part.
        deep_depth: residual blocks at 1/8 of the resolution.
        grids: how many grids of patches are denoised beside the first one, 0 to 3.
        slope: slope of the leaky ReLUs below zero; 0 makes them plain, which costs nothing in the
            8-bit variant. The noise estimator's are always plain.
        int8: simulate 8-bit weights and activations, as the exported variant has them: for a short
            fine-tuning of a trained denoiser, after which that variant loses less.
    """

    steps: int = 20_000
    batch: int = 16
    crop: int = 128
    learning_rate: float = 2e-3
    muon: bool = True
    stronger_share: float = 0.15
    strength_max: float = 3.0
    level_weight: float = 0.5
    underestimation: float = 0.7
    width: int = 48
    deep_width: int = 96
    depth: int = 1
    deep_depth: int = 2
    grids: int = 3
    slope: float = 0.1
    int8: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require("crop", self.crop % 8 == 0, "a multiple of 8")
        self._require("grids", 0 <= self.grids <= 3, "0 to 3")


@dataclass(frozen=True, kw_only=True)
class CameraFastRecipe(CameraRecipe):
    """The camera denoiser for larger frames, with less than half of the arithmetic."""

    width: int = 32
    deep_width: int = 64
    slope: float = 0.0


@dataclass(frozen=True, kw_only=True)
class CameraVideoRecipe(CameraFastRecipe):
    """The recurrent denoiser for video; start it with --from camera-fast.

    Attributes:
        frames: frames in a sequence.
        gradient_frames: frames through which gradients are propagated before the state is detached.
        cut_share: share of the sequences that have a cut to another scene.
        first_weight: weight of the first frame's loss against 1 for each of the others: it has no
            frame before it, as after a cut.
        state: channels of the features that are kept from frame to frame.
    """

    steps: int = 8_000
    batch: int = 4
    learning_rate: float = 1e-3
    frames: int = 8
    gradient_frames: int = 4
    cut_share: float = 0.15
    first_weight: float = 3.0
    state: int = 16
    slope: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require("frames", self.frames >= 2, "at least 2")
        for name in ("gradient_frames", "state"):
            self._require(name, getattr(self, name) >= 1, "at least 1")
        self._require("cut_share", 0 <= self.cut_share <= 1, "a share in [0, 1]")
        self._require("first_weight", self.first_weight > 0, "more than 0")


@dataclass(frozen=True, kw_only=True)
class AutoencoderRecipe(Recipe):
    """The common fields of all autoencoders.

    Attributes:
        data: folder of idx files, or of pictures of one size; empty takes the data set.
        dataset: mnist or fashion-mnist: taken from VENTURI_DATA or the cache, else downloaded.
        numbers: numbers in the code, 1 to 256.
        activity: weight of the penalty that makes the code sparse.
        noise: standard deviation of the Gaussian noise that is added to the input, which is then
            clipped to [0, 1].
        cost_weight: weight of the code's cost against the picture's cross-entropy, both in nats.
    """

    steps: int = 50 * _EPOCH
    batch: int = 256
    bfloat16: bool = False
    checkpoint_every: int = 10 * _EPOCH
    validate_every: int = 10 * _EPOCH
    dataset: str = "mnist"
    numbers: int = 32
    activity: float = 0.0
    noise: float = 0.0
    cost_weight: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require("numbers", 1 <= self.numbers <= MAX_TABLES, f"1 to {MAX_TABLES}")
        for name in ("activity", "noise", "cost_weight"):
            self._require(name, getattr(self, name) >= 0, "at least 0")


@dataclass(frozen=True, kw_only=True)
class MnistSimpleRecipe(AutoencoderRecipe):
    """An autoencoder of one layer each way, with ReLU on the code."""


@dataclass(frozen=True, kw_only=True)
class MnistSparseRecipe(MnistSimpleRecipe):
    """The simple autoencoder with more numbers, of which most are zero.

    128, since with 64 numbers the picture lost too much when half of them were zero.
    """

    numbers: int = 128
    activity: float = 6e-2


@dataclass(frozen=True, kw_only=True)
class MnistDeepRecipe(AutoencoderRecipe):
    """An autoencoder of three fully connected layers each way.

    Attributes:
        wide: width of the hidden layer next to the picture.
        narrow: width of the hidden layer next to the code.
    """

    steps: int = 150 * _EPOCH
    learning_rate: float = 2e-3
    wide: int = 128
    narrow: int = 64


@dataclass(frozen=True, kw_only=True)
class MnistBestRecipe(MnistDeepRecipe):
    """The deep autoencoder with wider layers: the best picture that 32 numbers give."""

    steps: int = 70 * _EPOCH
    learning_rate: float = 1e-3
    wide: int = 512
    narrow: int = 256


@dataclass(frozen=True, kw_only=True)
class MnistConvRecipe(AutoencoderRecipe):
    """A convolutional autoencoder, with dense layers around the code.

    Attributes:
        width: channels at half of the resolution; there are twice as many at a quarter.
        dense: width of the dense layers.
    """

    steps: int = 40 * _EPOCH
    learning_rate: float = 2e-3
    numbers: int = 128
    width: int = 16
    dense: int = 256


@dataclass(frozen=True, kw_only=True)
class MnistDenoiseRecipe(MnistConvRecipe):
    """The convolutional autoencoder, fed with noisy pictures and trained to return clean ones."""

    steps: int = 30 * _EPOCH
    noise: float = 0.5


@dataclass(frozen=True, kw_only=True)
class MnistVaeRecipe(MnistConvRecipe):
    """A variational autoencoder: the code is drawn from a posterior."""

    steps: int = 30 * _EPOCH
    numbers: int = 20
    cost_weight: float = 1.0
    dense: int = 400


@dataclass(frozen=True, kw_only=True)
class MnistBytesRecipe(MnistConvRecipe):
    """A convolutional autoencoder trained for rounding: few bytes at a given fidelity."""

    steps: int = 30 * _EPOCH
    numbers: int = 32
    cost_weight: float = 0.4


@dataclass(frozen=True, kw_only=True)
class MnistSeq2seqRecipe(AutoencoderRecipe):
    """A recurrent autoencoder, which reads and writes the rows of a picture as a sequence.

    Attributes:
        width: size of the recurrent states.
    """

    steps: int = 25 * _EPOCH
    learning_rate: float = 3e-3
    numbers: int = 64
    width: int = 128


RECIPES: Mapping[str, type[Recipe]] = {
    "photo": PhotoRecipe,
    "camera": CameraRecipe,
    "camera-fast": CameraFastRecipe,
    "camera-video": CameraVideoRecipe,
    "mnist-simple": MnistSimpleRecipe,
    "mnist-sparse": MnistSparseRecipe,
    "mnist-deep": MnistDeepRecipe,
    "mnist-conv": MnistConvRecipe,
    "mnist-seq2seq": MnistSeq2seqRecipe,
    "mnist-vae": MnistVaeRecipe,
    "mnist-denoise": MnistDenoiseRecipe,
    "mnist-best": MnistBestRecipe,
    "mnist-bytes": MnistBytesRecipe,
}
"""The recipes by the name that the command line takes."""


def of_kind(table: Mapping[type[Recipe], T], recipe: type[Recipe]) -> T:
    """Return a table's entry for the class of a recipe, or for its nearest base class."""
    return next(table[kind] for kind in recipe.__mro__ if kind in table)
