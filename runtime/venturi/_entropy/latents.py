"""Code one chunk: latents to a payload and back.

    hyper-latent ─▶ round ─────────────────────────▶ segment 0
                      │
                      ▼
                entropy-first.onnx ──▶ mean, table ─▶ segment 1: a quarter of the latents
                      │ shared, features                 │ what has been decoded
                      ▼                                  ▼
                entropy-second.onnx ─▶ mean, table ─▶ segment 2: another quarter
                      │ shared                           │
                      ▼                                  ▼
                entropy-third.onnx ──▶ mean, table ─▶ segment 3: the other half

Everything that chooses a table or a mean is an integer and comes from these graphs on the CPU,
so a payload decodes to the same latents on every machine.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from venturi._engine.arrays import Planes, integers
from venturi._engine.graph import Graph, Shape, Signature, planes
from venturi._engine.model import Opener
from venturi._engine.transform import Latent
from venturi._entropy.payload import Decoder, encode
from venturi._format.tables import Tables
from venturi._layout import HYPER_MAX, HYPER_STRIDE, LATENT_STRIDE, MEAN_SCALE, ORDER, STEPS
from venturi.errors import BundleError, StreamError

_RATIO = HYPER_STRIDE // LATENT_STRIDE
_LATENT_LIMIT = np.iinfo(np.int16).max // MEAN_SCALE
_SYMBOL_LIMIT = 2**24
BIT_PRICE, OFFSET_MAX = 0.07, 0.45
"""Rounding in the encoder, and in training: the squared error that a bit is worth, and the largest
offset."""


class EntropyGraphs(NamedTuple):
    """A bundle's entropy graphs, one for each step."""

    first: Graph
    second: Graph
    third: Graph

    @classmethod
    def open(cls, opener: Opener) -> Self:
        """Open them: always on the CPU, where their integers are exact."""
        parameters = opener.bundle.manifest.parameters
        channels, hyper_channels = parameters["latent_channels"], parameters["hyper_channels"]
        context: Signature = {"context": ("float", planes(channels))}
        shared: Signature = {"shared": ("float", None)}
        features: Signature = {"features": ("float", None)}
        choice: Signature = {
            "mean": ("int32", planes(channels)),
            "scale_index": ("uint8", planes(channels)),
        }
        hyper: Signature = {
            "hyper_latent": ("float", planes(hyper_channels)),
            "quality": ("float", None),
        }
        return cls(
            opener.graph("entropy_first", hyper, {**shared, **features, **choice}, device="cpu"),
            opener.graph("entropy_second", {**features, **context}, choice, device="cpu"),
            opener.graph("entropy_third", {**shared, **context}, choice, device="cpu"),
        )


