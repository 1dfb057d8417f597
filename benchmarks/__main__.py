"""The command line: python -m benchmarks codec | denoise | readme | compare | report."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import results
from venturi.errors import VenturiError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one benchmark; return 0 when it worked."""
    options = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except (VenturiError, ValueError, OSError) as error:
        print(f"benchmarks {options.command}: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    codec = commands.add_parser("codec", help="rate, distortion and time beside JPEG, WebP, AVIF")
    _measuring(codec, data="folder of lossless pictures", bundle="photo")
    codec.set_defaults(run=_codec)
    denoise = commands.add_parser("denoise", help="quality and time beside OpenCV's denoisers")
    _measuring(denoise, data="folder that holds kodak, cbsd68, cc15", bundle="camera")
    denoise.set_defaults(run=_denoise)
    return parser


def _measuring(parser: argparse.ArgumentParser, *, data: str, bundle: str) -> None:
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help=data)
    parser.add_argument("--json", type=Path, required=True, metavar="FILE", help="results")
    parser.add_argument(
        "--bundle", default=bundle, metavar="NAME_OR_PATH", help="default: %(default)s"
    )
    parser.add_argument("--pictures", type=_positive, metavar="N", help="the first N of each set")
    parser.add_argument("--threads", type=_positive, default=2, help="default: %(default)s")
    parser.add_argument(
        "--runs", type=_positive, default=64, help="calls for the latency, default: %(default)s"
    )


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return number


def _codec(options: argparse.Namespace) -> int:
    from benchmarks import codec

    found = codec.measure(
        codec.Options(options.data, options.bundle, options.pictures, options.threads, options.runs)
    )
    codec.write(options.json, found)
    print(codec.text(found))
    return 0


def _denoise(options: argparse.Namespace) -> int:
    from benchmarks import denoise

    found = denoise.measure(
        denoise.Options(
            options.data,
            options.json,
            options.bundle,
            options.pictures,
            options.threads,
            options.runs,
        )
    )
    results.write(options.json, found)
    print(denoise.text(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
