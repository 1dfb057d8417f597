"""Cameras of the training: neutral, of all kinds, and with noise as cameras leave it."""

import time

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.cameras import INNER, correlation, flat, neutral_means, rng
from tests.training import picture
from train.noise.levels import SIGMA_MAX, Gaussian
from train.noise.pipeline import Camera, Reduction, drawn, mosaic, softened


def quiet(seed: int) -> Camera:
    """Return a camera that does nothing to a picture but see it."""
    nothing = Reduction(1.0, 0.1, 0.0)
    return Camera.random(rng(seed))._replace(
        shot=0.0, read=0.0, blur=0.0, contrast=0.0, brightness=nothing, colours=nothing,
        sharpening=0.0, quality=None, shrinking=1.0,
    )  # fmt: skip


def noise_of(camera: Camera, level: int = 110) -> NDArray[np.float64]:
    """Return the noise of a flat picture, (64, 64, 3)."""
    (shot,) = camera.shots(flat(level), 1, rng())
    inner = shot[INNER].astype(float)
    return np.asarray(inner - inner.mean((0, 1)))


@pytest.mark.parametrize("seed", range(8))
def test_grey_stays_grey_and_brighter_is_brighter(seed: int) -> None:
    camera = Camera.random(rng(seed))._replace(shot=0.0, read=0.0)
    means = neutral_means(camera, (20, 60, 128, 200, 250))
    assert (np.diff(means, axis=0) > 5).all()


@pytest.mark.parametrize("seed", range(4))
def test_a_camera_that_does_nothing_leaves_a_smooth_picture(seed: int) -> None:
    smooth = softened(picture(96, 96, seed) // 2 + 60, 4.0)
    camera = quiet(seed)
    camera = camera._replace(colour=camera.colour._replace(exposure=1.0))
    (shot,) = camera.shots(smooth, 1, rng())
    assert np.abs(shot.astype(int) - smooth)[4:-4, 4:-4].max() <= 3


def test_the_mosaic_is_of_red_two_greens_and_blue() -> None:
    three = np.empty((4, 6, 3), np.float32)
    three[:] = 1, 2, 3
    np.testing.assert_array_equal(mosaic(three)[:2, :2], [[1, 2], [2, 3]])
    np.testing.assert_array_equal(mosaic(three), np.tile([[1, 2], [2, 3]], (2, 3)))


def test_what_a_camera_does_shows_in_its_noise() -> None:
    plain = quiet(1)._replace(shot=2e-3)
    noise = noise_of(plain)
    grey, red = noise.mean(2), noise[..., 0] - noise.mean(2)
    assert 3 < grey.std() < 12
    assert correlation(grey, 1) > 0.2  # the interpolation
    stronger = noise_of(plain._replace(shot=8e-3)).mean(2)
    assert stronger.std() == pytest.approx(2 * grey.std(), rel=0.15)
    sharp = noise_of(plain._replace(sharpening=1.0)).mean(2)
    assert sharp.std() > 1.3 * grey.std()
    smooth = noise_of(plain._replace(brightness=Reduction(1.5, 0.2, 0.9))).mean(2)
    assert smooth.std() < 0.7 * grey.std()
    coarse = noise_of(plain._replace(colours=Reduction(2.0, 0.3, 1.0)))
    assert correlation(coarse[..., 0] - coarse.mean(2), 3) > correlation(red, 3) + 0.2


def test_the_clean_picture_is_a_mean_of_other_shots() -> None:
    camera = quiet(2)._replace(shot=4e-3)
    clean, noisy = camera.pair(flat(110), rng())
    (alone,) = camera.shots(flat(110), 1, rng())
    np.testing.assert_array_equal(noisy, alone)
    left, all_of_it = (part[INNER].astype(float).std() for part in (clean, noisy))
    assert left == pytest.approx(all_of_it / 3**0.5, rel=0.1)
    both = np.corrcoef(clean[INNER].ravel(), noisy[INNER].ravel())[0, 1]
    assert abs(both) < 0.1


def test_cameras_are_of_all_kinds() -> None:
    generator = rng()
    cameras = [Camera.random(generator) for _ in range(400)]
    assert all(1e-4 <= camera.shot <= 0.012 for camera in cameras)
    assert all(1e-10 < camera.read < 1e-3 for camera in cameras)
    for expected, chosen in (
        (0.9, [camera.blur > 0 for camera in cameras]),
        (0.7, [camera.colour.edges for camera in cameras]),
        (0.8, [camera.colours.share > 0 for camera in cameras]),
        (0.3, [camera.shrinking > 1 for camera in cameras]),
        (0.8, [camera.quality is not None for camera in cameras]),
    ):
        assert np.mean(chosen) == pytest.approx(expected, abs=0.08)
    for camera in cameras:
        np.testing.assert_allclose(camera.colour.matrix.sum(1), 1, atol=1e-5)


@pytest.mark.parametrize("shape", [(8, 8, 3), (33, 47, 3), (128, 96, 3)])
def test_every_kind_keeps_shape_and_input(shape: tuple[int, int, int]) -> None:
    sharp = picture(shape[0], shape[1], 0)
    before = sharp.copy()
    for seed in range(24):
        kind = drawn(rng(seed))
        for image in kind.pair(sharp, rng(seed)):
            assert image.shape == shape
            assert image.dtype == np.uint8
    np.testing.assert_array_equal(sharp, before)


def test_kinds_are_mixed_and_depend_on_the_generator_alone() -> None:
    generators = rng(), rng()
    kinds, again = ([drawn(one) for _ in range(400)] for one in generators)
    for i in range(0, 400, 20):
        pairs = [kind[i].pair(picture(64, 64, 1), rng(i)) for kind in (kinds, again)]
        for one, two in zip(*pairs, strict=True):
            np.testing.assert_array_equal(one, two)
    assert np.mean([kind.of_camera for kind in kinds]) == pytest.approx(0.52, abs=0.08)
    sigmas = [kind.sigma for kind in kinds if isinstance(kind, Gaussian)]
    assert 0.05 < np.mean([sigma == 0 for sigma in sigmas]) < 0.2
    assert 0.9 * SIGMA_MAX < max(sigmas) <= SIGMA_MAX


@pytest.mark.slow
def test_a_pair_is_cheap() -> None:
    sharp = np.asarray(cv2.resize(picture(100, 100, 0), (128, 128)), np.uint8)
    start = time.process_time()
    for i in range(64):
        drawn(rng(i)).pair(sharp, rng(i))
    assert (time.process_time() - start) / 64 < 0.03
