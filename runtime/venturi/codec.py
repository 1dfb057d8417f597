"""The codec: pictures to bytes and back, with one bundle, at any quality.

    image ──windows──▶ encoder.onnx ─▶ latent, hyper-latent ──chunks──▶ LatentCoder ─▶ stream
    image ◀─windows─── decoder.onnx ◀─ latent ◀───────────────chunks─── LatentCoder ◀─ stream

A window is what a graph sees at once; a chunk is what is coded by itself.
"""

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from venturi._bundle.load import whereabouts
from venturi._bundle.manifest import Manifest
from venturi._bundle.tasks import FP32
from venturi._engine.arrays import Pixels, Planes, check_image, from_pixels, to_planes, whole
from venturi._engine.checks import integer, real
from venturi._engine.graph import PIXELS, Signature, planes
from venturi._engine.model import Model
from venturi._engine.observer import Observer
from venturi._engine.tiling import Box, tiles, windows
from venturi._entropy.latents import EntropyGraphs, Latent, LatentCoder
from venturi._format import container
from venturi._format import quality as _quality
from venturi._format import target as _search
from venturi._format.tables import Tables
from venturi._layout import (
    CHUNK,
    HYPER_STRIDE,
    LATENT_STRIDE,
    MAX_PIXELS,
    MAX_SIDE,
    MEAN_SCALE,
    QUALITY_SCALE,
)
from venturi.errors import InputError, StreamError

_CORE = 2 * CHUNK
_DRAWN = 1536  # the core of what is decoded at once, whose end takes more memory
_LOST = 128  # the grey that nothing can be mistaken in
_ENOUGH_DB = 100.0  # a lossless picture has no PSNR to search by

Region = tuple[int, int, int, int]


class _Coded(NamedTuple):
    """A chunk, its payload, and its latents as the decoder will see them."""

    chunk: Box
    payload: bytes
    latent: Latent


class Salvage(NamedTuple):
    """What is left of a damaged stream.

    Attributes:
        image: uint8 (H, W, 3) RGB, or (H, W) if a grey picture was compressed.
        damaged: the lost regions, each as top, left, height and width in pixels, grey in the image;
            they may overlap.
    """

    image: Pixels
    damaged: tuple[Region, ...]


