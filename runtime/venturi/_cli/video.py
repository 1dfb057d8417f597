"""The video half of ``venturi denoise``: video files to video files, and cameras."""

import argparse
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from venturi._cli import standard
from venturi._cli.plan import check_new
from venturi._cli.progress import Progress
from venturi._cli.signals import handled
from venturi._cli.standard import STANDARD
from venturi._engine.arrays import Pixels
from venturi.denoiser import Denoiser
from venturi.errors import InputError, VideoError
from venturi.video import live, recode
from venturi.video.camera import Camera, camera
from venturi.video.capture import READABLE
from venturi.video.coding import ENCODERS, Coding, encoder_for
from venturi.video.reader import Shot
from venturi.video.window import Window
from venturi.video.writer import VideoWriter, check_place, check_writable

Say = Callable[[str], None]

WRITABLE = tuple(ENCODERS)
"""The endings of videos that can be written."""

STILL, MOVING = "camera", "camera-video"
"""The bundles for pictures and for what moves, where the command line names none."""


def opened(arguments: argparse.Namespace) -> Denoiser:
    """Open the denoiser that a command line names."""
    return Denoiser(
        arguments.bundle or MOVING,
        device=arguments.device,
        threads=arguments.threads,
        precision=arguments.precision,
    )


def bundle_for(names: Iterable[str]) -> str:
    """Return the video bundle if a video is among the inputs, else the one for pictures."""
    return MOVING if any(map(is_video, names)) else STILL


def output_suffix(name: str) -> str:
    """Return the ending of an input's clean version: its own for a video that can be written."""
    if not is_video(name):
        return ".png"
    suffix = Path(name).suffix.lower()
    return suffix if suffix in WRITABLE else ".mp4"


def is_video(name: str) -> bool:
    """Return whether the ending of a path is that of a video."""
    return Path(name).suffix.lower() in READABLE


def clean_video(
    denoiser: Denoiser, name: str, output: str, *, strength: float, bar: bool, coding: Coding
) -> tuple[str, ...]:
    """Clean a video file; return notes.

    Args:
        denoiser: for the frames.
        name, output: paths.
        strength: of the denoiser.
        bar: show on a terminal how many frames are done.
        coding: of the output.

    Raises:
        VideoError: the input ends too early (what can be read is written), or a frame is missing in
            the output (nothing is).
        OSError: a path cannot be read or written.
        InputError: the output's ending or codec is none that can be written.
    """
    check_place(Path(output))
    encoder_for(Path(output), coding)
    if not Path(name).exists():
        raise FileNotFoundError(2, os.strerror(2), name)
    stream = denoiser.stream()
    progress = Progress(recode.expected_frames(name) if bar else 0)
    with terminated_like_interrupted(), contextlib.closing(progress):
        recoded = recode.recode(
            name,
            Path(output),
            lambda frame: stream.denoise(frame, strength),
            coding=coding,
            advance=progress.advance,
        )
    _expect_whole(recoded, name, output)
    return tuple(recoded.notes)


def piped(arguments: argparse.Namespace, names: Iterable[str]) -> recode.RawFormat | None:
    """Return what frames standard input gives; None where it gives none.

    Args:
        arguments: the command line.
        names: of the inputs; standard input is not looked at unless it is one.

    Raises:
        InputError: an option is missing, or is for another input.
    """
    name, is_input = arguments.input_format, STANDARD in names
    if name is not None and not is_input:
        raise InputError("--input-format: is for standard input; expected - as the input")
    if (name == "rawvideo") != (arguments.size is not None):
        raise InputError("--size: expected with --input-format rawvideo, and with nothing else")
    if name is None:
        is_y4m = is_input and standard.starts_with(b"YUV4MPEG2")
        return recode.RawFormat("y4m") if is_y4m else None
    return recode.RawFormat(name, arguments.size, arguments.pix_fmt, arguments.rate)


def clean_pipe(
    denoiser: Denoiser,
    name: str,
    output: str,
    arguments: argparse.Namespace,
    coding: Coding,
) -> tuple[str, ...]:
    """Clean frames as they come from or go to a pipe; return notes.

    Raises:
        VideoError: the input has no frame, or ends too early (what can be read is written).
        InputError: the output is a terminal or closed, or its format cannot be written.
    """
    stream = denoiser.stream()
    raw: recode.RawFormat | None = arguments.raw
    with terminated_like_interrupted():
        recoded = recode.recode_pipe(
            sys.stdin.buffer if name == STANDARD else name,
            standard.binary_output() if output == STANDARD else Path(output),
            lambda frame: stream.denoise(frame, arguments.strength),
            raw=raw if name == STANDARD else None,
            output_format=arguments.output_format or (raw.name if raw else "y4m"),
            coding=coding,
        )
    _expect_whole(recoded, "standard input" if name == STANDARD else name, output)
    return tuple(recoded.notes)


