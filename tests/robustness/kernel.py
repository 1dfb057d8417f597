"""The C kernel of the entropy coder on hostile payloads, under compilers' sanitizers."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.robustness.processes import ROOT, start
from tests.robustness.tally import Tally, row

SOURCE = ROOT / "runtime" / "venturi" / "_entropy" / "rans.c"
FLAGS = (
    "-std=c99", "-O1", "-g", "-shared", "-fPIC", "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
)  # fmt: skip


@row(
    "kernel",
    "mutated payloads and the C kernel, built with address and undefined-behaviour sanitizers",
    "the same symbols or the same error as from the NumPy kernel",
    short=300, full=50_000,
)  # fmt: skip
def compare(tally: Tally, count: int) -> None:
    """Decode mutated payloads with every kernel: the same symbols or the same error.

    Where there is a compiler with sanitizers, the C kernel is built with them, and a read or write
    beside a buffer, or arithmetic that C does not define, ends the process.
    """
    with tempfile.TemporaryDirectory() as folder:
        runtime = _build(Path(folder) / "_rans.so")
        command = [sys.executable, "-m", "tests.robustness._payloads", str(count)]
        if runtime is not None:
            command = [*_sanitized(runtime), *command, folder]
        tally.take(start(command, timeout_s=600 + count / 10))
    tally.figures["sanitized"] = int(runtime is not None)


def _build(library: Path) -> str | None:
    """Build the kernel with sanitizers; return their library, or None where they do not work."""
    compiler = shutil.which("gcc")
    if compiler is None:
        return None
    made = subprocess.run(
        [compiler, *FLAGS, "-o", str(library), str(SOURCE)], capture_output=True, check=False
    )
    named = subprocess.run(
        [compiler, "-print-file-name=libasan.so"], capture_output=True, text=True, check=False
    )
    runtime = named.stdout.strip()
    if made.returncode or not Path(runtime).is_file():
        return None
    tried = start([*_sanitized(runtime), sys.executable, "-c", ""])
    return None if tried.returncode else runtime


def _sanitized(runtime: str) -> tuple[str, ...]:
    """Return what runs a command with the sanitizers; the interpreter frees not all that it has."""
    return "env", f"LD_PRELOAD={runtime}", "ASAN_OPTIONS=detect_leaks=0"
