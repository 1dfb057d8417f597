"""``import venturi`` stays light; and this test would notice if it did not."""

import subprocess
import sys
from pathlib import Path

import pytest

RUNTIME = Path(__file__).parent.parent / "runtime"
HEAVY = ("torch", "onnx", "cv2", "onnxruntime", "scipy", "skimage", "PIL")


def loaded_by(statement: str) -> set[str]:
    """Which heavy packages a fresh interpreter has loaded after a statement."""
    script = f"import sys; {statement}; print(*(n for n in {HEAVY!r} if n in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(RUNTIME)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["venturi", "venturi.cli", "venturi.images"])
def test_importing_stays_light(module: str) -> None:
    assert loaded_by(f"import {module}") == set()


def test_a_heavy_import_is_noticed() -> None:
    assert "cv2" in loaded_by("import venturi, cv2")
