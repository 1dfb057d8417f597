"""The classic codecs to compare with, as OpenCV writes and reads them.

They have OpenCV's defaults except for the settings below. OpenCV encodes AVIF on one thread, and
writes JPEG 2000 without a colour transform and with the reversible wavelet, which costs that codec
much. A codec that this build of OpenCV cannot write is reported as absent, never left out
silently.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Peer:
    """One classic codec with its fixed settings.

    name: key in the results. label: name for people. suffix: what OpenCV chooses the codec by.
    quality_flag: the OpenCV parameter that the quality goes into. settings: further parameters,
    flag and value in turn. qualities: those that the curves are drawn through.
    """

    name: str
    label: str
    suffix: str
    quality_flag: int
    settings: tuple[int, ...]
    qualities: tuple[int, ...]

    def encode(self, image: Picture, quality: int) -> bytes:
        """Return the file's bytes. image: uint8 (H, W, 3) RGB."""
        parameters = [self.quality_flag, quality, *self.settings]
        done, data = cv2.imencode(self.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), parameters)
        if not done:
            raise RuntimeError(f"OpenCV wrote no {self.label} at quality {quality}")
        return data.tobytes()

    def decode(self, data: bytes) -> Picture:
        """Return uint8 (H, W, 3) RGB."""
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        if picture is None:
            raise RuntimeError(f"OpenCV read no picture from {len(data)} bytes of {self.label}")
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)

    def present(self) -> bool:
        """Tell whether this OpenCV can write and read the codec."""
        image = np.full((32, 32, 3), 128, np.uint8)
        try:
            return self.decode(self.encode(image, self.qualities[0])).shape == image.shape
        except (cv2.error, RuntimeError):
            return False


_AVIF_QUALITIES = (15, 25, 35, 45, 55, 65, 75, 85)

PEERS = (
    Peer(
        "jpeg",
        "JPEG, optimised, progressive",
        ".jpg",
        cv2.IMWRITE_JPEG_QUALITY,
        (cv2.IMWRITE_JPEG_OPTIMIZE, 1, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        (5, 10, 20, 30, 45, 60, 75, 85, 92),
    ),
    Peer("webp", "WebP", ".webp", cv2.IMWRITE_WEBP_QUALITY, (), (1, 5, 12, 25, 45, 65, 80, 88, 94)),
    Peer(
        "avif6",
        "AVIF speed 6",
        ".avif",
        cv2.IMWRITE_AVIF_QUALITY,
        (cv2.IMWRITE_AVIF_SPEED, 6),
        _AVIF_QUALITIES,
    ),
    Peer(
        "avif8",
        "AVIF speed 8",
        ".avif",
        cv2.IMWRITE_AVIF_QUALITY,
        (cv2.IMWRITE_AVIF_SPEED, 8),
        _AVIF_QUALITIES,
    ),
    Peer(
        "jpeg2000",
        "JPEG 2000",
        ".jp2",
        cv2.IMWRITE_JPEG2000_COMPRESSION_X1000,
        (),
        (5, 10, 17, 25, 42, 63, 83),
    ),
)


def closest_quality(size: Callable[[int], int], limit: int) -> int:
    """Return the highest quality in 1..100 whose file has at most ``limit`` bytes, or 1.

    size: from a quality to bytes, growing with it.
    """
    low, high = 1, 100
    while low < high:
        middle = (low + high + 1) // 2
        if size(middle) <= limit:
            low = middle
        else:
            high = middle - 1
    return low
