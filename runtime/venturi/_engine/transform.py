"""The transform of a codec: pictures to latents and back, in overlapping tiles.

image ──tiles──▶ encoder.onnx ─▶ latent, hyper-latent
image ◀─tiles─── decoder.onnx ◀─ latent
"""

import numpy as np
from numpy.typing import NDArray

from venturi._engine.arrays import Pixels, Planes, from_pixels, to_planes, whole
from venturi._engine.graph import PIXELS, Shape, Signature, planes
from venturi._engine.model import Opener
from venturi._engine.tiling import Box, tiles
from venturi._layout import CHUNK, HYPER_STRIDE, LATENT_STRIDE, MEAN_SCALE

Latent = NDArray[np.int16]
"""int16 (channels, height, width): decoded latents in 1/MEAN_SCALE."""

_ENCODER_TILE = 2 * CHUNK
_DECODER_TILE = 1536  # smaller: the end of the decoder takes more memory


class Transform:
    """Runs the encoder and the decoder of a bundle; safe to share between threads.

    Attributes:
        encoder_tile: the side of the encoder's tiles without their overlap, in pixels.
        decoder_tile: the same of the decoder.
    """

    def __init__(self, opener: Opener) -> None:
        """Open both graphs."""
        self.encoder_tile, self.decoder_tile = _ENCODER_TILE, _DECODER_TILE
        self._parameters = opener.bundle.manifest.parameters
        quality: Signature = {"quality": ("float", None)}
        latent: Signature = {"latent": ("float", planes(self._parameters["latent_channels"]))}
        hyper: Signature = {"hyper_latent": ("float", planes(self._parameters["hyper_channels"]))}
        self._encoder = opener.graph(
            "encoder", {"image": ("float", planes(3)), **quality}, {**latent, **hyper}
        )
        self._decoder = opener.graph("decoder", {**latent, **quality}, {"image": PIXELS})

    def analyse(self, image: Pixels, area: Box, quality: Planes) -> tuple[Planes, Planes]:
        """Run the encoder on an area of a picture.

        Args:
            image: uint8 (H, W, 3) RGB or (H, W) grey.
            area: of the picture padded to multiples of HYPER_STRIDE, on which its sides lie.
            quality: float32 (1,) in [0, 1].

        Returns:
            The latent and the hyper-latent of the area, float32 (channels, height, width).
        """
        latent, hyper = (np.empty(shape, np.float32) for shape in self._shapes(area))
        padded = whole(image).aligned(HYPER_STRIDE)
        margin = self._parameters["encoder_margin"]
        for tile in tiles(area, padded, side=self.encoder_tile, margin=margin):
            shapes = [(1, *shape) for shape in self._shapes(tile.outer)]
            parts = self._encoder.run(to_planes(image, tile.outer), quality, shapes=shapes)
            source, target = tile.inner.within(tile.outer), tile.inner.within(area)
            latent[cells(target, LATENT_STRIDE)] = parts[0][0][cells(source, LATENT_STRIDE)]
            hyper[cells(target, HYPER_STRIDE)] = parts[1][0][cells(source, HYPER_STRIDE)]
        return latent, hyper

    def _shapes(self, area: Box) -> tuple[Shape, Shape]:
        """Return the shapes of the latent and the hyper-latent of an area."""
        fine, coarse = area.divided(LATENT_STRIDE), area.divided(HYPER_STRIDE)
        return (
            (self._parameters["latent_channels"], fine.height, fine.width),
            (self._parameters["hyper_channels"], coarse.height, coarse.width),
        )

    def needed(self, part: Box, picture: Box) -> Box:
        """Return the area whose latents the decoder needs to draw a part of a picture."""
        area = part.aligned(HYPER_STRIDE).grown(self._parameters["decoder_margin"])
        return area.clipped(picture.aligned(HYPER_STRIDE))

    def empty(self, area: Box) -> Latent:
        """Return the latents of an area before any of its chunks is decoded: zeros."""
        return np.zeros(self._shapes(area)[0], np.int16)

    def synthesise(
        self, latent: Latent, needed: Box, part: Box, quality: Planes, *, grey: bool
    ) -> Pixels:
        """Run the decoder to draw a part of a picture.

        Args:
            latent: of the area ``needed``.
            needed: what :meth:`needed` returned for this part.
            part: in pixels.
            quality: float32 (1,) in [0, 1].
            grey: return one channel.

        Returns:
            uint8 (height, width, 3) RGB or (height, width).
        """
        out = np.empty((part.height, part.width, 3)[: 2 if grey else 3], np.uint8)
        margin = self._parameters["decoder_margin"]
        for tile in tiles(
            part.aligned(HYPER_STRIDE), needed, side=self.decoder_tile, margin=margin
        ):
            source = latent[cells(tile.outer.within(needed), LATENT_STRIDE)]
            scaled = np.multiply(source[None], np.float32(1 / MEAN_SCALE), dtype=np.float32)
            shape = (tile.outer.height, tile.outer.width, 3)
            (pixels,) = self._decoder.run(scaled, quality, shapes=[shape])
            inner = tile.inner.clipped(part)
            from_pixels(pixels[inner.within(tile.outer).slices], out[inner.within(part).slices])
        return out


def cells(box: Box, stride: int) -> tuple[slice, slice, slice]:
    """Return what indexes a box's cells in (channels, height, width), one per stride."""
    return slice(None), *box.divided(stride).slices
