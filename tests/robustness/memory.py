"""What this process takes of the memory, in 10^6 bytes, as the system counts it.

On Linux from /proc, where the peak can be reset, so that a row is charged for what it takes itself
and not for what came before it. Elsewhere the peak of the whole process stands in for both.
"""

import contextlib
import resource
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")


def now_mb() -> float:
    """Return what is resident now."""
    return _status("VmRSS")


def peak_mb() -> float:
    """Return the most that was resident since ``reset_peak``."""
    return _status("VmHWM")


def reset_peak() -> float:
    """Forget the peak, where the system can; return what is resident now."""
    with contextlib.suppress(OSError):  # not there, or not allowed
        _RESET.write_text("5", encoding="ascii")
    return now_mb()


def _status(name: str) -> float:
    if _STATUS.exists():
        for line in _STATUS.read_text(encoding="utf-8").splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
