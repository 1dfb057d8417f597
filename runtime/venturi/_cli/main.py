"""The command line: ``venturi compress``, ``decompress``, ``denoise``, ``info`` and ``bench``.

    inputs (files or -)  ->  a job for each  ->  outputs (a file, a folder or -), written aside and
                                                 renamed
    a camera             ->  denoise         ->  a window, a video

Exit code: 0 when everything worked, 1 when something failed (each failure is one line on standard
error, and the other inputs are still done), 2 when the command line itself is wrong, 130 when
interrupted. Notes and the progress bar go to standard error.
"""

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from venturi import Codec, images
from venturi._bundle.load import locate
from venturi._bundle.manifest import CARD, Manifest
from venturi._bundle.tasks import FP32
from venturi._cli import video
from venturi._cli.progress import Progress
from venturi._format.container import read_header
from venturi._io.files import write_atomically
from venturi._layout import MAX_PIXELS, MAX_SIDE
from venturi._version import __version__
from venturi.bench.arguments import add_arguments as add_bench_arguments
from venturi.codec import Region
from venturi.errors import InputError, VenturiError
from venturi.video.coding import Coding

STANDARD = "-"
"""As an input: standard input. As an output: standard output."""

Notes = tuple[str, ...]
Work = Callable[[bytes, str, str], tuple[bytes, Notes]]
"""From an input's bytes, its name and the output's suffix to the output's bytes and notes."""
Job = Callable[[str, str], Notes]
"""From an input to an output, both by name, with notes."""

