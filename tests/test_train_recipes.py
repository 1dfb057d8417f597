"""Recipes and the command line, the learning rate, the crops and the log."""

import argparse
import json
import math
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pytest
import torch

from export.__main__ import EXPORTERS
from tests.training import camera_recipe, photo_recipe, picture, pictures
from train import __main__ as command
from train.data.photographs import centre, crop, load_folder, split, step_generator
from train.engine.loop import Trainer, learning_rate
from train.engine.runlog import RunLog
from train.recipes import RECIPES, CameraFastRecipe, CameraRecipe, PhotoRecipe, Recipe, of_kind
from train.tasks.camera import CameraTask
from train.tasks.photo import PhotoTask

FIELDS = [(name, field) for name in ("photo", "camera") for field in RECIPES[name].names()]


def another(name: str, value: object) -> object:
    """Return a value that a field may have besides its default."""
    if name == "average":
        return 0.25
    if name == "grids":
        return 1
    if isinstance(value, bool):
        return not value
    return value + 8 if isinstance(value, int | float) else "else"


@pytest.mark.parametrize(("recipe", "field"), FIELDS)
def test_each_field_has_an_option(recipe: str, field: str) -> None:
    standard = RECIPES[recipe]()  # type: ignore[call-arg]
    expected = another(field, getattr(standard, field))
    option = field.replace("_", "-")
    given = [f"--{option}", str(expected)]
    if isinstance(expected, bool):
        given = [f"--{option}" if expected else f"--no-{option}"]
    arguments = vars(command.parser().parse_args([recipe, *given]))
    assert arguments[field] == expected
    assert type(arguments[field]) is type(getattr(standard, field))
    made = RECIPES[recipe](**{field: arguments[field]})
    changed = {name: (getattr(made, name), getattr(standard, name)) for name in made.names()}
    assert [name for name, (ours, default) in changed.items() if ours != default] == [field]


def test_a_field_that_is_not_named_is_left_to_the_recipe() -> None:
    arguments = vars(command.parser().parse_args(["camera"]))
    assert arguments.keys() == {"recipe", "run", "resume", "start"}


