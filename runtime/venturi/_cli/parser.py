"""The arguments of the command line."""

import argparse
from collections.abc import Callable, Sequence
from typing import NoReturn

from venturi._bundle.tasks import FP32
from venturi._cli import commands, video
from venturi._cli.standard import STANDARD
from venturi._layout import MAX_PIXELS
from venturi._version import __version__
from venturi.bench.arguments import add_arguments as add_bench_arguments
from venturi.video.coding import PIPED


class _Parser(argparse.ArgumentParser):
    """A parser whose errors take one line, like all others."""

    def error(self, message: str) -> NoReturn:
        """Exit with code 2."""
        self.exit(2, f"venturi: error: {message} (try: {self.prog} --help)\n")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line; paths may stand before, between and after the options."""
    parser = _parser()
    arguments, rest = parser.parse_known_args(argv)
    paths = getattr(arguments, "paths", None)
    live = getattr(arguments, "camera", None) is not None
    unknown = [text for text in rest if paths is None or (text[:1] == "-" and text != STANDARD)]
    if unknown:
        parser.error(f"unknown argument {unknown[0]}")
    if paths is not None:
        paths += rest
        if len(paths) < (1 if arguments.output else 2) and not live:
            path = f"{paths[0]}: " if paths else ""
            parser.error(f"{path}expected an input and an output as PATH, or -o OUTPUT")
    return arguments


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="venturi",
        description="Compress photographs and clean camera frames with small neural networks.",
        epilog="Exit code: 0 when everything worked, 1 when something failed, 2 for wrong usage.",
    )
    parser.add_argument("--version", action="version", version=f"venturi {__version__}")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_compress(subparsers)
    _add_decompress(subparsers)
    _add_denoise(subparsers)
    _add_info(subparsers)
    bench = _added(subparsers, "bench", "measure what a model costs on this machine")
    add_bench_arguments(bench)
    bench.set_defaults(run=commands.bench)
    return parser


_Subparsers = argparse._SubParsersAction  # the type has no public name


def _added(subparsers: "_Subparsers[_Parser]", name: str, purpose: str) -> _Parser:
    """Add a command; ``purpose`` appears in the list of commands and above its own help."""
    sentence = purpose[0].upper() + purpose[1:] + "."
    parser: _Parser = subparsers.add_parser(name, help=purpose, description=sentence)
    return parser


def _add_compress(subparsers: "_Subparsers[_Parser]") -> None:
    command = _added(subparsers, "compress", "compress pictures to .vnt files")
    _add_common(command, commands.compress, what="picture", bundle="photo")
    rate = command.add_mutually_exclusive_group()
    rate.add_argument(
        "--quality",
        type=_quality,
        default=50.0,
        metavar="1..100",
        help="higher looks better and takes more bytes; default: 50",
    )
    rate.add_argument(
        "--max-bytes",
        type=_positive,
        metavar="N",
        help="choose the best quality that fits in N bytes",
    )
    rate.add_argument(
        "--min-psnr-db",
        type=_number,
        metavar="DB",
        help="choose the lowest quality with at least this PSNR",
    )
    _add_reading(command)


def _add_decompress(subparsers: "_Subparsers[_Parser]") -> None:
    command = _added(subparsers, "decompress", "decompress .vnt files to pictures")
    _add_common(command, commands.decompress, what=".vnt file", bundle="photo")
    choice = command.add_mutually_exclusive_group()
    choice.add_argument(
        "--region",
        type=_region,
        metavar="TOP,LEFT,HEIGHT,WIDTH",
        help="decode only this part of the picture, in pixels",
    )
    choice.add_argument(
        "--salvage",
        action="store_true",
        help="decode the intact parts of a damaged file; the rest becomes grey, and a "
        "note says where",
    )
    command.add_argument(
        "--max-pixels",
        type=_positive,
        default=MAX_PIXELS,
        metavar="N",
        help="refuse larger pictures or regions; default: %(default)s",
    )


def _add_denoise(subparsers: "_Subparsers[_Parser]") -> None:
    command = _added(subparsers, "denoise", "remove noise from pictures, videos or a camera")
    default = f"{video.STILL}, or {video.MOVING} for videos and cameras"
    _add_common(command, commands.denoise, what="picture or video", bundle=default)
    command.set_defaults(bundle=None)
    command.usage = f"{command.usage}, or --camera SOURCE [options]"
    live = command.add_argument_group("camera, instead of files; q, Ctrl-C or SIGTERM stops it")
    live.add_argument(
        "--camera", metavar="SOURCE", help="camera number, device path, video or rtsp://... address"
    )
    live.add_argument("--display", action="store_true", help="show the clean video in a window")
    live.add_argument("--max-frames", type=_positive, metavar="N", help="stop after N frames")
    coding = command.add_argument_group("video output")
    coding.add_argument(
        "--codec", metavar="NAME", help="FFmpeg encoder, such as libx264, libx265 or ffv1"
    )
    rate = coding.add_mutually_exclusive_group()
    rate.add_argument(
        "--crf",
        type=_number,
        metavar="N",
        help="constant rate factor; lower looks better and takes more bytes",
    )
    rate.add_argument("--bitrate", type=_positive, metavar="N", help="bits per second")
    pipe = command.add_argument_group(
        "videos through pipes", "y4m on standard input is recognised; the rest has to be said"
    )
    pipe.add_argument("--input-format", choices=[*PIPED], help="format of standard input")
    pipe.add_argument("--size", type=_size, metavar="WxH", help="frame size of rawvideo, in pixels")
    pipe.add_argument(
        "--pix-fmt",
        default="yuv420p",
        metavar="NAME",
        help="pixel format of rawvideo by FFmpeg's name: nv12, yuyv422, ...; default: yuv420p",
    )
    pipe.add_argument(
        "--rate",
        type=_number,
        default=30.0,
        metavar="FPS",
        help="frames per second of rawvideo and mjpeg; default: 30",
    )
    pipe.add_argument(
        "--output-format",
        choices=[*PIPED],
        help="format of standard output; default: that of standard input, or y4m",
    )
    command.add_argument(
        "--strength",
        type=_number,
        default=1.0,
        metavar="S",
        help="0 to 3: 0 keeps all noise, 1 removes it, more smooths; default: 1",
    )
    _add_reading(command)


def _add_reading(command: argparse.ArgumentParser) -> None:
    reading = command.add_argument_group("how pictures are read")
    reading.add_argument(
        "--background",
        type=_colour,
        metavar="#RRGGBB",
        help="colour behind transparent pixels, which are refused otherwise",
    )
    reading.add_argument(
        "--frame",
        type=int,
        metavar="N",
        help="frame of an animation or page of a document, from 0; default: the first",
    )


def _add_info(subparsers: "_Subparsers[_Parser]") -> None:
    command = _added(subparsers, "info", "describe a .vnt file or a bundle")
    command.add_argument("subject", metavar="FILE_OR_BUNDLE", help="a .vnt file, a bundle, or -")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(run=commands.info)


def _add_common(
    command: argparse.ArgumentParser,
    run: Callable[[argparse.Namespace], int],
    *,
    what: str,
    bundle: str,
) -> None:
    command.usage = f"{command.prog} [options] IN... -o OUT"
    command.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help=f"a {what}, a folder of them or a pattern; - is standard input. Without -o, the last "
        "is the output where it is a folder, - or the name of a new file",
    )
    command.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        help="file, folder for several, or - for standard output (pictures are written as PNG)",
    )
    command.add_argument(
        "--force", action="store_true", help="replace files that exist; refused otherwise"
    )
    command.add_argument(
        "--skip-existing", action="store_true", help="skip inputs whose output exists"
    )
    command.add_argument("--recursive", action="store_true", help="include subfolders")
    command.add_argument(
        "--jobs",
        type=_positive,
        default=1,
        metavar="N",
        help="files to process at once; default: 1",
    )
    command.add_argument("--quiet", action="store_true", help="print errors only")
    command.add_argument("--json", action="store_true", help="print one line of JSON for each file")
    command.add_argument(
        "--bundle",
        default=bundle,
        metavar="NAME_OR_PATH",
        help=f"shipped bundle or folder; default: {bundle}",
    )
    command.add_argument("--device", default="cpu", help="cpu, cuda, ...; default: cpu")
    command.add_argument(
        "--threads", type=_positive, metavar="N", help="CPU threads; default: one for each core"
    )
    command.add_argument(
        "--precision",
        default=FP32,
        help=f"{FP32}, or int8 where the bundle has it, which is faster; default: {FP32}",
    )
    command.set_defaults(run=run)


def _quality(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 <= value <= 100:
        raise argparse.ArgumentTypeError(f"{text}: expected a number from 1 to 100")
    return value


def _colour(text: str) -> tuple[int, int, int]:
    digits = text.removeprefix("#")
    try:
        red, green, blue = bytes.fromhex(digits)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text}: expected six hexadecimal digits, such as #ffffff for white"
        ) from None
    return red, green, blue


def _size(text: str) -> tuple[int, int]:
    width, cross, height = text.partition("x")
    if not (cross and width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f"{text}: expected width and height, such as 640x480")
    return int(width), int(height)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: expected a whole number, 1 or more")
    return int(text)


def _region(text: str) -> tuple[int, int, int, int]:
    try:
        top, left, height, width = (int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text}: expected TOP,LEFT,HEIGHT,WIDTH in pixels, such as 0,0,256,256"
        ) from None
    return top, left, height, width


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text}: expected a number") from None
