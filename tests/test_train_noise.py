"""Noise: as strong as it says, measured where it is, and what is left of pictures without more."""

import numpy as np
import pytest

from train.noise.levels import Gaussian, gaussian, level, smoother

GREY = np.full((128, 128, 3), 128, np.uint8)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


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


def test_a_pair_is_the_picture_and_its_noise() -> None:
    clean, noisy = Gaussian(10.0).pair(GREY, rng())
    np.testing.assert_array_equal(clean, GREY)
    np.testing.assert_array_equal(noisy, gaussian(GREY, 10, rng()))
    clean, same = Gaussian(0.0).pair(GREY, rng())
    np.testing.assert_array_equal(same, clean)
    assert not np.shares_memory(same, GREY)


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
