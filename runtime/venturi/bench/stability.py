"""Decide whether a run is reliable: its windows agree, and the machine was not busy."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

TOLERANCE = 0.10
WINDOWS = 3
WINDOW_SAMPLES = 11
"""The fewest samples whose median means something."""

STABLE, DRIFTING, BUSY, TOO_FEW = "stable", "drifting", "busy", "too few samples"

_BUSY_CPUS = 0.1
_STAT = Path("/proc/stat")
_USER_AND_MORE = (0, 1, 2, 5, 6, 7)  # user, nice, system, irq, softirq, steal


@dataclass(frozen=True)
class Work:
    """Processor time up to a moment, in s: of everything on the machine, and of this process."""

    wall: float
    machine: float
    own: float


def work() -> Work | None:
    """Return the work so far, or None where the system does not say."""
    try:
        fields = _STAT.read_text(encoding="ascii").splitlines()[0].split()[1:]
        busy = sum(int(fields[place]) for place in _USER_AND_MORE) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None
    return Work(time.monotonic(), busy, time.process_time())


def other_cpus(before: Work | None, after: Work | None) -> float | None:
    """Return how many processors other work kept busy between two moments."""
    if before is None or after is None or after.wall <= before.wall:
        return None
    others = (after.machine - before.machine) - (after.own - before.own)
    return round(max(0.0, others / (after.wall - before.wall)), 2)


def is_busy(others: float | None, load_average: float, *, threads: int, cpus: int) -> bool:
    """Return whether other work disturbs a run.

    Processors that the run leaves free may be half busy. If the system does not report other work,
    the load average before the run is used instead.

    Args:
        others: processors that other work kept busy, or None.
        load_average: of one minute, before anything was measured.
        threads: that the run uses.
        cpus: that there are.
    """
    spare = 0.5 * max(0, cpus - threads)
    if others is None:
        return load_average > 0.5 + spare
    return others > _BUSY_CPUS + spare


def verdict(samples_ms: Sequence[float], *, busy: bool) -> dict[str, Any]:
    """Return the verdict on a run, its last windows' medians and their spread.

    Args:
        samples_ms: in the order of time.
        busy: whether other work ran; such a run is never called stable.
    """
    size = max(WINDOW_SAMPLES, len(samples_ms) // 5)
    if len(samples_ms) < WINDOWS * size:
        return {"verdict": BUSY if busy else TOO_FEW, "windows_ms": [], "spread": None}
    ends = [len(samples_ms) - size * back for back in range(WINDOWS - 1, -1, -1)]
    medians = [median(samples_ms[end - size : end]) for end in ends]
    spread = max(medians) / max(min(medians), 1e-9) - 1
    calm = STABLE if spread <= TOLERANCE else DRIFTING
    return {
        "verdict": BUSY if busy else calm,
        "windows_ms": [round(value, 3) for value in medians],
        "spread": round(spread, 4),
    }
