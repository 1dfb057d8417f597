"""What is put on a device: venturi, all of it, and nothing else."""

import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "runtime" / "venturi"
LARGEST_MB = 14


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    (built,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    return Path(built)


def test_wheel_is_small(wheel: Path) -> None:
    assert wheel.stat().st_size < LARGEST_MB * 1_000_000


def test_wheel_holds_venturi_alone(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = next(name for name in names if name.endswith(".dist-info/METADATA"))
        text = archive.read(metadata).decode("utf-8")
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"venturi"}
    required = [line for line in text.splitlines() if line.startswith("Requires-Dist:")]
    assert [line for line in required if "extra ==" not in line] == ["Requires-Dist: numpy>=1.26"]


def test_wheel_holds_all_of_venturi(wheel: Path) -> None:
    expected = {
        f"venturi/{path.relative_to(PACKAGE).as_posix()}"
        for path in PACKAGE.rglob("*")
        if path.is_file()
        and path.suffix in (".py", ".typed", ".onnx", ".json", ".bin", ".png", ".md")
    }
    with zipfile.ZipFile(wheel) as archive:
        assert expected <= set(archive.namelist())
        assert "venturi/py.typed" in expected
