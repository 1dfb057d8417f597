"""The stream of frames, on a tiny recurrent bundle: a blur, and a running mean of 4x4 pixels."""

import copy
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from tests import bundles
from venturi import BundleError, Denoiser, InputError, Manifest
from venturi._engine.cuts import THRESHOLD, is_cut, thumbnail
from venturi._engine.motion import glance, motion, moved

Frame = NDArray[np.uint8]


def scene(height: int = 72, width: int = 100, seed: int = 0) -> Frame:
    """A clean picture of large, different areas."""
    areas = np.random.default_rng(seed).integers(30, 225, (3, 4, 3))
    rows, columns = np.arange(height) * 3 // height, np.arange(width) * 4 // width
    return areas[rows][:, columns].astype(np.uint8)


def noisy(clean: Frame, seed: int, sigma: float = 20) -> Frame:
    noise = np.random.default_rng([7, seed]).normal(0, sigma, clean.shape)
    return np.round(np.clip(clean + noise, 0, 255)).astype(np.uint8)


def error(a: Frame, b: Frame) -> float:
    return float(np.square(a.astype(np.float64) - b).mean())


def test_the_first_frame_is_a_still(recurrent: Denoiser) -> None:
    frame = noisy(scene(), 0)
    np.testing.assert_array_equal(recurrent.stream().denoise(frame), recurrent.denoise(frame))


def test_later_frames_are_better_than_stills(recurrent: Denoiser) -> None:
    stream, clean = recurrent.stream(), scene()
    frames = [noisy(clean, i) for i in range(8)]
    streamed = [error(stream.denoise(frame), clean) for frame in frames]
    stills = [error(recurrent.denoise(frame), clean) for frame in frames]
    assert all(ours < still for ours, still in zip(streamed[1:], stills[1:], strict=True))


def test_it_is_what_the_graph_says(recurrent: Denoiser) -> None:
    """The running mean by hand: a flat frame of 100, then one of 120, is drawn half way back."""
    stream = recurrent.stream()
    dark, bright = (np.full((48, 48, 3), level, np.uint8) for level in (100, 120))
    assert stream.denoise(dark)[24, 24].tolist() == [100] * 3
    assert stream.denoise(bright)[24, 24].tolist() == [110] * 3
    assert stream.denoise(bright)[24, 24].tolist() == [115] * 3


def test_state_belongs_to_the_stream(recurrent: Denoiser) -> None:
    one, two = recurrent.stream(), recurrent.stream()
    one.denoise(noisy(scene(), 0))
    frame = noisy(scene(), 1)
    np.testing.assert_array_equal(two.denoise(frame), recurrent.denoise(frame))
    assert error(one.denoise(frame), recurrent.denoise(frame)) > 0


@pytest.mark.parametrize("core", [8, 32, 64])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_windows_leave_no_seam(recurrent: Denoiser, core: int, channels: tuple[int, ...]) -> None:
    windowed = Denoiser(bundles.RECURRENT, threads=1)
    windowed._tile = core
    whole, cut = recurrent.stream(), windowed.stream()
    for i in range(4):
        frame = noisy(scene(101, 77), i)
        frame = frame if channels else frame[..., 1]
        np.testing.assert_array_equal(cut.denoise(frame), whole.denoise(frame))


def anew(stream: Any, frame: Frame, recurrent: Denoiser) -> bool:
    return np.array_equal(stream.denoise(frame), recurrent.denoise(frame))


def test_another_shape_starts_anew(recurrent: Denoiser) -> None:
    stream = recurrent.stream()
    stream.denoise(noisy(scene(), 0))
    for i, (height, width) in enumerate([(72, 101), (80, 101), (16, 16), (72, 100)]):
        assert anew(stream, noisy(scene(height, width), i), recurrent)
    assert not anew(stream, noisy(scene(), 9), recurrent)
    assert anew(stream, noisy(scene(), 10)[..., 0], recurrent)


def test_reset_starts_anew(recurrent: Denoiser) -> None:
    stream = recurrent.stream()
    stream.denoise(noisy(scene(), 0))
    stream.reset()
    assert anew(stream, noisy(scene(), 1), recurrent)
    assert not anew(stream, noisy(scene(), 2), recurrent)


def test_a_cut_starts_anew(recurrent: Denoiser) -> None:
    stream = recurrent.stream()
    for seed in range(5):
        assert anew(stream, noisy(scene(seed=seed), 0), recurrent)
        assert not anew(stream, noisy(scene(seed=seed), 1), recurrent)


