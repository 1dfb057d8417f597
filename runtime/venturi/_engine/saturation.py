"""Find out whether this processor saturates products of 8 bits.

x86 without VNNI multiplies unsigned by signed bytes with ``vpmaddubsw``, which adds two products in
a signed integer of 16 bits and clips the sum: pixels are silently wrong. Bundles whose export has
proven that no such sum can leave 16 bits do not care; for others onnxruntime has an exact and
slower way, ``session.x64quantprecision``. It would take it on VNNI as well, so it is told only
where one product of matrices shows the need.
"""

import functools
from importlib import import_module

import numpy as np

_PRODUCT = (
    b'\x08\x08:`\n\x18\n\x01a\n\x01b\x12\x01y"\rMatMulInteger\x12\x05probe'
    b"Z\x13\n\x01a\x12\x0e\n\x0c\x08\x02\x12\x08\n\x02\x08\x02\n\x02\x08\x04"
    b"Z\x13\n\x01b\x12\x0e\n\x0c\x08\x03\x12\x08\n\x02\x08\x04\n\x02\x08\x10"
    b"b\x13\n\x01y\x12\x0e\n\x0c\x08\x06\x12\x08\n\x02\x08\x02\n\x02\x08\x10B\x04\n\x00\x10\x12"
)
"""An ONNX file: the product of uint8 (2, 4) and int8 (4, 16), int32 (2, 16)."""


@functools.cache
def processor_saturates() -> bool:
    """Return whether onnxruntime's products of 8 bits saturate here; asked once per process."""
    runtime = import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(_PRODUCT, options, providers=["CPUExecutionProvider"])
    left, right = np.full((2, 4), 255, np.uint8), np.full((4, 16), 127, np.int8)
    (product,) = session.run(None, {"a": left, "b": right})
    return bool((product != 4 * 255 * 127).any())
