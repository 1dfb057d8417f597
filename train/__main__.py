"""``python -m train RECIPE [--FIELD VALUE …]``: train a network in a run folder."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

from train.engine import checkpoint
from train.engine.loop import Trainer, read_recipe, write_recipe
from train.engine.task import Task
from train.recipes import (
    RECIPES,
    AutoencoderRecipe,
    CameraRecipe,
    CameraVideoRecipe,
    PhotoRecipe,
    Recipe,
    of_kind,
)
from train.tasks.camera import CameraTask
from train.tasks.digits import DigitsTask
from train.tasks.photo import PhotoTask
from train.tasks.video import VideoTask

TASKS: Mapping[type[Recipe], Callable[[Any], Task]] = {
    PhotoRecipe: PhotoTask,
    CameraRecipe: CameraTask,
    CameraVideoRecipe: VideoTask,
    AutoencoderRecipe: DigitsTask,
}
"""The task of each kind of recipe."""


def parser() -> argparse.ArgumentParser:
    """Return the command line: one subcommand per recipe, one option per field.

    A field that is not named is absent from the result: what it means depends on ``--resume``.
    """
    top = argparse.ArgumentParser(prog="python -m train", description=__doc__)
    recipes = top.add_subparsers(dest="recipe", required=True, metavar="RECIPE")
    for name, recipe in RECIPES.items():
        summary = recipe.summary()
        sub = recipes.add_parser(
            name, argument_default=argparse.SUPPRESS, help=summary, description=summary
        )
        _add_run(sub, Path("runs") / name)
        _add_fields(sub, recipe)
    return top


def _add_run(sub: argparse.ArgumentParser, run: Path) -> None:
    sub.add_argument("--run", type=Path, default=run, help=f"run folder (default: {run})")
    sub.add_argument(
        "--resume",
        action="store_true",
        default=False,
        help="continue from the run's last checkpoint with its recipe; options given here override "
        "that recipe",
    )
    sub.add_argument(
        "--from",
        dest="start",
        default=None,
        help="start from the weights of a checkpoint file, a run folder or a shipped checkpoint "
        "by name",
    )


def _add_fields(sub: argparse.ArgumentParser, recipe: type[Recipe]) -> None:
    descriptions = recipe.descriptions()
    length = sub.add_mutually_exclusive_group()
    if issubclass(recipe, AutoencoderRecipe):
        length.add_argument(
            "--epochs",
            type=float,
            help="train for as many passes over the training pictures instead of --steps: "
            "epochs x pictures / batch steps",
        )
    for field in fields(recipe):
        _add_field(length if field.name == "steps" else sub, field, descriptions[field.name])


def _add_field(target: argparse._ActionsContainer, field: Field[Any], description: str) -> None:
    assert field.default is not MISSING, field.name
    kind = type(field.default)
    shown = f"{description} (default: {field.default!r})".replace("%", "%%")
    option = "--" + field.name.replace("_", "-")
    if kind is bool:
        target.add_argument(option, action=argparse.BooleanOptionalAction, help=shown)
    else:
        target.add_argument(option, type=kind, help=shown)


def main(argv: Sequence[str] | None = None) -> int:
    """Train; print the hash of the averaged weights at the end."""
    arguments = vars(parser().parse_args(argv))
    name, run = arguments.pop("recipe"), arguments.pop("run")
    resume, start = arguments.pop("resume"), arguments.pop("start")
    epochs = arguments.pop("epochs", None)
    recipe_type = RECIPES[name]
    try:
        saved = read_recipe(run, name, recipe_type) if resume else {}
        task = of_kind(TASKS, recipe_type)(recipe_type(**saved | arguments))
        if isinstance(task, DigitsTask) and epochs is not None:
            task.train_for(epochs)
        trainer = Trainer(task, run, name)
        if resume:
            trainer.resume()
        elif any(run.glob("step-*.pt")):
            raise FileExistsError(f"{run} holds a run; expected --resume, or another --run folder")
        elif start is not None:
            trainer.start_from(checkpoint.find(start))
        write_recipe(run, name, trainer.task.recipe)
        print(f"weights {trainer.train()}")
    except (OSError, ValueError, RuntimeError) as error:
        print(f"train: error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
