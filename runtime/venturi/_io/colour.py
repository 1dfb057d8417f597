"""Convert colours: profiles to sRGB, samples to 8 bits, alpha onto a background."""

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from venturi._engine.arrays import Colour, Pixels
from venturi._io.pillow import colour_management, pillow

_PROBE = np.stack(np.meshgrid(*[np.linspace(0, 255, 9, dtype=np.uint8)] * 3), -1).reshape(27, 27, 3)
_NEARLY = 1  # levels by which a profile may differ from sRGB and still count as sRGB


def to_srgb(image: Any, profile: bytes | None) -> tuple[Any, tuple[str, ...]]:
    """Convert a Pillow image of 8 bits, without alpha, to sRGB.

    Args:
        image: of mode L, RGB, CMYK, LAB, YCbCr or HSV.
        profile: the ICC profile of its file, or None.

    Returns:
        An image of mode L or RGB, and notes of what was converted.
    """
    if image.mode in ("YCbCr", "HSV"):
        image = image.convert("RGB")
    if profile is not None:
        return _by_profile(image, profile)
    if image.mode == "CMYK":
        return image.convert("RGB"), (
            "CMYK without a colour profile was converted to RGB without one",
        )
    if image.mode == "LAB":
        cms = colour_management()
        return cms.profileToProfile(
            image, cms.createProfile("LAB"), cms.createProfile("sRGB"), outputMode="RGB"
        ), ("Lab was converted to sRGB",)
    return image, ()


def _by_profile(image: Any, data: bytes) -> tuple[Any, tuple[str, ...]]:
    cms = colour_management()
    srgb = cms.createProfile("sRGB")
    try:
        profile = cms.ImageCmsProfile(BytesIO(data))
        name = str(cms.getProfileDescription(profile)).strip() or "without a name"
        transform = cms.buildTransform(
            profile, srgb, image.mode, "RGB", cms.Intent.RELATIVE_COLORIMETRIC
        )
    except (cms.PyCMSError, OSError):
        fallback = image if image.mode in ("L", "RGB") else image.convert("RGB")
        return fallback, (
            "the colour profile is damaged or of another kind of picture, and was ignored",
        )
    if image.mode == "RGB" and _is_srgb(transform):
        return image, ()
    converted = cms.applyTransform(image, transform)
    if image.mode == "L":
        converted = converted.getchannel(0)
    return converted, (f"the colour profile {name!r} was converted to sRGB",)


def _is_srgb(transform: Any) -> bool:
    """Return whether a transform to sRGB changes almost nothing."""
    converted = np.asarray(
        colour_management().applyTransform(pillow().fromarray(_PROBE), transform)
    )
    return bool(np.abs(converted.astype(int) - _PROBE).max() <= _NEARLY)


def eight_bits(pixels: NDArray[Any]) -> Pixels:
    """Round uint16 to uint8: 65535 becomes 255."""
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def laid_on(pixels: Pixels, alpha: Pixels, background: Colour) -> Pixels:
    """Return pixels, uint8 (H, W) or (H, W, 3), with a background where ``alpha`` is below 255.

    A grey picture stays grey on a grey background.
    """
    grey_background = len(set(background)) == 1
    if pixels.ndim == 2 and not grey_background:
        pixels = np.repeat(pixels[:, :, None], 3, 2)
    background_pixel = np.array(background[:1] if pixels.ndim == 2 else background, np.uint32)
    share = alpha.astype(np.uint32)
    if pixels.ndim == 3:
        share = share[:, :, None]
    return ((pixels * share + background_pixel * (255 - share) + 127) // 255).astype(np.uint8)
