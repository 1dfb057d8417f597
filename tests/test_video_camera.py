"""Cameras that are gone, frozen, slow, blocking or change their size; and those that work."""

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.clips import BLOCK, CALM, HASTE, FakeCapture, Frame, frames, write_clip
from venturi import VideoError
from venturi.video.camera import Camera, camera
from venturi.video.capture import DEFAULT_FPS, Capture, Paced, open_capture
from venturi.video.reader import Reader, Shot
from venturi.video.watchdog import Patience, Watchdog

Lines = list[str]


class Bench:
    """Cameras on a list of captures, one for each opening; all are let go at the end."""

    def __init__(self) -> None:
        self.lines: Lines = []
        self.stop = threading.Event()
        self.opened: list[FakeCapture] = []
        self.cameras: list[Camera] = []

    def camera(
        self,
        captures: Sequence[FakeCapture | Exception],
        *,
        patience: Patience = CALM,
        recorded: bool = False,
    ) -> Camera:
        """The last of the captures serves all further openings."""

        def opening() -> Capture:
            capture = captures[min(len(self.opened), len(captures) - 1)]
            if isinstance(capture, Exception):
                self.opened.append(FakeCapture([]))
                raise capture
            self.opened.append(capture)
            return capture

        made = Camera(
            "bench",
            opening,
            recorded=recorded,
            patience=patience,
            say=self.lines.append,
            stop=self.stop,
        )
        self.cameras.append(made)
        return made

    def finish(self) -> None:
        self.stop.set()
        for capture in self.opened:
            capture.released.set()
        for made in self.cameras:
            made.close()


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.finish()


def steady(items: Sequence[Frame], interval_s: float = 0.01) -> FakeCapture:
    """A camera that gives frames and then blocks, as one that waits for light."""
    return FakeCapture([*items, BLOCK], interval_s=interval_s)


def take(source: Camera, count: int) -> list[Shot]:
    shots = []
    for _ in range(count):
        shot = source.next()
        assert shot is not None
        shots.append(shot)
    return shots


PATIENCE = Patience(first_s=10, stopped_s=3, repeats_s=6)


def watched(*events: tuple[float, Frame], before: Frame | None = None) -> Watchdog:
    dog = Watchdog(PATIENCE, 100.0, before=before)
    for seconds, frame in events:
        dog.saw(frame, seconds)
    return dog


def test_the_watchdog_waits_for_the_first_frame() -> None:
    dog = watched()
    assert dog.complaint(109.9) is None
    assert dog.complaint(110.0) == "no frame for 10.0 s after opening"
    assert not dog.has_seen_frames


def test_the_watchdog_notices_that_frames_stop() -> None:
    one, two = frames(2)
    dog = watched((101, one), (102, two))
    assert dog.complaint(104.9) is None
    assert dog.complaint(105.5) == "no frame for 3.5 s"


def test_the_watchdog_notices_that_frames_repeat() -> None:
    one, two = frames(2)
    dog = watched((101, one), (102, two), (103, two.copy()), (107, two.copy()))
    assert dog.complaint(107.9) is None
    assert dog.complaint(108.0) == "the same frame for 6.0 s"
    dog.saw(one, 108.1)
    assert dog.complaint(108.2) is None


def test_the_watchdog_remembers_what_a_frozen_camera_showed() -> None:
    one, two = frames(2)
    frozen = watched((101, one), (103, one), (106, one), before=one)
    assert frozen.complaint(106) == "the same frame for 6.0 s"
    assert (frozen.has_seen_frames, frozen.has_seen_change) == (True, False)
    assert watched((101, two), before=one).has_seen_change


def test_waits_grow_up_to_a_limit() -> None:
    patience = Patience(retry_s=0.5, retry_max_s=30)
    waits = [patience.retry_after_s(attempt) for attempt in (0, 1, 2, 5, 6, 1000)]
    assert waits == [0.5, 1.0, 2.0, 16.0, 30.0, 30.0]


