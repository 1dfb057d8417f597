"""The autoencoder: turn small pictures of one size into codes of a few numbers, and back.

    image ─▶ encoder.onnx ─▶ code ─▶ decoder.onnx ─▶ image
                              │ ▲
                        round ▼ │
                             symbols ─▶ rANS ─▶ container

The numbers of a code are in units of the rounding step, so a symbol is a rounded number.
"""

import os

import numpy as np
from numpy.typing import ArrayLike, NDArray

from venturi._bundle.load import check_fingerprint
from venturi._engine.arrays import Pixels, Planes, integers
from venturi._engine.checks import integer
from venturi._engine.graph import Signature, planes
from venturi._engine.model import Model
from venturi._engine.observer import Observer
from venturi._entropy.payload import Decoder, encode
from venturi._format import container
from venturi._format.tables import Tables
from venturi._layout import NO_QUALITY_Q8
from venturi.errors import BundleError, InputError, StreamError

Code = NDArray[np.float32]

_BATCH = 256
_SYMBOL_MAX = 2.0**24  # the whole numbers that float32 holds


class Autoencoder(Model):
    """Encodes, decodes, generates and compresses pictures with one bundle.

    Pictures are uint8 (H, W) if the bundle has one channel, (H, W, 3) RGB if it has three, of
    exactly the bundle's size. Immutable and safe to share between threads; it pickles by its
    arguments.

    Attributes:
        manifest: the manifest of the bundle.
    """

    def __init__(
        self,
        bundle: str | os.PathLike[str],
        *,
        device: str = "cpu",
        threads: int | None = None,
        observer: Observer | None = None,
    ) -> None:
        """Load a bundle.

        Args:
            bundle: the path of a folder, or the name of a shipped bundle.
            device: ``cpu``, ``cuda`` and others that the installed onnxruntime has.
            threads: how many for one operator; None lets onnxruntime choose.
            observer: told what the graphs and the entropy coder do and how long it takes, for
                measurements; see :class:`venturi.Observer`.

        Raises:
            BundleError: there is no such bundle, or it is damaged.
            DeviceError: the device is not there or cannot run the graphs.
            InputError: ``threads`` is not at least 1.
            ImportError: onnxruntime is not installed.
        """
        opener = self._load(
            bundle, "autoencoder", device=device, threads=threads, observer=observer
        )
        self._observer = observer
        image: Signature = {"image": ("float", planes(self.manifest.channels))}
        code: Signature = {"code": ("float", None)}
        self._encoder = opener.graph("encoder", image, code)
        self._decoder = opener.graph("decoder", code, image)
        self._tables = Tables.from_bytes(opener.bundle.files["tables"])
        numbers = self.manifest.parameters["code_numbers"]
        if self._tables.hyper_index.shape != (1, numbers):
            raise BundleError(
                f"{self.manifest.files['tables'].path} has tables for "
                f"{self._tables.hyper_index.shape} numbers; expected (1, {numbers}), as the "
                "manifest says; get the bundle from its source again"
            )

    def encode(self, images: Pixels) -> Code:
        """Return the code of a picture, or of several.

        Args:
            images: uint8, one picture or (N, …) of them, in any memory layout; they are not
                changed.

        Returns:
            float32 (numbers,) or (N, numbers), in units of the rounding step.

        Raises:
            InputError: the pictures are invalid or have another size.
        """
        batch = self._check_images(images)
        shape = len(batch), self.manifest.parameters["code_numbers"]
        codes = np.empty(shape, np.float32)
        for start in range(0, len(batch), _BATCH):
            part = slice(start, start + _BATCH)
            planes = _planes(batch[part])
            (codes[part],) = self._encoder.run(planes, shapes=[(len(planes), *shape[1:])])
        return codes if batch.ndim == images.ndim else codes[0]

    def decode(self, codes: ArrayLike) -> Planes:
        """Return the picture of a code, or of several, before it is rounded to uint8.

        Args:
            codes: (numbers,) or (N, numbers) finite numbers, in units of the rounding step.

        Returns:
            float32 in [0, 1], of the shape of one picture or (N, …) of them.

        Raises:
            InputError: the codes are invalid.
        """
        batch = self._check_codes(codes)
        shape = self._shape
        planes = np.empty((len(batch), *shape), np.float32)
        for start in range(0, len(batch), _BATCH):
            part = slice(start, start + _BATCH)
            some = batch[part]
            (planes[part],) = self._decoder.run(some, shapes=[(len(some), *shape)])
        is_grey = self.manifest.channels == 1
        pictures: Planes = planes[:, 0] if is_grey else planes.transpose(0, 2, 3, 1)
        return pictures if np.ndim(codes) == 2 else pictures[0]

    def reconstruct(self, images: Pixels) -> Pixels:
        """Encode and decode a picture, or several.

        Args:
            images: uint8, one picture or (N, …) of them, in any memory layout; they are not
                changed.

        Returns:
            uint8 of the same shape.

        Raises:
            InputError: the pictures are invalid or have another size.
        """
        return self._rounded(self.decode(self.encode(images)))

    def generate(self, n: int, seed: int) -> Pixels:
        """Generate new pictures by decoding codes drawn from the prior.

        Args:
            n: how many pictures, at least 1.
            seed: 0 or more; the same seed gives the same codes.

        Returns:
            uint8 (n, …).

        Raises:
            BundleError: the bundle's code has no prior; only a variational one has.
            InputError: an argument is invalid.
        """
        count, number = integer("n", n), integer("seed", seed)
        deviation = self.manifest.parameters["prior_deviation"]
        if not deviation:
            raise BundleError(
                f"bundle {self.manifest.name!r} has a code without a prior; expected one that "
                "draws pictures; open a variational autoencoder, such as mnist-vae"
            )
        if count < 1 or number < 0:
            raise InputError(
                f"n is {count} and seed is {number}; expected at least 1 and 0; raise them"
            )
        shape = count, self.manifest.parameters["code_numbers"]
        codes = np.random.default_rng(number).standard_normal(shape, np.float32)
        return self._rounded(self.decode(codes * np.float32(deviation)))

    def compress(self, image: Pixels) -> bytes:
        """Return the container of one picture.

        Raises:
            InputError: the picture does not have the bundle's size or channels.
        """
        if self._check_images(image).ndim == np.ndim(image):
            raise InputError(
                f"image has the shape {image.shape}; expected one picture; compress one by one"
            )
        code = np.clip(np.rint(self.encode(image)), -_SYMBOL_MAX, _SYMBOL_MAX)
        symbols = integers(code, np.int32, self._encoder.name)
        segments = [(symbols, self._tables.hyper_index[0])]
        payload = encode(segments, self._tables, observer=self._observer)
        return container.pack(self._header, [payload])

    def decompress(self, data: bytes | bytearray | memoryview) -> Pixels:
        """Return the picture in a container.

        Raises:
            StreamError: the container is damaged or from another bundle.
        """
        info = container.read_header(data)
        self._check_header(info.header)
        payload = container.chunk(info, data, 0)
        decoder = Decoder(payload, self._tables, observer=self._observer)
        symbols = decoder.decode(self._tables.hyper_index[0])
        decoder.finish()
        return self._rounded(self.decode(symbols))

    @property
    def _shape(self) -> tuple[int, int, int]:
        parameters = self.manifest.parameters
        return self.manifest.channels, parameters["height"], parameters["width"]

    @property
    def _header(self) -> container.Header:
        channels, height, width = self._shape
        fingerprint = self.manifest.fingerprint
        return container.Header(channels == 1, fingerprint, NO_QUALITY_Q8, width, height)

    def _check_header(self, header: container.Header) -> None:
        check_fingerprint(self.manifest, header.fingerprint)
        if header != self._header:
            raise StreamError(
                f"the container says {header}; expected {self._header}; "
                "get the file from its source again"
            )

    def _check_images(self, images: Pixels) -> Pixels:
        """Return the pictures as a batch, one picture as a batch of one."""
        channels, height, width = self._shape
        shape = (height, width) if channels == 1 else (height, width, channels)
        actual = f"{type(images).__name__}"
        if isinstance(images, np.ndarray):
            actual = f"{images.dtype} {images.shape}"
            if images.dtype == np.uint8 and images.shape == shape:
                return images[None]
            if images.dtype == np.uint8 and images.shape[1:] == shape and len(images):
                return images
        raise InputError(
            f"image is {actual}; expected uint8 {shape}, or several in (N, {str(shape)[1:]}; "
            "cut or scale it to this size"
        )

    def _check_codes(self, codes: ArrayLike) -> Code:
        """Return codes as float32 (N, numbers), one code as a batch of one."""
        numbers = self.manifest.parameters["code_numbers"]
        try:
            batch = np.asarray(codes, np.float32)
        except (TypeError, ValueError) as error:
            raise InputError(
                f"code is no array: {error}; expected {numbers} numbers; convert it"
            ) from error
        if batch.shape == (numbers,):
            batch = batch[None]
        if batch.ndim != 2 or batch.shape[1] != numbers or not len(batch):
            raise InputError(
                f"code has the shape {np.shape(batch)}; expected ({numbers},) or (N, {numbers}); "
                "take what encode returned"
            )
        if not np.isfinite(batch).all():
            raise InputError(
                "code has a value that is not finite; expected numbers that float32 holds; "
                "take what encode returned"
            )
        return batch

    def _rounded(self, pictures: Planes) -> Pixels:
        """Return pictures in [0, 1] as uint8, rounded half up."""
        scaled = np.clip(pictures * np.float32(255) + np.float32(0.5), 0, 255)
        return integers(scaled, np.uint8, self._decoder.name)


def _planes(batch: Pixels) -> Planes:
    """Return float32 (N, C, H, W) in [0, 1] of uint8 (N, H, W) or (N, H, W, C)."""
    planes = batch[:, None] if batch.ndim == 3 else batch.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(planes, np.float32) / np.float32(255)
