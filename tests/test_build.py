"""The C kernel is built into the wheel where there is a compiler, and only there."""

import shutil
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).resolve().parents[1]
COMPILER = any(map(shutil.which, ("cc", "gcc", "clang")))


def wheel_names(folder: Path) -> tuple[str, list[str]]:
    (built,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    with zipfile.ZipFile(built) as archive:
        return Path(built).name, archive.namelist()


@pytest.mark.skipif(not COMPILER, reason="no C compiler on this machine")
def test_the_kernel_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VENTURI_PURE", raising=False)
    monkeypatch.delenv("CC", raising=False)
    wheel, names = wheel_names(tmp_path)
    assert "venturi/_entropy/_rans.so" in names
    assert "-py3-none-" in wheel
    assert not wheel.endswith("-any.whl")


@pytest.mark.parametrize(
    ("variable", "value"),
    [("VENTURI_PURE", "1"), ("CC", "no-such-compiler"), ("CC", "cc -include no-such-header.h")],
)
def test_without_a_compiler_the_wheel_is_pure(
    variable: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    wheel, names = wheel_names(tmp_path)
    assert wheel.endswith("-py3-none-any.whl")
    assert "venturi/_entropy/_rans.so" not in names