def texture(side: int, seed: int = 0) -> Frame:
    """A picture with detail of every size."""
    rng = np.random.default_rng(seed)
    parts = [
        np.kron(rng.normal(0, 8, (side // cell, side // cell, 3)), np.ones((cell, cell, 1)))
        for cell in (2, 4, 8, 16, 32)
    ]
    return np.asarray(np.clip(128 + np.sum(parts, 0), 0, 255), np.uint8)


SHIFTS = [(0, 0), (1, 0), (0, -2), (3, 5), (-8, 7), (0, 16), (-20, -11)]


@pytest.mark.parametrize("shift", SHIFTS)
@pytest.mark.parametrize("sigma", [0, 25])
def test_motion_of_the_whole_frame_is_found(shift: tuple[int, int], sigma: float) -> None:
    wide, (down, right) = texture(256), shift
    one, two = (
        noisy(wide[top : top + 160, left : left + 192], seed, sigma)
        for seed, (top, left) in enumerate([(48, 32), (48 - down, 32 - right)])
    )
    assert motion(glance(one), glance(two)) == shift
    assert motion(glance(one[..., 0]), glance(two[..., 0])) == shift


def test_motion_is_not_seen_in_noise_or_in_another_scene() -> None:
    flat = np.full((120, 160, 3), 90, np.uint8)
    assert motion(glance(noisy(flat, 0)), glance(noisy(flat, 1))) == (0, 0)
    assert motion(glance(flat), glance(flat)) == (0, 0)
    tiny = np.zeros((1, 3), np.uint8)
    assert motion(glance(tiny), glance(tiny)) == (0, 0)


def test_what_moves_leaves_its_border_unknown() -> None:
    values = np.arange(12, dtype=np.float32).reshape(3, 4, 1)
    np.testing.assert_array_equal(
        moved(values, (1, -2), 9)[..., 0], [[9, 9, 9, 9], [2, 3, 9, 9], [6, 7, 9, 9]]
    )
    np.testing.assert_array_equal(moved(values, (5, 0), 9), np.full((3, 4, 1), 9))


def test_the_past_moves_with_the_camera(recurrent: Denoiser) -> None:
    """A pan by whole cells of the running mean is as good as a camera that stands still."""
    wide = texture(256)
    views = [wide[40:200, 8 * i : 8 * i + 160] for i in range(6)]
    panning, standing = recurrent.stream(), recurrent.stream()
    pan = [error(panning.denoise(noisy(view, i)), view) for i, view in enumerate(views)]
    still = [error(standing.denoise(noisy(views[0], i)), views[0]) for i in range(6)]
    alone = [error(recurrent.denoise(noisy(view, i)), view) for i, view in enumerate(views)]
    assert pan[0] == pytest.approx(alone[0])
    assert np.mean(pan[2:]) < np.mean(alone[2:])
    assert np.mean(pan[2:]) == pytest.approx(np.mean(still[2:]), rel=0.1)


def test_strength_0_copies_and_starts_anew(recurrent: Denoiser) -> None:
    stream, frame = recurrent.stream(), noisy(scene(), 1)
    stream.denoise(noisy(scene(), 0))
    np.testing.assert_array_equal(stream.denoise(frame, strength=0), frame)
    assert anew(stream, frame, recurrent)


@pytest.mark.parametrize("wrong", [np.zeros((8, 8)), np.zeros((8, 8, 4), np.uint8), [[1]], None])
def test_what_is_refused_leaves_the_state(recurrent: Denoiser, wrong: Any) -> None:
    stream, twin, frame = recurrent.stream(), recurrent.stream(), noisy(scene(), 1)
    for each in (stream, twin):
        each.denoise(noisy(scene(), 0))
    with pytest.raises(InputError, match="image is"):
        stream.denoise(wrong)
    with pytest.raises(InputError, match="strength"):
        stream.denoise(frame, strength=9)
    np.testing.assert_array_equal(stream.denoise(frame), twin.denoise(frame))


def test_steps_with_the_state_in_hand_are_a_stream(recurrent: Denoiser) -> None:
    frames = [scene(40, 50, seed=seed) for seed in (1, 1, 2)] + [scene(40, 50, seed=2)[..., 0]]
    stream, state = recurrent.stream(), None
    for frame, strength in zip(frames, (1, 0.5, 1, 2), strict=True):
        clean, state = recurrent.step(frame, state, strength=strength)
        np.testing.assert_array_equal(clean, stream.denoise(frame, strength))
        state = pickle.loads(pickle.dumps(state))
    with pytest.raises(InputError, match="strength is 4"):
        recurrent.step(frames[0], state, strength=4)
    first, again = (recurrent.step(frames[-1], state)[0] for _ in range(2))
    np.testing.assert_array_equal(first, again)  # a step changes no state
    assert recurrent.step(frames[0], state, strength=0)[1] is None


def test_without_memory_there_is_no_state(denoiser: Denoiser) -> None:
    frame = scene(40, 50, seed=1)
    clean, state = denoiser.step(frame)
    assert state is None
    np.testing.assert_array_equal(clean, denoiser.denoise(frame))


def test_a_stream_pickles_with_its_state(recurrent: Denoiser) -> None:
    stream = recurrent.stream()
    stream.denoise(noisy(scene(), 0))
    twins = [pickle.loads(pickle.dumps(stream)), copy.deepcopy(stream)]
    frame = noisy(scene(), 1)
    expected = stream.denoise(frame)
    for twin in twins:
        np.testing.assert_array_equal(twin.denoise(frame), expected)


def test_a_bundle_without_state_cleans_each_frame_by_itself(denoiser: Denoiser) -> None:
    assert not denoiser.manifest.is_recurrent
    stream = denoiser.stream()
    for i in range(3):
        frame = noisy(scene(), i)
        np.testing.assert_array_equal(
            stream.denoise(frame, 0.5), denoiser.denoise(frame, strength=0.5)
        )


def test_a_graph_without_its_state_is_refused(tmp_path: Path) -> None:
    assert Manifest.load(bundles.RECURRENT).is_recurrent
    folder = bundles.edited(bundles.RECURRENT, tmp_path / "bundle", _without_state)
    with pytest.raises(BundleError, match=r"inputs are .*state"):
        Denoiser(folder)


def with_still(folder: Path, change: Callable[[dict[str, Any]], object] = lambda _: None) -> Path:
    """Write the tiny recurrent bundle with a denoiser that copies frames which have no past."""
    copying = onnx.load(bundles.DENOISER / "denoiser.onnx")
    (blur,) = (tensor for tensor in copying.graph.initializer if tensor.name == "blur")
    nothing = np.zeros(tuple(blur.dims), np.float32)
    nothing[:, :, 1, 1] = 1
    blur.CopyFrom(onnx.numpy_helper.from_array(nothing, "blur"))
    shutil.copytree(bundles.RECURRENT, folder)
    onnx.save(copying, folder / "still.onnx")
    bundles.refresh(folder, still="still.onnx")
    bundles.edit_manifest(folder, change)
    return folder


def test_frames_without_a_past_have_a_graph_of_their_own(
    recurrent: Denoiser, tmp_path: Path
) -> None:
    both = Denoiser(with_still(tmp_path / "bundle"), threads=1)
    assert both.manifest.fingerprint != recurrent.manifest.fingerprint
    stream, plain = both.stream(), recurrent.stream()
    frames = [noisy(scene(), 0), noisy(scene(), 1), noisy(255 - scene(), 2), noisy(scene()[:-9], 3)]
    for number, frame in enumerate(frames):
        expected = plain.denoise(frame)
        found = stream.denoise(frame)
        # What it remembers is the same, so the frame after the first is too.
        np.testing.assert_array_equal(found, expected if number == 1 else frame)
    np.testing.assert_array_equal(both.denoise(frames[0]), frames[0])
    both._tile = 64
    np.testing.assert_array_equal(both.stream().denoise(frames[0]), frames[0])


def _without_state(values: dict[str, Any]) -> None:
    del values["parameters"]["state_channels"], values["parameters"]["state_stride"]


def _half_rounded(values: dict[str, Any]) -> None:
    values["files"]["denoiser_int8"] = {**values["files"]["denoiser"], "path": "other.onnx"}


@pytest.mark.parametrize("change", [_without_state, _half_rounded])
def test_a_still_graph_where_none_belongs_is_refused(
    change: Callable[[dict[str, Any]], object], tmp_path: Path
) -> None:
    with pytest.raises(BundleError, match="files"):
        Denoiser(with_still(tmp_path / "bundle", change))


CHANGES: dict[str, Callable[[dict[str, int]], object]] = {
    "half of the state": lambda p: p.pop("state_stride"),
    "no channels": lambda p: p.update(state_channels=0),
    "no stride": lambda p: p.update(state_stride=0),
    "a stride between": lambda p: p.update(state_stride=3),
    "a stride beyond": lambda p: p.update(state_stride=16),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_an_impossible_state_is_refused(change: Callable[[dict[str, int]], object]) -> None:
    values = json.loads(Manifest.load(bundles.RECURRENT).to_json())
    change(values["parameters"])
    with pytest.raises(BundleError, match="parameters"):
        Manifest.from_json(json.dumps(values))


def test_a_thumbnail_is_the_mean_of_cells() -> None:
    frame = np.arange(64 * 96 * 3, dtype=np.int64).reshape(64, 96, 3) % 251
    small = thumbnail(frame.astype(np.uint8))
    assert (small.shape, small.dtype.name) == ((16, 16), "float32")
    np.testing.assert_allclose(small[2, 5], frame[8:12, 30:36].mean(), rtol=1e-6)
    assert thumbnail(np.zeros((1, 3), np.uint8)).shape == (1, 3)
    assert thumbnail(np.zeros((17, 40000, 3), np.uint8)).shape == (16, 16)


def test_cuts_are_told_from_noise_and_motion() -> None:
    wide = scene(90, 160)
    first = thumbnail(noisy(wide[:, :120], 0, sigma=50))
    assert not is_cut(None, first)
    assert not is_cut(first, thumbnail(noisy(wide[:, :120], 1, sigma=50)))
    assert not is_cut(first, thumbnail(noisy(wide[:, 6:126], 2, sigma=50)))
    assert is_cut(first, thumbnail(noisy(scene(90, 120, seed=4), 3, sigma=50)))
    assert not is_cut(first, first + THRESHOLD)
    assert is_cut(first, first + THRESHOLD + 1)
