"""Video files through PyAV: times, sound, shape, rotation and colours stay as they were."""

import errno
from collections.abc import Sequence
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.clips import Frame, frames
from venturi import InputError, VideoError
from venturi._engine.arrays import Pixels
from venturi.video.coding import ENCODERS, Coding, is_bare
from venturi.video.recode import RawFormat, expected_frames, recode, recode_pipe

UNIT = Fraction(1, 1000)
VARIABLE_MS = [0, 40, 80, 520, 560, 1200, 1240, 2000, 2040, 2600]


def same(frame: Pixels) -> Pixels:
    return frame


def make(
    path: Path,
    pictures: Sequence[Frame],
    times_ms: Sequence[int] | None = None,
    *,
    sound: bool = False,
    codec: str = "libx264",
    shape: Fraction | None = None,
    colours: tuple[int, int, int] | None = None,
    rotation: int = 0,
    pixel_format: str = "yuv420p",
) -> Path:
    """Write a video with PyAV: frames at times of their own, and what containers carry."""
    height, width = pictures[0].shape[:2]
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=25)
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = width, height, pixel_format
        context.time_base = UNIT
        if codec == "libx264":
            context.options = {"crf": "4", "preset": "ultrafast"}
        if shape is not None:
            context.sample_aspect_ratio = shape
        if colours is not None:
            context.color_primaries, context.color_trc, context.colorspace = colours
            context.color_range = 1
        if rotation:
            stream.set_display_rotation(rotation)
        audio: Any = container.add_stream("aac", rate=44100) if sound else None
        for i, picture in enumerate(pictures):
            frame: Any = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")
            if colours is not None:
                frame = frame.reformat(format=pixel_format, dst_colorspace=colours[2])
                frame.colorspace = colours[2]
            frame.pts, frame.time_base = (40 * i if times_ms is None else times_ms[i]), UNIT
            container.mux(stream.encode(frame))
        if audio is not None:
            tone = np.sin(np.arange(44100, dtype=np.float32) * 0.06)[None] * np.float32(0.4)
            samples: Any = av.AudioFrame.from_ndarray(tone, "fltp", layout="mono")
            samples.sample_rate, samples.pts = 44100, 0
            container.mux(audio.encode(samples))
            container.mux(audio.encode(None))
        container.mux(stream.encode(None))
    return path


def times_ms(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [1000 * float(frame.time or 0) for frame in container.decode(video=0)]


def decoded(path: Path) -> list[Frame]:
    with av.open(str(path)) as container:
        return [
            frame.to_ndarray(format="rgb24").astype(np.uint8) for frame in container.decode(video=0)
        ]


def sound(path: Path) -> bytes:
    with av.open(str(path)) as container:
        return b"".join(bytes(p) for p in container.demux(audio=0))


def video(path: Path) -> Any:
    container = av.open(str(path))
    return container.streams.video[0]


@pytest.mark.parametrize("suffix", [s for s in ENCODERS if not is_bare(s)])
@pytest.mark.parametrize("source", [".mp4", ".mkv"])
def test_every_frame_stays_at_its_own_time(tmp_path: Path, source: str, suffix: str) -> None:
    made = make(tmp_path / f"in{source}", frames(10), VARIABLE_MS)
    done = recode(str(made), tmp_path / f"out{suffix}", same)
    assert (done.frames, done.broke_off_s, done.notes) == (10, None, [])
    assert times_ms(tmp_path / f"out{suffix}") == pytest.approx(times_ms(made), abs=1)
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"in{source}", f"out{suffix}"]


def test_a_container_of_one_rate_repeats_frames(tmp_path: Path) -> None:
    made = make(tmp_path / "in.mp4", frames(10), VARIABLE_MS)
    done = recode(str(made), tmp_path / "out.y4m", same)
    written = decoded(tmp_path / "out.y4m")
    assert len(written) == VARIABLE_MS[-1] // 40 + 1 == done.frames + done.repeated
    pictures = decoded(made)
    for i, ms in enumerate(VARIABLE_MS):
        assert abs(written[ms // 40].astype(int) - pictures[i]).mean() < 3


def test_lossless_is_lossless(tmp_path: Path) -> None:
    made = make(tmp_path / "in.mkv", frames(5), codec="ffv1", pixel_format="bgr0")
    recode(str(made), tmp_path / "out.mkv", lambda frame: 255 - frame)
    for before, after in zip(frames(5), decoded(tmp_path / "out.mkv"), strict=True):
        np.testing.assert_array_equal(after, 255 - before)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".avi"])
def test_sound_is_copied(tmp_path: Path, suffix: str) -> None:
    made = make(tmp_path / "in.mp4", frames(25), sound=True)
    recode(str(made), tmp_path / f"out{suffix}", same)
    assert len(sound(made)) > 1000
    assert sound(tmp_path / f"out{suffix}") == sound(made)