_FAILURES = (VenturiError, OSError, ImportError, MemoryError)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; ``argv`` defaults to the process's arguments.

    Raises:
        SystemExit: with code 2 for a command line that cannot be understood, and with code 0
            after ``--help`` and ``--version``.
    """
    arguments = _parse(argv)
    try:
        return int(arguments.run(arguments))
    except KeyboardInterrupt:
        print("venturi: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone; keep the interpreter from complaining as it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except _FAILURES as error:
        subject = getattr(arguments, "subject", None)
        line = _one_line(error) if subject is None else _naming(subject, error)
        print(f"venturi: error: {line}", file=sys.stderr)
        return 1


def _compress(arguments: argparse.Namespace) -> int:
    """Make a stream of every picture."""
    jobs = _plan(arguments.paths, ".vnt")
    codec = _codec(arguments)

    def work(data: bytes, name: str, suffix: str) -> tuple[bytes, Notes]:
        picture = _decode_picture(data, name)
        if arguments.max_bytes is not None:
            stream = codec.compress(picture.pixels, max_bytes=arguments.max_bytes)
        else:
            stream = codec.compress(picture.pixels, quality=arguments.quality)
        return stream, picture.notes

    return _run(jobs, work)


def _codec(arguments: argparse.Namespace) -> Codec:
    return Codec(
        arguments.bundle,
        device=arguments.device,
        threads=arguments.threads,
        precision=arguments.precision,
    )


def _decompress(arguments: argparse.Namespace) -> int:
    """Make a picture of every stream."""
    jobs = _plan(arguments.paths, ".png")
    codec = _codec(arguments)

    def work(data: bytes, name: str, suffix: str) -> tuple[bytes, Notes]:
        limit = arguments.max_pixels
        if arguments.salvage:
            pixels, damaged = codec.salvage(data, max_pixels=limit)
        else:
            pixels = codec.decompress(data, region=arguments.region, max_pixels=limit)
            damaged = ()
        return images.encode(pixels, suffix), tuple(map(_lost, damaged))

    return _run(jobs, work)


def _lost(region: Region) -> str:
    top, left, height, width = region
    return f"lost, and grey now: {width} × {height} pixels from row {top}, column {left}"


def _denoise(arguments: argparse.Namespace) -> int:
    """Make a clean picture or video of every noisy one, or clean what a camera sees."""
    # Read when OpenCV and FFmpeg are loaded: what matters of what they print is in our errors.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    video.check_camera_arguments(arguments)
    if arguments.camera is not None:
        return video.clean_camera(arguments, _say)
    jobs = _plan(arguments.paths, ".png")
    denoiser = video.opened(arguments)

    def work(data: bytes, name: str, suffix: str) -> tuple[bytes, Notes]:
        picture = _decode_picture(data, name)
        clean = denoiser.denoise(picture.pixels, strength=arguments.strength)
        return images.encode(clean, suffix), picture.notes

    def job(name: str, output: str) -> Notes:
        if not video.is_video(name):
            return _with_bytes(work)(name, output)
        strength, alone = arguments.strength, len(jobs) == 1
        coding = Coding(arguments.codec, arguments.crf, arguments.bitrate)
        return video.clean_video(
            denoiser, name, output, strength=strength, bar=alone, coding=coding
        )

    return _run_jobs(jobs, job)


def _say(line: str) -> None:
    print(f"venturi: {line}", file=sys.stderr, flush=True)


def _info(arguments: argparse.Namespace) -> int:
    """Describe a stream or a bundle, without decoding anything."""
    subject = arguments.subject
    if subject == STANDARD or Path(subject).is_file():
        facts = _stream_facts(_read(subject))
    else:
        facts = _bundle_facts(subject)
    if arguments.json:
        print(json.dumps(facts, indent=2))
    else:
        for name, value in facts.items():
            _print_fact(name, value)
    return 0


def _bench(arguments: argparse.Namespace) -> int:
    """Measure what a model costs here."""
    from venturi.bench import command

    return command.run(arguments)


def _stream_facts(data: bytes) -> dict[str, object]:
    header = read_header(data, max_pixels=MAX_SIDE**2).header
    return {
        "kind": "stream",
        "width": header.width,
        "height": header.height,
        "grey": header.grey,
        "quality": header.quality_q8 / 256,
        "bytes": len(data),
        "rate_bpp": round(8 * len(data) / (header.width * header.height), 4),
        "fingerprint": header.fingerprint.hex(),
    }


def _bundle_facts(name_or_path: str) -> dict[str, object]:
    folder = locate(name_or_path)
    manifest = Manifest.load(folder)
    content: dict[str, object] = json.loads(manifest.to_json())
    facts = {"kind": "bundle", "fingerprint": manifest.fingerprint.hex()} | content
    if CARD in manifest.files:
        facts["card"] = str(folder / manifest.files[CARD].path)
    return facts


def _print_fact(name: str, value: object, indent: str = "") -> None:
    if isinstance(value, dict):
        print(f"{indent}{_printable(name)}:")
        for key, inner in value.items():
            _print_fact(key, inner, indent + "  ")
    else:
        print(f"{indent}{_printable(name)}: {_printable(value)}")


def _printable(value: object) -> str:
    """Escape what would steer a terminal, or what it cannot show: a manifest may say anything."""
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(value))
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _plan(paths: Sequence[str], suffix: str) -> list[tuple[str, str]]:
    """Pair every input with its output, before any work is done.

    The last path is the output: a file or ``-`` for one input, a folder for several. In a folder,
    which is made when it is not there, each output is named after its input, with ``suffix``.

    Raises:
        InputError: an output has no name, two would be one file, or one is an input.
    """
    *inputs, output = paths
    if len(inputs) == 1 and not _is_folder(output):
        jobs = [(inputs[0], output)]
        _check_distinct(jobs)
        return jobs
    if output == STANDARD or Path(output).is_file():
        raise InputError(
            f"output {output}: expected a folder for {len(inputs)} inputs, as the last argument"
        )
    if STANDARD in inputs:
        raise InputError("standard input: has no name for a file in a folder; name the output file")
    jobs = [(name, str(Path(output) / _renamed(name, suffix))) for name in inputs]
    _check_distinct(jobs)
    Path(output).mkdir(parents=True, exist_ok=True)
    return jobs


def _renamed(name: str, suffix: str) -> str:
    if suffix == ".png" and video.is_video(name):
        own = Path(name).suffix.lower()
        suffix = own if own in video.WRITABLE else ".mp4"
    return Path(name).stem + suffix


def _is_folder(output: str) -> bool:
    return output.endswith(("/", os.sep)) or Path(output).is_dir()


def _check_distinct(jobs: Sequence[tuple[str, str]]) -> None:
    writers = {Path(name).resolve(): name for name, _ in jobs if name != STANDARD}
    outputs: dict[Path, str] = {}
    for name, output in jobs:
        if output == STANDARD:
            continue
        path = Path(output).resolve()
        if path in writers and path.is_file():
            raise InputError(f"{output}: is an input and an output; choose another output")
        if path in outputs:
            raise InputError(
                f"{outputs[path]} and {name}: both would become {output}; expected different "
                "names, or two commands with two folders"
            )
        outputs[path] = name


def _run(jobs: Sequence[tuple[str, str]], work: Work) -> int:
    """Work on the bytes of every input."""
    return _run_jobs(jobs, _with_bytes(work))


def _with_bytes(work: Work) -> Job:
    """Return the job that reads an input, works on it and writes the output."""

    def job(name: str, output: str) -> Notes:
        suffix = ".png" if output == STANDARD else Path(output).suffix
        data, notes = work(_read(name), _shown(name), suffix)
        _write(output, data)
        return notes

    return job


def _run_jobs(jobs: Sequence[tuple[str, str]], job: Job) -> int:
    """Do every job, also after one has failed; 0 when all of them worked."""
    progress = Progress(len(jobs))
    progress.draw()
    failures = 0
    for name, output in jobs:
        try:
            for note in job(name, output):
                progress.say(f"venturi: note: {_shown(name)}: {note}")
        except BrokenPipeError:
            raise
        except _FAILURES as error:
            failures += 1
            progress.say(f"venturi: error: {_naming(name, error)}")
        progress.advance()
    return 1 if failures else 0


def _read(name: str) -> bytes:
    if name == STANDARD:
        return sys.stdin.buffer.read()
    return Path(name).read_bytes()


def _write(output: str, data: bytes) -> None:
    if output == STANDARD:
        if sys.stdout.isatty():
            raise InputError(
                "standard output is a terminal, which cannot show binary data; "
                "expected a file or a pipe"
            )
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    try:
        write_atomically(Path(output), data)
    except OSError as error:
        raise OSError(error.errno, f"cannot write: {error.strerror}", output) from error


def _decode_picture(data: bytes, name: str) -> images.Picture:
    with _quiet_libraries():
        return images.decode(data, name=name)


@contextlib.contextmanager
def _quiet_libraries() -> Iterator[None]:
    """Keep what libpng and its like print themselves off standard error.

    They write to the descriptor, not through Python; what matters of it is in our own errors.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _shown(name: str) -> str:
    return "standard input" if name == STANDARD else name


