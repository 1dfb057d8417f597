"""The coding of one chunk: latents to a payload and back.

    hyper-latent ─▶ round ─────────────────────────▶ segment 0
                      │
                      ▼
                entropy-first.onnx ──▶ mean, table ─▶ segment 1: one half of a checkerboard
                      │ shared                           │ what has been decoded
                      ▼                                  ▼
                entropy-second.onnx ─▶ mean, table ─▶ segment 2: the other half

Everything that chooses a table or a mean is an integer and comes from these two graphs on the CPU,
so a payload decodes to the same latents on every machine.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from venturi._pixels import Planes, integers
from venturi.errors import BundleError, StreamError
from venturi.manifest import Manifest
from venturi.rans import Decoder, encode
from venturi.sessions import Graph, Shape
from venturi.tables import Tables

LATENT_STRIDE = 16
HYPER_STRIDE = 64
MEAN_SCALE = 16
HYPER_MAX = 127

Latent = NDArray[np.int16]
"""int16 (M, h, w): decoded latents in 1/MEAN_SCALE."""

_RATIO = HYPER_STRIDE // LATENT_STRIDE
_LATENT_LIMIT = np.iinfo(np.int16).max // MEAN_SCALE
_SYMBOL_LIMIT = 2**24
_BIT_PRICE = 0.07
_LEAN_MAX = 0.45


class LatentCoder:
    """Codes chunks with a bundle's entropy graphs and tables; safe to share between threads."""

    def __init__(self, first: Graph, second: Graph, tables: Tables, manifest: Manifest) -> None:
        """Take the parts of a bundle.

        Raises:
            BundleError: the tables are for another number of hyper-latent channels.
        """
        self._first, self._second = first, second
        self._tables = tables
        self._channels = manifest.parameters["latent_channels"]
        expected = manifest.parameters["hyper_channels"]
        if tables.hyper_index.shape[1] != expected:
            raise BundleError(
                f"tables.bin is for {tables.hyper_index.shape[1]} hyper-latent channels; expected "
                f"{expected}, says the manifest; export the bundle again"
            )
        self._is_coded = tables.radius > 0
        self._lean = _lean(tables)

    def encode(self, latent: Planes, hyper: Planes, quality: int) -> tuple[bytes, Latent]:
        """Code a chunk.

        Args:
            latent: float32 (M, 4 h, 4 w), times the gain.
            hyper: float32 (C, h, w).
            quality: 0 to 255.

        Returns:
            The payload, and the latents that it decodes to.
        """
        segments, decoded = self.symbols(latent, hyper, quality)
        return encode(segments, self._tables), decoded

    def symbols(
        self, latent: Planes, hyper: Planes, quality: int
    ) -> tuple[list[tuple[NDArray[np.int32], NDArray[np.uint8]]], Latent]:
        """Return a chunk's three segments of (symbol, table index), and its decoded latents."""
        table = self._hyper_table(quality, *hyper.shape[1:])
        rounded = np.clip(np.rint(hyper), -HYPER_MAX, HYPER_MAX)
        hyper_symbol = integers(rounded, np.int32, "encoder.onnx").reshape(-1)
        hyper_symbol *= self._is_coded[table]
        segments = [(hyper_symbol, table)]
        decoded = np.zeros(latent.shape, np.int16)
        clipped = np.clip(latent, -_LATENT_LIMIT, _LATENT_LIMIT)
        for step, mean, index in self._steps(hyper_symbol, decoded, quality):
            residual = gather(clipped, step) - mean * np.float32(1 / MEAN_SCALE)
            lean = self._lean[index]
            residual -= np.clip(residual, -lean, lean)
            symbol = integers(np.rint(residual, out=residual), np.int32, "encoder.onnx")
            symbol *= self._is_coded[index]
            segments.append((symbol.reshape(-1), index.reshape(-1)))
            scatter(_dequantised(symbol, mean), decoded, step)
        return segments, decoded

    def decode(self, payload: bytes, height: int, width: int, quality: int) -> Latent:
        """Decode a chunk.

        Args:
            payload: what :meth:`encode` returned.
            height: of the latents, a multiple of 4.
            width: of the latents, a multiple of 4.
            quality: 0 to 255.

        Raises:
            StreamError: the payload is none of this bundle, size and quality.
        """
        decoder = Decoder(payload, self._tables)
        table = self._hyper_table(quality, height // _RATIO, width // _RATIO)
        hyper_symbol = decoder.decode(table)
        if hyper_symbol.size and np.abs(hyper_symbol).max() > HYPER_MAX:
            raise StreamError(
                f"a hyper-latent lies beyond {HYPER_MAX}; expected what an encoder writes; "
                "get the stream from its source again"
            )
        decoded = np.zeros((self._channels, height, width), np.int16)
        for step, mean, index in self._steps(hyper_symbol, decoded, quality):
            symbol = decoder.decode(index.reshape(-1)).reshape(index.shape)
            scatter(_dequantised(symbol, mean), decoded, step)
        decoder.finish()
        return decoded

    def _steps(
        self, hyper_symbol: NDArray[np.int32], decoded: Latent, quality: int
    ) -> Iterator[tuple[int, NDArray[np.int32], NDArray[np.uint8]]]:
        """Yield step, means and table indices; the caller fills ``decoded`` before the next one."""
        channels, height, width = decoded.shape
        hyper = hyper_symbol.astype(np.float32)
        hyper = hyper.reshape(1, -1, height // _RATIO, width // _RATIO)
        halves: list[Shape | None] = [(1, channels, height, width // 2)] * 2
        shared, mean, index = self._first.run(
            hyper, np.array([quality], np.float32), shapes=[None, *halves]
        )
        yield 0, mean[0], self._checked(index[0])
        mean, index = self._second.run(shared, decoded[None].astype(np.float32), shapes=halves)
        yield 1, mean[0], self._checked(index[0])

    def _checked(self, index: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if index.max() >= len(self._is_coded):
            raise BundleError(
                f"an entropy graph chose table {index.max()}; expected one of the "
                f"{len(self._is_coded)} in tables.bin; export the bundle again"
            )
        return index

    def _hyper_table(self, quality: int, height: int, width: int) -> NDArray[np.uint8]:
        rows = self._tables.hyper_index
        return np.repeat(rows[quality * len(rows) // 256], height * width)


def _lean(tables: Tables) -> Planes:
    """Return float32 (tables,): how far rounding leans towards 0 where smaller symbols are cheaper.

    A symbol k of residual r costs (k − r)² + price · bits(k), and the smallest cost wins. High-rate
    theory puts the price of a bit at ln 2 / 6 = 0.12; on photographs kept out of training 0.07
    saved most, 2 % of the bytes. Training rounds alike. Tables fall about as steeply from 1 to 2 as
    from 0 to 1, so one number for a table is enough.
    """
    lean = np.clip(0.5 * _BIT_PRICE * tables.extra_bits(), 0, _LEAN_MAX)
    return lean.astype(np.float32)


def gather(values: NDArray[Any], step: int) -> NDArray[Any]:
    """Take one half of a checkerboard: (M, H, W) to (M, H, W / 2), in the order of coding.

    Step 0 takes even places (row + column) in the first half of the channels and odd ones in the
    second; step 1 takes the others.
    """
    channels, height, width = values.shape
    taken = np.empty((channels, height, width // 2), values.dtype)
    for part, place in _checkerboard(channels, step):
        taken[part] = values[(*part, place)]
    return taken


def scatter(taken: NDArray[Any], values: NDArray[Any], step: int) -> None:
    """Put one half of a checkerboard back where :func:`gather` takes it."""
    for part, place in _checkerboard(len(values), step):
        values[(*part, place)] = taken[part]


def _checkerboard(channels: int, step: int) -> Iterator[tuple[tuple[slice, slice], slice]]:
    """Yield (channels and rows, columns), four parts; strides copy faster than a mask."""
    halves = slice(0, channels // 2), slice(channels // 2, channels)
    for second, half in enumerate(halves):
        for row in (0, 1):
            yield (half, slice(row, None, 2)), slice((row + second + step) % 2, None, 2)


def _dequantised(symbol: NDArray[np.int32], mean: NDArray[np.int32]) -> Latent:
    """Return 16 symbol + mean, clipped to int16; the first clip keeps the product within int32."""
    limit = np.iinfo(np.int16)
    value = np.clip(symbol, -_SYMBOL_LIMIT, _SYMBOL_LIMIT)
    value *= MEAN_SCALE
    value += mean
    return np.clip(value, limit.min, limit.max, out=value).astype(np.int16)
