"""What the figures were measured on: processor, load, limits and versions."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

Environment = dict[str, str | int | float | list[str] | list[float] | dict[str, str] | None]

# The ones that decide how fast a convolution is, fp32 and int8.
FLAGS = (
    "sse4_1", "avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512_vnni", "avx_vnni",
    "avx512_bf16", "amx_int8", "amx_bf16", "asimd", "asimddp", "i8mm", "bf16", "sve",
)  # fmt: skip
PACKAGES = ("numpy", "onnxruntime", "onnxruntime-gpu", "opencv-python-headless", "opencv-python")


def describe(*, threads: int) -> Environment:
    """Return the machine, its limits and load, and the versions at work.

    threads: how many the measured calls may use.
    """
    return {
        "measured_on": datetime.now(UTC).strftime("%Y-%m-%d"),
        "cpu": _cpu_name(),
        "cpu_flags": _cpu_flags(),
        "cpus_usable": _usable_cpus(),
        "cgroup_quota_cpus": _quota_cpus(),
        "governor": _first_line(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "threads": threads,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": _versions(),
        "numpy_simd": _numpy_simd(),
    }


def busy(environment: Environment) -> str | None:
    """Return a sentence when other work was running, since times do not count then."""
    load = environment["load_average"]
    assert isinstance(load, list)
    if float(load[0]) <= 0.5:
        return None
    return f"load average {load[0]} before the run: other work ran, so the times are upper bounds"


def _cpuinfo(*keys: str) -> str | None:
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return None
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name.strip() in keys:
            return value.strip()
    return None


def _cpu_name() -> str:
    return _cpuinfo("model name", "Model", "Hardware") or platform.processor() or "unknown"


def _cpu_flags() -> list[str]:
    present = set((_cpuinfo("flags", "Features") or "").split())
    return [flag for flag in FLAGS if flag in present]


def _usable_cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quota_cpus() -> float | None:
    """Return how many processors the container may use at once; None when it has no limit."""
    line = _first_line(Path("/sys/fs/cgroup/cpu.max"))
    if line is None or line.startswith("max"):
        return None
    quota, period = line.split()
    return round(int(quota) / int(period), 3)


def _first_line(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").splitlines()[0].strip()
    except (OSError, IndexError):
        return None


def _versions() -> dict[str, str]:
    found = {}
    for package in ("venturi", *PACKAGES):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _numpy_simd() -> str:
    config = np.show_config(mode="dicts")
    extensions = config.get("SIMD Extensions", {}) if isinstance(config, dict) else {}
    return ", ".join(extensions.get("found", []))
