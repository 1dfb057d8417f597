"""Look into a .vnt file without decoding it, and list the bundles that are installed."""

from dataclasses import dataclass

from venturi._bundle.load import shipped, shipped_with
from venturi._format.container import read_header
from venturi._layout import MAX_SIDE


@dataclass(frozen=True)
class Probe:
    """What a .vnt file says about itself.

    Attributes:
        width, height: of the picture, in pixels.
        is_grey: one channel instead of three.
        quality: 1 to 100, or None for a model without a quality.
        fingerprint: 16 hexadecimal digits that name the decoder that it needs.
        bundle: the name of the installed bundle with that decoder, or None.
    """

    width: int
    height: int
    is_grey: bool
    quality: float | None
    fingerprint: str
    bundle: str | None


def probe(data: bytes | bytearray | memoryview) -> Probe:
    """Read the header of a .vnt file; no pixel is decoded and onnxruntime is not loaded.

    Args:
        data: the file; it may be damaged after its header.

    Raises:
        StreamError: the header is damaged, or not that of a .vnt file.
        InputError: ``data`` is not bytes.
    """
    header = read_header(data, max_pixels=MAX_SIDE**2, check_length=False).header
    return Probe(
        width=header.width,
        height=header.height,
        is_grey=header.grey,
        quality=header.quality,
        fingerprint=header.fingerprint.hex(),
        bundle=shipped_with(header.fingerprint),
    )


def bundles() -> list[str]:
    """Return the names of the bundles that are installed with the package."""
    return shipped()