class LatentCoder:
    """Codes chunks with a bundle's entropy graphs and tables; safe to share between threads."""

    def __init__(self, opener: Opener) -> None:
        """Open the graphs and read the tables.

        Raises:
            BundleError: the tables are for another number of hyper-latent channels.
        """
        parameters = opener.bundle.manifest.parameters
        self._graphs = EntropyGraphs.open(opener)
        self._tables = tables = Tables.from_bytes(opener.bundle.files["tables"])
        self._observer = opener.observer
        self._channels, expected = parameters["latent_channels"], parameters["hyper_channels"]
        if tables.hyper_index.shape[1] != expected:
            raise BundleError(
                f"tables.bin is for {tables.hyper_index.shape[1]} hyper-latent channels; expected "
                f"{expected}, says the manifest; export the bundle again"
            )
        self._is_coded = tables.radius > 0
        self._offset = _rounding_offset(tables)

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
        return encode(segments, self._tables, observer=self._observer), decoded

    def symbols(
        self, latent: Planes, hyper: Planes, quality: int
    ) -> tuple[list[tuple[NDArray[np.int32], NDArray[np.uint8]]], Latent]:
        """Return a chunk's four segments of (symbol, table index), and its decoded latents."""
        table = self._hyper_table(quality, *hyper.shape[1:])
        rounded = np.clip(np.rint(hyper), -HYPER_MAX, HYPER_MAX)
        hyper_symbol = integers(rounded, np.int32, "encoder.onnx").reshape(-1)
        hyper_symbol *= self._is_coded[table]
        segments = [(hyper_symbol, table)]
        done: list[Latent] = []
        clipped = np.clip(latent, -_LATENT_LIMIT, _LATENT_LIMIT)
        for mean, index in self._steps(hyper_symbol, done, quality, *latent.shape[1:]):
            residual = gather(clipped, len(done)) - mean * np.float32(1 / MEAN_SCALE)
            offset = self._offset[index]
            residual -= np.clip(residual, -offset, offset)
            symbol = integers(np.rint(residual, out=residual), np.int32, "encoder.onnx")
            symbol *= self._is_coded[index]
            segments.append((symbol.reshape(-1), index.reshape(-1)))
            done.append(_dequantised(symbol, mean))
        return segments, scattered(done)

    def decode(self, payload: bytes, height: int, width: int, quality: int) -> Latent:
        """Decode a chunk.

        Args:
            payload: what :meth:`encode` returned.
            height: of the latents, a multiple of 4.
            width: of the latents, a multiple of 4.
            quality: 0 to 255.

        Raises:
            StreamError: the payload does not fit this bundle, size and quality.
        """
        decoder = Decoder(payload, self._tables, observer=self._observer)
        table = self._hyper_table(quality, height // _RATIO, width // _RATIO)
        hyper_symbol = decoder.decode(table)
        # Not by its magnitude: that of the smallest int32 is negative.
        if hyper_symbol.size and not (
            hyper_symbol.min() >= -HYPER_MAX and hyper_symbol.max() <= HYPER_MAX
        ):
            raise StreamError(
                f"a hyper-latent lies beyond {HYPER_MAX}; expected what an encoder writes; "
                "get the file from its source again"
            )
        done: list[Latent] = []
        for mean, index in self._steps(hyper_symbol, done, quality, height, width):
            symbol = decoder.decode(index.reshape(-1)).reshape(index.shape)
            done.append(_dequantised(symbol, mean))
        decoder.finish()
        return scattered(done)

    def _steps(
        self,
        hyper_symbol: NDArray[np.int32],
        done: Sequence[Latent],
        quality: int,
        height: int,
        width: int,
    ) -> Iterator[tuple[NDArray[np.int32], NDArray[np.uint8]]]:
        """Yield each step's means and table indices.

        The caller puts the step's latents into ``done``, in their order, before the next one.
        """
        hyper = hyper_symbol.astype(np.float32)
        hyper = hyper.reshape(1, -1, height // _RATIO, width // _RATIO)
        quarters: list[Shape | None] = [(1, self._channels, height // 2, width // 2)] * 2
        halves: list[Shape | None] = [(1, self._channels, height, width // 2)] * 2
        shared, features, mean, index = self._graphs.first.run(
            hyper, np.array([quality], np.float32), shapes=[None, None, *quarters]
        )
        yield mean[0], self._checked(index[0])
        mean, index = self._graphs.second.run(features, _context(done), shapes=quarters)
        yield mean[0], self._checked(index[0])
        mean, index = self._graphs.third.run(shared, _context(done), shapes=halves)
        yield mean[0], self._checked(index[0])

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


def _rounding_offset(tables: Tables) -> Planes:
    """Return the rounding offset of dead-zone quantisation, float32 (tables,).

    Rate-distortion-optimised: a symbol k of residual r costs (k − r)² + price · bits(k), and the
    smallest cost wins, which widens the zone of each symbol towards larger magnitudes by the
    offset. High-rate theory puts the price of a bit at ln 2 / 6 = 0.12; on photographs kept out of
    training 0.07 saved most, 2 % of the bytes. Training rounds alike. Tables fall about as steeply
    from 1 to 2 as from 0 to 1, so one offset for a table is enough.
    """
    offset = np.clip(0.5 * BIT_PRICE * tables.extra_bits(), 0, OFFSET_MAX)
    return offset.astype(np.float32)


def gather(values: NDArray[Any], step: int) -> NDArray[Any]:
    """Return the values of a step in the order of coding: (M, H / 2, W / 2), or twice as high.

    A step has one or two quarters, one below the other. In each of four groups of channels, a
    quarter of the latents has one place of each square of 2 × 2: ``ORDER[group] ^ ORDER[quarter]``,
    counted 0, 1 above 2, 3.

    Args:
        values: (M, H, W), H and W even.
        step: 0, 1 or 2.
    """
    channels, height, width = values.shape
    gathered = np.empty((channels, len(STEPS[step]) * (height // 2), width // 2), values.dtype)
    for part, place in _parts(values, step):
        gathered[part] = values[place]
    return gathered


def scattered(gathered: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Invert :func:`gather` for all steps: return (M, H, W)."""
    channels, height, width = gathered[-1].shape
    values = np.empty((channels, height, 2 * width), gathered[-1].dtype)
    for step, step_values in enumerate(gathered):
        for part, place in _parts(values, step):
            values[place] = step_values[part]
    return values


def _parts(
    values: NDArray[Any], step: int
) -> Iterator[tuple[tuple[slice, slice], tuple[slice, slice, slice]]]:
    """Yield target and source slices of :func:`gather`; strides copy faster than a mask."""
    channels, half = len(values), values.shape[1] // 2
    for group in range(4):
        of_group = slice(channels * group // 4, channels * (group + 1) // 4)
        for number, quarter in enumerate(STEPS[step]):
            row, column = divmod(ORDER[group] ^ ORDER[quarter], 2)
            rows = slice(number * half, (number + 1) * half)
            yield (of_group, rows), (of_group, slice(row, None, 2), slice(column, None, 2))


def _context(done: Sequence[Latent]) -> Planes:
    """Return float32 (1, M, quarters · H / 2, W / 2): the steps one below the other."""
    return np.concatenate(done, 1, dtype=np.float32)[None]


def _dequantised(symbol: NDArray[np.int32], mean: NDArray[np.int32]) -> Latent:
    """Return 16 symbol + mean, clipped to int16; the first clip keeps the product within int32."""
    limit = np.iinfo(np.int16)
    value = np.clip(symbol, -_SYMBOL_LIMIT, _SYMBOL_LIMIT)
    value *= MEAN_SCALE
    value += mean
    return np.clip(value, limit.min, limit.max, out=value).astype(np.int16)
