"""How cleaned frames are encoded: the encoder for a file name, and its settings."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from venturi._io.pyav import pyav
from venturi.errors import InputError, VideoError

_H264 = ("libx264", "libopenh264", "h264_videotoolbox", "mpeg4")

ENCODERS: dict[str, tuple[str, ...]] = {
    ".mp4": _H264,
    ".m4v": _H264,
    ".mov": _H264,
    ".mkv": ("ffv1",),
    ".avi": ("mjpeg",),
    ".webm": ("libvpx-vp9", "libsvtav1"),
    ".y4m": ("wrapped_avframe",),
    ".mjpeg": ("mjpeg",),
    ".yuv": ("rawvideo",),
}
"""The file name endings that can be written, each with its encoders in order of preference.

FFV1 loses nothing; y4m and yuv lose half of the colour's resolution.
"""

PIPED = {"y4m": ".y4m", "mjpeg": ".mjpeg", "rawvideo": ".yuv"}
"""What can go through a pipe, by the names that people use, as endings."""

_FORMATS = {".y4m": "yuv4mpegpipe", ".m4v": "mp4", ".mjpeg": "mjpeg", ".yuv": "rawvideo"}
"""What FFmpeg calls the container where its ending does not say it."""

_PIXELS = {"ffv1": "bgr0", "mjpeg": "yuvj420p"}
_CRF = {"libx264": 18, "libx265": 20, "libvpx-vp9": 24, "libsvtav1": 26}
_OPTIONS: dict[str, dict[str, str]] = {
    "libx264": {"preset": "veryfast"},
    "libx265": {"preset": "veryfast", "x265-params": "log-level=error"},
    "libvpx-vp9": {"row-mt": "1", "cpu-used": "4", "b": "0"},
    "libsvtav1": {"preset": "9"},
}
_QSCALE = {"mpeg4": 3, "mjpeg": 3}
_LAMBDA = 118  # FF_QP2LAMBDA: FFmpeg's unit of a quantiser scale
_BARE = {".y4m", ".mjpeg", ".yuv"}
"""Containers of frames alone, without times: each lasts as long as the others."""


@dataclass(frozen=True)
class Coding:
    """Settings of the encoder, all optional.

    Attributes:
        codec: FFmpeg's name of the encoder (``libx265``), None for the ending's own.
        crf: constant quality in the encoder's own unit, smaller is better; None for a good one.
        bitrate: bits per second instead of a constant quality.
    """

    codec: str | None = None
    crf: float | None = None
    bitrate: int | None = None


def container_format(suffix: str) -> str | None:
    """Return FFmpeg's name of the container of an ending; None where the ending says it."""
    return _FORMATS.get(suffix)


def is_bare(suffix: str) -> bool:
    """Tell whether a container holds frames alone, each as long as the others."""
    return suffix in _BARE


def has_constant_rate(suffix: str) -> bool:
    """Tell whether a container counts time in frames."""
    return suffix in _BARE or suffix == ".avi"


def encoder_for(path: Path, coding: Coding) -> str:
    """Return the encoder to use for a path.

    Raises:
        InputError: the ending names no container, or PyAV has no such encoder.
        VideoError: PyAV has none of the encoders for this ending.
    """
    suffix = path.suffix.lower()
    if suffix not in ENCODERS:
        raise InputError(
            f"video format {path.suffix!r}: expected one of {', '.join(ENCODERS)}; "
            "choose one as the ending of the output"
        )
    names = ENCODERS[suffix] if coding.codec is None else (coding.codec,)
    available = next((name for name in names if _is_encoder(name)), None)
    if available is not None:
        return available
    if coding.codec is not None:
        raise InputError(
            f"codec {coding.codec!r}: this PyAV has no such video encoder; expected a name as "
            "ffmpeg -encoders lists them, such as libx264, libx265, ffv1"
        )
    raise VideoError(
        f"{path}: this PyAV has no encoder for {suffix} ({', '.join(names)}); expected one of "
        f"them; choose another ending, such as .mkv, or another build of PyAV"
    )


def _is_encoder(name: str) -> bool:
    av = pyav()
    try:
        codec = av.Codec(name, "w")
    except (ValueError, av.FFmpegError):
        return False
    return bool(codec.type == "video")


def set_up(context: Any, coding: Coding, like: str) -> None:
    """Set the quality and the pixel format of an encoder's context.

    Args:
        context: of the encoder.
        coding: what the user asks for.
        like: the pixel format of the input, which raw frames keep.

    Raises:
        InputError: the encoder has no such setting.
    """
    name = context.codec.name
    context.pix_fmt = like if name == "rawvideo" else _PIXELS.get(name, "yuv420p")
    options = dict(_OPTIONS.get(name, {}))
    if coding.bitrate is not None:
        context.bit_rate = coding.bitrate
        options.pop("b", None)
    elif name in _CRF:
        options["crf"] = f"{_CRF[name] if coding.crf is None else coding.crf:g}"
    elif coding.crf is not None:
        raise InputError(
            f"crf {coding.crf:g}: the encoder {name} has no constant rate factor; expected one of "
            f"{', '.join(_CRF)}; leave it out or choose another codec"
        )
    elif name in _QSCALE:
        context.qscale = True
        context.global_quality = _QSCALE[name] * _LAMBDA
    context.options = options
