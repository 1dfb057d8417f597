"""Noise: as strong as it says, in the colours and places it should be, and the same every time."""

import time

import cv2
import numpy as np
import pytest

from tests.training import picture
from train.noise import (
    SIGMA_MAX,
    Kind,
    Sensor,
    Smoothing,
    camera,
    gaussian,
    jpeg,
    level,
    smoother,
)
from train.photographs import Image

GREY = np.full((128, 128, 3), 128, np.uint8)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def corrupted(clean: Image, seed: int) -> tuple[Image, Image]:
    """Return (clean, noisy) with noise of a random kind."""
    generator = rng(seed)
    return Kind.random(generator).pair(clean, generator)


@pytest.mark.parametrize("sigma", [1.0, 5.0, 15.0, 25.0])
def test_gaussian_has_its_deviation(sigma: float) -> None:
    difference = gaussian(GREY, sigma, rng()).astype(float) - GREY
    rounding = 1 / 12
    assert difference.std() == pytest.approx((sigma**2 + rounding) ** 0.5, rel=0.02)
    assert abs(difference.mean()) < 4 * sigma / difference.size**0.5
    neighbours = np.corrcoef(difference[:, :-1].ravel(), difference[:, 1:].ravel())[0, 1]
    assert abs(neighbours) < 0.02


def test_gaussian_is_clipped_not_wrapped() -> None:
    for value, side in ((0, np.greater_equal), (255, np.less_equal)):
        flat = np.full((64, 64, 3), value, np.uint8)
        noisy = gaussian(flat, 50, rng())
        assert noisy.dtype == np.uint8
        assert np.abs(noisy.astype(int) - value).max() < 255
        assert 0.45 < (noisy == value).mean() < 0.55
        assert side(noisy.astype(int), value).all()


@pytest.mark.parametrize("shape", [(8, 8, 3), (33, 47, 3), (128, 96, 3)])
def test_every_kind_keeps_shape_and_input(shape: tuple[int, int, int]) -> None:
    clean = picture(shape[0], shape[1], 0)
    before = clean.copy()
    noisy = [gaussian(clean, 10, rng()), camera(clean, Sensor(0.01, 1e-4), rng()), jpeg(clean, 90)]
    noisy += [image for seed in range(20) for image in corrupted(clean, seed)[1:]]
    for image in noisy:
        assert image.shape == shape
        assert image.dtype == np.uint8
    np.testing.assert_array_equal(clean, before)
    assert not any(np.shares_memory(image, clean) for image in noisy)


def test_a_camera_without_noise_changes_nothing() -> None:
    every = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    for seed in range(8):
        np.testing.assert_array_equal(camera(every, Sensor(0.0, 0.0), rng(seed)), every)


def test_shot_noise_grows_with_light_and_gamma_lifts_the_dark() -> None:
    def deviation(value: int, sensor: Sensor) -> float:
        flat = np.full((128, 128, 3), value, np.uint8)
        return float(np.mean([(camera(flat, sensor, rng(i)) - 1.0 * flat).std() for i in range(4)]))

    read_only, shot_only = Sensor(0.0, 1e-5), Sensor(1e-3, 0.0)
    assert deviation(40, read_only) > 2 * deviation(200, read_only)
    assert deviation(40, shot_only) < 2 * deviation(200, shot_only)
    assert deviation(128, Sensor(4e-3, 0)) == pytest.approx(2 * deviation(128, shot_only), rel=0.1)


def test_camera_noise_is_spread_as_by_a_mosaic() -> None:
    difference = np.stack([camera(GREY, Sensor(1e-3, 0.0), rng(i)) - 1.0 * GREY for i in range(8)])
    beside = [
        np.corrcoef(difference[:, :, :-1, c].ravel(), difference[:, :, 1:, c].ravel())[0, 1]
        for c in range(3)
    ]
    assert all(0.2 < value < 0.9 for value in beside)


def test_sensors_are_of_the_published_range() -> None:
    sensors = [Sensor.random(rng(i)) for i in range(200)]
    assert all(1e-4 <= sensor.shot <= 0.012 for sensor in sensors)
    assert all(1e-10 < sensor.read < 1e-3 for sensor in sensors)


def correlation(noise: np.ndarray, distance: int) -> float:
    grey = noise.mean(2)
    return float(np.corrcoef(grey[:, :-distance].ravel(), grey[:, distance:].ravel())[0, 1])