def test_the_reader_keeps_the_newest() -> None:
    shown = frames(30)
    reader = Reader(lambda: FakeCapture(shown, fps=25, promised=30), clock=lambda: 7.0)
    while not reader.ended:
        time.sleep(0.001)
    shot = reader.newest(after=3, timeout_s=0)
    assert shot is not None
    assert (shot.number, shot.taken_s) == (29, 7.0)
    np.testing.assert_array_equal(shot.frame, shown[29])
    assert reader.newest(after=29, timeout_s=0) is None
    assert (reader.fps, reader.promised, reader.count) == (25, 30, 30)
    assert reader.close()


def test_the_reader_hands_errors_over() -> None:
    capture = FakeCapture([*frames(1), RuntimeError("burnt")])
    reader = Reader(lambda: capture)
    assert capture.closed.wait(5)
    while not reader.ended:
        time.sleep(0.001)
    assert str(reader.failure) == "burnt"


def test_a_blocked_reader_ends_with_its_capture() -> None:
    capture = FakeCapture([BLOCK])
    reader = Reader(lambda: capture)
    assert reader.newest(after=-1, timeout_s=0.01) is None
    assert not reader.close()
    assert not capture.closed.is_set()
    capture.released.set()
    assert capture.closed.wait(5)


def test_a_camera_that_works(bench: Bench) -> None:
    shown = frames(5)
    source = bench.camera([steady(shown, interval_s=0.05)])
    for shot, frame in zip(take(source, 5), shown, strict=True):
        np.testing.assert_array_equal(shot.frame, frame)
    assert (source.dropped, bench.lines, len(bench.opened)) == (0, [], 1)
    assert source.fps == 30


def test_frames_nobody_asked_for_are_counted(bench: Bench) -> None:
    source = bench.camera([steady(frames(60), interval_s=0.002)])
    first, last = take(source, 1)[0], None
    while last is None or last.number < 59:
        time.sleep(0.03)
        (last,) = take(source, 1)
    assert 0 < source.dropped < 60 - 2
    assert first.number < last.number


def test_a_camera_that_is_gone_is_opened_again(bench: Bench) -> None:
    one, two = frames(6)[:3], frames(6)[3:]
    source = bench.camera([FakeCapture(one, interval_s=0.03), steady(two, interval_s=0.03)])
    shots = take(source, 6)
    np.testing.assert_array_equal(shots[3].frame, two[0])
    assert bench.lines == ["bench: it gives no more frames; opening it again in 0.0 s"]
    assert bench.opened[0].closed.is_set()


def test_a_camera_that_stays_away_is_given_up(bench: Bench) -> None:
    away = VideoError("bench: does not open")
    source = bench.camera([FakeCapture(frames(2), interval_s=0.03), away])
    take(source, 2)
    with pytest.raises(VideoError, match=r"does not open; given up after 3 attempts; .*cable"):
        source.next()
    assert len(bench.opened) == 1 + HASTE.attempts
    assert len(bench.lines) == HASTE.attempts


def test_a_camera_that_never_was_is_an_error_at_once(bench: Bench) -> None:
    source = bench.camera([VideoError("bench: does not open")])
    with pytest.raises(VideoError, match="does not open"):
        source.next()
    assert (len(bench.opened), bench.lines) == (1, [])


def test_a_camera_that_opens_and_gives_nothing_is_an_error(bench: Bench) -> None:
    source = bench.camera([FakeCapture([BLOCK])], patience=HASTE)
    with pytest.raises(
        VideoError, match=r"bench: no frame for .* after opening; expected a camera"
    ):
        source.next()


def test_a_camera_that_blocks_is_left_behind(bench: Bench) -> None:
    source = bench.camera([steady(frames(2), 0.03), steady(frames(4)[2:], 0.03)], patience=HASTE)
    shots = take(source, 4)
    np.testing.assert_array_equal(shots[3].frame, frames(4)[3])
    assert "no frame for 0.2" in bench.lines[0]
    assert not bench.opened[0].closed.is_set()


