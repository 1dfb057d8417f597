"""Checkpoints: written aside and renamed, the last two kept, hashed for comparison."""

import hashlib
import os
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

KEEP = 2

SHIPPED = Path(__file__).parents[1] / "checkpoints"
"""Weights of the shipped bundles, to start from: NAME.pt."""

_NAME = re.compile(r"step-(\d+)\.pt")


def save(folder: Path, step: int, state: Mapping[str, Any]) -> Path:
    """Write ``folder/step-N.pt`` atomically, then delete all but the last two."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"step-{step:07d}.pt"
    _write(path, state)
    for old in _checkpoints(folder)[:-KEEP]:
        old.unlink()
    return path


def latest(folder: Path) -> Path | None:
    """Return the newest checkpoint of a run, or None."""
    checkpoints = _checkpoints(folder)
    return checkpoints[-1] if checkpoints else None


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU; only tensors and plain values are accepted, no code runs."""
    is_zip = zipfile.is_zipfile(path)  # torch has a different error for each kind of junk
    state = torch.load(path, map_location="cpu", weights_only=True) if is_zip else None
    if not isinstance(state, dict) or "average" not in state:
        raise ValueError(
            f"{path} is not a checkpoint of this project; expected one that train wrote"
        )
    return state


def fill(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Load the weights of a checkpoint into a network.

    Raises:
        ValueError: they belong to another network.
    """
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        own, theirs = (
            {name: list(value.shape) for name, value in state.items()}
            for state in (network.state_dict(), weights)
        )
        name = next(name for name in own | theirs if own.get(name) != theirs.get(name))
        raise ValueError(
            f"the checkpoint's {name!r} is {theirs.get(name)}; expected {own.get(name)}, as the "
            "recipe's network has it in this release; use the options and the release that it was "
            "trained with, or train again"
        ) from error


def find(start: str) -> Path:
    """Return the path of a checkpoint.

    Args:
        start: name of a shipped one, such as ``photo``, a checkpoint file or a run folder.

    Raises:
        FileNotFoundError: there is none.
    """
    shipped = SHIPPED / f"{start}.pt"
    path = Path(start)
    chosen = shipped if shipped.is_file() else latest(path) if path.is_dir() else path
    if chosen is None or not chosen.is_file():
        names = ", ".join(sorted(p.stem for p in SHIPPED.glob("*.pt"))) or "none"
        raise FileNotFoundError(
            f"no checkpoint {start!r}; expected a shipped one ({names}), a checkpoint file or a "
            "run folder"
        )
    return chosen


def save_weights(
    path: Path, task: str, step: int, recipe: Mapping[str, Any], average: Mapping[str, Tensor]
) -> None:
    """Write averaged weights, recipe and number of steps, for fine-tuning and export."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, {"task": task, "step": step, "recipe": recipe, "average": average})


def _write(path: Path, state: Mapping[str, Any]) -> None:
    aside = path.with_suffix(".partial")
    try:
        with aside.open("wb") as file:
            torch.save(dict(state), file)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)  # half a checkpoint takes the room that the next one needs
        raise


def weights_hash(weights: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of named weights, to compare two runs bit by bit."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode())
        digest.update(weights[name].detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _checkpoints(folder: Path) -> list[Path]:
    return sorted(p for p in folder.glob("step-*.pt") if _NAME.fullmatch(p.name))
