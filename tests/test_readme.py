"""What the README promises: its examples run, its commands and files are there."""

import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from venturi import images
from venturi._cli.main import main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def blocks(language: str, *, marked: bool = False) -> list[str]:
    """The fenced blocks of a language; the marked ones follow a line ``<!-- runs -->``."""
    mark = r"<!-- runs -->\n" if marked else ""
    return re.findall(rf"{mark}```{language}\n(.*?)```", README, re.DOTALL)


def commands(pattern: str) -> set[str]:
    return set(re.findall(pattern, "".join(blocks("sh")) + README))


@pytest.fixture
def photograph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with ``photo.png`` to run examples in."""
    monkeypatch.chdir(tmp_path)
    rows, columns = np.mgrid[0:200, 0:260]
    waves = 128 + 60 * np.sin(rows / 17) + 60 * np.cos(columns / 23)
    pixels = np.stack([waves, waves[::-1], np.flip(waves, 1)], -1)
    images.write("photo.png", pixels.astype(np.uint8))
    return tmp_path


def test_python_examples_run(photograph: Path) -> None:
    (example,) = blocks("python")
    names: dict[str, object] = {}
    exec(compile(example, "README.md", "exec"), names)
    whole, part = names["restored"], names["part"]
    assert isinstance(whole, np.ndarray)
    assert isinstance(part, np.ndarray)
    assert whole.shape == (200, 260, 3)
    np.testing.assert_array_equal(part, whole[16:80, 32:128])


def test_shell_examples_run(photograph: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = blocks("sh", marked=True)
    lines = example.splitlines()
    assert len(lines) >= 5
    for line in lines:
        program, *arguments = shlex.split(line, comments=True)
        assert program == "venturi"
        assert main(arguments) == 0, (line, capsys.readouterr().err)
    assert (photograph / "small.vnt").stat().st_size <= 20_000
    assert images.read("part.png").pixels.shape == (64, 96, 3)


def test_make_targets_are_there() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = commands(r"make (demo|test|\w+ PHOTOS)")
    assert {"demo", "test"} <= targets
    for target in targets:
        assert re.search(rf"^{target.split()[0]}:", makefile, re.MULTILINE), target


def test_modules_are_there() -> None:
    modules = commands(r"python -m (\w+)")
    assert {"train", "export", "benchmarks"} <= modules
    assert all(find_spec(f"{module}.__main__") for module in modules)


@pytest.mark.parametrize("text", [README, CONTRIBUTING], ids=["README", "CONTRIBUTING"])
def test_links_lead_somewhere(text: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert (ROOT / target).exists(), target


def test_contributing_is_under_a_page() -> None:
    assert len(CONTRIBUTING.split()) < 450
