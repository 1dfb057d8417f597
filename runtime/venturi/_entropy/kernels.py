"""The kernels of the entropy coder, and which of them is used.

All produce the same bytes. NumPy's is the reference; the one in C is faster, if the installation
could build it. ``VENTURI_KERNEL=numpy`` or ``=native`` in the environment chooses one. The kernel
is loaded when the first symbol is coded, not at import.
"""

import functools
import os
from collections.abc import Mapping

from venturi._entropy.native_kernel import NativeKernel, load
from venturi._entropy.numpy_kernel import NumpyKernel
from venturi.errors import InputError

Kernel = NumpyKernel | NativeKernel

_CHOICE = "VENTURI_KERNEL"


@functools.cache
def kernels() -> Mapping[str, Kernel]:
    """Return the kernels of this installation by name, the fastest last."""
    library = load()
    native = {} if library is None else {"native": NativeKernel(library)}
    return {"numpy": NumpyKernel(), **native}


@functools.cache
def default_kernel() -> Kernel:
    """Return the kernel that is used unless a call names one; it is chosen once.

    Raises:
        InputError: the environment asks for one that this installation does not have.
    """
    name = os.environ.get(_CHOICE) or [*kernels()][-1]
    if name not in kernels():
        raise InputError(
            f"{_CHOICE} is {name!r}; expected one of {', '.join(kernels())}; "
            "unset it, or install venturi where there is a C compiler"
        )
    return kernels()[name]