def test_a_frozen_camera_is_opened_again(bench: Bench) -> None:
    frozen = FakeCapture([*frames(2), *[frames(2)[1]] * 500], interval_s=0.005)
    source = bench.camera([frozen, steady(frames(4)[2:], 0.03)], patience=HASTE)
    fresh = frames(4)[2]
    deadline = time.monotonic() + 10
    while not np.array_equal(take(source, 1)[0].frame, fresh):
        assert time.monotonic() < deadline
    assert "bench: the same frame for 0.2" in bench.lines[0]
    assert len(bench.opened) == 2


def test_a_picture_that_truly_stands_still_is_interrupted_ever_more_seldom(bench: Bench) -> None:
    def still() -> FakeCapture:
        return FakeCapture([frames(1)[0]] * 5000, interval_s=0.005)

    source = bench.camera([still(), still(), still(), still()], patience=HASTE)
    until = time.monotonic() + 1.2
    while time.monotonic() < until:
        take(source, 1)
    assert len(bench.opened) in (2, 3)  # after 0.2 s and 0.4 s more; not after 0.8 s more


def test_a_slow_camera_is_left_alone(bench: Bench) -> None:
    source = bench.camera([steady(frames(4), interval_s=0.12)])
    take(source, 4)
    assert (len(bench.opened), bench.lines) == (1, [])


def test_a_camera_that_changes_size_goes_on(bench: Bench) -> None:
    small, large = frames(2), frames(2, 96, 128)
    source = bench.camera([steady([*small, *large], 0.03)])
    assert [shot.frame.shape[0] for shot in take(source, 4)] == [48, 48, 96, 96]
    assert bench.lines == []


def test_stopping_ends_the_wait(bench: Bench) -> None:
    source = bench.camera([steady(frames(1))])
    take(source, 1)
    threading.Timer(0.05, bench.stop.set).start()
    assert source.next() is None
    assert len(bench.opened) == 1


def test_a_recording_ends(bench: Bench) -> None:
    source = bench.camera([FakeCapture(frames(3), promised=5, interval_s=0.03)], recorded=True)
    take(source, 3)
    assert source.next() is None
    assert (source.missing, bench.lines) == (2, [])


def test_a_recording_is_paced() -> None:
    now = [50.0]
    naps: list[float] = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        now[0] += seconds

    paced = Paced(FakeCapture(frames(4), fps=10), clock=lambda: now[0], sleep=sleep)
    paced.read()
    now[0] += 0.04
    paced.read()
    now[0] += 0.5
    paced.read()
    paced.read()
    assert paced.read() is None
    assert naps == [pytest.approx(0.06)]


def test_a_file_serves_as_a_camera(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.avi", 6, fps=20)
    source = camera(str(clip), say=pytest.fail, stop=threading.Event())
    start = time.monotonic()
    shots = []
    while (shot := source.next()) is not None:
        shots.append(shot)
    source.close()
    assert time.monotonic() - start >= 5 / 20
    assert len(shots) + source.dropped == 6
    assert (source.fps, source.missing) == (20, 0)
    assert abs(shots[-1].frame.astype(int) - frames(6)[-1]).mean() < 6


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("97", "camera 97: does not open"),
        ("absent.mp4", "absent.mp4: no such camera or file"),
        ("/dev/null", "/dev/null: does not open"),
        ("text.mp4", "text.mp4: no video that this OpenCV can read"),
        ("nothing://here", "nothing://here: does not open"),
    ],
)
def test_what_is_no_source_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, part: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.mp4").write_text("text")
    with pytest.raises(VideoError, match=part):
        open_capture(name)


def test_a_rate_that_cannot_be_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    import cv2

    class Odd:
        def __init__(self, rate: float) -> None:
            self.rate = rate

        def isOpened(self) -> bool:
            return True

        def get(self, key: int) -> float:
            return self.rate

    for rate in (0.0, -1.0, 90000.0, float("nan")):
        odd = Odd(rate)
        monkeypatch.setattr(cv2, "VideoCapture", {0: odd}.get)
        assert open_capture("0").fps == DEFAULT_FPS
