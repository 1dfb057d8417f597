"""Clean a video file or a pipe with PyAV; every frame keeps its time.

    input ─▶ demux ─┬▶ decode ─▶ upright RGB ─▶ clean ─▶ encode ─┬▶ mux ─▶ aside ─▶ output
                    └──── sound and subtitles, copied ───────────┘

The output has the times, the pixel shape, the colour tags, the sound, the subtitles, the chapters
and the titles of the input; a rotation is applied to the pixels. What a container cannot hold is
left out with a note. An output file appears only when it is complete.
"""

import contextlib
import errno
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from venturi._engine.arrays import Pixels
from venturi._io.files import put_in_place, resolved
from venturi._io.pyav import pyav
from venturi.errors import VideoError
from venturi.video.coding import (
    PIPED,
    Coding,
    container_format,
    encoder_for,
    has_constant_rate,
    is_bare,
    set_up,
)

Clean = Callable[[Pixels], Pixels]

DEFAULT_RATE = Fraction(30)
_COPIED = ("audio", "subtitle")
_RGB, _UNSPECIFIED = 0, 2
_TOLERANCE_S, _TOLERANCE = 0.5, 0.02
"""By how much the duration in the header of an intact file may be wrong."""


@dataclass
class Recoded:
    """The result of cleaning a video.

    Attributes:
        frames: read, cleaned, written and counted again in the output.
        repeated: how many were repeated, since the container has a constant frame rate.
        broke_off_s: where the input ends too early, in seconds from its start; None if complete.
        reason: why it ends there.
        notes: what was converted, left out or damaged, one sentence each.
    """

    frames: int = 0
    repeated: int = 0
    broke_off_s: float | None = None
    reason: str = ""
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class RawFormat:
    """The format of frames without a header.

    Attributes:
        name: ``rawvideo``, ``mjpeg`` or ``y4m``, whose header says the rest.
        size: width and height in pixels, of rawvideo.
        pixel_format: FFmpeg's name (``nv12``, ``yuyv422``, ``rgb24``), of rawvideo.
        rate: frames per second, of rawvideo and mjpeg.
    """

    name: str
    size: tuple[int, int] | None = None
    pixel_format: str = "yuv420p"
    rate: float = 30.0

    def options(self) -> dict[str, str]:
        """Return the options of FFmpeg's demuxer."""
        if self.name == "y4m":
            return {}
        rate = {"framerate": f"{self.rate:g}"}
        if self.size is None:
            return rate
        width, height = self.size
        return {"video_size": f"{width}x{height}", "pixel_format": self.pixel_format, **rate}


def recode(
    source: str,
    target: Path,
    clean: Clean,
    *,
    coding: Coding = Coding(),  # noqa: B008 (immutable)
    advance: Callable[[], None] = lambda: None,
) -> Recoded:
    """Clean a video file from its first frame to the last that can be read.

    Args:
        source: a path.
        target: the output, which appears when it is complete.
        clean: takes and gives a frame, uint8 (H, W, 3) RGB of any memory layout.
        coding: of the output.
        advance: called after each frame.

    Returns:
        What was done. If the input ends too early, the output has all frames up to there.

    Raises:
        VideoError: the input cannot be read at all, the disk is full, or a frame is missing in
            the output.
        InputError: the output's ending or codec is none that can be written.
    """
    with _open_input(source, source) as container:
        return _into_file(container, source, target, clean, coding, advance)


def recode_pipe(
    source: BinaryIO | str,
    target: BinaryIO | Path,
    clean: Clean,
    *,
    raw: RawFormat | None = None,
    output_format: str = "y4m",
    coding: Coding = Coding(),  # noqa: B008 (immutable)
) -> Recoded:
    """Clean frames as they come, from or to a pipe.

    Args:
        source: a binary file that need not be seekable, or a path.
        target: likewise, or the path of an output that appears when it is complete.
        clean: takes and gives a frame, uint8 (H, W, 3) RGB of any memory layout.
        raw: what a piped source is; None for a path.
        output_format: of a piped target: a key of ``coding.PIPED``.
        coding: of the output.

    Raises:
        VideoError: no frame can be read.
        InputError: the output's ending, format or codec is none that can be written.
    """
    name = source if isinstance(source, str) else "standard input"
    with _open_input(source, name, raw) as container:
        if isinstance(target, Path):
            return _into_file(container, name, target, clean, coding, lambda: None)
        suffix = PIPED[output_format]
        encoder = encoder_for(Path(f"standard output{suffix}"), coding)
        job = _Job(container, _video_stream(container, name), target, suffix, encoder, coding)
        return _expect_some(job.run(clean, lambda: None), name)


