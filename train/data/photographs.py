"""Photographs and random crops of them, indexed by step so that a resumed run gets the same."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
T = TypeVar("T")

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}


def data_folder() -> Path:
    """Return the folder of all data sets, which the environment variable ``VENTURI_DATA`` names.

    Raises:
        FileNotFoundError: it names none.
    """
    named = os.environ.get("VENTURI_DATA")
    if not named:
        raise FileNotFoundError(
            "there is no data to read; expected --data with a folder of pictures, or the "
            "environment variable VENTURI_DATA with the folder that holds the data sets"
        )
    return Path(named)


def listed(folder: Path) -> list[Path]:
    """Return the picture files of a folder, sorted by name.

    Raises:
        FileNotFoundError: there is no such folder, or no picture in it.
    """
    paths = sorted(p for p in folder.glob("*") if p.suffix.lower() in SUFFIXES)
    if not paths:
        raise FileNotFoundError(
            f"{folder} holds no pictures; expected a folder of "
            f"{', '.join(sorted(SUFFIXES))} files: set VENTURI_DATA or pass --data"
        )
    return paths


def load_folder(folder: Path) -> list[Image]:
    """Read the pictures of a folder, sorted by name, as uint8 (H, W, 3) RGB.

    Raises:
        FileNotFoundError: there is no such folder, or no picture in it.
        ValueError: a picture cannot be read.
    """
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(_read, listed(folder)))


def _read(path: Path) -> Image:
    image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise ValueError(f"{path} is not a picture that OpenCV reads; expected JPEG, PNG or WebP")
    return np.asarray(image, np.uint8)


def split(images: Sequence[T], every: int = 20) -> tuple[list[T], list[T]]:
    """Return (training, validation): each ``every``-th picture is kept for validation.

    A folder of fewer than ``every`` pictures gives its last one to validation.
    """
    held = set(range(every - 1, len(images), every)) or {len(images) - 1}
    train = [image for i, image in enumerate(images) if i not in held]
    return train or list(images), [images[i] for i in sorted(held)]


def step_generator(*key: int) -> np.random.Generator:
    """Return the random generator of one step, which depends on (seed, step, rank) alone."""
    return np.random.default_rng(key)


def crop(
    images: Sequence[Image],
    rng: np.random.Generator,
    size: int,
    *,
    shrink_up_to: float = 2.0,
    flip: bool = True,
) -> Image:
    """Return a random uint8 (size, size, 3) crop; half of them are of photographs scaled down."""
    image = images[int(rng.integers(len(images)))]
    height, width = image.shape[:2]
    limit = min(shrink_up_to, min(height, width) / size)
    factor = float(rng.uniform(1.0, limit)) if limit > 1.0 and rng.random() < 0.5 else 1.0
    side = min(round(size * factor), height, width)
    top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    part = image[top : top + side, left : left + side]
    if side != size:
        way = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
        part = np.asarray(cv2.resize(part, (size, size), interpolation=way), np.uint8)
    if flip and rng.random() < 0.5:
        part = part[:, ::-1]
    return np.ascontiguousarray(part)


def detail(image: Image) -> float:
    """Return how much detail a uint8 (H, W, 3) picture has: its mean absolute Laplacian."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return float(np.abs(cv2.Laplacian(grey, cv2.CV_32F)).mean())


def centre(image: Image, size: int) -> Image:
    """Return the uint8 (size, size, 3) centre of a picture, which is scaled up if it is smaller."""
    height, width = image.shape[:2]
    if min(height, width) < size:
        factor = size / min(height, width)
        image = np.asarray(
            cv2.resize(image, [max(size, round(side * factor)) for side in (width, height)]),
            np.uint8,
        )
        height, width = image.shape[:2]
    top, left = (height - size) // 2, (width - size) // 2
    return image[top : top + size, left : left + size]
