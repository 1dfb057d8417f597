"""How the rows start processes of their own."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]


def start(command: Sequence[str], timeout_s: float = 900.0) -> subprocess.CompletedProcess[bytes]:
    """Run a command in the repository, whose modules it may import; return it when it has ended."""
    path = os.pathsep.join((str(ROOT / "runtime"), str(ROOT)))
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, capture_output=True,
        timeout=timeout_s, check=False,
    )  # fmt: skip
