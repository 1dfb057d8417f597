"""The picture metrics agree with the libraries whose definitions they follow."""

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.metrics import decibels, ms_ssim, psnr_db, scale_count, ssim

Picture = NDArray[np.uint8]
SHAPES = [(176, 192, 3), (177, 203, 3), (256, 184)]


def pictures(shape: tuple[int, ...]) -> tuple[Picture, Picture]:
    """Return a smooth picture with some texture, and the same with noise."""
    rng = np.random.default_rng(len(shape) * 1000 + shape[0])
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    wave = 120 + 80 * np.sin(rows / 9) * np.cos(columns / 13)
    clean = np.broadcast_to(wave.reshape(wave.shape + (1,) * (len(shape) - 2)), shape)
    textured = clean + rng.normal(0, 6, shape)
    noisy = textured + rng.normal(0, 18, shape)
    return tuple(np.clip(p, 0, 255).astype(np.uint8) for p in (textured, noisy))  # type: ignore[return-value]


def test_psnr_by_hand() -> None:
    a = np.zeros((2, 2, 3), np.uint8)
    b = a.copy()
    b[0, 0, 0] = 12  # 144 over 12 samples: an MSE of 12
    assert psnr_db(a, b) == pytest.approx(10 * np.log10(255**2 / 12))
    assert psnr_db(a, a) == float("inf")
    assert psnr_db(a, np.full_like(a, 255)) == 0


@pytest.mark.parametrize("shape", SHAPES)
def test_psnr_and_ssim_agree_with_scikit_image(shape: tuple[int, ...]) -> None:
    skimage = pytest.importorskip("skimage.metrics")
    a, b = pictures(shape)
    assert psnr_db(a, b) == pytest.approx(skimage.peak_signal_noise_ratio(a, b), abs=1e-4)
    theirs = skimage.structural_similarity(
        a,
        b,
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        channel_axis=2 if len(shape) == 3 else None,
    )
    assert ssim(a, b) == pytest.approx(theirs, abs=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_ssim_and_ms_ssim_agree_with_pytorch_msssim(shape: tuple[int, ...]) -> None:
    library = pytest.importorskip("pytorch_msssim")
    torch = pytest.importorskip("torch")
    a, b = pictures(shape)

    def tensor(picture: Picture) -> object:
        planes = picture.reshape(*shape[:2], -1).transpose(2, 0, 1)[np.newaxis]
        return torch.from_numpy(planes.astype(np.float64))

    theirs = float(library.ms_ssim(tensor(a), tensor(b), data_range=255))
    assert 0.5 < theirs < 0.99
    assert ms_ssim(a, b) == pytest.approx(theirs, abs=1e-4)
    single = float(library.ssim(tensor(a), tensor(b), data_range=255))
    assert ssim(a, b) == pytest.approx(single, abs=1e-4)


def test_equal_pictures_are_perfect() -> None:
    a, _ = pictures((200, 176, 3))
    assert ssim(a, a) == pytest.approx(1)
    assert ms_ssim(a, a) == pytest.approx(1)
    assert decibels(1.0) == float("inf")
    assert decibels(0.99) == pytest.approx(20)


def test_small_pictures_use_fewer_scales() -> None:
    assert [scale_count(side) for side in (11, 20, 21, 80, 81, 160, 161, 2000)] == [
        1, 1, 2, 3, 4, 4, 5, 5,
    ]  # fmt: skip
    a, b = pictures((16, 18, 3))
    assert ms_ssim(a, b) == pytest.approx(ssim(a, b), abs=1e-9)


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (np.zeros((16, 16)), np.zeros((16, 16)), "uint8"),
        (np.zeros((16, 16, 4), np.uint8), np.zeros((16, 16, 4), np.uint8), "uint8"),
        (np.zeros((16, 16), np.uint8), np.zeros((16, 17), np.uint8), "one shape"),
        (np.zeros((10, 16), np.uint8), np.zeros((10, 16), np.uint8), "at least 11"),
    ],
)
def test_wrong_pictures_are_refused(a: Picture, b: Picture, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ms_ssim(a, b)
