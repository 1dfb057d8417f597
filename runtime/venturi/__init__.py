"""Compress and denoise pictures with small networks, on any device that has onnxruntime.

    codec = Codec("photo")
    data = codec.compress(image, quality=50)  # uint8 (H, W, 3) RGB -> bytes
    image = codec.decompress(data)
    clean = Denoiser("camera").denoise(image)
    code = Autoencoder("runs/mnist-simple/bundle").encode(digit)

The first of these objects loads onnxruntime. Nothing here loads torch, onnx or OpenCV.
"""

from venturi._bundle.manifest import FileEntry, Manifest, Parent, Pictures
from venturi._engine.arrays import Colour, Pixels, Planes
from venturi._engine.observer import Observer
from venturi._engine.recurrence import DenoiserState
from venturi._version import __version__
from venturi.autoencoder import Autoencoder, Code
from venturi.codec import Codec, Region, Salvage
from venturi.denoiser import Denoiser, DenoiserStream
from venturi.errors import (
    BundleError,
    DeviceError,
    InputError,
    StreamError,
    VenturiError,
    VideoError,
)
from venturi.probe import Probe, bundles, probe

__all__ = [
    "Autoencoder",
    "BundleError",
    "Code",
    "Codec",
    "Colour",
    "Denoiser",
    "DenoiserState",
    "DenoiserStream",
    "DeviceError",
    "FileEntry",
    "InputError",
    "Manifest",
    "Observer",
    "Parent",
    "Pictures",
    "Pixels",
    "Planes",
    "Probe",
    "Region",
    "Salvage",
    "StreamError",
    "VenturiError",
    "VideoError",
    "__version__",
    "bundles",
    "probe",
]
