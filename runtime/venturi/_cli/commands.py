"""What each command does, from its parsed arguments to its exit code."""

import argparse
import os
import sys

from venturi import Codec, images
from venturi._cli import jobs, video
from venturi._cli.info import info as info
from venturi._cli.jobs import Notes
from venturi.codec import Region
from venturi.video.coding import Coding


def compress(arguments: argparse.Namespace) -> int:
    """Make a stream of every picture."""
    batch = jobs.plan(arguments.paths, lambda _: ".vnt")
    codec = _codec(arguments)

    def work(data: bytes, name: str, suffix: str) -> tuple[bytes, Notes]:
        picture = jobs.decode_picture(data, name)
        if arguments.max_bytes is not None:
            stream = codec.compress(picture.pixels, max_bytes=arguments.max_bytes)
        else:
            stream = codec.compress(picture.pixels, quality=arguments.quality)
        return stream, picture.notes

    return jobs.run(batch, jobs.with_bytes(work))


def _codec(arguments: argparse.Namespace) -> Codec:
    return Codec(
        arguments.bundle,
        device=arguments.device,
        threads=arguments.threads,
        precision=arguments.precision,
    )


def decompress(arguments: argparse.Namespace) -> int:
    """Make a picture of every stream."""
    batch = jobs.plan(arguments.paths, lambda _: ".png")
    codec = _codec(arguments)

    def work(data: bytes, name: str, suffix: str) -> tuple[bytes, Notes]:
        limit = arguments.max_pixels
        if arguments.salvage:
            pixels, damaged = codec.salvage(data, max_pixels=limit)
        else:
            pixels = codec.decompress(data, region=arguments.region, max_pixels=limit)
            damaged = ()
        return images.encode(pixels, suffix), tuple(map(_lost, damaged))

    return jobs.run(batch, jobs.with_bytes(work))


def _lost(region: Region) -> str:
    top, left, height, width = region
    return f"lost, and grey now: {width} × {height} pixels from row {top}, column {left}"


def denoise(arguments: argparse.Namespace) -> int:
    """Make a clean picture or video of every noisy one, or clean what a camera sees."""
    # Read when OpenCV and FFmpeg are loaded: what matters of what they print is in our errors.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    video.check_camera_arguments(arguments)
    if arguments.camera is not None:
        return video.clean_camera(arguments, _say)
    batch = jobs.plan(arguments.paths, video.output_suffix)
    denoiser = video.opened(arguments)

    def work(data: bytes, name: str, suffix: str) -> tuple[bytes, Notes]:
        picture = jobs.decode_picture(data, name)
        clean = denoiser.denoise(picture.pixels, strength=arguments.strength)
        return images.encode(clean, suffix), picture.notes

    def job(name: str, output: str) -> Notes:
        if not video.is_video(name):
            return jobs.with_bytes(work)(name, output)
        strength, alone = arguments.strength, len(batch) == 1
        coding = Coding(arguments.codec, arguments.crf, arguments.bitrate)
        return video.clean_video(
            denoiser, name, output, strength=strength, bar=alone, coding=coding
        )

    return jobs.run(batch, job)


def _say(line: str) -> None:
    print(f"venturi: {line}", file=sys.stderr, flush=True)


def bench(arguments: argparse.Namespace) -> int:
    """Measure what a model costs here."""
    from venturi.bench import command

    return command.run(arguments)
