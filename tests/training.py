"""What the tests of the training share: generated pictures and recipes that take milliseconds."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from train.recipes import CameraRecipe, PhotoRecipe


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