def _expect_whole(recoded: recode.Recoded, name: str, output: str) -> None:
    if recoded.broke_off_s is not None:
        place = "standard output" if output == STANDARD else output
        raise VideoError(
            f"{name}: ends too early, after {recoded.broke_off_s:.2f} s ({recoded.reason}); the "
            f"first {recoded.frames} frames are in {place}; fetch the file again"
        )


def clean_camera(arguments: argparse.Namespace, say: Say) -> int:
    """Run a live session until it ends, is stopped or fails; return the exit code."""
    denoiser = opened(arguments)
    if not denoiser.manifest.is_recurrent:
        say(f"bundle {denoiser.manifest.name} has no memory: each frame is cleaned by itself")
    if arguments.output is not None:
        check_writable(Path(arguments.output))
        check_new(arguments.output, force=arguments.force)
    stop = threading.Event()
    with contextlib.ExitStack() as closing:
        window = Window(f"venturi {arguments.camera}") if arguments.display else None
        if window is not None:
            closing.callback(window.close)
        source = camera(arguments.camera, say=say, stop=stop)
        closing.callback(source.close)
        closing.enter_context(stopping(stop))
        return _session(source, denoiser, arguments, window, say)


def _session(
    source: Camera,
    denoiser: Denoiser,
    arguments: argparse.Namespace,
    window: Window | None,
    say: Say,
) -> int:
    stream = denoiser.stream()
    recording = _Recording(arguments.output, source) if arguments.output is not None else None
    try:
        count = live.run(
            source,
            lambda frame: stream.denoise(frame, arguments.strength),
            [sink for sink in (recording, window) if sink is not None],
            max_frames=arguments.max_frames,
            say=say,
        )
    finally:
        if recording is not None:
            recording.close(say)
    say(f"{source.name}: {count} frames cleaned")
    if count == 0:
        raise VideoError(f"{source.name}: no frame came; expected one at least")
    if source.missing > 1:
        raise VideoError(
            f"{source.name}: {source.missing} frames are missing that its header promises; "
            "expected all: the file is damaged or cut short, so fetch it again"
        )
    return 0


class _Recording:
    """The output of a session, begun with the first frame: only then the rate is known."""

    def __init__(self, output: str, source: Camera) -> None:
        self._path, self._source = Path(output), source
        self._writer: VideoWriter | None = None
        self._record: live.Sink | None = None

    def __call__(self, frame: Pixels, shot: Shot) -> bool:
        """Write a clean frame."""
        if self._record is None:
            fps = self._source.fps
            self._writer = VideoWriter(self._path, fps)
            self._record = live.Recorder(self._writer, fps)
        return self._record(frame, shot)

    def close(self, say: Say) -> None:
        """Finish the file, however the session ended."""
        if self._writer is None:
            return
        if self._writer.frames:
            self._writer.close(keep_part=True)
            say(f"{self._path}: {self._writer.frames} frames")
        for note in self._writer.notes:
            say(f"note: {self._path}: {note}")


@contextlib.contextmanager
def stopping(stop: threading.Event) -> Iterator[None]:
    """Let the first Ctrl-C or SIGTERM set ``stop``; the second one interrupts as usual."""

    def handle(number: int, _: object) -> None:
        stop.set()
        signal.signal(number, signal.default_int_handler)

    with handled(handle, signal.SIGINT, signal.SIGTERM):
        yield


@contextlib.contextmanager
def terminated_like_interrupted() -> Iterator[None]:
    """Treat SIGTERM like Ctrl-C, so that no temporary file is left behind."""
    with handled(signal.default_int_handler, signal.SIGTERM):
        yield


def check_camera_arguments(arguments: argparse.Namespace) -> None:
    """Refuse combinations of options that make no sense.

    Raises:
        InputError: there is one; the message names it.
    """
    if arguments.camera is None:
        _refuse(arguments, ("display", "max_frames"), "is for --camera; name the output as a path")
        return
    others = "codec", "bitrate", "crf", "input_format", "size", "output_format"
    _refuse(arguments, others, "is for video files and pipes; expected none beside --camera")
    if arguments.paths:
        raise InputError(
            f"{arguments.paths[0]}: a path beside --camera; expected the output as --output FILE"
        )
    if arguments.output and os.path.realpath(arguments.output) == os.path.realpath(
        arguments.camera
    ):
        raise InputError(f"{arguments.output}: is an input and an output; choose another output")


def _refuse(arguments: argparse.Namespace, names: Iterable[str], why: str) -> None:
    for name in names:
        value = getattr(arguments, name)
        if value is not None and value is not False:
            raise InputError(f"--{name.replace('_', '-')}: {why}")
