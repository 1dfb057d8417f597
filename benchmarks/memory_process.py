"""One call of the codec in a process of its own, whose largest resident memory is its peak.

Reads a request as JSON from standard input and answers as JSON; :mod:`benchmarks.memory` asks.
Nothing is imported here that the call does not need: it would be counted.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from venturi import Codec
from venturi.bench.cold import peak_memory_mb

UNBOUNDED = 2**20
"""Of a core, in pixels: one window for any picture."""

_ROOT = Path(__file__).parents[1]
_MIB = 2**20 / 1e6


@dataclass(frozen=True)
class Request:
    """A call.

    call: ``open``, ``compress`` or ``decompress``. bundle: name or path. threads: for the graphs.
    read, write: files of pixels (.npy) and of bytes. region: to decompress; None for all.
    windowed: whether the graphs see windows, or the whole picture at once.
    """

    call: str
    bundle: str
    threads: int
    read: str = ""
    write: str = ""
    region: tuple[int, int, int, int] | None = None
    windowed: bool = True


@dataclass(frozen=True)
class Peak:
    """What a call took: memory in 10^6 bytes, of the process and of the picture's pixels alone."""

    peak_mb: float
    picture_mb: float
    seconds: float

    @property
    def beyond_mb(self) -> float:
        """The memory beyond the picture itself: all of Python, onnxruntime and the model."""
        return round(self.peak_mb - self.picture_mb, 1)


def start(request: Request) -> Peak:
    """Serve a request in a new process.

    Raises ValueError when it fails, with its last line.
    """
    path = os.pathsep.join((str(_ROOT / "runtime"), str(_ROOT)))
    done = subprocess.run(
        [sys.executable, "-m", __name__],
        input=json.dumps(asdict(request)),
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise ValueError(f"{request.call} in a process of its own: {lines[-1]:.300}")
    return Peak(**json.loads(done.stdout))


def serve(request: Request) -> Peak:
    """Do a call, and return what this process has taken at most until its end."""
    codec = Codec(request.bundle, threads=request.threads)
    if not request.windowed:
        codec._transform.encoder_tile = codec._transform.decoder_tile = UNBOUNDED
    picture_bytes = 0
    before = time.perf_counter()
    if request.call == "compress":
        image = np.load(request.read)
        before = time.perf_counter()
        data = codec.compress(image)
        seconds, peak_mb = time.perf_counter() - before, _peak_mb()
        Path(request.write).write_bytes(data)
        picture_bytes = image.nbytes
    elif request.call == "decompress":
        image = codec.decompress(Path(request.read).read_bytes(), region=request.region)
        seconds, peak_mb = time.perf_counter() - before, _peak_mb()
        np.save(request.write, image)
        picture_bytes = image.nbytes
    else:
        seconds, peak_mb = 0.0, _peak_mb()
    return Peak(peak_mb, round(picture_bytes / 1e6, 1), round(seconds, 2))


def _peak_mb() -> float:
    peak_mib = peak_memory_mb()
    if peak_mib is None:
        raise ValueError("this system does not tell a process's largest memory; measure on another")
    return round(peak_mib * _MIB, 1)


if __name__ == "__main__":
    request = json.load(sys.stdin)
    request["region"] = request["region"] and tuple(request["region"])
    sys.stdout.write(json.dumps(asdict(serve(Request(**request)))))
