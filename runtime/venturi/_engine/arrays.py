"""Convert between uint8 pictures and the arrays of graphs: pixels or float32 planes."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from venturi._engine.tiling import Box
from venturi._layout import MAX_SIDE
from venturi.errors import BundleError, InputError

Pixels = NDArray[np.uint8]
Planes = NDArray[np.float32]

Colour = tuple[int, int, int]
"""Red, green and blue, each 0 to 255, in sRGB."""


def check_image(image: Pixels) -> Pixels:
    """Return the picture if it is one: uint8 (H, W, 3) RGB or (H, W) grey, in any memory layout.

    Raises:
        InputError: it is not.
    """
    if not isinstance(image, np.ndarray):
        raise _no_image(f"a {type(image).__name__}", "numpy.asarray(image) makes an array")
    if image.dtype != np.uint8:
        remedy = "scale floats: (255 * image).round().clip(0, 255).astype(numpy.uint8)"
        raise _no_image(f"of dtype {image.dtype}", remedy)
    if not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)):
        remedy = "drop alpha with image[..., :3]; a channel or batch of one with image.squeeze()"
        raise _no_image(f"of shape {image.shape}", remedy)
    if not all(1 <= side <= MAX_SIDE for side in image.shape[:2]):
        raise _no_image(f"of shape {image.shape}", f"sides are 1 to {MAX_SIDE} pixels")
    return image


def _no_image(value: str, remedy: str) -> InputError:
    return InputError(f"image is {value}; expected uint8 (H, W, 3) RGB or (H, W) grey; {remedy}")


def whole(image: Pixels) -> Box:
    """Return the box of a whole picture."""
    return Box(0, 0, image.shape[0], image.shape[1])


def to_pixels(image: Pixels, box: Box) -> Pixels:
    """Cut a box out of a picture, which is reflected below and to the right of its borders.

    Args:
        image: uint8 (H, W, 3) or (H, W); grey is repeated in three channels.
        box: may go beyond the picture below and to the right.

    Returns:
        uint8 (height, width, 3), contiguous.
    """
    part = _cut(image, box, "reflect")
    colours = np.repeat(part[..., None], 3, axis=2) if part.ndim == 2 else part
    return np.ascontiguousarray(colours)


def from_pixels(pixels: Pixels, out: Pixels) -> None:
    """Write a graph's pixels into a picture; grey is the mean of the channels, rounded half up.

    Args:
        pixels: uint8 (H, W, 3).
        out: uint8 (H, W, 3) or (H, W), written.
    """
    if out.ndim == 2:
        twice = 2 * pixels.sum(axis=2, dtype=np.uint16) + 3
        out[...] = twice // 6
    else:
        out[...] = pixels


def to_planes(image: Pixels, box: Box) -> Planes:
    """Cut a box out of a picture, whose last row and column are repeated beyond its borders.

    Args:
        image: uint8 (H, W, 3) or (H, W); grey is repeated in three planes.
        box: may go beyond the picture below and to the right.

    Returns:
        float32 (1, 3, height, width) in [0, 1].
    """
    part = _cut(image, box, "edge")
    planes = np.empty((1, 3, box.height, box.width), np.float32)
    source = part[None] if part.ndim == 2 else part.transpose(2, 0, 1)
    np.divide(source, np.float32(255), out=planes[0], dtype=np.float32)
    return planes


def _cut(image: Pixels, box: Box, border: Literal["edge", "reflect"]) -> Pixels:
    """Cut a box out of a picture, padded below and to the right as ``border`` says."""
    inside = box.clipped(whole(image))
    part = image[inside.slices]
    below, right = box.bottom - inside.bottom, box.right - inside.right
    if not below and not right:
        return part
    padding = [(0, below), (0, right), (0, 0)][: image.ndim]
    return np.pad(part, padding, mode=border)


def integers(values: Planes, dtype: type[np.integer[Any]], name: str) -> NDArray[Any]:
    """Cast clipped values to integers, towards zero.

    Raises:
        BundleError: one is not a number; the cast itself notices, at no cost.
    """
    try:
        with np.errstate(invalid="raise"):
            return values.astype(dtype)
    except FloatingPointError as error:
        raise BundleError(
            f"{name}: it gave a value that is not a number; expected finite values for every "
            "picture; export the bundle again or get another"
        ) from error