def test_smoothing_makes_noise_coarser_and_its_colour_fainter() -> None:
    noise = rng().standard_normal((256, 256, 3)).astype(np.float32)
    smooth = Smoothing(blur=1.5, colour_blur=2.0, colour=0.5, fine=0.0).of(noise)
    assert smooth.dtype == np.float32
    assert abs(correlation(noise, 2)) < 0.05
    assert correlation(smooth, 2) > 0.4
    greys = [x.mean(2, keepdims=True) for x in (noise, smooth)]
    assert greys[1].std() == pytest.approx(greys[0].std(), rel=0.1)
    before, after = ((x - grey).std() for x, grey in zip((noise, smooth), greys, strict=True))
    assert after == pytest.approx(0.5 * before, rel=0.1)
    same = Smoothing(blur=1.5, colour_blur=0.05, colour=1.0, fine=1.0).of(noise)
    np.testing.assert_allclose(same, noise, atol=1e-4)


def test_sharpening_is_of_brightness_and_keeps_its_deviation() -> None:
    noise = rng().standard_normal((256, 256, 3)).astype(np.float32)
    plain = Smoothing(blur=1.5, colour_blur=2.0, colour=0.5, fine=0.2)
    soft, sharp = (plain._replace(sharpening=amount).of(noise) for amount in (0.0, 1.0))
    greys = [x.mean(2, keepdims=True) for x in (soft, sharp)]
    assert greys[1].std() == pytest.approx(greys[0].std(), rel=1e-3)
    assert correlation(sharp, 1) < correlation(soft, 1) - 0.1
    np.testing.assert_allclose(sharp - greys[1], soft - greys[0], atol=1e-4)


def test_pictures_with_camera_noise_are_soft_and_others_sharp() -> None:
    sharp = rng().integers(0, 256, (64, 64, 3)).astype(np.uint8)
    kinds = [Kind.random(rng(i)) for i in range(200)]
    blurs = np.array([kind.blur for kind in kinds])
    assert all(kind.of_camera for kind in kinds if kind.blur > 0)
    assert 0.4 < np.mean([kind.of_camera for kind in kinds]) < 0.65
    assert 0.3 < (blurs > 0).mean() < 0.6
    assert 0.3 < blurs[blurs > 0].min() < blurs.max() < 2
    for kind in kinds[:40]:
        soft = kind.soften(sharp)
        assert soft.shape == sharp.shape
        assert (soft.std() < sharp.std()) == (kind.blur > 0)
        assert np.array_equal(soft, sharp) == (kind.blur == 0)


def test_corrupted_mixes_kinds_and_depends_on_the_generator_alone() -> None:
    picture_of_all = picture(64, 64, 1)
    np.random.default_rng(5).random()
    first, again = ([corrupted(picture_of_all, i) for i in range(300)] for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    deviations = np.array([(noisy - 1.0 * clean).std() for clean, noisy in first])
    untouched = (deviations == 0).mean()
    assert 0.005 < untouched < 0.1
    assert deviations.max() < SIGMA_MAX + 5
    assert deviations.max() > 30
    assert 5 < np.median(deviations) < 25


def test_level_measures_the_noise() -> None:
    clean = np.full((96, 64, 3), 128, np.uint8)
    noisy = gaussian(clean, 20, rng())
    found = level(noisy, clean)
    assert found.shape == (24, 16)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, 20 / 255, rtol=0.15)
    assert not level(clean, clean).any()


def test_level_is_local() -> None:
    clean = np.full((128, 128, 3), 128, np.uint8)
    noisy = clean.copy()
    noisy[:, 64:] = gaussian(clean[:, 64:], 30, rng())
    found = level(noisy, clean)
    assert not found[:, :8].any()
    assert found[:, -8:].min() > 20 / 255


def test_smoother_takes_texture_and_keeps_edges() -> None:
    clean = np.full((64, 64, 3), 0.2, np.float32)
    clean[:, 32:] = 0.8
    texture = rng().normal(0, 0.01, clean.shape).astype(np.float32)
    deviation = np.full((16, 16), 0.1, np.float32)
    result = smoother(clean + texture, deviation, 2.0)
    assert result.dtype == np.float32
    assert result[:, :28].std() < 0.5 * (clean + texture)[:, :28].std()
    step = result[:, 33].mean() - result[:, 30].mean()
    assert step > 0.5
    np.testing.assert_allclose(
        smoother(clean + texture, deviation, 1.0), clean + texture, atol=1e-4
    )
    spread = [float(smoother(texture, deviation, s).std()) for s in (1.0, 1.05, 1.5, 3.0)]
    assert spread == sorted(spread, reverse=True)


@pytest.mark.slow
def test_a_batch_is_cheap() -> None:
    clean = cv2.resize(picture(100, 100, 0), (128, 128))
    start = time.process_time()
    for i in range(64):
        corrupted(np.asarray(clean, np.uint8), i)
    assert (time.process_time() - start) / 64 < 0.01
