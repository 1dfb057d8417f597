"""docs/autoencoders.md: its commands and examples run, on small pictures and for two steps."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks import __main__ as benchmarks
from benchmarks import documents
from export import __main__ as export
from tests.training import write_digits
from train import __main__ as train
from train.data import digits
from train.recipes import RECIPES, AutoencoderRecipe

pytestmark = pytest.mark.filterwarnings("ignore:.*isinstance.treespec:FutureWarning")

(PAGE_PATH,) = documents.holding("mnist")
PAGE = PAGE_PATH.read_text(encoding="utf-8")
SIDE = 28
COUNT, TESTS = 60, 20
PROGRAMS: dict[str, Callable[[list[str]], int]] = {
    "train": train.main,
    "export": export.main,
    "benchmarks": benchmarks.main,
}
SHORT: dict[str, list[str]] = {
    "train": ["--steps", "2", "--batch", "8", "--threads", "1"],
    "benchmarks": ["--runs", "1", "--threads", "1"],
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def commands() -> list[list[str]]:
    """The words of each ``python -m`` command, in order, from the program's name on."""
    lines = [shlex.split(line, comments=True) for line in "".join(blocks("sh")).splitlines()]
    assert all(line[:2] == ["python", "-m"] for line in lines)
    return [line[2:] for line in lines]


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to run the page in: data sets, pictures of one's own, no results."""
    rng = np.random.default_rng(0)
    for name in digits.HASHES:
        for part, count in (("train", COUNT), ("t10k", TESTS)):
            images = rng.integers(0, 256, (count, SIDE, SIDE), np.uint8)
            write_digits(tmp_path / "data" / name, part, images)
    (tmp_path / "my-pictures").mkdir()
    for number in range(10):
        picture = rng.integers(0, 256, (16, 20, 3), np.uint8)
        cv2.imwrite(str(tmp_path / "my-pictures" / f"{number}.png"), picture)
    monkeypatch.setattr(digits, "_check_hash", lambda *_: None)
    monkeypatch.setenv("VENTURI_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_command_and_the_example_run(workplace: Path) -> None:
    for program, *arguments in commands():
        if "--help" in arguments:
            with pytest.raises(SystemExit, match="0"):
                PROGRAMS[program](arguments)
            continue
        is_short = arguments[0] == "report" or "--epochs" in arguments
        short = [] if is_short else SHORT.get(program, [])
        assert PROGRAMS[program]([*arguments, *short]) == 0, (program, arguments)
    (example,) = blocks("python")
    names: dict[str, object] = {}
    exec(compile(example, "autoencoders.md", "exec"), names)
    restored, again, code = names["restored"], names["again"], names["code"]
    assert isinstance(restored, np.ndarray) and restored.shape == (10, SIDE, SIDE)
    assert isinstance(again, np.ndarray) and again.shape == (SIDE, SIDE)
    assert isinstance(code, np.ndarray) and code.shape == (32,)
    deep = json.loads((workplace / "runs" / "deep-16" / "recipe.json").read_text(encoding="utf-8"))
    assert (deep["numbers"], deep["steps"]) == (16, 5)  # 20 epochs of 55 pictures, 256 in a step
    page = (workplace / "report.html").read_text(encoding="utf-8")
    assert "<td>mnist-simple</td><td>32</td>" in page
    assert (workplace / "results" / "mnist-figures" / "mnist" / "mnist-vae-generated.png").exists()


def test_the_table_names_every_recipe() -> None:
    named = re.findall(r"^\| `(mnist-\w+)` \|", PAGE, re.MULTILINE)
    family = {name: kind for name, kind in RECIPES.items() if issubclass(kind, AutoencoderRecipe)}
    assert named == list(family)
    for name, numbers in re.findall(r"^\| `(mnist-\w+)` \|.*?(\d+) numbers", PAGE, re.MULTILINE):
        assert family[name]().numbers == int(numbers), name
