"""Pictures from a folder, and noise that is the same in every run."""

import base64
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from venturi import images

Picture = NDArray[np.uint8]

SUFFIXES = {".png", ".bmp", ".tif", ".tiff", ".ppm"}
GAP = 4


def listed(folder: Path, *, limit: int | None = None) -> list[Path]:
    """Return the lossless pictures of a folder in order of name, the first `limit` of them.

    Raises ValueError when there are none.
    """
    paths = sorted(p for p in folder.glob("*") if p.suffix.lower() in SUFFIXES)
    if not paths:
        raise ValueError(
            f"{folder} holds no lossless picture ({', '.join(sorted(SUFFIXES))}): "
            "name a folder that does"
        )
    return paths[:limit]


def read(path: Path) -> Picture:
    """Return uint8 (H, W, 3) RGB; a grey file has three equal channels."""
    picture = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError(f"{path} is no picture that OpenCV reads")
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def write(path: Path, image: Picture) -> None:
    """Write a PNG, making its folder. image: uint8 (H, W, 3) RGB."""
    done, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    assert done
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.tobytes())


def data_uri(image: Picture) -> str:
    """Return a picture, uint8 (H, W, 3) RGB, as the text of an HTML page, without loss."""
    data = images.encode(np.ascontiguousarray(image), ".webp")
    return f"data:image/webp;base64,{base64.b64encode(data).decode('ascii')}"


def noisy(image: Picture, sigma: float, *, name: str) -> Picture:
    """Add Gaussian noise of a deviation in grey levels, clipped and rounded to uint8.

    name: of the picture; with sigma it is the seed, so that the order of pictures is no matter.
    """
    seed = [int(sigma * 1000), *name.encode()]
    noise = np.random.default_rng(seed).normal(0, sigma, image.shape)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def beside(images: Sequence[Picture]) -> Picture:
    """Return pictures of one height in a row, with a white gap between them."""
    white = np.full((images[0].shape[0], GAP, 3), 255, np.uint8)
    parts: list[Picture] = []
    for image in images:
        parts += [white, image]
    return np.concatenate(parts[1:], axis=1)


def apart(row: Picture, count: int) -> list[Picture]:
    """Return the pictures that `beside` has put in a row; all must have one width."""
    width = (row.shape[1] - GAP * (count - 1)) // count
    return [row[:, left : left + width] for left in range(0, row.shape[1], width + GAP)]
