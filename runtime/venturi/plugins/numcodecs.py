"""A numcodecs codec, so that zarr arrays of images are stored compressed.

    zarr.create_array(store, shape=(n, 512, 512, 3), chunks=(1, 512, 512, 3), dtype="uint8", ...)

Each chunk is one picture: uint8 (H, W, 3), (H, W, 1) or (H, W), with any number of axes of length 1
before. The codec is lossy. An entry point registers it under the id ``venturi``.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numcodecs.abc import Codec as NumcodecsCodec
from numcodecs.compat import ensure_bytes, ndarray_copy

from venturi.codec import Codec
from venturi.errors import InputError


class Venturi(NumcodecsCodec):  # type: ignore[misc]
    """Compresses chunks that are pictures.

    Args:
        quality: 1 to 100.
        bundle: a shipped bundle's name, or a path.
        precision: ``fp32`` or ``int8``.
    """

    codec_id = "venturi"

    def __init__(self, quality: float = 50, bundle: str = "photo", precision: str = "fp32") -> None:
        self.quality, self.bundle, self.precision = quality, bundle, precision

    def encode(self, buf: Any) -> bytes:
        """Compress a picture.

        Raises:
            InputError: the chunk is no picture of uint8.
        """
        pixels = np.asarray(buf)
        shape = pixels.shape
        while pixels.ndim > 2 and pixels.shape[0] == 1:
            pixels = pixels[0]
        if pixels.ndim == 3 and pixels.shape[2] == 1:
            pixels = pixels[:, :, 0]
        if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3):
            raise InputError(
                f"a chunk of {shape} {np.asarray(buf).dtype}; expected one picture, uint8 "
                "(..., H, W, 3) or (..., H, W): choose chunks of one picture each"
            )
        return _codec(self.bundle, self.precision).compress(pixels, quality=self.quality)

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Decompress a picture, uint8 (H, W, 3) or (H, W), into ``out`` where that is given.

        Raises:
            StreamError: the chunk is damaged.
        """
        pixels = _codec(self.bundle, self.precision).decompress(ensure_bytes(buf))
        return pixels if out is None else ndarray_copy(pixels, out)


@lru_cache(maxsize=4)
def _codec(bundle: str, precision: str) -> Codec:
    return Codec(bundle, precision=precision)
