"""Trainings that are killed, and go on as if nothing had happened."""

import random
import sys
import tempfile
from functools import partial
from pathlib import Path

from tests.robustness.processes import start
from tests.robustness.tally import Tally, outcome, row


@row(
    "training",
    "a training killed (SIGKILL) at random steps",
    "the resumed run ends with the same hash",
    short=1, full=20,
)  # fmt: skip
def kill(tally: Tally, count: int) -> None:
    """Kill a training of each kind at random steps; half of them while a checkpoint is written."""
    with tempfile.TemporaryDirectory() as name:
        for kind, kills in (("photo", -(-count // 2)), ("camera", count // 2)):
            if kills:
                _kill_one(tally, Path(name) / kind, kind, kills)


def _kill_one(tally: Tally, folder: Path, kind: str, kills: int) -> None:
    # Here, so that the other rows need no torch.
    from tests.training import camera_recipe, killed, options, photo_recipe, pictures
    from train.engine import checkpoint

    make = {"photo": photo_recipe, "camera": camera_recipe}[kind]
    recipe = make(pictures(folder / "pictures"), steps=2 * kills + 4)
    chance = random.Random(kills)
    train = [sys.executable, "-m", "train", kind, "--run"]
    whole = start([*train, str(folder / "whole"), *options(recipe)])
    tally.same(f"{kind}: exit code", whole.returncode, 0)
    run = folder / "killed"
    for number, step in enumerate(sorted(chance.sample(range(1, recipe.steps), kills))):
        is_saved = step % recipe.checkpoint_every == 0
        where = "save" if is_saved and chance.random() < 0.8 else "batch"
        killed(kind, run, where, step, *(["--resume"] if number else options(recipe)))
        for path in run.glob("step-*.pt"):
            broken = outcome(partial(checkpoint.load, path))
            tally.holds(f"{kind}: killed in {where} {step}: {path.name}: {broken!r}", not broken)
        tally.figures[f"killed_in_{where}"] = 1 + tally.figures.get(f"killed_in_{where}", 0)
    resumed = start([*train, str(run), "--resume"])
    tally.same(f"{kind}: exit code after {kills} kills", resumed.returncode, 0)
    tally.same(f"{kind}: the hash of the weights", resumed.stdout, whole.stdout)
    tally.holds(f"{kind}: {whole.stdout!r} has no hash", b"weights" in whole.stdout)
    tally.same(f"{kind}: litter", [path.name for path in run.glob("*.partial")], [])