def _into_file(
    container: Any,
    source: str,
    target: Path,
    clean: Clean,
    coding: Coding,
    advance: Callable[[], None],
) -> Recoded:
    """Clean an open input; the output file appears when it is complete."""
    av = pyav()
    encoder = encoder_for(target, coding)
    video = _video_stream(container, source)
    destination, suffix = resolved(target), target.suffix.lower()
    temporary = destination.with_name(f".venturi-{secrets.token_hex(8)}.tmp{suffix}")
    try:
        job = _Job(container, video, str(temporary), suffix, encoder, coding)
        recoded = _expect_some(job.run(clean, advance), source)
        _expect_frames(temporary, recoded.frames + recoded.repeated, target)
        put_in_place(temporary, destination)
    except av.FFmpegError as error:
        raise _not_written(target, error) from error
    finally:
        temporary.unlink(missing_ok=True)
    return recoded


def _expect_some(recoded: Recoded, source: str) -> Recoded:
    if not recoded.frames:
        raise VideoError(f"{source}: no frame can be read; expected one at least")
    return recoded


def expected_frames(source: str) -> int:
    """Return roughly how many frames a video file has; 0 if it does not say.

    Raises:
        VideoError: it cannot be read at all.
    """
    with _open_input(source, source) as container:
        video = _video_stream(container, source)
        seconds = (container.duration or 0) / 1e6
        return int(video.frames or round(seconds * float(video.average_rate or 0)))


@contextlib.contextmanager
def _open_input(source: BinaryIO | str, name: str, raw: RawFormat | None = None) -> Iterator[Any]:
    av = pyav()
    demuxer = None if raw is None else container_format(PIPED[raw.name])
    try:
        container = av.open(source, format=demuxer, options=raw.options() if raw else {})
    except av.FFmpegError as error:
        if isinstance(error, OSError) and not isinstance(error, ValueError):
            raise OSError(error.errno, error.strerror, name) from error
        raise VideoError(
            f"{name}: no video that FFmpeg can read, or one cut short before its index "
            f"({error.strerror}); expected a whole video file: copy or export it again"
        ) from error
    with container:
        yield container


def _video_stream(container: Any, source: str) -> Any:
    if not container.streams.video:
        raise VideoError(
            f"{source}: has no video stream; expected one: it is a sound file, or a video that was "
            "cut short before its index"
        )
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    return stream


