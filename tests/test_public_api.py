"""What `import venturi` gives and what it must not load."""

import ast
import inspect
import subprocess
import sys
import tomllib
from collections.abc import Collection
from pathlib import Path

import pytest

import venturi
from venturi import images

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


def public_classes() -> list[type]:
    return [thing for thing in vars(venturi).values() if isinstance(thing, type)]


@pytest.mark.parametrize("name", [kind.__name__ for kind in public_classes()])
def test_everything_public_is_documented(name: str) -> None:
    thing = getattr(venturi, name)
    assert thing.__doc__, name
    methods = [(n, m) for n, m in vars(thing).items() if not n.startswith("_")]
    for method_name, method in methods:
        if callable(method) or isinstance(method, property | classmethod):
            assert method.__doc__, f"{name}.{method_name}"


def named_types(module: Path, names: Collection[str]) -> set[str]:
    """The names in the public signatures of some classes and functions of a module.

    Methods, properties and annotated attributes count, and what a class inherits from bases of the
    same module does not; names within strings are read as well.
    """
    tree = ast.parse(module.read_text(encoding="utf-8"))
    annotations: list[ast.expr | None] = []

    def take(node: ast.stmt) -> None:
        if isinstance(node, ast.FunctionDef) and (node.name == "__init__" or node.name[0] != "_"):
            arguments = node.args
            every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
            annotations.extend([node.returns, *(argument.annotation for argument in every)])
        elif isinstance(node, ast.AnnAssign) and ast.unparse(node.target)[0] != "_":
            annotations.append(node.annotation)
        elif isinstance(node, ast.ClassDef):
            for member in node.body:
                take(member)

    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in names:
            take(node)
    trees = [ast.parse(ast.unparse(a).strip("'"), mode="eval") for a in annotations if a]
    return {n.id for each in trees for n in ast.walk(each) if isinstance(n, ast.Name)}


def own_names(module: Path) -> set[str]:
    """The names that a module defines or takes from venturi: types of others are not ours."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    owned: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("venturi"):
            owned |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.ClassDef):
            owned.add(node.name)
        elif isinstance(node, ast.Assign):
            owned |= {ast.unparse(target) for target in node.targets}
    return owned


def private_types(module: Path, names: Collection[str], public: Collection[str]) -> set[str]:
    """The types of public signatures that nobody can import."""
    return (named_types(module, names) & own_names(module)) - {*public}


def test_types_of_public_signatures_can_be_imported() -> None:
    modules = {inspect.getmodule(kind) for kind in public_classes()}
    checked = set()
    for module in modules:
        assert module is not None
        names = {n for n, kind in vars(venturi).items() if inspect.getmodule(kind) is module}
        assert private_types(Path(str(module.__file__)), names, venturi.__all__) == set(), module
        checked |= names
    assert {"Codec", "Denoiser", "Manifest", "Observer"} <= checked
    functions = {
        n for n, f in vars(images).items() if getattr(f, "__module__", "") == images.__name__
    }
    public = {name for name in functions if name[0] != "_"}
    assert {"read", "write", "Picture"} <= public
    assert private_types(Path(images.__file__), public, [*venturi.__all__, *public]) == set()


def test_a_private_type_in_a_signature_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(
        "from venturi._engine.tiling import Box\n"
        "Region = tuple[int, int]\n"
        "class Codec:\n"
        "    side: 'Region'\n"
        "    def __init__(self, box: Box | None = None) -> None: ...\n"
        "    def _own(self, secret: Secret) -> None: ...\n"
        "class Secret:\n"
        "    at: Box\n",
        encoding="utf-8",
    )
    assert private_types(path, {"Codec"}, {"Codec"}) == {"Box", "Region"}
    assert private_types(path, {"Codec"}, {"Codec", "Box", "Region"}) == set()


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


def run(code: str) -> str:
    """Return what code prints in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT / "runtime")},
        check=True,
    )
    return done.stdout


def beyond_numpy(code: str) -> list[str]:
    """The packages of others that code loads and ``import numpy`` does not."""
    report = "import sys; before = {*sys.modules}; " + code
    report += "; print(*{name.partition('.')[0] for name in {*sys.modules} - before})"
    loaded = run("import numpy, numpy.typing; " + report).split()
    return sorted({*loaded} - {*sys.stdlib_module_names} - {"numpy", "venturi"})


def test_import_loads_nothing_but_numpy(tmp_path: Path) -> None:
    assert beyond_numpy("import venturi") == []
    assert beyond_numpy("import venturi, onnxruntime") != []


IMPORT_S = 0.060
"""What ``import venturi`` may take beyond numpy's own import on a machine that is not busy."""

BUSY = 3
"""How much longer it may take here: tests share their processors."""


def test_import_is_quick() -> None:
    code = (
        "import time, numpy; start = time.process_time(); import venturi; "
        "print(time.process_time() - start)"
    )
    run(code)  # compiles the modules, where nobody has done so yet
    assert min(float(run(code)) for _ in range(3)) < BUSY * IMPORT_S


def test_a_codec_loads_onnxruntime_and_nothing_else_of_these() -> None:
    folder = ROOT / "tests" / "data" / "tiny_codec"
    assert loaded_by(f"import venturi; venturi.Codec({str(folder)!r})") == ["onnxruntime"]


def test_without_onnxruntime_the_two_commands_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r"venturi\[cpu\].*venturi\[gpu\]"):
        venturi.Denoiser(ROOT / "tests" / "data" / "tiny_denoiser")
