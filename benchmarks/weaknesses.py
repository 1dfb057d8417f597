"""The pictures that a codec does worst on beside WebP of no more bytes, and crops that show it."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks import pictures
from benchmarks.peers import PEERS, closest_quality
from benchmarks.pictures import Picture
from benchmarks.rate_distortion import EVERYDAY, capped_psnr_db, rate_bpp
from venturi import Codec, images

SIDE = 128
"""Of a crop, in pixels."""


@dataclass(frozen=True)
class Weakness:
    """A picture that another codec keeps better in as many bytes.

    picture: its name. bpp: Venturi's rate. psnr_db, webp_psnr_db: of the whole picture. crops: the
    original, Venturi's and WebP's, uint8 (SIDE, SIDE, 3) RGB.
    """

    picture: str
    bpp: float
    psnr_db: float
    webp_psnr_db: float
    crops: tuple[Picture, Picture, Picture]

    @property
    def lead_db(self) -> float:
        """How far Venturi is ahead, in dB; negative where it is behind."""
        return self.psnr_db - self.webp_psnr_db


def find(codec: Codec, folder: Path, *, count: int) -> list[Weakness]:
    """Return the pictures of a folder that the codec does worst on, the worst first."""
    compared = [_compared(codec, path) for path in pictures.listed(folder)]
    return sorted(compared, key=lambda weakness: weakness.lead_db)[:count]


def draw(folder: Path, bundle: str, weakness: Weakness) -> None:
    """Write a weakness's crops side by side, as a JPEG of little loss and a few kB."""
    folder.mkdir(parents=True, exist_ok=True)
    images.write(folder / file_name(bundle, weakness), pictures.beside(weakness.crops))


def file_name(bundle: str, weakness: Weakness) -> str:
    """Return the name of the file with a weakness's crops."""
    return f"{bundle}-{weakness.picture}.jpg"


def _compared(codec: Codec, path: Path) -> Weakness:
    image = pictures.read(path)
    data = codec.compress(image, quality=EVERYDAY)
    ours, webp = codec.decompress(data), _webp(image, len(data))
    place = _worst_place(image, ours)
    crops = tuple(np.ascontiguousarray(each[place]) for each in (image, ours, webp))
    return Weakness(
        path.stem,
        rate_bpp(data, image),
        capped_psnr_db(image, ours),
        capped_psnr_db(image, webp),
        (crops[0], crops[1], crops[2]),
    )


def _webp(image: Picture, budget: int) -> Picture:
    """Return a picture coded by WebP in no more bytes, or in as few as it can."""
    (peer,) = (peer for peer in PEERS if peer.name == "webp")
    quality = closest_quality(lambda quality: len(peer.encode(image, quality)), budget)
    return peer.decode(peer.encode(image, quality))


def _worst_place(image: Picture, back: Picture) -> tuple[slice, slice]:
    """Return where the mean squared error over a crop is largest."""
    error: NDArray[np.float32] = np.square(image.astype(np.float32) - back).mean(2)
    side = min(SIDE, *error.shape)
    means = cv2.boxFilter(error, -1, (side, side), anchor=(0, 0), borderType=cv2.BORDER_REFLECT)
    inside = means[: error.shape[0] - side + 1, : error.shape[1] - side + 1]
    top, left = (int(at) for at in np.unravel_index(int(inside.argmax()), inside.shape))
    return slice(top, top + side), slice(left, left + side)
