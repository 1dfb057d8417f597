"""The tasks that a bundle may be for: which files and parameters each of them has."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from venturi._layout import CHUNK, HYPER_STRIDE, LATENT_STRIDE, MEAN_SCALE

FP32 = "fp32"
"""The precision that every bundle has."""

STILL = "still"
"""A graph that a recurrent denoiser may have: it cleans the first frame, and after cuts."""

_ENTROPY = "entropy_first", "entropy_second", "entropy_third"


@dataclass(frozen=True)
class Task:
    """What a bundle of one task has.

    Attributes:
        roles: the files that it must have; a card is allowed in every bundle.
        optional: the files that it may have besides.
        variants: the files in another arithmetic that it may have besides, by precision and role:
            for each of these roles that it has, or for none. Symbols do not depend on it, since the
            graphs that choose their tables have no variant.
        decoder_roles: the files that a container needs to be read, in the order in which the
            fingerprint takes those that are there.
        parameters: those that it must have, with the values that this version of the runtime takes.
        recurrent: those that it has besides, all or none: with them it carries state from frame to
            frame.
        channels: of a picture.
        strides: the sides of pictures that the graphs take are multiples of one of these.
    """

    roles: frozenset[str]
    decoder_roles: tuple[str, ...]
    parameters: Mapping[str, range]
    channels: tuple[int, ...]
    strides: tuple[int, ...]
    optional: frozenset[str] = frozenset()
    variants: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    recurrent: Mapping[str, range] = field(default_factory=dict)

    def expected_files(self, files: frozenset[str]) -> frozenset[str]:
        """Return the files that a bundle with these files must have, variants included.

        A variant is expected in full as soon as it is there in full; a part of one is not expected.
        """
        exact = files & (self.roles | self.optional)
        variants = [
            {other for role, other in others.items() if role in exact}
            for others in self.variants.values()
        ]
        return self.roles | exact | set().union(*(each for each in variants if each <= files))

    @property
    def possible_files(self) -> frozenset[str]:
        """The files that a bundle may have besides ``roles``."""
        return self.optional.union(*(others.values() for others in self.variants.values()))


TASKS: Mapping[str, Task] = {
    "codec": Task(
        roles=frozenset({"encoder", *_ENTROPY, "decoder", "tables"}),
        decoder_roles=("decoder", *_ENTROPY, "tables"),
        variants={"int8": {"encoder": "encoder_int8", "decoder": "decoder_int8"}},
        parameters={
            "latent_channels": range(4, 4097),
            "latent_stride": range(LATENT_STRIDE, LATENT_STRIDE + 1),
            "hyper_channels": range(1, 4097),
            "hyper_stride": range(HYPER_STRIDE, HYPER_STRIDE + 1),
            "mean_scale": range(MEAN_SCALE, MEAN_SCALE + 1),
            "chunk": range(CHUNK, CHUNK + 1),
            "encoder_margin": range(0, 4097, HYPER_STRIDE),
            "decoder_margin": range(0, 4097, HYPER_STRIDE),
        },
        channels=(3,),
        strides=(HYPER_STRIDE,),
    ),
    "denoiser": Task(
        roles=frozenset({"denoiser"}),
        optional=frozenset({STILL}),
        decoder_roles=("denoiser", STILL),
        variants={"int8": {"denoiser": "denoiser_int8", STILL: "still_int8"}},
        parameters={"margin": range(4097)},
        recurrent={"state_channels": range(1, 1025), "state_stride": range(1, 65)},
        channels=(3,),
        strides=(1, 2, 4, 8, 16, 32, 64),
    ),
    "autoencoder": Task(
        roles=frozenset({"encoder", "decoder", "tables"}),
        decoder_roles=("decoder", "tables"),
        parameters={
            "height": range(1, 1025),
            "width": range(1, 1025),
            "code_numbers": range(1, 4097),
            "prior_deviation": range(65536),
        },
        channels=(1, 3),
        strides=(1,),
    ),
}
"""The tasks by the name that a manifest has for them."""
