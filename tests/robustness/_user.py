"""Use mutated bundles: python -m tests.robustness._user FIRST END (run by the tests).

Prints one line for each: its number, whether it was accepted or refused, and what leaked if
anything did. Memory is limited, so that a graph that asks for too much ends this process alone.
"""

import json
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.bundles import AUTOENCODER, CODEC, DENOISER, replace_file
from tests.robustness.mutation import FileMutator
from tests.robustness.subjects import picture
from tests.robustness.tally import outcome
from venturi import Autoencoder, Codec, Denoiser, VenturiError

MEMORY = 4 << 30


def use_codec(folder: Path) -> None:
    codec = Codec(folder, threads=1)
    codec.decompress(codec.compress(picture(70, 130)))


def use_denoiser(folder: Path) -> None:
    Denoiser(folder, threads=1).denoise(picture(40, 50))


def use_autoencoder(folder: Path) -> None:
    model = Autoencoder(folder, threads=1)
    model.decompress(model.compress(picture(8, 8)[..., 0]))


USES: Mapping[Path, Callable[[Path], None]] = {
    CODEC: use_codec,
    DENOISER: use_denoiser,
    AUTOENCODER: use_autoencoder,
}


def attempt(number: int, folder: Path) -> tuple[int, str, str]:
    """Change one file of one bundle, and use it."""
    source = list(USES)[number % len(USES)]
    names = sorted(path.name for path in source.iterdir() if path.name != "manifest.json")
    name = names[number // len(USES) % len(names)]
    shutil.copytree(source, folder)
    replace_file(folder, name, FileMutator(number)((source / name).read_bytes()))
    caught = outcome(lambda: USES[source](folder))
    shutil.rmtree(folder)
    if caught is None:
        return number, "accepted", ""
    is_ours = isinstance(caught, VenturiError | MemoryError)
    return number, f"{source.name}/{name}", "" if is_ours else repr(caught)


def main(first: str, end: str) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    with tempfile.TemporaryDirectory() as folder:
        for number in range(int(first), int(end)):
            print(json.dumps(attempt(number, Path(folder) / "bundle")), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
