"""A run that is killed and resumed ends with the weights, bit by bit, of one that was not."""

import json
from dataclasses import fields
from pathlib import Path
from typing import BinaryIO

import pytest
import torch
from torch import Tensor, nn

from tests.training import camera_recipe, killed, options, photo_recipe
from train import __main__ as command
from train.engine import checkpoint
from train.engine.loop import Trainer, read_recipe, write_recipe
from train.recipes import CameraRecipe
from train.tasks.camera import CameraTask
from train.tasks.photo import PhotoTask

STEPS = 8


def steps_kept(run: Path) -> list[int]:
    return sorted(int(path.stem[5:]) for path in run.glob("step-*.pt"))


@pytest.mark.slow
def test_killed_twice_and_resumed(
    picture_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = camera_recipe(picture_folder, steps=STEPS)
    expected = Trainer(CameraTask(recipe), tmp_path / "whole", "camera").train()
    run = tmp_path / "killed"
    killed("camera", run, "batch", 3, *options(recipe))
    assert steps_kept(run) == [2]
    killed("camera", run, "save", 6, "--resume")
    assert steps_kept(run) == [2, 4]
    assert (run / "step-0000006.partial").exists()
    assert command.main(["camera", "--run", str(run), "--resume"]) == 0
    assert capsys.readouterr().out.split() == ["weights", expected]
    assert steps_kept(run) == [6, STEPS]
    assert not list(run.glob("*.partial"))
    for name in ("model", "average", "optimizer"):
        ours, theirs = (
            checkpoint.load(folder / f"step-{STEPS:07d}.pt")[name]
            for folder in (run, tmp_path / "whole")
        )
        assert equal(ours, theirs), name


def equal(a: object, b: object) -> bool:
    if isinstance(a, Tensor):
        return isinstance(b, Tensor) and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(equal(a[k], b[k]) for k in a)
    return a == b


def test_two_whole_runs_and_another_seed(picture_folder: Path, tmp_path: Path) -> None:
    recipe = camera_recipe(picture_folder, steps=3)
    first, again = (
        Trainer(CameraTask(recipe), tmp_path / name, "camera").train() for name in ("a", "b")
    )
    assert first == again
    other = CameraRecipe(**{f.name: getattr(recipe, f.name) for f in fields(recipe)} | {"seed": 8})
    assert Trainer(CameraTask(other), tmp_path / "c", "camera").train() != first


class Interrupted(Exception):
    pass


def test_the_codec_resumes_from_any_step(
    picture_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = PhotoTask(photo_recipe(picture_folder, steps=5))
    expected = Trainer(task, tmp_path / "whole", "photo").train()
    batch = task.batch
    pending = [1, 2, 4]

    def interrupting(step: int, rank: int, size: int) -> dict[str, Tensor]:
        if pending and step == pending[0]:
            pending.pop(0)
            raise Interrupted
        return batch(step, rank, size)

    monkeypatch.setattr(task, "batch", interrupting)
    while pending:
        trainer = Trainer(task, tmp_path / "run", "photo")
        trainer.resume()
        with pytest.raises(Interrupted):
            trainer.train()
        torch.rand(1)  # what else the process draws must not matter
    last = Trainer(task, tmp_path / "run", "photo")
    assert last.resume()
    assert last.step == 4
    assert last.train() == expected


def test_resume_keeps_the_recipe_but_for_options(
    picture_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    recipe = camera_recipe(picture_folder, steps=2)
    assert command.main(["camera", "--run", str(run), *options(recipe)]) == 0
    assert command.main(["camera", "--run", str(run), *options(recipe)]) == 1
    assert "holds a run; expected --resume" in capsys.readouterr().err
    assert command.main(["camera", "--run", str(run), "--resume", "--steps", "3"]) == 0
    assert steps_kept(run) == [2, 3]
    assert json.loads((run / "recipe.json").read_text())["steps"] == 3
    assert read_recipe(run, "camera", CameraRecipe)["width"] == recipe.width
    assert command.main(["photo", "--run", str(run), "--resume"]) == 1
    assert "not of recipe 'photo'" in capsys.readouterr().err


def test_resume_before_the_start_starts(picture_folder: Path, tmp_path: Path) -> None:
    recipe = camera_recipe(picture_folder, steps=1)
    assert command.main(["camera", "--run", str(tmp_path), "--resume", *options(recipe)]) == 0
    assert steps_kept(tmp_path) == [1]


def test_start_from_another_runs_weights(picture_folder: Path, tmp_path: Path) -> None:
    recipe = camera_recipe(picture_folder, steps=2)
    first = Trainer(CameraTask(recipe), tmp_path / "first", "camera")
    expected = first.train()
    second = Trainer(CameraTask(recipe), tmp_path / "second", "camera")
    second.start_from(tmp_path / "first" / "step-0000002.pt")
    assert checkpoint.weights_hash(second.model.state_dict()) == expected
    assert second.step == 0


def test_a_recipe_of_another_release_is_named(tmp_path: Path) -> None:
    write_recipe(tmp_path, "camera", CameraRecipe())
    values = json.loads((tmp_path / "recipe.json").read_text())
    (tmp_path / "recipe.json").write_text(json.dumps(values | {"colour": 1}))
    with pytest.raises(ValueError, match="has \\['colour'\\], unknown to recipe 'camera'"):
        read_recipe(tmp_path, "camera", CameraRecipe)


def test_a_failed_write_leaves_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint.save(tmp_path, 1, {"model": {}, "average": {}})

    def full(state: object, file: BinaryIO) -> None:
        file.write(b"half of a")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", full)
        with pytest.raises(OSError, match="No space"):
            checkpoint.save(tmp_path, 2, {"model": {}, "average": {}})
    newest = checkpoint.latest(tmp_path)
    assert newest == tmp_path / "step-0000001.pt"
    assert list(tmp_path.iterdir()) == [newest]
    assert checkpoint.load(newest) == {"model": {}, "average": {}}


def test_the_last_two_are_kept(tmp_path: Path) -> None:
    assert checkpoint.latest(tmp_path) is None
    for step in (5, 10, 1_000_000, 12_000_000):
        assert checkpoint.save(tmp_path, step, {"model": {}, "average": {}}).exists()
        assert checkpoint.latest(tmp_path) == tmp_path / f"step-{step:07d}.pt"
    assert steps_kept(tmp_path) == [1_000_000, 12_000_000]


@pytest.mark.parametrize("content", [b"", b"junk", b"PK\x03\x04junk", b"\x80\x02junk"])
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "step-0000001.pt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is not a checkpoint of this project"):
        checkpoint.load(path)


def test_a_checkpoint_runs_no_code(tmp_path: Path) -> None:
    path = tmp_path / "step-0000001.pt"
    torch.save({"model": CameraRecipe()}, path)
    with pytest.raises(Exception, match=r"[Ww]eights.only"):
        checkpoint.load(path)


def test_the_hash_is_of_names_and_bytes() -> None:
    weights = {"a": torch.zeros(2), "b": torch.ones(2)}
    same = {"b": torch.ones(2), "a": torch.zeros(2)}
    assert checkpoint.weights_hash(weights) == checkpoint.weights_hash(same)
    for other in (
        {"a": torch.ones(2), "b": torch.zeros(2)},
        {"a": torch.tensor([0.0, -0.0]), "b": torch.ones(2)},
        {"a": torch.zeros(2), "c": torch.ones(2)},
    ):
        assert checkpoint.weights_hash(weights) != checkpoint.weights_hash(other)


def test_weights_of_another_network_are_told_apart() -> None:
    one, other = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 2, bias=False)
    checkpoint.fill(one, nn.Conv2d(3, 4, 1).state_dict())
    with pytest.raises(ValueError, match=r"'weight' is \[4, 3, 2, 2\]; expected \[4, 3, 1, 1\]"):
        checkpoint.fill(one, other.state_dict())
    with pytest.raises(ValueError, match=r"'bias' is None; expected \[4\], as the recipe's"):
        checkpoint.fill(one, {"weight": one.weight})
    with pytest.raises(ValueError, match=r"'bias' is \[4\]; expected None.* train again"):
        checkpoint.fill(nn.Conv2d(3, 4, 1, bias=False), one.state_dict())
