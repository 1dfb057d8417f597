"""Checkpoints: written aside and renamed, the last two kept, hashed for comparison."""

import hashlib
import os
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

KEEP = 2
_NAME = re.compile(r"step-(\d+)\.pt")


def save(folder: Path, step: int, state: Mapping[str, Any]) -> Path:
    """Write ``folder/step-N.pt`` whole or not at all, then delete all but the last two."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"step-{step:07d}.pt"
    aside = path.with_suffix(".partial")
    with aside.open("wb") as file:
        torch.save(dict(state), file)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    for old in _checkpoints(folder)[:-KEEP]:
        old.unlink()
    return path


def latest(folder: Path) -> Path | None:
    """Return the newest checkpoint of a run, or None."""
    found = _checkpoints(folder)
    return found[-1] if found else None


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU; only tensors and plain values are accepted, no code runs."""
    whole = zipfile.is_zipfile(path)  # torch has a different error for each kind of junk
    state = torch.load(path, map_location="cpu", weights_only=True) if whole else None
    if not isinstance(state, dict) or "model" not in state:
        raise ValueError(f"{path} is no checkpoint of this project; expected one that train wrote")
    return state


def weights_hash(weights: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of named weights, to compare two runs bit by bit."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode())
        digest.update(weights[name].detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _checkpoints(folder: Path) -> list[Path]:
    return sorted(p for p in folder.glob("step-*.pt") if _NAME.fullmatch(p.name))