def _naming(name: str, error: BaseException) -> str:
    """Put the input's name before an error that does not have it yet."""
    line = _one_line(error)
    return line if _shown(name) in line else f"{_shown(name)}: {line}"


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    elif isinstance(error, MemoryError):
        text = f"not enough memory: {error}" if str(error) else "not enough memory"
    else:
        text = str(error) or type(error).__name__
    return " ".join(text.split())


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, as all others."""

    def error(self, message: str) -> NoReturn:
        """Exit with code 2."""
        self.exit(2, f"venturi: error: {message} (try: {self.prog} --help)\n")


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
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
        if len(paths) < 2 and not live:
            found = f"{paths[0]}: " if paths else ""
            parser.error(f"{found}expected an input and an output as PATH")
    return arguments


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="venturi",
        description="Compress photographs and clean camera frames with small neural networks.",
        epilog="Exit code: 0 when everything worked, 1 when something failed, 2 for wrong usage.",
    )
    parser.add_argument("--version", action="version", version=f"venturi {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_compress(commands)
    _add_decompress(commands)
    _add_denoise(commands)
    _add_info(commands)
    bench = commands.add_parser("bench", help="what a model costs on this machine")
    add_bench_arguments(bench)
    bench.set_defaults(run=_bench)
    return parser


_Commands = argparse._SubParsersAction  # the type has no public name


def _add_compress(commands: "_Commands[_Parser]") -> None:
    command = commands.add_parser("compress", help="pictures to streams (.vnt)")
    _add_common(command, _compress, what="picture", bundle="photo")
    rate = command.add_mutually_exclusive_group()
    rate.add_argument(
        "--quality", type=_quality, default=50.0, metavar="1..100", help="default: 50"
    )
    rate.add_argument(
        "--max-bytes",
        type=_positive,
        metavar="N",
        help="the best quality whose stream has at most N bytes",
    )


def _add_decompress(commands: "_Commands[_Parser]") -> None:
    command = commands.add_parser("decompress", help="streams to pictures")
    _add_common(command, _decompress, what="stream", bundle="photo")
    choice = command.add_mutually_exclusive_group()
    choice.add_argument(
        "--region",
        type=_region,
        metavar="TOP,LEFT,HEIGHT,WIDTH",
        help="decode this part only, in pixels",
    )
    choice.add_argument(
        "--salvage",
        action="store_true",
        help="of a damaged stream, decode what is whole; the rest is grey, and a note says where",
    )
    command.add_argument(
        "--max-pixels",
        type=_positive,
        default=MAX_PIXELS,
        metavar="N",
        help="refuse to decode more; default: %(default)s",
    )


def _add_denoise(commands: "_Commands[_Parser]") -> None:
    command = commands.add_parser(
        "denoise", help="noisy pictures, videos and cameras to clean ones"
    )
    default = f"{video.STILL}, or {video.MOVING} for videos and cameras"
    _add_common(command, _denoise, what="picture or video", bundle=default)
    command.set_defaults(bundle=None)
    command.usage = f"{command.usage}, or --camera SOURCE [options]"
    live = command.add_argument_group("a camera instead of files; q, Ctrl-C or SIGTERM ends it")
    live.add_argument(
        "--camera", metavar="SOURCE", help="its number, a device path, a video, or rtsp://..."
    )
    live.add_argument("--output", metavar="FILE", help="write a video")
    live.add_argument("--display", action="store_true", help="show a window")
    live.add_argument("--max-frames", type=_positive, metavar="N", help="end after N frames")
    coding = command.add_argument_group("how videos are coded")
    coding.add_argument(
        "--codec", metavar="NAME", help="FFmpeg's encoder: libx264, libx265, ffv1, ..."
    )
    rate = coding.add_mutually_exclusive_group()
    rate.add_argument(
        "--crf", type=_strength, metavar="N", help="constant quality; smaller is better"
    )
    rate.add_argument("--bitrate", type=_positive, metavar="N", help="bits per second")
    command.add_argument(
        "--strength", type=_strength, default=1.0, metavar="S", help="0 leaves as is; default: 1"
    )


def _add_info(commands: "_Commands[_Parser]") -> None:
    command = commands.add_parser("info", help="what a stream or a bundle is")
    command.add_argument("subject", metavar="FILE_OR_BUNDLE", help="a stream, a bundle, or -")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(run=_info)


def _add_common(
    command: argparse.ArgumentParser,
    run: Callable[[argparse.Namespace], int],
    *,
    what: str,
    bundle: str,
) -> None:
    command.usage = f"{command.prog} [options] IN... OUT"
    command.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help=f"one {what} and an output file, or several and a folder; "
        "- is standard input or output (PNG, when it is a picture)",
    )
    command.add_argument(
        "--bundle", default=bundle, metavar="NAME_OR_PATH", help=f"default: {bundle}"
    )
    command.add_argument("--device", default="cpu", help="cpu, cuda, ...; default: cpu")
    command.add_argument(
        "--threads", type=_positive, metavar="N", help="default: one for each core"
    )
    command.add_argument(
        "--precision",
        default=FP32,
        help=f"int8 is faster, where the bundle has it; default: {FP32}",
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


def _strength(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text}: expected a number") from None
