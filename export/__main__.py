"""``python -m export RUN``: write the bundle of a run's last checkpoint, proven against PyTorch."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from export.autoencoder import export_autoencoder
from export.codec import export_codec
from export.denoiser import export_denoiser
from export.parity import ParityError
from export.source import FIRST_VERSION, Source
from export.video import export_video
from train.recipes import (
    RECIPES,
    AutoencoderRecipe,
    CameraRecipe,
    CameraVideoRecipe,
    PhotoRecipe,
    Recipe,
    of_kind,
)
from venturi._bundle.manifest import Manifest
from venturi.errors import VenturiError

EXPORTERS: Mapping[type[Recipe], Callable[[Source], Manifest]] = {
    PhotoRecipe: export_codec,
    CameraRecipe: export_denoiser,
    CameraVideoRecipe: export_video,
    AutoencoderRecipe: export_autoencoder,
}
"""What exports each kind of recipe."""


def export(source: Source) -> Manifest:
    """Write the bundle of a checkpoint.

    Raises:
        ValueError: nothing exports such a checkpoint.
        ParityError: a file does not compute what the model computes; no bundle was written.
    """
    if source.task not in RECIPES:
        raise ValueError(f"recipe {source.task!r}; expected one of {sorted(RECIPES)}")
    exporter = of_kind(EXPORTERS, RECIPES[source.task])
    if source.still and exporter is not export_video:
        raise ValueError(
            f"recipe {source.task!r} keeps no state between frames; expected no --still for it"
        )
    return exporter(source)


def main(argv: Sequence[str] | None = None) -> int:
    """Export; print where the bundle is and what was measured."""
    parser = argparse.ArgumentParser(prog="python -m export", description=__doc__)
    parser.add_argument("run", help="run folder, checkpoint file, or a shipped one by name")
    parser.add_argument(
        "--out", type=Path, help="bundle folder (default: bundle in the run folder)"
    )
    parser.add_argument("--weights", type=Path, help="also write the weights, to fine-tune from")
    parser.add_argument("--name", help="the bundle's name (default: the recipe's)")
    parser.add_argument(
        "--no-int8",
        dest="int8",
        action="store_false",
        help="leave out the variant in 8 bits, for which a denoiser needs the photographs",
    )
    parser.add_argument(
        "--still",
        metavar="BUNDLE",
        help="of a denoiser with a memory: the bundle that cleans frames which have no past",
    )
    parser.add_argument("--version", default=FIRST_VERSION, help="of the model (default: 0.1.0)")
    parser.add_argument(
        "--parent",
        metavar="BUNDLE",
        help="the bundle whose weights the training began with, for the manifest",
    )
    arguments = parser.parse_args(argv)
    try:
        source = Source.read(
            arguments.run,
            arguments.out,
            arguments.name,
            int8=arguments.int8,
            still=arguments.still,
            version=arguments.version,
            parent=arguments.parent,
        )
        manifest = export(source)
        if arguments.weights:
            source.save_weights(arguments.weights)
    except (OSError, ValueError, ParityError, VenturiError) as error:
        print(f"export: error: {error}", file=sys.stderr)
        return 1
    print(f"{source.folder}: {manifest.task} {manifest.name} {manifest.fingerprint.hex()}")
    for name, value in manifest.measured.items():
        print(f"  {name} {value:.6g}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
