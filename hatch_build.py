"""Builds the entropy coder's C kernel into the wheel where there is a compiler.

Without one, or with VENTURI_PURE=1, the wheel is pure and the coder runs in NumPy: the same bytes,
slower. The kernel uses no Python header, so one wheel serves every Python 3 of a platform.
"""

import os
import shlex
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import sys_tags

SOURCE = "runtime/venturi/_entropy/rans.c"
LIBRARY = "_rans.so"  # the same name everywhere: ctypes loads a path, not a suffix
FLAGS = ["-std=c99", "-O2", "-shared", "-fPIC"]
COMPILE_SECONDS = 60


class NativeKernelHook(BuildHookInterface[Any]):
    """Adds the library to the wheel, or to the source tree for an editable installation."""

    _folder: TemporaryDirectory[str] | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build before the files of the wheel are collected."""
        if self.target_name != "wheel" or os.environ.get("VENTURI_PURE") == "1":
            return
        self._folder = TemporaryDirectory()
        library = Path(self._folder.name) / LIBRARY
        problem = _compile(Path(self.root) / SOURCE, library)
        if problem:
            self.app.display_warning(f"no C kernel in this build, NumPy takes its place: {problem}")
            return
        if version == "editable":
            _put(library, Path(self.root, SOURCE).with_name(LIBRARY))
            return
        build_data["force_include"][str(library)] = f"venturi/_entropy/{LIBRARY}"
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{_platform()}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was built aside."""
        if self._folder is not None:
            self._folder.cleanup()


def _compile(source: Path, library: Path) -> str:
    """Build the library; say what went wrong, or nothing."""
    compiler = shlex.split(os.environ.get("CC", ""))
    default_compiler = next(filter(shutil.which, ("cc", "gcc", "clang")), None)
    if not compiler and default_compiler:
        compiler = [default_compiler]
    if not compiler:
        return "no compiler found (set CC to name one)"
    command = [*compiler, *FLAGS, "-o", str(library), str(source)]
    try:
        completed = subprocess.run(
            command, capture_output=True, text=True, timeout=COMPILE_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{shlex.join(command)}: {error}"
    return f"{shlex.join(command)}: {completed.stderr.strip()}" if completed.returncode else ""


def _put(library: Path, target: Path) -> None:
    """Copy by renaming: a process that has the old library loaded keeps it."""
    aside = target.with_suffix(f".{os.getpid()}.tmp")
    shutil.copyfile(library, aside)
    aside.replace(target)


def _platform() -> str:
    """The plain platform of this machine; manylinux promises more than a local build can keep."""
    platforms = (tag.platform for tag in sys_tags())
    return next(name for name in platforms if not name.startswith(("manylinux", "musllinux")))
