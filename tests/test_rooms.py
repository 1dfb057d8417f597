"""Packages in rooms: each imports only from the floors below its own, and none in a circle."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = {
    "venturi": ROOT / "runtime" / "venturi",
    "train": ROOT / "train",
    "export": ROOT / "export",
}

FLOORS = {
    "venturi": (
        {"_layout", "_percentiles", "_version", "errors"},
        {"_bundle"},
        {"_engine"},
        {"_format", "_io"},
        {"_entropy"},
        {"autoencoder", "codec", "denoiser", "images", "probe"},
        {""},
        {"plugins"},
        {"video"},
        {"bench"},
        {"_cli"},
        {"__main__", "__pyinstaller"},
    ),
    "train": (
        {""},
        {"recipes"},
        {"data"},
        {"noise"},
        {"networks"},
        {"engine"},
        {"tasks"},
        {"__main__"},
    ),
}
"""Of each package, from the ground up; "" is what the package itself gives when imported."""


def modules(package: Path) -> dict[str, Path]:
    """The modules of a package by dotted name, relative to it; a folder's own is the folder."""
    paths = sorted(package.rglob("*.py"))
    return {".".join(path.relative_to(package).with_suffix("").parts): path for path in paths} | {
        ".".join(path.parent.relative_to(package).parts): path
        for path in paths
        if path.name == "__init__.py"
    }


def imported(path: Path, known: dict[str, Path], package: str) -> Iterator[str]:
    """Yield which modules of its own package a file imports, wherever the import stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            # "from package import x" takes the module x where there is one
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            if name.partition(".")[0] == package:
                inner = name.partition(".")[2]
                yield inner if inner in known else inner.rpartition(".")[0]


def graph(package: Path) -> dict[str, set[str]]:
    """What each module of a package imports of it; ``x.__init__`` counts as ``x``."""
    known = modules(package)
    plain = {name: path for name, path in known.items() if not name.endswith("__init__")}
    return {name: set(imported(path, plain, package.name)) - {name} for name, path in plain.items()}


def climbing(arrows: dict[str, set[str]], floors: tuple[set[str], ...]) -> list[str]:
    """The imports that do not go down, and the rooms that have no floor."""
    floor = {room: number for number, rooms in enumerate(floors) for room in rooms}
    room = {name: name.partition(".")[0] for name in arrows}
    homeless = [f"{name} has no floor" for name in arrows if room[name] not in floor]
    return homeless + [
        f"{name} imports {other}"
        for name, others in arrows.items()
        for other in sorted(others)
        if room[name] in floor
        and room[name] != room[other]
        and floor[room[other]] >= floor[room[name]]
    ]


def circle(arrows: dict[str, set[str]]) -> list[str]:
    """The modules of a circle of imports, or nothing."""
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        return [*error.args[1]]
    return []


@pytest.mark.parametrize("package", FLOORS)
def test_imports_go_down(package: str) -> None:
    arrows = graph(PACKAGES[package])
    assert len(arrows) > 20
    assert climbing(arrows, FLOORS[package]) == []


@pytest.mark.parametrize("package", FLOORS)
def test_every_floor_is_lived_on(package: str) -> None:
    rooms = {name.partition(".")[0] for name in graph(PACKAGES[package])} - {"models"}
    assert rooms == set().union(*FLOORS[package])


@pytest.mark.parametrize("package", PACKAGES)
def test_no_imports_go_in_a_circle(package: str) -> None:
    assert circle(graph(PACKAGES[package])) == []


def house(folder: Path, **files: str) -> Path:
    package = folder / "house"
    for name, text in {"__init__": "", **files}.items():
        path = package / (name.replace("__", "/") if name != "__init__" else name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".py").write_text(text, encoding="utf-8")
    return package


@pytest.mark.parametrize(
    "line",
    [
        "from house.upper.room import f",
        "from house.upper import room",
        "import house.upper.room",
        "def f():\n    from house.upper.room import g",
    ],
)
def test_a_climb_is_noticed(tmp_path: Path, line: str) -> None:
    arrows = graph(house(tmp_path, lower__room=line, upper__room=""))
    assert arrows["lower.room"] == {"upper.room"}
    floors = {"lower"}, {"upper"}, {""}
    assert climbing(arrows, floors) == ["lower.room imports upper.room"]
    assert climbing(arrows, floors[::-1]) == []
    assert climbing(arrows, ({""}, {"upper"})) == ["lower.room has no floor"]


def test_a_circle_is_noticed(tmp_path: Path) -> None:
    first, second = "from house.lower.b import f", "from house.lower import a"
    arrows = graph(house(tmp_path, lower__a=first, lower__b=second))
    assert set(circle(arrows)) == {"lower.a", "lower.b"}
