"""Which folder may import what; and that this test would notice."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HOUSE = {"venturi", "train", "export", "benchmarks", "examples"}

ARROWS = {
    "runtime/venturi": {"venturi"},
    "train": {"train", "venturi"},
    "export": {"export", "train", "venturi"},
    "benchmarks": {"benchmarks", "venturi", "train"},
    "examples": {"examples", "venturi"},
}

RUNTIME_PACKAGES = {"numpy", "onnxruntime"}
WHERE_FILES_ARE_TOUCHED = {
    "opencv.py": {"cv2"},
    "pillow.py": {"PIL", "simplejpeg"},
    "pyav.py": {"av"},
    "numcodecs.py": {"numcodecs"},
    "hook-venturi.py": {"PyInstaller"},
}


def imports(tree: ast.AST) -> Iterator[str]:
    """The top-level package of each import, wherever it stands."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (name.name.partition(".")[0] for name in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module.partition(".")[0]
            case ast.Call(
                func=ast.Name(id="import_module") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(module)), *_],
            ):
                yield module.partition(".")[0]


def wrong_arrows(folder: Path, allowed: set[str]) -> list[str]:
    """Each import of a folder of the house that ``allowed`` does not have."""
    return [
        f"{path.relative_to(folder)} imports {package}"
        for path in sorted(folder.rglob("*.py"))
        for package in imports(ast.parse(path.read_text(encoding="utf-8")))
        if package in HOUSE - allowed
    ]


def foreign(folder: Path) -> list[str]:
    """Each import of the runtime that a device would not have."""
    return [
        f"{path.relative_to(folder)} imports {package}"
        for path in sorted(folder.rglob("*.py"))
        for package in imports(ast.parse(path.read_text(encoding="utf-8")))
        if package not in sys.stdlib_module_names | HOUSE | RUNTIME_PACKAGES
        and package not in WHERE_FILES_ARE_TOUCHED.get(path.name, set())
    ]


def test_examples_use_what_is_public() -> None:
    for path in sorted((ROOT / "examples").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("venturi"):
                assert "._" not in str(node.module), path
                assert not any(name.name.startswith("_") for name in node.names), path


@pytest.mark.parametrize("folder", ARROWS)
def test_arrows_between_the_folders(folder: str) -> None:
    assert any((ROOT / folder).rglob("*.py"))
    assert wrong_arrows(ROOT / folder, ARROWS[folder]) == []


def test_training_takes_of_the_runtime_only_what_it_must_follow() -> None:
    """Format integers, motion estimation, the encoder's rounding, a manifest's list of pictures."""
    taken = {
        node.module
        for path in (ROOT / "train").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("venturi")
    }
    assert taken == {
        "venturi._bundle.manifest",
        "venturi._engine.motion",
        "venturi._entropy.latents",
        "venturi._layout",
    }


def test_runtime_needs_numpy_and_onnxruntime_alone() -> None:
    assert foreign(ROOT / "runtime" / "venturi") == []


@pytest.mark.parametrize(
    "line",
    [
        "import train",
        "import train.recipes as r",
        "from train import recipes",
        "def f():\n    from train.loop import run",
        "import importlib\nimportlib.import_module('train.engine.loop')",
    ],
)
def test_a_wrong_arrow_is_noticed(tmp_path: Path, line: str) -> None:
    (tmp_path / "module.py").write_text(line, encoding="utf-8")
    assert wrong_arrows(tmp_path, {"venturi"}) == ["module.py imports train"]
    assert wrong_arrows(tmp_path, {"train"}) == []


def test_a_foreign_package_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "codec.py").write_text("def f():\n    import cv2", encoding="utf-8")
    (tmp_path / "opencv.py").write_text("def f():\n    import cv2", encoding="utf-8")
    assert foreign(tmp_path) == ["codec.py imports cv2"]


RUNS_CODE = {"pickle", "marshal", "shelve", "runpy", "torch", "eval", "exec", "compile"}
RUNS_CODE |= {"__import__", "register_custom_ops_library"}


def running_code(tree: ast.AST) -> list[str]:
    """What would run code that came with a bundle or a stream: imports and calls by name."""
    called = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names = [f.id for f in called if isinstance(f, ast.Name)]
    names += [f.attr for f in called if isinstance(f, ast.Attribute) and f.attr != "compile"]
    return sorted({*names, *imports(tree)} & RUNS_CODE)


def test_the_runtime_runs_no_code_of_others() -> None:
    for path in sorted((ROOT / "runtime" / "venturi").rglob("*.py")):
        assert running_code(ast.parse(path.read_text(encoding="utf-8"))) == [], path


def test_code_that_runs_would_be_noticed() -> None:
    code = "import pickle\neval(x)\noptions.register_custom_ops_library(x)\nre.compile(x)"
    assert running_code(ast.parse(code)) == ["eval", "pickle", "register_custom_ops_library"]