def test_sound_that_a_container_cannot_hold_is_named(tmp_path: Path) -> None:
    made = make(tmp_path / "in.mp4", frames(3), sound=True)
    done = recode(str(made), tmp_path / "out.webm", same)
    assert done.notes == ["audio (aac) was left out: .webm cannot hold it"]


def test_the_pixel_shape_is_kept_or_named(tmp_path: Path) -> None:
    made = make(tmp_path / "in.mp4", frames(3), shape=Fraction(2))
    recode(str(made), tmp_path / "out.mp4", same)
    assert video(tmp_path / "out.mp4").sample_aspect_ratio == 2
    done = recode(str(made), tmp_path / "out.mkv", same)
    assert done.notes == ["the pixel shape 2:1 was left out: PyAV cannot write it into .mkv"]


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_rotation_is_applied(tmp_path: Path, rotation: int) -> None:
    stored = make(tmp_path / "plain.mp4", frames(3))
    turned = make(tmp_path / "in.mp4", frames(3), rotation=rotation, shape=Fraction(4, 3))
    recode(str(turned), tmp_path / "out.mp4", same)
    expected = np.rot90(decoded(stored)[0], rotation // 90)
    found = decoded(tmp_path / "out.mp4")[0]
    assert found.shape == expected.shape
    assert abs(found.astype(int) - expected).mean() < 4
    upright = Fraction(3, 4) if rotation % 180 else Fraction(4, 3)
    assert video(tmp_path / "out.mp4").sample_aspect_ratio == upright


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".mkv"])
def test_colours_are_tagged_as_they_are_coded(tmp_path: Path, suffix: str) -> None:
    red = np.full((720, 1280, 3), (221, 46, 30), np.uint8)
    made = make(tmp_path / "in.mp4", [red] * 2, colours=(1, 1, 1))
    recode(str(made), tmp_path / f"out{suffix}", same)
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        frame: Any = next(container.decode(video=0))
        assert (frame.color_primaries, frame.color_trc) == (1, 1)
        matrix = 0 if suffix == ".mkv" else 1  # FFV1 holds RGB
        assert frame.colorspace == matrix
        shown = frame.reformat(format="rgb24").to_ndarray()[300, 300]
    assert abs(shown.astype(int) - (221, 46, 30)).max() <= 3


def test_ten_bits_are_rounded_with_a_note(tmp_path: Path) -> None:
    made = make(tmp_path / "in.mkv", frames(2), codec="ffv1", pixel_format="yuv420p10le")
    done = recode(str(made), tmp_path / "out.mp4", same)
    assert done.notes == ["10 bits per channel were rounded to 8"]


def test_odd_sides_stay_where_the_codec_holds_them(tmp_path: Path) -> None:
    made = make(tmp_path / "in.mkv", frames(2, 49, 65), codec="ffv1", pixel_format="bgr0")
    assert recode(str(made), tmp_path / "out.mkv", same).notes == []
    assert decoded(tmp_path / "out.mkv")[0].shape == (49, 65, 3)
    done = recode(str(made), tmp_path / "out.mp4", same)
    assert done.notes[0].startswith("65 × 49 pixels: this codec's sides are even")
    assert decoded(tmp_path / "out.mp4")[0].shape == (48, 64, 3)


