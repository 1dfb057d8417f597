"""Describe the machine that is measured: processor, load, limits and versions."""

import math
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from venturi._entropy.kernels import default_kernel, kernels

Machine = dict[str, str | int | float | list[str] | list[float] | dict[str, str] | None]

# The ones that decide how fast a convolution is, fp32 and int8.
FLAGS = (
    "sse4_1", "avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512_vnni", "avx_vnni",
    "avx512_bf16", "amx_int8", "amx_bf16", "asimd", "asimddp", "i8mm", "bf16", "sve",
)  # fmt: skip
PACKAGES = ("numpy", "onnxruntime", "onnxruntime-gpu", "opencv-python-headless", "opencv-python")


def describe() -> Machine:
    """Return the machine, its limits and load, and the versions at work."""
    return {
        "cpu": _cpu_name(),
        "cpu_flags": _cpu_flags(),
        "cpus_usable": _allowed_cpus(),
        "cgroup_quota_cpus": _quota_cpus(),
        "governor": _first_line(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        "load_average": load_average(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": _versions(),
        "numpy_simd": _numpy_simd(),
        "entropy_coder": next(
            name for name, kernel in kernels().items() if kernel is default_kernel()
        ),
    }


def usable_cpus() -> int:
    """Return how many processors may be used at once, respecting a container's limit."""
    quota = _quota_cpus()
    allowed = _allowed_cpus()
    return allowed if quota is None else max(1, min(allowed, math.ceil(quota)))


def load_average() -> list[float]:
    """Return how much work wanted to run over 1, 5 and 15 minutes; zeros where it is unknown."""
    if not hasattr(os, "getloadavg"):
        return [0.0, 0.0, 0.0]
    return [round(load, 2) for load in os.getloadavg()]


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


def _allowed_cpus() -> int:
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
    versions = {}
    for package in ("venturi", *PACKAGES):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def _numpy_simd() -> str:
    config = np.show_config(mode="dicts")
    extensions = config.get("SIMD Extensions", {}) if isinstance(config, dict) else {}
    return ", ".join(extensions.get("found", []))
