"""Decode mutated payloads with every kernel: python -m tests.robustness._payloads COUNT [FOLDER].

Run by the tests, with the folder of a C kernel to take instead of the installed one. Prints what
was tried and what was lost.
"""

import sys
from pathlib import Path

from tests.entropy_samples import GAUSSIANS, TINY, gaussian_segments
from tests.robustness.mutation import StreamMutator
from tests.robustness.subjects import forged
from tests.robustness.tally import Tally
from venturi import StreamError
from venturi._entropy import native_kernel
from venturi._entropy.kernels import Kernel
from venturi._entropy.kernels import kernels as installed
from venturi._entropy.payload import Decoder, Segment, encode
from venturi._format.tables import Tables

Outcome = list[list[int]] | str


def decoded(payload: bytes, like: list[Segment], tables: Tables, kernel: Kernel) -> Outcome:
    """Return the symbols, or what the error says."""
    try:
        decoder = Decoder(payload, tables, kernel=kernel)
        found = [decoder.decode(index).tolist() for _, index in like]
        decoder.finish()
    except StreamError as error:
        return str(error)
    return found


def compare(tally: Tally, kernels: list[Kernel], count: int) -> None:
    """Mutate payloads of few and many lanes, with and without escapes."""
    subjects: list[tuple[Tables, list[Segment]]] = [
        (GAUSSIANS, gaussian_segments([30, 200, 190], seed=1, middle=9)),
        (GAUSSIANS, gaussian_segments([300, 3000, 2900], seed=2, middle=9)),
        (TINY, [(s * (i % 3 > 0), i % 3) for s, i in gaussian_segments([40, 90], seed=3)]),
    ]
    good = [
        (tables, segments, encode(segments, tables, lanes=lanes, kernel=kernels[-1]))
        for tables, segments in subjects
        for lanes in (None, 4, 64)
    ]
    streams = [forged((12800, 64, 64, len(p)), [p], fingerprint=bytes(8)) for *_, p in good]
    mutator = StreamMutator(streams, seed=count)
    for number in range(count):
        tables, segments, payload = good[number % len(good)]
        changed = mutator.payload(payload)
        one, *others = (decoded(changed, segments, tables, kernel) for kernel in kernels)
        tally.figures["accepted"] = tally.figures.get("accepted", 0) + isinstance(one, list)
        tally.holds(f"{changed.hex():.400}: kernels differ", all(o == one for o in others))


def main(count: str, folder: str = "") -> None:
    kernels = [*installed().values()]
    if folder:
        native_kernel.__file__ = str(Path(folder) / "native_kernel.py")
        library = native_kernel.load()
        assert library is not None
        kernels = [installed()["numpy"], native_kernel.NativeKernel(library)]
    tally = Tally()
    compare(tally, kernels, int(count))
    print(tally.to_json())


if __name__ == "__main__":
    main(*sys.argv[1:])