class Codec(Model):
    """Compresses and decompresses pictures with one bundle.

    Immutable and safe to share between threads; pickles by its arguments.

    Attributes:
        manifest: of the bundle.
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
            threads: for one operator; None leaves it to onnxruntime.
            precision: ``fp32``, or ``int8`` where ``manifest.precisions`` has it: encoder and
                decoder in 8 bits, faster on CPUs, for the loss of quality that
                ``manifest.measured`` states. Streams of either are decoded by either.
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
        self._core, self._drawn = _CORE, _DRAWN
        signatures = _signatures(self.manifest)
        graphs = {
            role: opener.graph(
                role, *signature, device="cpu" if role.startswith("entropy") else None
            )
            for role, signature in signatures.items()
        }
        self._encoder, self._decoder = graphs["encoder"], graphs["decoder"]
        tables = Tables.from_bytes(opener.bundle.files["tables"])
        entropy = EntropyGraphs(*(graphs[f"entropy_{step}"] for step in EntropyGraphs._fields))
        self._coder = LatentCoder(entropy, tables, self.manifest, observer)

    def compress(
        self,
        image: Pixels,
        *,
        quality: float | None = None,
        max_bytes: int | None = None,
        min_psnr_db: float | None = None,
    ) -> bytes:
        """Compress a picture at a quality, to a size or to a fidelity.

        A size or a fidelity takes up to nine encodings.

        Args:
            image: uint8 (H, W, 3) RGB or (H, W) grey, in any memory layout; never changed. Other
                dtypes are refused, so values that are not numbers cannot occur.
            quality: 1 to 100; 50 if nothing else is asked for.
            max_bytes: take the best quality whose stream is not longer.
            min_psnr_db: take the lowest quality whose picture is at least as close, in RGB.

        Returns:
            A stream as FORMAT.md describes it.

        Raises:
            InputError: an argument is none of these, more than one of the last three is given, or
                no quality meets the target.
        """
        check_image(image)
        targets = {"quality": quality, "max_bytes": max_bytes, "min_psnr_db": min_psnr_db}
        given = [name for name, value in targets.items() if value is not None]
        if len(given) > 1:
            raise InputError(
                f"{' and '.join(given)} are given together; expected one; leave out the rest"
            )
        if max_bytes is not None:
            return self._compress_to_size(image, max_bytes)
        if min_psnr_db is not None:
            return self._compress_to_psnr(image, min_psnr_db)
        level = _quality.to_level(_quality.DEFAULT if quality is None else quality)
        return self._compress(image, level)

    def decompress(
        self,
        data: container.Data,
        *,
        region: Region | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> Pixels:
        """Decompress a picture or a part of one.

        Args:
            data: a stream that this bundle wrote.
            region: top, left, height and width in pixels: decode that part alone, equal to the same
                part of the whole.
            max_pixels: refuse to decode more.

        Returns:
            uint8 (H, W, 3) RGB, or (H, W) if a grey picture was compressed.

        Raises:
            StreamError: the stream is damaged, another bundle's, or larger than ``max_pixels``.
            InputError: the region does not lie in the picture.
        """
        info = self._open(data, check_length=True)
        picture = Box(0, 0, info.header.height, info.header.width)
        part = picture if region is None else _box(region, picture)
        _check_size(part, max_pixels)
        padded = picture.aligned(HYPER_STRIDE)
        area = part.aligned(HYPER_STRIDE)
        seen = area.grown(self.manifest.parameters["decoder_margin"]).clipped(padded)
        chunks = enumerate(tiles(padded, CHUNK))
        needed = [(index, chunk) for index, chunk in chunks if _meet(chunk, seen)]
        # All checksums come before the first symbol: damage is found at once, and cheaply.
        payloads = [container.chunk(info, data, index) for index, _ in needed]
        latents = (
            (chunk, self._decode_chunk(payload, info.header, index, chunk))
            for payload, (index, chunk) in zip(payloads, needed, strict=True)
        )
        latent = self._assemble(latents, seen)
        out = _canvas(part, info.header)
        self._draw(latent, seen, padded, part, info.header.quality_q8, out)
        return out

    def salvage(self, data: container.Data, *, max_pixels: int = MAX_PIXELS) -> Salvage:
        """Decompress what is whole of a damaged stream.

        Chunks that are damaged or missing are lost, and with them the pixels around that are drawn
        from them too; these regions come back in one grey. Every other pixel is what the undamaged
        stream decompresses to. The header must be whole.

        Args:
            data: a stream that this bundle wrote, damaged, cut off or with something after it.
            max_pixels: refuse to decode more.

        Returns:
            The picture, and which regions of it are lost: none if the stream is whole.

        Raises:
            StreamError: the header is damaged, the stream another bundle's, or larger than
                ``max_pixels``.
        """
        info = self._open(data, check_length=False)
        picture = Box(0, 0, info.header.height, info.header.width)
        _check_size(picture, max_pixels)
        padded = picture.aligned(HYPER_STRIDE)
        lost: list[Box] = []
        latent = self._assemble(self._whole_chunks(info, data, padded, lost), padded)
        out = _canvas(picture, info.header)
        self._draw(latent, padded, padded, picture, info.header.quality_q8, out)
        margin = self.manifest.parameters["decoder_margin"]
        damaged = [chunk.grown(margin).clipped(picture) for chunk in lost]
        for box in damaged:
            out[box.slices] = _LOST
        return Salvage(out, tuple((b.top, b.left, b.height, b.width) for b in damaged))

    def _open(self, data: container.Data, *, check_length: bool) -> container.StreamInfo:
        """Read a header and check that this bundle can decode what follows."""
        if not isinstance(data, bytes | bytearray | memoryview):
            raise InputError(f"data is a {type(data).__name__}; expected bytes; read the file")
        info = container.read_header(data, max_pixels=MAX_SIDE**2, check_length=check_length)
        self._check_header(info.header)
        return info

    def _compress(self, image: Pixels, level: int) -> bytes:
        payloads = {chunk: payload for chunk, payload, _ in self._encode(image, level)}
        return self._pack(image, level, payloads)

    def _encode(self, image: Pixels, level: int) -> Iterator[_Coded]:
        """Yield the chunks of a picture, window by window."""
        padded = whole(image).aligned(HYPER_STRIDE)
        margin = self.manifest.parameters["encoder_margin"]
        for window in windows(padded, padded, core=self._core, margin=margin):
            latent, hyper = self._analyse(to_planes(image, window.reach), level)
            for chunk in tiles(window.core, CHUNK):
                part = chunk.within(window.reach)
                payload, decoded = self._coder.encode(
                    latent[0][(slice(None), *part.divided(LATENT_STRIDE).slices)],
                    hyper[0][(slice(None), *part.divided(HYPER_STRIDE).slices)],
                    _quality.to_byte(level),
                )
                yield _Coded(chunk, payload, decoded)

    def _pack(self, image: Pixels, level: int, payloads: Mapping[Box, bytes]) -> bytes:
        height, width = image.shape[:2]
        header = container.Header(image.ndim == 2, self.manifest.fingerprint, level, width, height)
        return container.pack(header, [payloads[chunk] for chunk in sorted(payloads)])

    def _analyse(self, planes: Planes, level: int) -> tuple[Planes, Planes]:
        """Run encoder.onnx: latent and hyper-latent of a window."""
        sizes = self.manifest.parameters
        height, width = planes.shape[2:]
        shapes = [
            (1, sizes["latent_channels"], height // LATENT_STRIDE, width // LATENT_STRIDE),
            (1, sizes["hyper_channels"], height // HYPER_STRIDE, width // HYPER_STRIDE),
        ]
        latent, hyper = self._encoder.run(planes, _quality.to_input(level), shapes=shapes)
        return latent, hyper

    def _synthesise(self, latent: Latent, level: int) -> Pixels:
        """Run decoder.onnx: pixels (H, W, 3) of a window's latents in 1/16."""
        scaled = np.multiply(latent[None], np.float32(1 / MEAN_SCALE), dtype=np.float32)
        height, width = latent.shape[1:]
        shape = (LATENT_STRIDE * height, LATENT_STRIDE * width, 3)
        (image,) = self._decoder.run(scaled, _quality.to_input(level), shapes=[shape])
        pixels: Pixels = image
        return pixels

    def _decode_chunk(
        self, payload: bytes, header: container.Header, index: int, chunk: Box
    ) -> Latent:
        size = chunk.divided(LATENT_STRIDE)
        try:
            return self._coder.decode(
                payload, size.height, size.width, _quality.to_byte(header.quality_q8)
            )
        except StreamError as error:
            raise StreamError(f"chunk {index}: {error}") from error

    def _whole_chunks(
        self, info: container.StreamInfo, data: container.Data, padded: Box, lost: list[Box]
    ) -> Iterator[tuple[Box, Latent]]:
        """Yield the chunks that can be decoded; the others go into ``lost``."""
        for index, chunk in enumerate(tiles(padded, CHUNK)):
            try:
                payload = container.chunk(info, data, index)
                latent = self._decode_chunk(payload, info.header, index, chunk)
            except StreamError:
                lost.append(chunk)
            else:
                yield chunk, latent

    def _assemble(self, latents: Iterable[tuple[Box, Latent]], seen: Box) -> Latent:
        """Put the latents of chunks together, as far as they are seen; 0 where there is none."""
        size = seen.divided(LATENT_STRIDE)
        channels = self.manifest.parameters["latent_channels"]
        joined = np.zeros((channels, size.height, size.width), np.int16)
        for chunk, latent in latents:
            common = chunk.clipped(seen)
            source = common.within(chunk).divided(LATENT_STRIDE).slices
            joined[(slice(None), *common.within(seen).divided(LATENT_STRIDE).slices)] = latent[
                (slice(None), *source)
            ]
        return joined

    def _draw(
        self, latent: Latent, seen: Box, padded: Box, part: Box, level: int, out: Pixels
    ) -> None:
        """Draw ``part`` of a picture from the latents of ``seen``."""
        margin = self.manifest.parameters["decoder_margin"]
        area = part.aligned(HYPER_STRIDE)
        for window in windows(area, padded, core=self._drawn, margin=margin):
            place = window.reach.within(seen).divided(LATENT_STRIDE).slices
            pixels = self._synthesise(latent[(slice(None), *place)], level)
            kept = window.core.clipped(part)
            shown = pixels[kept.within(window.reach).slices]
            from_pixels(shown, out[kept.within(part).slices])

    def _check_header(self, header: container.Header) -> None:
        if header.fingerprint != self.manifest.fingerprint:
            raise StreamError(
                f"the stream was written with bundle {header.fingerprint.hex()}; this codec has "
                f"{self.manifest.name!r}, {self.manifest.fingerprint.hex()}; "
                f"{whereabouts(header.fingerprint)}"
            )
        if not _quality.LOWEST <= header.quality_q8 <= _quality.HIGHEST:
            raise StreamError(
                f"the stream has quality {header.quality_q8 / QUALITY_SCALE}; expected 1 to 100; "
                "get the stream from its source again"
            )

    def _compress_to_size(self, image: Pixels, max_bytes: int) -> bytes:
        budget = integer("max_bytes", max_bytes)
        if budget < 1:
            raise InputError(f"max_bytes is {budget}; expected at least 1; raise it")
        tried: dict[int, bytes] = {}

        def gap(level: int) -> float:
            tried[level] = self._compress(image, level)
            return math.log(len(tried[level])) - math.log(budget)

        level = _search.largest(
            gap, _quality.LOWEST, _quality.HIGHEST, slope=0.035 / QUALITY_SCALE, close=0.01
        )
        if level is None:
            least = min(len(data) for data in tried.values())
            raise InputError(
                f"max_bytes is {budget}; expected at least {least}, what this picture takes at "
                "quality 1; raise it or make the picture smaller"
            )
        return tried[level]

    def _compress_to_psnr(self, image: Pixels, min_psnr_db: float) -> bytes:
        target = real("min_psnr_db", min_psnr_db)
        tried: dict[int, tuple[float, bytes]] = {}

        def gap(place: int) -> float:  # places run from the best quality down
            level = _quality.LOWEST + _quality.HIGHEST - place
            coded = list(self._encode(image, level))
            data = self._pack(image, level, {part.chunk: part.payload for part in coded})
            tried[place] = self._psnr_db(image, coded, level), data
            return min(max(target - tried[place][0], -_ENOUGH_DB), _ENOUGH_DB)

        place = _search.largest(
            gap, _quality.LOWEST, _quality.HIGHEST, slope=0.15 / QUALITY_SCALE, close=0.05
        )
        if place is None:
            best = max(psnr_db for psnr_db, _ in tried.values())
            raise InputError(
                f"min_psnr_db is {target}; expected at most {best:.2f}, what this picture reaches "
                "at quality 100; lower it"
            )
        return tried[place][1]

    def _psnr_db(self, image: Pixels, coded: Sequence[_Coded], level: int) -> float:
        """Return the PSNR that a stream will decode to, in dB, without decoding its bytes."""
        picture = whole(image)
        padded = picture.aligned(HYPER_STRIDE)
        latent = self._assemble(((part.chunk, part.latent) for part in coded), padded)
        out = np.empty(image.shape, np.uint8)
        self._draw(latent, padded, padded, picture, level, out)
        error = float(np.square(out.astype(np.float32) - image).mean(dtype=np.float64))
        return 10 * math.log10(255**2 / error) if error else math.inf


