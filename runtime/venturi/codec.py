"""The codec: pictures to bytes and back, with one bundle, at any quality.

    image ──bands──▶ Transform ─▶ latent, hyper-latent ──chunks──▶ LatentCoder ─▶ container
    image ◀────────── Transform ◀─ latent ◀──────────────chunks─── LatentCoder ◀─ container

The transform runs the graphs in overlapping tiles; chunks are entropy-coded each on its own.
"""

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import numpy as np

from venturi._bundle.load import check_fingerprint
from venturi._bundle.tasks import FP32
from venturi._engine.arrays import Pixels, check_image, whole
from venturi._engine.checks import integer
from venturi._engine.model import Model
from venturi._engine.observer import Observer
from venturi._engine.tiling import Box, bands, grid
from venturi._engine.transform import Latent, Transform, cells
from venturi._entropy.latents import LatentCoder
from venturi._format import container
from venturi._format.quality import DEFAULT, to_byte, to_input, to_level
from venturi._format.target import reaching_psnr, within_bytes
from venturi._layout import (
    CHUNK,
    HYPER_STRIDE,
    LATENT_STRIDE,
    MAX_PIXELS,
    MAX_SIDE,
    QUALITY_SCALE,
)
from venturi.errors import InputError, StreamError

_LOST = 128  # the grey of lost regions

Region = tuple[int, int, int, int]


class _Chunk(NamedTuple):
    """A chunk that has been coded.

    Attributes:
        box: where it is in the padded picture.
        payload: its bytes.
        latent: as the decoder will see it.
    """

    box: Box
    payload: bytes
    latent: Latent


class Salvage(NamedTuple):
    """What could be decoded of a damaged container.

    Attributes:
        image: uint8 (H, W, 3) RGB, or (H, W) if a grey picture was compressed.
        damaged: the lost regions, each as top, left, height and width in pixels; they are grey in
            the image and may overlap.
    """

    image: Pixels
    damaged: tuple[Region, ...]


