"""OpenCV's classic denoisers, each with the settings that suit the noise best.

Unlike Venturi, which is blind, they know the noise: their settings were chosen for the highest PSNR
on crops of the test sets themselves. So they are shown at their best.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Filter = Callable[[Picture], Picture]

CAMERA = "camera"
SIGMAS = (15, 25, 50)
FUNCTIONS: Mapping[str, str] = {
    "nlmeans": "fastNlMeansDenoising",
    "bilateral": "bilateralFilter",
    "median": "medianBlur",
}
"""The function of OpenCV behind each; a build without its photo module lacks the first."""


LABELS: Mapping[str, str] = {
    "nlmeans": "OpenCV non-local means",
    "bilateral": "OpenCV bilateral",
    "median": "OpenCV median",
}


@dataclass(frozen=True)
class Settings:
    """The best settings for one noise.

    strength: `h` of non-local means. template: the side of its patches, in pixels (it searches
    15x15). range_sigma, space_sigma: of the bilateral filter (9x9). median: side of its window.
    """

    strength: float
    template: int
    range_sigma: float
    space_sigma: float
    median: int


BEST: Mapping[str, Settings] = {
    "15": Settings(15, 3, 60, 2, 3),
    "25": Settings(25, 3, 100, 2, 3),
    "50": Settings(45, 3, 200, 3, 5),
    CAMERA: Settings(8, 5, 30, 3, 3),
}


def filters(noise: str) -> dict[str, Filter]:
    """Return the denoisers that are present by name, set for a noise: "15", "25", "50", "camera".

    Each takes and returns uint8 (H, W, 3).
    """
    best = BEST[noise]

    def nlmeans(image: Picture) -> Picture:
        clean = cv2.fastNlMeansDenoising(image, None, best.strength, best.template, 15)
        return np.asarray(clean, np.uint8)

    def bilateral(image: Picture) -> Picture:
        clean = cv2.bilateralFilter(image, 9, best.range_sigma, best.space_sigma)
        return np.asarray(clean, np.uint8)

    def median(image: Picture) -> Picture:
        return np.asarray(cv2.medianBlur(image, best.median), np.uint8)

    every = {"nlmeans": nlmeans, "bilateral": bilateral, "median": median}
    return {name: method for name, method in every.items() if present(name)}


def present(name: str) -> bool:
    """Tell whether this build of OpenCV has a denoiser."""
    return hasattr(cv2, FUNCTIONS[name])