class _Job:
    """One run from an input to a file aside."""

    def __init__(
        self,
        container: Any,
        video: Any,
        sink: BinaryIO | str,
        suffix: str,
        encoder: str,
        coding: Coding,
    ) -> None:
        self._input, self._video = container, video
        self._sink, self._suffix = sink, suffix
        self._encoder, self._coding = encoder, coding
        self._recoded = Recoded()
        self._output: Any = None
        self._stream: Any = None
        self._copies: dict[int, Any] = {}
        self._waiting: list[Any] = []  # packets from before the output's streams are known
        self._last_pts: int | None = None
        self._previous: Any = None
        self._end_s = 0.0
        self._packets = 0

    def run(self, clean: Clean, advance: Callable[[], None]) -> Recoded:
        """Work from the first packet to the last."""
        try:
            for packet in self._demux():
                if packet.stream.type == "video":
                    for frame in self._decode(packet):
                        self._write(frame, clean)
                        advance()
                else:
                    self._copy(packet)
            if self._stream is not None:
                self._mux_coded(None)
        except BaseException:
            with contextlib.suppress(pyav().FFmpegError):  # the first error is the one to tell
                self._close()
            raise
        self._close()
        self._check_end()
        return self._recoded

    def _close(self) -> None:
        output, self._output = self._output, None
        if output is not None:
            output.close()

    def _demux(self) -> Iterator[Any]:
        """Yield the packets to use, until the input ends."""
        av = pyav()
        streams = [s for s in self._input.streams if s.type in _COPIED or s is self._video]
        self._note_left_out(streams)
        packets = self._input.demux(streams)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.FFmpegError as error:
                self._break_off(str(error.strerror))
                return
            if packet.size and packet.pts is not None:
                end = (packet.pts + (packet.duration or 0)) * packet.time_base
                self._end_s = max(self._end_s, float(end))
            self._packets += packet.stream is self._video and bool(packet.size)
            yield packet

    def _decode(self, packet: Any) -> list[Any]:
        av = pyav()
        try:
            frames: list[Any] = packet.decode()
        except av.FFmpegError as error:
            time = 0.0 if packet.pts is None else float(packet.pts * packet.time_base)
            self._note(f"damaged at {time:.2f} s: {error.strerror}")
            return []
        for frame in frames:
            if frame.is_corrupt:
                self._note(f"a frame is damaged at {frame.time or 0:.2f} s")
        return frames

    def _write(self, frame: Any, clean: Clean) -> None:
        pixels = clean(self._upright(frame))
        if self._output is None:
            self._begin(frame, pixels)
        context = self._stream.codec_context
        fitted = self._fitted(pixels, context.width, context.height)
        out = _tagged(fitted, frame, context)
        out.pts, out.time_base = self._time(frame), self._stream.codec_context.time_base
        self._encode(out)
        self._recoded.frames += 1

    def _encode(self, frame: Any) -> None:
        """Encode a frame; at a constant rate, first repeat the previous one up to its time."""
        if is_bare(self._suffix) and self._previous is not None:
            for pts in range(self._previous.pts + 1, frame.pts):
                self._previous.pts = pts
                self._mux_coded(self._previous)
                self._recoded.repeated += 1
        self._previous = frame
        self._mux_coded(frame)

    def _mux_coded(self, frame: Any) -> None:
        for coded in self._stream.encode(frame):
            self._output.mux(coded)

    def _upright(self, frame: Any) -> Pixels:
        """Return a frame's pixels, uint8 (H, W, 3) RGB, rotated as the container says."""
        bits = max(component.bits for component in frame.format.components)
        if bits > 8:
            self._note(f"{bits} bits per channel were rounded to 8")
        if frame.interlaced_frame:
            self._note("the video is interlaced, and its frames were cleaned as they are")
        rgb = frame.reformat(
            format="rgb24",
            src_colorspace=_matrix(frame),
            src_color_range=frame.color_range,
            interpolation=_exact(),
        )
        turns = round(frame.rotation / 90) % 4
        return np.rot90(rgb.to_ndarray(), turns)

    def _begin(self, frame: Any, pixels: Pixels) -> None:
        """Open the output for frames like the first."""
        av = pyav()
        self._output = av.open(self._sink, "w", format=container_format(self._suffix))
        self._output.metadata.update(
            {k: v for k, v in self._input.metadata.items() if k.lower() not in _BRANDS}
        )
        rate = self._video.average_rate or self._video.guessed_rate or DEFAULT_RATE
        if has_constant_rate(self._suffix):
            rate = self._video.guessed_rate or rate
        self._stream = self._output.add_stream(self._encoder, rate=rate)
        context = self._stream.codec_context
        height, width = pixels.shape[:2]
        set_up(context, self._coding, self._video.codec_context.pix_fmt)
        if context.pix_fmt in ("yuv420p", "yuvj420p", "nv12") and (height % 2 or width % 2):
            self._note(
                f"{width} × {height} pixels: this codec's sides are even, so the last column or "
                "row was cut"
            )
            height, width = height - height % 2, width - width % 2
        context.width, context.height = width, height
        constant = has_constant_rate(self._suffix)
        context.time_base = 1 / rate if constant else self._video.time_base
        self._stream.time_base = context.time_base
        self._copy_tags(frame, context)
        self._add_copies()
        with contextlib.suppress(av.FFmpegError, ValueError):
            self._output.set_chapters(self._input.chapters())
        for packet in self._waiting:
            self._copy(packet)
        self._waiting.clear()

    def _copy_tags(self, frame: Any, context: Any) -> None:
        """Give the encoder the pixel shape and the colours of the input."""
        shape = self._video.sample_aspect_ratio
        if shape and shape != 1:
            turned = round(frame.rotation / 90) % 2
            context.sample_aspect_ratio = 1 / shape if turned else shape
            if self._suffix in _SQUARE:
                self._note(
                    f"the pixel shape {shape.numerator}:{shape.denominator} was left out: PyAV "
                    f"cannot write it into {self._suffix}"
                )
        is_rgb = context.pix_fmt.startswith(("rgb", "bgr", "gbr"))
        for name in ("color_primaries", "color_trc"):
            value = getattr(frame, name)
            if value not in (None, 0, _UNSPECIFIED):
                setattr(context, name, value)
        context.colorspace = _RGB if is_rgb else _matrix(frame) or _UNSPECIFIED
        if not is_rgb and frame.color_range:
            context.color_range = 2 if context.pix_fmt.startswith("yuvj") else 1
        if frame.color_trc in _HDR:
            self._note(f"the video is {_HDR[frame.color_trc]}; 8 bits may show bands")

    def _add_copies(self) -> None:
        for stream in self._input.streams:
            if stream.type not in _COPIED:
                continue
            if stream.codec_context.name in self._output.supported_codecs:
                copy = self._output.add_stream_from_template(stream)
                copy.metadata.update(stream.metadata)
                self._copies[stream.index] = copy
            else:
                self._note(
                    f"{stream.type} ({stream.codec_context.name}) was left out: "
                    f"{self._suffix} cannot hold it"
                )

    def _copy(self, packet: Any) -> None:
        if self._output is None:
            self._waiting.append(packet)
            return
        copy = self._copies.get(packet.stream.index)
        if copy is None or packet.dts is None:
            return
        packet.stream = copy
        self._output.mux(packet)

    def _time(self, frame: Any) -> int:
        """Return a frame's time in the output's unit, always after the previous frame's."""
        unit = self._stream.codec_context.time_base
        if frame.pts is None:
            pts = 0 if self._last_pts is None else self._last_pts + 1
        else:
            pts = round(frame.pts * frame.time_base / unit)
        if self._last_pts is not None and pts <= self._last_pts:
            pts = self._last_pts + 1
        self._last_pts = pts
        return pts

    def _fitted(self, pixels: Pixels, width: int, height: int) -> Pixels:
        """Cut an odd row or column; fit a frame of another size, on black, with a note."""
        size = pixels.shape[:2]
        if size == (height, width):
            return pixels
        if size[0] - height in (0, 1) and size[1] - width in (0, 1):
            return pixels[:height, :width]
        self._note(
            f"frames of {size[1]} × {size[0]} pixels were fitted into {width} × {height}, the "
            "size of the first"
        )
        return _letterboxed(pixels, width, height)

    def _note_left_out(self, used_streams: list[Any]) -> None:
        others = [s.type for s in self._input.streams if s not in used_streams]
        if others:
            kinds = ", ".join(sorted(set(others)))
            self._note(f"{len(others)} more streams were left out ({kinds})")

    def _note(self, text: str) -> None:
        if text not in self._recoded.notes:
            self._recoded.notes.append(text)

    def _break_off(self, reason: str) -> None:
        self._recoded.broke_off_s, self._recoded.reason = self._end_s, reason

    def _check_end(self) -> None:
        """Note if the input ended before its header says."""
        if self._recoded.broke_off_s is not None:
            return
        start = (self._input.start_time or 0) / 1e6
        promised = (self._input.duration or 0) / 1e6
        missing = promised - (self._end_s - start)
        frames = int(self._video.frames)
        if frames and self._packets < frames - max(1, frames // 100):
            self._break_off(f"{self._packets} of {frames} frames are there")
        elif missing > max(_TOLERANCE_S, _TOLERANCE * promised):
            self._break_off(f"its header promises {promised:.2f} s")


_BRANDS = {"major_brand", "minor_version", "compatible_brands", "encoder", "duration"}
_SQUARE = {".mkv", ".webm", ".y4m", ".mjpeg", ".yuv"}
_HDR = {16: "HDR (PQ)", 18: "HDR (HLG)"}


def _matrix(frame: Any) -> int | None:
    """Return the matrix between RGB and YUV that a frame is tagged with; None for none."""
    value = int(frame.colorspace)
    return None if value in (_RGB, _UNSPECIFIED) else value


def _exact() -> Any:
    """Return swscale's flags for the nearest values; its fast ones are off by 2 levels."""
    way = pyav().video.reformatter.Interpolation
    return way.BILINEAR | way.ACCURATE_RND | way.FULL_CHR_H_INT


def _tagged(pixels: Pixels, source: Any, context: Any) -> Any:
    """Return an encoder's frame of pixels, coded with the matrix that the file will name."""
    frame = pyav().VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgb24")
    is_rgb = context.pix_fmt.startswith(("rgb", "bgr", "gbr"))
    converted = frame.reformat(
        format=context.pix_fmt,
        dst_colorspace=None if is_rgb else _matrix(source),
        interpolation=_exact(),
    )
    converted.colorspace = context.colorspace
    return converted


def _letterboxed(pixels: Pixels, width: int, height: int) -> Pixels:
    scale = min(width / pixels.shape[1], height / pixels.shape[0])
    inner = max(1, round(scale * pixels.shape[1])), max(1, round(scale * pixels.shape[0]))
    frame = pyav().VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgb24")
    small = frame.reformat(width=inner[0], height=inner[1], interpolation="AREA").to_ndarray()
    out = np.zeros((height, width, 3), np.uint8)
    top, left = (height - inner[1]) // 2, (width - inner[0]) // 2
    out[top : top + inner[1], left : left + inner[0]] = small
    return out


def _expect_frames(path: Path, frames: int, target: Path) -> None:
    """Count what was written, whatever the encoder says."""
    with pyav().open(str(path)) as container:
        written = sum(packet.size > 0 for packet in container.demux(video=0))
    if written != frames:
        raise VideoError(
            f"{target}: {written} of {frames} frames are in the file, which was not kept; expected "
            "all: free the disk, or choose another ending or folder"
        )


def _not_written(target: Path, error: Exception) -> VideoError:
    if getattr(error, "errno", None) == errno.ENOSPC:
        return VideoError(
            f"{target}: the disk is full; nothing was kept; free some, or choose another folder"
        )
    return VideoError(
        f"{target}: cannot be coded ({error}); expected an encoder that takes these frames; "
        "choose another ending or codec"
    )