class Codec(Model):
    """Compresses and decompresses pictures with one bundle.

    Immutable and safe to share between threads; it pickles by its arguments.

    Attributes:
        manifest: the manifest of the bundle.
    """

    def __init__(
        self,
        bundle: str | os.PathLike[str] = "photo",
        *,
        device: str = "cpu",
        threads: int | None = None,
        precision: str = FP32,
        observer: Observer | None = None,
    ) -> None:
        """Load a bundle.

        Args:
            bundle: the name of a shipped bundle, or the path of a folder.
            device: runs the encoder and the decoder: ``cpu``, ``cuda`` and others that the
                installed onnxruntime has. The entropy graphs always run on the CPU.
            threads: how many for one operator; None lets onnxruntime choose.
            precision: ``fp32``, or ``int8`` where ``manifest.precisions`` has it: encoder and
                decoder in 8 bits, which is faster on CPUs; ``manifest.measured`` states the loss of
                quality. Containers of either precision can be decoded in the other.
            observer: told what the graphs and the entropy coder do and how long it takes, for
                measurements; see :class:`venturi.Observer`.

        Raises:
            BundleError: there is no such bundle, or it is damaged.
            DeviceError: the device is not there or cannot run the graphs.
            InputError: ``threads`` is not at least 1, or the bundle has no such ``precision``.
            ImportError: onnxruntime is not installed.
        """
        opener = self._load(
            bundle,
            "codec",
            device=device,
            threads=threads,
            precision=precision,
            observer=observer,
        )
        self._transform = Transform(opener)
        self._coder = LatentCoder(opener)

    def compress(
        self,
        image: Pixels,
        *,
        quality: float | None = None,
        max_bytes: int | None = None,
        min_psnr_db: float | None = None,
    ) -> bytes:
        """Compress a picture at a quality, to a size or to a fidelity.

        To reach a size or a fidelity takes up to nine encodings.

        Args:
            image: uint8 (H, W, 3) RGB or (H, W) grey, in any memory layout; it is not
                changed.
            quality: 1 to 100; 50 if no target is given.
            max_bytes: choose the best quality whose container is not longer.
            min_psnr_db: choose the lowest quality whose picture is at least this close, in RGB.

        Returns:
            A container (a .vnt file), as FORMAT.md describes it.

        Raises:
            InputError: an argument is invalid, more than one target is given, or no quality
                meets the target.
        """
        check_image(image)
        targets = {"quality": quality, "max_bytes": max_bytes, "min_psnr_db": min_psnr_db}
        chosen = [name for name, value in targets.items() if value is not None]
        if len(chosen) > 1:
            raise InputError(
                f"{' and '.join(chosen)} are given together; expected one; leave out the rest"
            )
        if max_bytes is not None:
            return within_bytes(partial(self._compress, image), max_bytes)
        if min_psnr_db is not None:
            return reaching_psnr(partial(self._compress_and_compare, image), min_psnr_db)
        return self._compress(image, to_level(DEFAULT if quality is None else quality))

    def decompress(
        self,
        data: bytes | bytearray | memoryview,
        *,
        region: Region | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> Pixels:
        """Decompress a picture or a part of one.

        Args:
            data: a container that this bundle wrote.
            region: top, left, height and width in pixels: decode only this part, with the same
                pixels as in the whole picture.
            max_pixels: refuse to decode more than this.

        Returns:
            uint8 (H, W, 3) RGB, or (H, W) if a grey picture was compressed.

        Raises:
            StreamError: the container is damaged, from another bundle, or its picture is larger
                than ``max_pixels``.
            InputError: the region does not lie in the picture.
        """
        info = self._open(data, check_length=True)
        picture = _area(info.header)
        part = picture if region is None else _box(region, picture)
        _check_size(part, max_pixels)
        return self._decode(data, info, part)

    def salvage(
        self, data: bytes | bytearray | memoryview, *, max_pixels: int = MAX_PIXELS
    ) -> Salvage:
        """Decompress what is intact in a damaged container.

        Chunks that are damaged or missing are lost, and with them the surrounding pixels that
        depend on them; these regions are filled with grey. All other pixels are the same as in the
        undamaged picture. The header must be intact.

        Args:
            data: a container that this bundle wrote: damaged, truncated, or with bytes after it.
            max_pixels: refuse to decode more than this.

        Returns:
            The picture and its lost regions; none if the container is intact.

        Raises:
            StreamError: the header is damaged, the container is from another bundle, or its picture
                is larger than ``max_pixels``.
        """
        info = self._open(data, check_length=False)
        picture = _area(info.header)
        _check_size(picture, max_pixels)
        lost: list[Box] = []
        image = self._decode(data, info, picture, lost)
        margin = self.manifest.parameters["decoder_margin"]
        damaged = [chunk.grown(margin).clipped(picture) for chunk in sorted(lost)]
        for box in damaged:
            image[box.slices] = _LOST
        return Salvage(image, tuple((b.top, b.left, b.height, b.width) for b in damaged))

    def _compress(self, image: Pixels, level: int) -> bytes:
        return self._pack(image, level, [chunk.payload for chunk in self._chunks(image, level)])

    def _compress_and_compare(self, image: Pixels, level: int) -> tuple[bytes, float]:
        """Return a container and the PSNR of its picture, without decoding its bytes."""
        picture, grey = whole(image), image.ndim == 2
        needed = self._transform.needed(picture, picture)
        latent = self._transform.empty(needed)
        payloads = []
        for chunk in self._chunks(image, level):
            payloads.append(chunk.payload)
            latent[cells(chunk.box, LATENT_STRIDE)] = chunk.latent
        back = self._transform.synthesise(latent, needed, picture, to_input(level), grey=grey)
        return self._pack(image, level, payloads), _psnr_db(image, back)

    def _chunks(self, image: Pixels, level: int) -> Iterator[_Chunk]:
        """Code a picture and yield its chunks in raster order, as a container has them."""
        transform = self._transform
        height = max(transform.encoder_tile, CHUNK)
        for band in bands(whole(image).aligned(HYPER_STRIDE), height):
            latent, hyper = transform.analyse(image, band, to_input(level))
            for box in grid(band, CHUNK):
                part = box.within(band)
                payload, decoded = self._coder.encode(
                    latent[cells(part, LATENT_STRIDE)],
                    hyper[cells(part, HYPER_STRIDE)],
                    to_byte(level),
                )
                yield _Chunk(box, payload, decoded)

    def _pack(self, image: Pixels, level: int, payloads: Sequence[bytes]) -> bytes:
        height, width = image.shape[:2]
        header = container.Header(image.ndim == 2, self.manifest.fingerprint, level, width, height)
        return container.pack(header, payloads)

    def _open(self, data: container.Data, *, check_length: bool) -> container.StreamInfo:
        """Read a header and check that this bundle can decode what follows."""
        info = container.read_header(data, max_pixels=MAX_SIDE**2, check_length=check_length)
        check_fingerprint(self.manifest, info.header.fingerprint)
        if info.header.quality_q8 not in container.QUALITY_Q8:
            raise StreamError(
                f"the container has quality {info.header.quality_q8 / QUALITY_SCALE}; expected "
                "1 to 100; get the file from its source again"
            )
        return info

    def _decode(
        self,
        data: container.Data,
        info: container.StreamInfo,
        part: Box,
        lost: list[Box] | None = None,
    ) -> Pixels:
        """Decode a part of a picture.

        Args:
            data: the container.
            info: of its header.
            part: in pixels.
            lost: receives the damaged chunks; if None, the first one raises.
        """
        header, picture = info.header, _area(info.header)
        needed = self._transform.needed(part, picture)
        payloads: dict[int, tuple[Box, bytes]] = {}
        # All checksums come before the first symbol: damage is noticed at once, and cheaply.
        for number, box in enumerate(grid(picture.aligned(HYPER_STRIDE), CHUNK)):
            if box.meets(needed):
                with _noting_damage(box, lost):
                    payloads[number] = box, container.chunk(info, data, number)
        latent = self._transform.empty(needed)
        for number, (box, payload) in payloads.items():
            with _noting_damage(box, lost):
                decoded = self._decode_chunk(payload, header, number, box)
                common = box.clipped(needed)
                source, target = common.within(box), common.within(needed)
                latent[cells(target, LATENT_STRIDE)] = decoded[cells(source, LATENT_STRIDE)]
        quality = to_input(header.quality_q8)
        return self._transform.synthesise(latent, needed, part, quality, grey=header.grey)

    def _decode_chunk(
        self, payload: bytes, header: container.Header, number: int, box: Box
    ) -> Latent:
        size = box.divided(LATENT_STRIDE)
        try:
            return self._coder.decode(payload, size.height, size.width, to_byte(header.quality_q8))
        except StreamError as error:
            raise StreamError(f"chunk {number}: {error}") from error


@contextmanager
def _noting_damage(chunk: Box, lost: list[Box] | None) -> Iterator[None]:
    """Add a damaged chunk to ``lost``; if that is None, let the error through."""
    try:
        yield
    except StreamError:
        if lost is None:
            raise
        lost.append(chunk)


def _psnr_db(image: Pixels, back: Pixels) -> float:
    error = float(np.square(back.astype(np.float32) - image).mean(dtype=np.float64))
    return 10 * math.log10(255**2 / error) if error else math.inf


def _area(header: container.Header) -> Box:
    return Box(0, 0, header.height, header.width)


def _box(region: Region, picture: Box) -> Box:
    sides = [integer("region", side) for side in region] if isinstance(region, Iterable) else []
    if len(sides) == 4:
        top, left, height, width = sides
        box = Box(top, left, top + height, left + width)
        if height > 0 and width > 0 and box.clipped(picture) == box:
            return box
    raise InputError(
        f"region is {region!r}; expected (top, left, height, width) within the picture's "
        f"{picture.height} rows and {picture.width} columns; choose a part of it"
    )


def _check_size(part: Box, max_pixels: int) -> None:
    if part.height * part.width > integer("max_pixels", max_pixels):
        raise StreamError(
            f"the picture to decode has {part.width} x {part.height} pixels; expected at most "
            f"{max_pixels}; raise max_pixels if you trust where it comes from, or decode a region"
        )
