"""What the documents promise: examples run, and commands, options, recipes and files exist."""

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.__main__ import main as benchmarks
from export.__main__ import main as export
from tests.clips import write_clip
from train.__main__ import main as train
from venturi import Manifest, bundles, images
from venturi._bundle.load import locate
from venturi._cli.main import main as venturi

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", ROOT / "CHANGELOG.md"]
PAGES += sorted((ROOT / "docs").glob("*.md"))
PROGRAMS: dict[str, Callable[[list[str]], int]] = {
    "venturi": venturi,
    "train": train,
    "export": export,
    "benchmarks": benchmarks,
}
RUNS = "<!-- runs -->\n"
"""Stands before a block of commands that a test runs."""


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path, language: str, *, mark: str = "") -> list[str]:
    """The fenced blocks of a language that follow a mark."""
    return re.findall(rf"{mark}```{language}\n(.*?)```", text_of(page), re.DOTALL)


def commands(page: Path) -> list[list[str]]:
    """The words of each command that is ours: the program, its subcommand, its arguments."""
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    words = [shlex.split(line, comments=True) for line in lines]
    ours = [line[2:] if line[:2] == ["python", "-m"] else line for line in words]
    return [line for line in ours if line and line[0] in PROGRAMS]


def with_block(language: str, mark: str = "") -> list[Path]:
    """The pages to run; that on autoencoders needs trained ones and has a test of its own."""
    return [
        page
        for page in PAGES
        if blocks(page, language, mark=mark) and page.name != "autoencoders.md"
    ]


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.fixture
def photograph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to run examples in: ``photo.png``, ``video.mp4`` and ``pictures/photo.png``."""
    monkeypatch.chdir(tmp_path)
    rows, columns = np.mgrid[0:200, 0:260]
    waves = 128 + 60 * np.sin(rows / 17) + 60 * np.cos(columns / 23)
    pixels = np.stack([waves, waves[::-1], np.flip(waves, 1)], -1)
    images.write("photo.png", pixels.astype(np.uint8))
    write_clip(tmp_path / "video.mp4", 3)
    (tmp_path / "pictures").mkdir()
    shutil.copy("photo.png", "pictures")
    return tmp_path


@pytest.mark.parametrize("page", with_block("python"), ids=name)
def test_python_examples_run(
    page: Path, photograph: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The blocks of a page run in order and share their names."""
    names: dict[str, Any] = {}
    for example in blocks(page, "python"):
        exec(compile(example, page.name, "exec"), names)
    sizes = {np.shape(names[name]) for name in ("image", "restored", "clean") if name in names}
    assert sizes == {(200, 260, 3)}
    if "part" in names:
        assert np.shape(names["part"]) == (64, 96, 3)
        assert names["damaged"] == ()
    if "array" in names:
        assert np.shape(names["array"]) == (2, 200, 260, 3)


@pytest.mark.parametrize("page", with_block("sh", RUNS), ids=name)
def test_shell_examples_run(
    page: Path, photograph: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for block in blocks(page, "sh", mark=RUNS):
        for line in block.splitlines():
            program, *arguments = shlex.split(line, comments=True)
            assert program == "venturi"
            assert venturi(arguments) == 0, (line, capsys.readouterr().err)
    if (photograph / "small.vnt").exists():
        assert (photograph / "small.vnt").stat().st_size <= 20_000
        assert images.read("part.png").pixels.shape == (64, 96, 3)


def test_there_are_examples_to_run() -> None:
    assert {"README.md", "docs/python.md"} <= set(map(name, with_block("python")))
    expected = {"README.md", "docs/command-line.md", "docs/video.md"}
    assert expected <= set(map(name, with_block("sh", RUNS)))


def test_the_first_examples_are_short() -> None:
    (python,), (shell,) = blocks(README, "python"), blocks(README, "sh", mark=RUNS)
    imports_and_code = [line for line in python.splitlines() if line]
    assert len(imports_and_code) <= 6
    assert len(shell.splitlines()) == 5
    assert len(text_of(README).splitlines()) <= 130


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=name)
def test_commands_and_options_are_there(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every option stands in the help of its command."""
    for program, command, *arguments in commands(page):
        subcommand = [] if program == "export" else [command]
        with pytest.raises(SystemExit, match="0"):
            PROGRAMS[program]([*subcommand, "--help"])
        known = set(re.findall(r"--[a-z][\w-]*", capsys.readouterr().out))
        options = {word for word in arguments if word.startswith("--")}
        assert options <= known, (program, command, options - known)


def test_make_targets_are_there() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    text = "".join(map(text_of, PAGES))
    targets = set(re.findall(r"^make (\w+)|`make (\w+)", text, re.MULTILINE))
    names = {first or second for first, second in targets}
    assert {"demo", "test", "docs"} <= names
    for target in names:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"```.*?```", "", text_of(page), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", prose):
        if not target.startswith("https://"):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize(
    ("page", "start"), [("docs/models.md", ""), ("train/TRIALS.md", "## Versions")]
)
def test_the_versions_of_the_models_are_those_that_ship(page: str, start: str) -> None:
    """The first row of a table that names a model has its version."""
    table = text_of(ROOT / page).split(start)[-1] if start else text_of(ROOT / page)
    rows = re.findall(r"^\| `?([\w-]+)`? \| (\d+\.\d+\.\d+) \|", table, re.MULTILINE)
    stated = dict(reversed(rows))
    shipped = {name: Manifest.load(locate(name)).version for name in bundles()}
    assert stated == shipped


def test_contributing_is_under_a_page() -> None:
    assert len(text_of(ROOT / "CONTRIBUTING.md").split()) < 450
