"""Your own pictures' compressor and denoiser, on any edge device with onnxruntime alone.

    codec = Codec("photo")
    data = codec.compress(image, quality=50)    # uint8 (H, W, 3) RGB -> bytes
    image = codec.decompress(data)
    clean = Denoiser("camera").denoise(image)
    code = Autoencoder("runs/mnist-simple/bundle").encode(digit)

onnxruntime is loaded by the first of these objects; torch, onnx and OpenCV never are.
"""

from venturi._bundle.manifest import Manifest
from venturi._engine.observer import Observer
from venturi._version import __version__
from venturi.autoencoder import Autoencoder
from venturi.codec import Codec, Salvage
from venturi.denoiser import Denoiser, DenoiserStream
from venturi.errors import (
    BundleError,
    DeviceError,
    InputError,
    StreamError,
    VenturiError,
    VideoError,
)

__all__ = [
    "Autoencoder",
    "BundleError",
    "Codec",
    "Denoiser",
    "DenoiserStream",
    "DeviceError",
    "InputError",
    "Manifest",
    "Observer",
    "Salvage",
    "StreamError",
    "VenturiError",
    "VideoError",
    "__version__",
]
