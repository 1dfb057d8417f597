"""What the tests of the training share: pictures, recipes that take milliseconds, and death."""

import signal
import struct
import sys
from dataclasses import fields
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.robustness.processes import start
from train.recipes import CameraRecipe, PhotoRecipe, Recipe

DEATH = """
import importlib, os, signal, sys
from train import __main__ as command

name, where, at = sys.argv[1], sys.argv[2], int(sys.argv[3])
task = getattr(importlib.import_module("train.tasks." + name), name.capitalize() + "Task")
batch, rename = task.batch, os.replace

def die_at(step):
    if step == at:
        os.kill(os.getpid(), signal.SIGKILL)

def replace(old, new):
    if new.suffix == ".pt":
        die_at(int(new.stem[5:]))
    rename(old, new)

if where == "batch":
    task.batch = lambda self, step, *rest: (die_at(step), batch(self, step, *rest))[1]
else:
    os.replace = replace
sys.exit(command.main([name, *sys.argv[4:]]))
"""


def picture(height: int, width: int, seed: int) -> NDArray[np.uint8]:
    """Return uint8 (height, width, 3): soft blobs, an edge, and some texture."""
    rng = np.random.default_rng(seed)
    image = cv2.resize(rng.uniform(0, 200, (6, 7, 3)), (width, height))
    image[:, width // 2 :] += 40
    noisy = image + rng.normal(0, 4, image.shape)
    return np.asarray(np.rint(np.clip(noisy, 0, 255)), np.uint8)


def pictures(folder: Path, count: int = 3) -> Path:
    """Write generated pictures of several sizes, and return their folder."""
    folder.mkdir(parents=True)
    for i in range(count):
        assert cv2.imwrite(str(folder / f"{i}.png"), picture(100 + 10 * i, 150 - 15 * i, i))
    return folder


def idx(array: NDArray[np.uint8]) -> bytes:
    """Return an array as a file of the MNIST format."""
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def write_digits(folder: Path, part: str, images: NDArray[np.uint8]) -> None:
    """Write pictures of a data set's part, "train" or "t10k", with labels 0 to 9 in turn."""
    labels = (np.arange(len(images)) % 10).astype(np.uint8)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{part}-images-idx3-ubyte").write_bytes(idx(images))
    (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx(labels))


def camera_recipe(data: Path, *, steps: int = 6, batch: int = 2) -> CameraRecipe:
    return CameraRecipe(
        data=str(data), steps=steps, batch=batch, crop=32, warmup=3, threads=1, device="cpu",
        checkpoint_every=2, validate_every=4, width=16, deep_width=16, deep_depth=1, seed=7,
    )  # fmt: skip


def photo_recipe(data: Path, *, steps: int = 6, batch: int = 2) -> PhotoRecipe:
    return PhotoRecipe(
        data=str(data), steps=steps, batch=batch, crop=64, warmup=3, threads=1, device="cpu",
        checkpoint_every=2, validate_every=4, width=16, deep_width=16, latent=16, hyper=16,
        analysis_depth=1, deep_depth=1, seed=7,
    )  # fmt: skip


def options(recipe: Recipe) -> list[str]:
    """Return a recipe as the options of ``python -m train``."""
    found = []
    for field in fields(recipe):
        value, name = getattr(recipe, field.name), field.name.replace("_", "-")
        if isinstance(value, bool):
            found.append(f"--{name}" if value else f"--no-{name}")
        else:
            found.append(f"--{name}={value}")
    return found


def killed(name: str, run: Path, where: str, at: int, *arguments: str) -> None:
    """Train in a process that is killed at a step, or just before a checkpoint gets its name."""
    command = [sys.executable, "-c", DEATH, name, where, str(at), "--run", str(run), *arguments]
    done = start(command)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
