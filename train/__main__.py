"""``python -m train RECIPE [--FIELD VALUE …]``: train a network in a run folder."""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from train.engine import checkpoint
from train.engine.loop import Trainer, read_recipe, write_recipe
from train.engine.task import Task
from train.recipes import CameraRecipe, FastCameraRecipe, PhotoRecipe, Recipe
from train.tasks.camera import CameraTask
from train.tasks.digits import FAMILY, FamilyTask
from train.tasks.photo import PhotoTask
from train.tasks.video import VideoRecipe, VideoTask

TASKS: dict[str, tuple[type[Recipe], Callable[[Any], Task]]] = {
    "photo": (PhotoRecipe, PhotoTask),
    "camera": (CameraRecipe, CameraTask),
    "camera-fast": (FastCameraRecipe, CameraTask),
    "camera-video": (VideoRecipe, VideoTask),
    **{name: (recipe, FamilyTask) for name, (recipe, _) in FAMILY.items()},
}


def parser() -> argparse.ArgumentParser:
    """Return the command line: one subcommand per recipe, one option per field.

    A field that is not named is absent from the result: what it means depends on ``--resume``.
    """
    top = argparse.ArgumentParser(prog="python -m train", description=__doc__)
    recipes = top.add_subparsers(dest="recipe", required=True)
    for name, (recipe, _) in TASKS.items():
        sub = recipes.add_parser(name, argument_default=argparse.SUPPRESS)
        sub.add_argument("--run", type=Path, default=Path("runs") / name, help="run folder")
        sub.add_argument(
            "--resume",
            action="store_true",
            default=False,
            help="go on from the last checkpoint with the run's recipe, but for options given here",
        )
        sub.add_argument(
            "--from",
            dest="start",
            default=None,
            help="checkpoint, run or shipped name to start from",
        )
        for field in fields(recipe):
            assert field.default is not MISSING, field.name
            kind = type(field.default)
            option = "--" + field.name.replace("_", "-")
            shown = f"default: {field.default!r}"
            if kind is bool:
                sub.add_argument(option, action=argparse.BooleanOptionalAction, help=shown)
            else:
                sub.add_argument(option, type=kind, help=shown)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Train; print the hash of the averaged weights at the end."""
    arguments = vars(parser().parse_args(argv))
    name, run = arguments.pop("recipe"), arguments.pop("run")
    resume, start = arguments.pop("resume"), arguments.pop("start")
    recipe_type, task_type = TASKS[name]
    try:
        saved = read_recipe(run, name, recipe_type) if resume else {}
        trainer = Trainer(task_type(recipe_type(**saved | arguments)), run, name)
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
