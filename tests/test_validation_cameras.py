"""The validation cameras: neutral, repeatable, with noise as cameras leave it."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.cameras import INNER, correlation, flat, neutral_means, rng
from tests.training import picture
from train.noise.validation_cameras import SHOTS, VALIDATION_CAMERAS, ValidationCamera, pairs
from train.recipes import CameraRecipe
from train.tasks.camera import CameraTask


def noise_of(camera: ValidationCamera, level: int) -> NDArray[np.float64]:
    """Return the noise of four shots of a flat picture, (4, 64, 64, 3)."""
    shots = np.array([shot[INNER] for shot in camera.shots(flat(level), 4, rng())], float)
    found: NDArray[np.float64] = shots - shots.mean((0, 1, 2))
    return found


@pytest.mark.parametrize("camera", VALIDATION_CAMERAS)
def test_grey_stays_grey_and_brighter_is_brighter(camera: ValidationCamera) -> None:
    means = neutral_means(camera._replace(shot=0.0, read=0.0), (20, 60, 128, 200, 240))
    assert (np.diff(means, axis=0) > 10).all()


@pytest.mark.parametrize("camera", VALIDATION_CAMERAS)
def test_noise_is_coarse_and_its_colour_coarser(camera: ValidationCamera) -> None:
    noise = noise_of(camera, 100)
    grey = noise.mean(3)
    assert 1 < grey.std() < 12
    assert abs(grey.mean()) < 0.2
    red = noise[..., 0] - grey
    assert correlation(grey, 1) > 0.2
    assert correlation(red, 3) > correlation(grey, 3) + 0.1


def test_the_third_camera_does_least_to_its_noise() -> None:
    one, two, three, four = (
        correlation(noise[..., 0] - noise.mean(3), 3)
        for noise in (noise_of(camera, 100) for camera in VALIDATION_CAMERAS)
    )
    assert min(one, two, four) > three + 0.1


def test_pairs_are_the_same_every_time_and_clean_means_less_noise() -> None:
    some = [picture(80, 90, i) for i in range(len(VALIDATION_CAMERAS))]
    first, again = (list(pairs(some, 64)) for _ in range(2))
    for one, two in zip(first, again, strict=True):
        for a, b in zip(one, two, strict=True):
            assert a.shape == (64, 64, 3)
            np.testing.assert_array_equal(a, b)
    camera = VALIDATION_CAMERAS[0]
    shots = [shot.astype(float) for shot in camera.shots(flat(100), 2 * SHOTS, rng())]
    halves = np.mean(shots[:SHOTS], 0), np.mean(shots[SHOTS:], 0)
    left = (halves[0] - halves[1]).std() / 2**0.5
    assert left < 1.3 * (shots[0] - np.mean(shots, 0)).std() / SHOTS**0.5


def test_validation_takes_the_shots_of_held_out_pictures_once(picture_folder: Path) -> None:
    task = CameraTask(CameraRecipe(data=str(picture_folder)))
    clean, noisy = task._shots
    assert task._shots[0] is clean
    assert len(clean) == len(noisy) == len(task.held_out) == 1
    assert not np.array_equal(clean[0], noisy[0])