def cut(path: Path, share: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


@pytest.mark.parametrize("suffix", [".avi", ".mkv"])
def test_a_video_that_is_cut_short_says_where(tmp_path: Path, suffix: str) -> None:
    codec, pixels = ("mjpeg", "yuvj420p") if suffix == ".avi" else ("libx264", "yuv420p")
    noise = np.random.default_rng(0).integers(0, 256, (75, 64, 80, 3), np.uint8)
    made = make(tmp_path / f"in{suffix}", list(noise), codec=codec, pixel_format=pixels)
    cut(made, 0.6)
    done = recode(str(made), tmp_path / "out.mp4", same)
    assert 30 <= done.frames < 60
    assert len(decoded(tmp_path / "out.mp4")) == done.frames
    assert done.broke_off_s == pytest.approx(done.frames * 0.04, abs=0.1)
    assert done.reason


def test_a_video_without_its_index_is_refused(tmp_path: Path) -> None:
    made = make(tmp_path / "in.mp4", frames(20))
    cut(made, 0.5)
    with pytest.raises(VideoError, match=r"in\.mp4: no video that FFmpeg can read, or one cut"):
        recode(str(made), tmp_path / "out.mp4", same)
    with pytest.raises(VideoError, match="no video that FFmpeg"):
        expected_frames(str(made))


def test_sound_alone_is_refused(tmp_path: Path) -> None:
    made = make(tmp_path / "in.mp4", frames(2), sound=True)
    alone = tmp_path / "alone.m4a"
    with av.open(str(made)) as source, av.open(str(alone), "w", format="mp4") as target:
        copy = target.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.dts is not None:
                packet.stream = copy
                target.mux(packet)
    with pytest.raises(VideoError, match="has no video stream"):
        recode(str(alone), tmp_path / "out.mp4", same)


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    def fails(frame: Pixels) -> Pixels:
        raise KeyboardInterrupt

    made = make(tmp_path / "in.mp4", frames(3))
    with pytest.raises(KeyboardInterrupt):
        recode(str(made), tmp_path / "out.mp4", fails)
    assert [p.name for p in tmp_path.iterdir()] == ["in.mp4"]


def test_a_codec_and_a_rate_are_chosen(tmp_path: Path) -> None:
    made = make(tmp_path / "in.mp4", frames(25, 240, 320))
    sizes = {}
    for crf in (10, 40):
        out = tmp_path / f"{crf}.mp4"
        recode(str(made), out, same, coding=Coding("libx265", crf=crf))
        assert video(out).codec_context.name == "hevc"
        sizes[crf] = out.stat().st_size
    assert sizes[40] < sizes[10] / 2
    recode(str(made), tmp_path / "rate.mp4", same, coding=Coding(bitrate=50_000))
    assert (tmp_path / "rate.mp4").stat().st_size < 25_000


@pytest.mark.parametrize(
    ("coding", "suffix", "said"),
    [
        (Coding("nonsense"), ".mp4", "codec 'nonsense': this PyAV has no such video encoder"),
        (Coding("aac"), ".mp4", "codec 'aac': this PyAV has no such video encoder"),
        (Coding(crf=20), ".avi", "crf 20: the encoder mjpeg has no constant rate factor"),
        (Coding(), ".gif", r"video format '\.gif': expected one of \.mp4"),
    ],
)
def test_what_cannot_be_coded_is_named(
    tmp_path: Path, coding: Coding, suffix: str, said: str
) -> None:
    made = make(tmp_path / "in.mp4", frames(2))
    with pytest.raises(InputError, match=said):
        recode(str(made), tmp_path / f"out{suffix}", same, coding=coding)
    assert [p.name for p in tmp_path.iterdir()] == ["in.mp4"]


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from venturi.video import recode as module

    made = make(tmp_path / "in.mp4", frames(3))

    def full(*_: object) -> None:
        raise av.FFmpegError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "_expect_frames", full)
    with pytest.raises(VideoError, match=r"out\.mp4: the disk is full; nothing was kept"):
        recode(str(made), tmp_path / "out.mp4", same)
    assert [p.name for p in tmp_path.iterdir()] == ["in.mp4"]


def test_a_progress_bar_knows_about_how_many_frames_come(tmp_path: Path) -> None:
    assert expected_frames(str(make(tmp_path / "a.mp4", frames(10)))) == 10
    assert expected_frames(str(make(tmp_path / "a.mkv", frames(10)))) == 10


def test_frames_through_a_pipe(tmp_path: Path) -> None:
    made = make(tmp_path / "in.y4m", frames(5), codec="wrapped_avframe")
    out = BytesIO()
    done = recode_pipe(BytesIO(made.read_bytes()), out, same, raw=RawFormat("y4m"))
    assert (done.frames, done.broke_off_s) == (5, None)
    (tmp_path / "out.y4m").write_bytes(out.getvalue())
    for before, after in zip(decoded(made), decoded(tmp_path / "out.y4m"), strict=True):
        assert abs(before.astype(int) - after).mean() < 2


@pytest.mark.parametrize("pixel_format", ["nv12", "yuyv422", "rgb24", "gray"])
def test_raw_frames_keep_their_format(pixel_format: str) -> None:
    pictures = [
        av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format=pixel_format)
        for picture in frames(3)
    ]
    data = b"".join(picture.to_ndarray().tobytes() for picture in pictures)
    out = BytesIO()
    raw = RawFormat("rawvideo", (64, 48), pixel_format, 25)
    done = recode_pipe(BytesIO(data), out, same, raw=raw, output_format="rawvideo")
    assert done.frames == 3
    after = np.frombuffer(out.getvalue(), np.uint8).astype(int)
    assert abs(after - np.frombuffer(data, np.uint8)).mean() < 2


def test_a_camera_of_jpegs_into_a_file(tmp_path: Path) -> None:
    made = make(tmp_path / "in.mjpeg", frames(4), codec="mjpeg", pixel_format="yuvj420p")
    raw = RawFormat("mjpeg", rate=10)
    done = recode_pipe(BytesIO(made.read_bytes()), tmp_path / "out.mp4", same, raw=raw)
    assert done.frames == 4
    assert times_ms(tmp_path / "out.mp4") == pytest.approx([0, 100, 200, 300], abs=1)


def test_a_pipe_without_frames_is_refused() -> None:
    with pytest.raises(VideoError, match="standard input: no video that FFmpeg can read"):
        recode_pipe(BytesIO(b"junk"), BytesIO(), same, raw=RawFormat("y4m"))
