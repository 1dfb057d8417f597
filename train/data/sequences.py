"""Short sequences made from stills: pans, zooms and rotations, moving objects, and cuts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np

from train.data.photographs import Image

SPEED_MAX = 12.0
"""Fastest motion, in pixels per frame."""

_STILL_SHARE, _CRISP_SHARE, _SHAKEN_SHARE, _COVERED_SHARE = 0.25, 0.35, 0.3, 0.4
_SPEED_MIN = 0.1
_SUBPIXEL = 4  # fractional bits of the ellipse's coordinates


@dataclass(frozen=True)
class Path:
    """How the camera moves over a picture.

    Attributes:
        start: the point of the picture in the centre of frame 0, (x, y) in pixels.
        velocity: motion of that point, in pixels of the picture per frame.
        zoom, growth: pixels of the picture per pixel of the frame, and its factor per frame.
        angle, spin: rotation in degrees, and degrees per frame.
        shake: standard deviation of camera shake, in pixels; 0 for a tripod.
    """

    start: tuple[float, float]
    velocity: tuple[float, float] = (0.0, 0.0)
    zoom: float = 1.0
    growth: float = 1.0
    angle: float = 0.0
    spin: float = 0.0
    shake: float = 0.0

    @classmethod
    def random(cls, image: Image, rng: np.random.Generator) -> Self:
        """Draw a path over a picture: still, by whole pixels (no interpolation blur), or any."""
        height, width = image.shape[:2]
        start = float(rng.integers(width)), float(rng.integers(height))
        choice = rng.random()
        if choice < _STILL_SHARE:
            return cls(start)
        velocity = random_velocity(rng)
        if choice < _STILL_SHARE + _CRISP_SHARE:
            return cls(start, (float(round(velocity[0])), float(round(velocity[1]))))
        return cls(
            start,
            velocity,
            zoom=float(rng.uniform(0.9, 1.5)),
            growth=float(rng.normal(1.0, 0.01)),
            angle=float(rng.uniform(-180, 180)),
            spin=float(rng.normal(0, 0.7)),
            shake=float(rng.uniform(0, 1.5)) if rng.random() < _SHAKEN_SHARE else 0.0,
        )

    def draw(self, image: Image, time: int, side: int, rng: np.random.Generator) -> Image:
        """Render frame ``time``, uint8 (side, side, 3); the picture is mirrored at its borders."""
        turn = math.radians(self.angle + self.spin * time)
        scale = self.zoom * self.growth**time
        cos, sin = scale * math.cos(turn), scale * math.sin(turn)
        x, y = (
            s + v * time + self.shake * float(rng.standard_normal())
            for s, v in zip(self.start, self.velocity, strict=True)
        )
        middle = side // 2
        matrix = np.array(
            [
                [cos, -sin, x - (cos - sin) * middle],
                [sin, cos, y - (sin + cos) * middle],
            ]
        )
        warped = cv2.warpAffine(
            image,
            matrix,
            (side, side),
            flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        return np.asarray(warped, np.uint8)


@dataclass(frozen=True)
class Occluder:
    """An ellipse of another picture that passes in front.

    Attributes:
        image, path: its texture.
        middle: its centre in frame 0, (x, y) in pixels of the frame.
        velocity: pixels per frame; the texture moves with it.
        axes: its half axes, in pixels.
        angle: rotation in degrees.
    """

    image: Image
    path: Path
    middle: tuple[float, float]
    velocity: tuple[float, float]
    axes: tuple[float, float]
    angle: float

    @classmethod
    def random(cls, image: Image, side: int, rng: np.random.Generator) -> Self:
        """Draw an ellipse for frames of ``side`` pixels."""
        velocity = random_velocity(rng)
        start = float(rng.integers(image.shape[1])), float(rng.integers(image.shape[0]))
        return cls(
            image,
            Path(start, (-velocity[0], -velocity[1])),
            middle=(float(rng.uniform(0, side)), float(rng.uniform(0, side))),
            velocity=velocity,
            axes=(float(rng.uniform(0.06, 0.3)) * side, float(rng.uniform(0.06, 0.3)) * side),
            angle=float(rng.uniform(0, 180)),
        )

    def lay(self, frame: Image, time: int, rng: np.random.Generator) -> Image:
        """Return a frame with the ellipse in front of it."""
        side, unit = len(frame), 1 << _SUBPIXEL
        mask = np.zeros((side, side), np.uint8)
        middle = [
            round(unit * (m + v * time)) for m, v in zip(self.middle, self.velocity, strict=True)
        ]
        axes = [round(unit * axis) for axis in self.axes]
        cv2.ellipse(mask, middle, axes, self.angle, 0, 360, 255, -1, cv2.LINE_AA, _SUBPIXEL)
        share = mask[..., None].astype(np.float32) / 255
        front = self.path.draw(self.image, time, side, rng)
        return np.asarray(np.rint(frame + share * (front.astype(np.float32) - frame)), np.uint8)


@dataclass(frozen=True)
class Scene:
    """A picture under a moving camera, and the ellipses that pass in front of it."""

    image: Image
    path: Path
    occluders: tuple[Occluder, ...]

    @classmethod
    def random(cls, images: Sequence[Image], side: int, rng: np.random.Generator) -> Self:
        """Draw a scene of these pictures."""
        image = images[int(rng.integers(len(images)))]
        occluders: list[Occluder] = []
        while rng.random() < _COVERED_SHARE and len(occluders) < 3:
            occluders.append(Occluder.random(images[int(rng.integers(len(images)))], side, rng))
        return cls(image, Path.random(image, rng), tuple(occluders))

    def draw(self, time: int, side: int, rng: np.random.Generator) -> Image:
        """Return frame ``time``, uint8 (side, side, 3)."""
        frame = self.path.draw(self.image, time, side, rng)
        for occluder in self.occluders:
            frame = occluder.lay(frame, time, rng)
        return frame


def random_velocity(rng: np.random.Generator) -> tuple[float, float]:
    """Draw a velocity in pixels per frame: any direction, and a speed uniform in its logarithm."""
    speed = math.exp(float(rng.uniform(math.log(_SPEED_MIN), math.log(SPEED_MAX))))
    turn = float(rng.uniform(0, 2 * math.pi))
    return speed * math.cos(turn), speed * math.sin(turn)


def sequence(
    images: Sequence[Image],
    rng: np.random.Generator,
    *,
    frames: int,
    side: int,
    cut: int | None = None,
) -> list[Image]:
    """Return consecutive frames, uint8 (side, side, 3).

    Args:
        images: the stills, uint8 (H, W, 3).
        rng: source of all randomness.
        frames: number of frames.
        side: side of a frame, in pixels.
        cut: index of the frame that starts another scene; None for no cut.
    """
    lengths = [frames] if cut is None else [cut, frames - cut]
    rendered = []
    for length in lengths:
        scene = Scene.random(images, side, rng)
        rendered += [scene.draw(time, side, rng) for time in range(length)]
    return rendered
