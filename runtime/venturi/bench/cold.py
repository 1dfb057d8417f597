"""Measure the first call in a new process: import, session, first run, and memory.

A process that has run before has its libraries loaded, its memory grown and its caches warm; only a
new one shows the cost of a start.
"""

import io
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from venturi.bench.subjects import Spec, opened
from venturi.errors import DeviceError

STARTS = 3
TIMEOUT_S = 600

_CHILD = """
import time
start = time.perf_counter()
import numpy, onnxruntime, venturi
import_ms = 1000 * (time.perf_counter() - start)
from venturi.bench import cold
cold.child(import_ms)
"""
_STATUS = Path("/proc/self/status")


class ColdStart(NamedTuple):
    """Median times of several starts in ms, and the largest resident memory in MB of any."""

    times_ms: dict[str, float]
    memory_mb: float | None


def cold_start(spec: Spec, call: str, value: Any) -> ColdStart:
    """Start processes that open a subject and do one call.

    Args:
        spec: of the subject.
        call: by name.
        value: its input.

    Raises:
        DeviceError: a new process failed, although this one did not.
    """
    message = _packed(spec, call, value)
    starts = [_started(message) for _ in range(STARTS)]
    names = ("import", "session", "first_run")
    times = {name: round(median(one[name] for one in starts), 3) for name in names}
    memory = [one["memory_mb"] for one in starts if one["memory_mb"] is not None]
    return ColdStart(times, max(memory) if memory else None)


def child(import_ms: float) -> None:
    """Be the new process: open the subject from standard input, call it, print JSON."""
    spec, call, value = _unpacked(sys.stdin.buffer.read())
    start = time.perf_counter()
    subject = opened(spec)
    opened_at = time.perf_counter()
    subject.run(call, value)
    end = time.perf_counter()
    measured = {
        "import": import_ms,
        "session": 1000 * (opened_at - start),
        "first_run": 1000 * (end - opened_at),
        "memory_mb": peak_memory_mb(),
    }
    sys.stdout.write(json.dumps(measured))


def _packed(spec: Spec, call: str, value: Any) -> bytes:
    """Return a call as an archive of arrays, which runs no code when it is read."""
    if isinstance(value, bytes):
        kind, arrays = "stream", [np.frombuffer(value, np.uint8)]
    elif isinstance(value, np.ndarray):
        kind, arrays = "array", [value]
    else:
        kind, arrays = "arrays", list(value)
    head = json.dumps({"spec": asdict(spec), "call": call, "kind": kind}).encode()
    file = io.BytesIO()
    np.savez(file, np.frombuffer(head, np.uint8), *arrays)
    return file.getvalue()


def _unpacked(message: bytes) -> tuple[Spec, str, Any]:
    """Return the call that :func:`_packed` packed."""
    with np.load(io.BytesIO(message), allow_pickle=False) as archive:
        first, *arrays = (archive[f"arr_{place}"] for place in range(len(archive.files)))
    head = json.loads(first.tobytes())
    value: Any = arrays if head["kind"] == "arrays" else arrays[0]
    return (
        Spec(**head["spec"]),
        head["call"],
        value.tobytes() if head["kind"] == "stream" else value,
    )


def peak_memory_mb() -> float | None:
    """Return the largest resident memory that this process has had, in MB; None if nobody knows.

    Linux counts the parent's memory in a child's getrusage, so its status file is asked first.
    """
    try:
        lines = _STATUS.read_text(encoding="ascii", errors="replace").splitlines()
        return round(next(int(li.split()[1]) for li in lines if li.startswith("VmHWM:")) / 1024, 1)
    except (OSError, StopIteration, ValueError):
        pass
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1024**2 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)


def _started(message: bytes) -> dict[str, Any]:
    try:
        done = subprocess.run(
            [sys.executable, "-c", _CHILD],
            input=message,
            capture_output=True,
            env=os.environ | {"PYTHONPATH": _search_path()},
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DeviceError(
            f"a new process for the cold start has not ended after {TIMEOUT_S} s; expected one "
            "call; make the size smaller or change the device"
        ) from error
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise DeviceError(
            f"a new process for the cold start exits with {done.returncode}: {lines[-1]:.300}; "
            "expected the same call to work there; free memory or change the device"
        )
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


def _search_path() -> str:
    """Return a PYTHONPATH on which the new process finds this very venturi."""
    package = find_spec("venturi")
    assert package is not None
    assert package.origin is not None
    home = str(Path(package.origin).parent.parent)
    return os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