@pytest.mark.parametrize("name", RECIPES)
def test_the_help_describes_every_option(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = RECIPES[name]
    monkeypatch.setenv("COLUMNS", "10000")  # no line is broken in the middle of a word
    with pytest.raises(SystemExit, match="0"):
        command.main([name, "--help"])
    text = capsys.readouterr().out
    assert recipe.summary() in text
    assert recipe.names() == list(recipe.descriptions())
    for field in fields(recipe):
        description = recipe.descriptions()[field.name]
        assert len(description.split()) > 1
        assert f"{description} (default: {field.default!r})" in text


@pytest.mark.parametrize("name", RECIPES)
def test_no_option_is_without_a_description(name: str) -> None:
    for action in options_of(name):
        assert action.help, action.option_strings


def options_of(name: str) -> list[argparse.Action]:
    (recipes,) = (a.choices for a in command.parser()._actions if isinstance(a.choices, dict))
    return list(recipes[name]._actions)


def test_a_field_without_a_description_would_be_noticed() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Undescribed(CameraFastRecipe):
        """A recipe that says nothing of its field."""

        secret: int = 1

    assert [*Undescribed.descriptions(), "secret"] == Undescribed.names()


def test_a_class_is_named_after_its_recipe() -> None:
    for name, recipe in RECIPES.items():
        words = [part.capitalize() for part in name.split("-")]
        assert recipe.__name__ == "".join([*words, "Recipe"])


def test_every_recipe_has_a_task_and_an_exporter() -> None:
    for recipe in RECIPES.values():
        assert of_kind(command.TASKS, recipe).__name__.endswith("Task")
        assert of_kind(EXPORTERS, recipe).__name__.startswith("export_")


@pytest.mark.parametrize("name", RECIPES)
def test_epochs_are_for_autoencoders(name: str) -> None:
    named = {option for action in options_of(name) for option in action.option_strings}
    assert ("--epochs" in named) == name.startswith("mnist-")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"steps": 0}, "steps is 0; expected at least 1"),
        ({"batch": -1}, "batch is -1; expected at least 1"),
        ({"average": 1.0}, r"average is 1.0; expected a decay in \[0, 1\)"),
        ({"crop": 100}, "crop is 100; expected a multiple of 8"),
    ],
)
def test_recipes_refuse(values: dict[str, int | float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CameraRecipe(**values)  # type: ignore[arg-type]


def test_a_missing_folder_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["camera", "--data", str(tmp_path / "no"), "--run", str(tmp_path / "run")]
    assert command.main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("train: error: ")
    assert "holds no pictures" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("named", [None, ""])
def test_no_data_is_one_line_that_says_how_to_name_it(
    named: str | None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("VENTURI_DATA", raising=False)
    if named is not None:
        monkeypatch.setenv("VENTURI_DATA", named)
    assert command.main(["camera", "--run", str(tmp_path / "run")]) == 1
    error = capsys.readouterr().err
    assert "--data" in error and "VENTURI_DATA" in error
    assert error.count("\n") == 1


def test_learning_rate() -> None:
    recipe = PhotoRecipe(steps=1000, warmup=100, learning_rate=1e-2, final_learning_rate=1e-4)
    rates = [learning_rate(recipe, step) for step in range(1001)]
    assert rates[0] == pytest.approx(1e-4)
    assert rates[99] == rates[100] == pytest.approx(1e-2)
    assert rates[550] == pytest.approx((1e-2 + 1e-4) / 2)
    assert rates[1000] == pytest.approx(1e-4)
    assert rates[:100] == sorted(rates[:100])
    assert rates[100:] == sorted(rates[100:], reverse=True)


def test_learning_rate_without_warmup_and_in_the_shortest_run() -> None:
    recipe = PhotoRecipe(steps=1, warmup=0)
    assert learning_rate(recipe, 0) == recipe.learning_rate
    assert math.isfinite(learning_rate(PhotoRecipe(steps=3, warmup=3), 3))


def test_crops_are_a_function_of_step_and_rank() -> None:
    images = [picture(80, 90, seed) for seed in range(3)]
    for size in (32, 64, 80, 96):
        first, again = (crop(images, step_generator(1, 2, 3), size) for _ in range(2))
        assert first.shape == (size, size, 3)
        assert first.dtype == np.uint8
        assert first.flags.c_contiguous
        np.testing.assert_array_equal(first, again)
    others = [crop(images, step_generator(*key), 32) for key in ((1, 2, 3), (0, 2, 3), (1, 2, 4))]
    assert not any(np.array_equal(others[0], other) for other in others[1:])


def test_crops_show_the_picture_itself() -> None:
    image = picture(60, 60, 0)
    plain = crop([image], step_generator(0), 60, shrink_up_to=1.0, flip=False)
    np.testing.assert_array_equal(plain, image)
    mirrored = [crop([image], step_generator(i), 60, shrink_up_to=1.0) for i in range(12)]
    kinds = {np.array_equal(m, image) for m in mirrored}
    assert kinds == {True, False}
    assert all(np.array_equal(m, image) or np.array_equal(m[:, ::-1], image) for m in mirrored)


def test_centre() -> None:
    image = picture(60, 80, 0)
    np.testing.assert_array_equal(centre(image, 40), image[10:50, 20:60])
    assert centre(image, 100).shape == (100, 100, 3)


def test_split_keeps_pictures_apart() -> None:
    images = [np.full((1, 1, 3), i, np.uint8) for i in range(45)]
    train, held = split(images)
    assert [int(image[0, 0, 0]) for image in held] == [19, 39]
    assert len(train) == 43
    few_train, few_held = split(images[:3])
    assert [int(image[0, 0, 0]) for image in few_train] == [0, 1]
    assert [int(image[0, 0, 0]) for image in few_held] == [2]


@pytest.mark.parametrize("kind", ["photo", "camera"])
def test_batches_are_a_function_of_step_and_rank(picture_folder: Path, kind: str) -> None:
    data = picture_folder
    task: PhotoTask | CameraTask = PhotoTask(photo_recipe(data))
    if kind == "camera":
        task = CameraTask(camera_recipe(data))
    first = task.batch(5, 0, 2)
    torch.manual_seed(99)
    task.batch(4, 1, 2)
    again, later, beside = task.batch(5, 0, 2), task.batch(6, 0, 2), task.batch(5, 1, 2)
    picture_name = "image" if kind == "photo" else "frame"
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first[picture_name], later[picture_name])
    assert not torch.equal(first[picture_name], beside[picture_name])


def test_log_is_json_lines(picture_folder: Path, tmp_path: Path) -> None:
    recipe = camera_recipe(picture_folder, steps=6)
    run = tmp_path / "run"
    Trainer(CameraTask(recipe), run, "camera").train()
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [(line["kind"], line["step"]) for line in lines] == [
        ("validation", 4),
        ("train", 6),
        ("validation", 6),
    ]
    assert {"loss", "psnr_db", "level_error", "gradient_norm", "seconds"} <= lines[1].keys()
    assert {"psnr_25", "noisy_25", "psnr_clean"} <= lines[2].keys()
    assert all(math.isfinite(v) for line in lines for v in line.values() if v != line["kind"])
    assert list(run.glob("events.out.tfevents.*"))


def test_log_tells_the_time_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with RunLog(tmp_path, 0, 100) as log:
        for step in range(1, 101):
            log.step(step, {"loss": torch.tensor(0.5)})
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("step 50/100  loss 0.5  left 0:0")
    assert lines[1].endswith("left 0:00:00")


def test_a_quiet_log_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with RunLog(tmp_path / "run", 0, 1, quiet=True) as log:
        log.step(1, {"loss": torch.tensor(0.5)})
        log.validation(1, {"loss": 0.5})
    assert not (tmp_path / "run").exists()
    assert capsys.readouterr().err == ""


def test_a_folder_of_pictures(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "pictures")
    (folder / "notes.txt").write_text("not a picture")
    images = load_folder(folder)
    assert [image.shape for image in images] == [(100, 150, 3), (110, 135, 3), (120, 120, 3)]
    np.testing.assert_array_equal(images[0][..., ::-1], picture(100, 150, 0))
    (folder / "9.png").write_bytes(b"\x89PNG broken")
    with pytest.raises(ValueError, match=r"9\.png is not a picture"):
        load_folder(folder)


def test_names_of_fields() -> None:
    assert set(Recipe.names()) < set(PhotoRecipe.names())