def _signatures(manifest: Manifest) -> dict[str, tuple[Signature, Signature]]:
    latents = planes(manifest.parameters["latent_channels"])
    hypers = planes(manifest.parameters["hyper_channels"])
    image, quality, own = ("float", planes(3)), ("float", None), ("float", None)
    latent, hyper = ("float", latents), ("float", hypers)
    choice: Signature = {"mean": ("int32", latents), "scale_index": ("uint8", latents)}
    return {
        "encoder": (
            {"image": image, "quality": quality},
            {"latent": latent, "hyper_latent": hyper},
        ),
        "entropy_first": (
            {"hyper_latent": hyper, "quality": quality},
            {"shared": own, "features": own, **choice},
        ),
        "entropy_second": ({"features": own, "context": latent}, choice),
        "entropy_third": ({"shared": own, "context": latent}, choice),
        "decoder": ({"latent": latent, "quality": quality}, {"image": PIXELS}),
    }


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


def _canvas(part: Box, header: container.Header) -> Pixels:
    return np.empty((part.height, part.width, 3)[: 2 if header.grey else 3], np.uint8)


def _check_size(part: Box, max_pixels: int) -> None:
    if part.height * part.width > integer("max_pixels", max_pixels):
        raise StreamError(
            f"the picture to decode has {part.width} x {part.height} pixels; expected at most "
            f"{max_pixels}; raise max_pixels if you trust where it comes from, or decode a region"
        )


def _meet(one: Box, other: Box) -> bool:
    common = one.clipped(other)
    return common.height > 0 and common.width > 0
