"""The demonstration: photographs compressed, restored and cleaned, on one HTML page.

    photograph -> Codec -> bytes -> Codec -> restored     beside JPEG and WebP of as many bytes
    photograph + noise -> Denoiser -> cleaned

``python -m benchmarks.demo [PHOTO ...]``; without names, photographs that scikit-image ships.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from benchmarks import environment, pictures, templating, timing
from benchmarks.metrics import ms_ssim, psnr_db
from benchmarks.peers import PEERS, Peer, closest_quality
from benchmarks.pieces import Table
from venturi import Codec, Denoiser, VenturiError, images

Picture = NDArray[np.uint8]

SHIPPED = ("astronaut.png", "coffee.png", "chelsea.png", "rocket.jpg")
CLASSIC = ("jpeg", "webp")
SIGMA = 25
SHOWN = 1024
"""Of a larger picture the page shows the middle: that many pixels, not reduced."""


@dataclass(frozen=True)
class Coded:
    """One codec's file of a picture, and what it cost.

    label: name for people. bytes: size of the file. restored: uint8 (H, W, 3) RGB.
    encode_ms, decode_ms: medians. fits: whether the file is no larger than it should be.
    """

    label: str
    bytes: int
    restored: Picture
    encode_ms: float
    decode_ms: float
    fits: bool = True


@dataclass(frozen=True)
class Shown:
    """All of one photograph that the page shows.

    name, file_bytes: of the photograph's file. coded: ours first. noisy, clean: with noise added
    and removed. denoise_ms: the median.
    """

    name: str
    file_bytes: int
    original: Picture
    coded: Sequence[Coded]
    noisy: Picture
    clean: Picture
    denoise_ms: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the page and print where it is; return 0 when every photograph is on it."""
    options = _parser().parse_args(arguments)
    failures = 0
    shown: list[Shown] = []
    try:
        codec, denoiser = Codec(options.codec), Denoiser(options.denoiser)
        for path in options.photos or shipped_photographs():
            print(f"{path.name} ...", flush=True)
            try:
                shown.append(show(path, codec, denoiser, options))
            except (VenturiError, ValueError, OSError) as error:
                failures += 1
                named = "" if str(path) in str(error) else f"{path}: "
                print(f"demo: {named}{error}", file=sys.stderr)
                continue
            print(_line(shown[-1]), flush=True)
        if shown:
            page = write_page(options.output, shown, options)
            print(f"\n{page.resolve().as_uri()}")
    except (VenturiError, ImportError, OSError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    return 1 if failures else 0


def shipped_photographs() -> list[Path]:
    """Find scikit-image's photographs without importing it.

    Raises ImportError when it is not installed.
    """
    package = find_spec("skimage")
    if package is None or package.origin is None:
        raise ImportError("no photographs: name some, or pip install scikit-image for its own")
    return [Path(package.origin).parent / "data" / name for name in SHIPPED]


def show(path: Path, codec: Codec, denoiser: Denoiser, options: argparse.Namespace) -> Shown:
    """Compress, restore and clean one photograph."""
    original = as_rgb(images.read(path).pixels)
    ours = _timed(
        "Venturi",
        lambda: codec.compress(original, quality=options.quality),
        codec.decompress,
        options.runs,
    )
    beside = [
        _peer(peer, original, ours.bytes, options.runs) for peer in PEERS if peer.name in CLASSIC
    ]
    noisy = pictures.noisy(original, SIGMA, name=path.name)
    return Shown(
        name=path.name,
        file_bytes=path.stat().st_size,
        original=original,
        coded=[ours, *beside],
        noisy=noisy,
        clean=denoiser.denoise(noisy),
        denoise_ms=_median_ms(lambda: denoiser.denoise(noisy), options.runs),
    )


def as_rgb(pixels: Picture) -> Picture:
    """Give a grey picture three equal channels, as the classic codecs take it."""
    return np.repeat(pixels[:, :, np.newaxis], 3, axis=2) if pixels.ndim == 2 else pixels


def _peer(peer: Peer, original: Picture, limit: int, runs: int) -> Coded:
    quality = closest_quality(lambda q: len(peer.encode(original, q)), limit)
    coded = _timed(
        f"{peer.label.partition(',')[0]}, quality {quality}",
        lambda: peer.encode(original, quality),
        peer.decode,
        runs,
    )
    return replace(coded, fits=coded.bytes <= limit)


def _timed(
    label: str, encode: Callable[[], bytes], decode: Callable[[bytes], Picture], runs: int
) -> Coded:
    data = encode()
    return Coded(
        label=label,
        bytes=len(data),
        restored=decode(data),
        encode_ms=_median_ms(encode, runs),
        decode_ms=_median_ms(lambda: decode(data), runs),
    )


def _median_ms(call: Callable[[], object], runs: int) -> float:
    return median(timing.interleaved({"": call}, runs=runs, warm_up=1)[""])


@dataclass(frozen=True)
class View:
    """One picture of the page: its title, a note, its pixels as a data URI, whether it is ours."""

    title: str
    note: str
    data: str
    ours: bool = False


@dataclass(frozen=True)
class Section:
    """The part of the page about one photograph."""

    name: str
    about: str
    files: Sequence[View]
    table: Table
    noise: Sequence[View]


def write_page(folder: Path, shown: Sequence[Shown], options: argparse.Namespace) -> Path:
    """Write ``index.html`` into ``folder``, with every picture inside it; return its path."""
    machine = environment.describe(threads=0)
    page = templating.render(
        "demo.html",
        title="Photographs compressed, restored and cleaned",
        introduction=(
            f"{_count(shown)} through Venturi's compressor at quality {options.quality:g} of 100, "
            "beside JPEG and WebP files that are as large or a little smaller; then with Gaussian "
            f"noise (σ = {SIGMA}) added, and cleaned. Everything on this page was computed by the "
            "machine that wrote it."
        ),
        conditions=(
            f"{machine.cpu}; encode and decode times are medians of {options.runs} runs after "
            f"a warm-up, from pixels to bytes and back; {machine.measured_on}."
        ),
        photographs=[_section(one) for one in shown],
    )
    path = folder / "index.html"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return path


def _count(shown: Sequence[Shown]) -> str:
    return "One photograph" if len(shown) == 1 else f"{len(shown)} photographs"


def _section(one: Shown) -> Section:
    height, width = one.original.shape[:2]
    whole = "" if max(height, width) <= SHOWN else " · its middle is shown, the numbers are of all"
    files = [_view("Original", f"{one.file_bytes:,} bytes as {one.name}", one.original)]
    for coded in one.coded:
        note = f"{coded.bytes:,} bytes · {psnr_db(one.original, coded.restored):.2f} dB"
        files.append(_view(coded.label, note, coded.restored, ours=coded is one.coded[0]))
    cleaned = f"{psnr_db(one.original, one.clean):.2f} dB · {one.denoise_ms:.1f} ms"
    return Section(
        name=one.name,
        about=f"{width} × {height} pixels · {one.original.nbytes:,} bytes of pixels{whole}",
        files=files,
        table=Table("Size, quality and time", _rows(one)),
        noise=[
            _view("With noise", f"{psnr_db(one.original, one.noisy):.2f} dB", one.noisy),
            _view("Cleaned by Venturi", cleaned, one.clean, ours=True),
        ],
    )


def _rows(one: Shown) -> list[list[str]]:
    rows = [["codec", "bytes", "bits per pixel", "PSNR dB", "MS-SSIM", "encode ms", "decode ms"]]
    for coded in one.coded:
        size = f"{coded.bytes:,}" if coded.fits else f"{coded.bytes:,} (its smallest)"
        rows.append(
            [
                coded.label,
                size,
                f"{rate_bpp(coded, one.original):.3f}",
                f"{psnr_db(one.original, coded.restored):.2f}",
                f"{ms_ssim(one.original, coded.restored):.4f}",
                f"{coded.encode_ms:.1f}",
                f"{coded.decode_ms:.1f}",
            ]
        )
    return rows


def _view(title: str, note: str, picture: Picture, *, ours: bool = False) -> View:
    return View(title, note, pictures.data_uri(middle(picture)), ours)


def middle(picture: Picture) -> Picture:
    """Cut the middle out of a picture that is larger than the page shows."""
    top, left = (max(0, side - SHOWN) // 2 for side in picture.shape[:2])
    return picture[top : top + SHOWN, left : left + SHOWN]


def rate_bpp(coded: Coded, original: Picture) -> float:
    """Return the rate in bits per pixel."""
    height, width = original.shape[:2]
    return 8 * coded.bytes / (int(height) * int(width))


def _line(one: Shown) -> str:
    """Say the outcome in one line for each codec and one for the noise."""
    lines = [
        f"  {coded.label:<18} {coded.bytes:>9,} bytes {rate_bpp(coded, one.original):7.3f} bpp "
        f"{psnr_db(one.original, coded.restored):7.2f} dB"
        f"{coded.encode_ms:8.1f} ms encode {coded.decode_ms:7.1f} ms decode"
        for coded in one.coded
    ]
    before, after = psnr_db(one.original, one.noisy), psnr_db(one.original, one.clean)
    lines.append(f"  noise σ = {SIGMA}: {before:.2f} dB -> cleaned {after:.2f} dB")
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.demo", description=__doc__)
    parser.add_argument("photos", nargs="*", type=Path, metavar="PHOTO", help="image files")
    parser.add_argument("--codec", default="photo", metavar="NAME_OR_PATH", help="bundle")
    parser.add_argument("--denoiser", default="camera", metavar="NAME_OR_PATH", help="bundle")
    parser.add_argument("--quality", type=float, default=50, help="1..100; default: %(default)s")
    parser.add_argument("--runs", type=int, default=7, help="calls that are timed")
    parser.add_argument(
        "--output", type=Path, default=Path("demo-output"), metavar="FOLDER", help="of the page"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
