"""What `import venturi` gives and what it must not load."""

import inspect
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import venturi

ROOT = Path(__file__).parent.parent
HEAVY = ("torch", "onnx", "cv2", "onnxruntime")


def test_the_public_list_is_complete() -> None:
    public = {
        name
        for name, value in vars(venturi).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert public | {"__version__"} == set(venturi.__all__)
    assert venturi.__all__ == sorted(venturi.__all__)


@pytest.mark.parametrize("name", [name for name in venturi.__all__ if name != "__version__"])
def test_everything_public_is_documented(name: str) -> None:
    thing = getattr(venturi, name)
    assert thing.__doc__, name
    methods = [(n, m) for n, m in vars(thing).items() if not n.startswith("_")]
    for method_name, method in methods:
        if callable(method) or isinstance(method, property | classmethod):
            assert method.__doc__, f"{name}.{method_name}"


def test_every_error_is_drawn_in_the_tree() -> None:
    base: type[Exception] = venturi.VenturiError
    errors = [base, *base.__subclasses__()]
    for error in errors:
        assert error.__name__ in str(sys.modules["venturi.errors"].__doc__)
        assert error.__name__ in venturi.__all__
    assert issubclass(venturi.InputError, ValueError)


def test_one_version_number() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" in project["project"]["dynamic"]
    path = project["tool"]["hatch"]["version"]["path"]
    assert f'__version__ = "{venturi.__version__}"' in (ROOT / path).read_text(encoding="utf-8")


def loaded_by(code: str) -> list[str]:
    """Run code in a fresh interpreter; return what it has loaded of HEAVY."""
    report = f"import sys; print(*(name for name in {HEAVY} if name in sys.modules))"
    command = [sys.executable, "-c", f"{code}\n{report}"]
    path = {"PYTHONPATH": str(ROOT / "runtime"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=path, check=True)
    return done.stdout.split()


def test_import_is_light() -> None:
    assert loaded_by("import venturi") == []


@pytest.mark.parametrize("heavy", HEAVY)
def test_the_test_of_light_import_can_fail(heavy: str) -> None:
    fake = f"import sys, types; sys.modules[{heavy!r}] = types.ModuleType({heavy!r})"
    assert loaded_by(f"{fake}; import venturi") == [heavy]


def test_a_codec_loads_onnxruntime_and_nothing_else_of_these() -> None:
    folder = ROOT / "tests" / "data" / "tiny_codec"
    assert loaded_by(f"import venturi; venturi.Codec({str(folder)!r})") == ["onnxruntime"]


def test_without_onnxruntime_the_two_commands_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r"venturi\[cpu\].*venturi\[gpu\]"):
        venturi.Denoiser(ROOT / "tests" / "data" / "tiny_denoiser")
