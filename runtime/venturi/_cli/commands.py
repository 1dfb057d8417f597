"""What each command does, from its parsed arguments to its exit code."""

import argparse
import os
import sys

from venturi import Codec, images
from venturi._cli import jobs, video
from venturi._cli.info import info as info
from venturi._cli.jobs import Job, Notes
from venturi._cli.plan import Kind, plan
from venturi._cli.standard import STANDARD
from venturi.codec import Region
from venturi.video.capture import READABLE as VIDEOS
from venturi.video.coding import Coding

_COMPRESS = Kind(images.READABLE, (".vnt",), lambda _: ".vnt")
_DECOMPRESS = Kind((".vnt",), images.WRITABLE, lambda _: ".png")
_DENOISE = Kind(images.READABLE + VIDEOS, images.WRITABLE + video.WRITABLE, video.output_suffix)


def compress(arguments: argparse.Namespace) -> int:
    """Compress every picture to a .vnt file."""
    return jobs.run(plan(arguments, _COMPRESS), _compressing, arguments)


def _compressing(arguments: argparse.Namespace) -> Job:
    codec = _codec(arguments)

    def work(data: bytes, name: str, suffix: str) -> tuple[bytes, Notes]:
        picture = jobs.decode_picture(data, name, arguments)
        if arguments.max_bytes is not None:
            stream = codec.compress(picture.pixels, max_bytes=arguments.max_bytes)
        elif arguments.min_psnr_db is not None:
            stream = codec.compress(picture.pixels, min_psnr_db=arguments.min_psnr_db)
        else:
            stream = codec.compress(picture.pixels, quality=arguments.quality)
        return stream, picture.notes

    return jobs.with_bytes(work)


def _codec(arguments: argparse.Namespace) -> Codec:
    return Codec(
        arguments.bundle,
        device=arguments.device,
        threads=arguments.threads,
        precision=arguments.precision,
    )


def decompress(arguments: argparse.Namespace) -> int:
    """Decompress every .vnt file to a picture."""
    return jobs.run(plan(arguments, _DECOMPRESS), _decompressing, arguments)


def _decompressing(arguments: argparse.Namespace) -> Job:
    codec = _codec(arguments)

    def work(data: bytes, name: str, suffix: str) -> tuple[bytes, Notes]:
        limit = arguments.max_pixels
        if arguments.salvage:
            pixels, damaged = codec.salvage(data, max_pixels=limit)
        else:
            pixels = codec.decompress(data, region=arguments.region, max_pixels=limit)
            damaged = ()
        return images.encode(pixels, suffix), tuple(map(_lost, damaged))

    return jobs.with_bytes(work)


def _lost(region: Region) -> str:
    top, left, height, width = region
    return f"lost, and grey now: {width} × {height} pixels from row {top}, column {left}"


def denoise(arguments: argparse.Namespace) -> int:
    """Clean every picture or video, or the frames of a camera."""
    # Read when OpenCV and FFmpeg are loaded: what matters of what they print is in our errors.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    video.check_camera_arguments(arguments)
    if arguments.camera is not None:
        return video.clean_camera(arguments, _say)
    batch = plan(arguments, _DENOISE)
    names = [pair.input for pair in batch]
    arguments.raw = video.piped(arguments, names)
    if arguments.bundle is None and arguments.raw is None:
        arguments.bundle = video.bundle_for(names)
    is_quiet = arguments.quiet or arguments.json or not sys.stderr.isatty()
    arguments.bar = len(batch) == 1 and not is_quiet
    return jobs.run(batch, _denoising, arguments)


def _denoising(arguments: argparse.Namespace) -> Job:
    denoiser = video.opened(arguments)

    def work(data: bytes, name: str, suffix: str) -> tuple[bytes, Notes]:
        picture = jobs.decode_picture(data, name, arguments)
        clean = denoiser.denoise(picture.pixels, strength=arguments.strength)
        return images.encode(clean, suffix), picture.notes

    def job(name: str, output: str) -> Notes:
        coding = Coding(arguments.codec, arguments.crf, arguments.bitrate)
        is_piped = name == STANDARD and arguments.raw is not None
        if is_piped or (output == STANDARD and video.is_video(name)):
            return video.clean_pipe(denoiser, name, output, arguments, coding)
        if not video.is_video(name):
            return jobs.with_bytes(work)(name, output)
        return video.clean_video(
            denoiser, name, output, strength=arguments.strength, bar=arguments.bar, coding=coding
        )

    return job


def _say(line: str) -> None:
    print(f"venturi: {line}", file=sys.stderr, flush=True)


def bench(arguments: argparse.Namespace) -> int:
    """Measure what a model costs on this machine."""
    from venturi.bench import command

    return command.run(arguments)
