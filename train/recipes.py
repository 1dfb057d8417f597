"""Recipes: what is trained, on what, how long. Every field can be set on the command line."""

from dataclasses import dataclass, fields


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What every training shares.

    Attributes:
        data: folder of pictures; empty means the recipe's default in the data folder.
        steps: optimiser steps.
        batch: pictures or crops per step (over all processes).
        learning_rate: peak of the cosine, reached after ``warmup`` steps.
        final_learning_rate: where the cosine ends.
        warmup: steps of linear rise.
        muon: Muon for the weights of layers, Adam for the rest; else Adam for all.
        clip_norm: largest gradient norm.
        average: decay of the exponential moving average of the weights, which is what is exported.
        seed: of weights, crops and noise.
        threads: CPU threads.
        device: "auto" (CUDA when present), "cpu" or "cuda".
        bfloat16: autocast the pixel networks to bfloat16.
        compile: use torch.compile (worth it on a GPU; on a CPU it was slower when measured).
        checkpoint_every, validate_every: steps.
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
            value = getattr(self, name, 1)  # not every recipe has crops
            if value < 1:
                raise ValueError(f"{name} is {value}; expected at least 1")
        if not 0 <= self.average < 1:
            raise ValueError(f"average is {self.average}; expected a decay in [0, 1)")

    @classmethod
    def names(cls) -> list[str]:
        """Return the names of all fields."""
        return [field.name for field in fields(cls)]


@dataclass(frozen=True, kw_only=True)
class PhotoRecipe(Recipe):
    """The photo codec.

    Attributes:
        crop: side of a crop, pixels.
        lambda_min, lambda_max: weight of the squared error (on the 0–255 scale) against bits per
            pixel at quality 1 and quality 100; logarithmic between.
        balance: each crop's loss is divided by (lambda / middle lambda) to this power, so that high
            rates do not outshout low ones.
        evenness: each crop's loss is divided by itself to this power, so that difficult pictures do
            not outshout easy ones: 0 for bytes in all, 1 for the mean of percentages.
        width, deep_width, latent, hyper, analysis_depth, synthesis_depth, deep_depth, filter_width,
            filter_depth: of the networks (:class:`train.networks.codec.Sizes`).
    """

    steps: int = 100_000
    batch: int = 6
    learning_rate: float = 3e-3
    warmup: int = 200
    muon: bool = True
    crop: int = 192
    lambda_min: float = 0.0006
    lambda_max: float = 0.2
    balance: float = 0.35
    evenness: float = 0.5
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
        crop: side of a crop, pixels.
        stronger_share: share of the crops that are trained at a strength above 1.
        strength_max: the largest of those strengths.
        level_weight: of the noise estimator's loss against the picture's.
        underestimation: weight of too low an estimate, that of too high a one being the rest of 1.
        width, deep_width, depth, deep_depth, grids: sizes of the network.
        slope: of its leaky ReLU below zero, but for the estimator's, which is plain; 0 is a plain
            one, which costs nothing in 8 bits.
        int8: round weights and activations to 8 bits, as the exported variant does: for a short
            fine-tuning of a trained denoiser, which makes that variant lose less.
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
        if self.crop % 8:
            raise ValueError(f"crop is {self.crop}; expected a multiple of 8")
        if not 0 <= self.grids <= 3:
            raise ValueError(f"grids is {self.grids}; expected 0 to 3")


@dataclass(frozen=True, kw_only=True)
class FastCameraRecipe(CameraRecipe):
    """The camera denoiser for larger frames: under half of the arithmetic."""

    width: int = 32
    deep_width: int = 64
    slope: float = 0.0
