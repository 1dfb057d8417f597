"""The denoiser on the tiny bundle, a blur of 3x3 pixels."""

import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from tests import bundles
from venturi import BundleError, Denoiser, InputError
from venturi._engine.arrays import from_pixels, to_pixels
from venturi._engine.tiling import Box

SIZES = [(1, 1), (7, 5), (64, 64), (65, 63), (513, 257)]


def noisy(*shape: int) -> NDArray[np.uint8]:
    noise = np.random.default_rng(1).normal(128, 25, shape)
    return np.round(np.clip(noise, 0, 255)).astype(np.uint8)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [(3,), ()])
def test_cleans_any_size(
    denoiser: Denoiser, size: tuple[int, int], channels: tuple[int, ...]
) -> None:
    image = noisy(*size, *channels)
    clean = denoiser.denoise(image)
    assert (clean.dtype, clean.shape) == (image.dtype, image.shape)
    if min(size) > 5:
        assert clean.std() < 0.7 * image.std()


def test_grey_is_what_three_equal_channels_give(denoiser: Denoiser) -> None:
    grey = noisy(50, 60)
    colour = denoiser.denoise(np.repeat(grey[..., None], 3, axis=2))
    np.testing.assert_allclose(colour[..., 0], denoiser.denoise(grey), rtol=0, atol=1)


def test_is_the_blur_that_it_claims(denoiser: Denoiser) -> None:
    image = noisy(40, 40, 3)
    around = np.pad(image.astype(np.float64), ((1, 1), (1, 1), (0, 0)))
    neighbours = around[:-2, 1:-1] + around[2:, 1:-1] + around[1:-1, :-2] + around[1:-1, 2:]
    expected = np.rint(image / 2 + neighbours / 8)
    clean = denoiser.denoise(image)
    np.testing.assert_array_equal(clean[1:-1, 1:-1], expected[1:-1, 1:-1])


def test_grey_is_the_mean_rounded_half_up() -> None:
    colours = [[0, 0, 1], [0, 1, 1], [255, 255, 254], [1, 2, 3], [0, 0, 0], [255, 255, 255]]
    grey = np.empty((1, 6), np.uint8)
    from_pixels(np.array([colours], np.uint8), grey)
    assert grey.tolist() == [[0, 1, 255, 2, 0, 255]]


@pytest.mark.parametrize("shape", [(5, 9), (5, 9, 3)])
def test_a_window_beyond_the_picture_is_reflected(shape: tuple[int, ...]) -> None:
    image = noisy(*shape)
    pixels = to_pixels(image, Box(0, 0, 8, 16))
    assert pixels.shape == (8, 16, 3)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    colours = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
    np.testing.assert_array_equal(pixels[:5, :9], colours)
    np.testing.assert_array_equal(pixels[5:, :9], colours[3:0:-1])
    np.testing.assert_array_equal(pixels[:5, 9:], colours[:, 7:0:-1])


def test_a_bundle_of_before_is_to_be_exported_again(tmp_path: Path) -> None:
    """Its graph takes planes of floats."""
    planes: list[str | int] = [1, 3, "height", "width"]
    axes: dict[str, list[str | int]] = {"frame": planes, "strength": [1], "clean": planes}
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, each) for name, each in axes.items()
    ]
    node = helper.make_node("Mul", ["frame", "strength"], ["clean"])
    graph = helper.make_graph([node], "graph", ports[:2], ports[2:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    bundle = shutil.copytree(bundles.DENOISER, tmp_path / "bundle")
    bundles.replace_file(bundle, "denoiser.onnx", model.SerializeToString())
    with pytest.raises(BundleError, match=r"inputs are .*float.*uint8.*export the bundle again"):
        Denoiser(bundle)


def test_strength_is_a_knob(denoiser: Denoiser) -> None:
    image = noisy(100, 100, 3)
    spread = [float(denoiser.denoise(image, strength=s).std()) for s in (0, 0.25, 0.5, 1.0)]
    assert spread == sorted(spread, reverse=True)
    assert len(set(spread)) == 4


def test_strength_0_gives_a_copy(denoiser: Denoiser) -> None:
    image = noisy(30, 30, 3)
    copy = denoiser.denoise(image, strength=0)
    np.testing.assert_array_equal(copy, image)
    assert not np.shares_memory(copy, image)


@pytest.mark.parametrize("strength", [-0.1, 3.1, float("nan"), float("inf"), "strong", None])
def test_impossible_strength_is_refused(denoiser: Denoiser, strength: Any) -> None:
    with pytest.raises(InputError, match="strength"):
        denoiser.denoise(noisy(8, 8, 3), strength=strength)


@pytest.mark.parametrize(
    "image",
    [np.zeros((8, 8, 3)), np.zeros((8, 8, 4), np.uint8), np.zeros((0, 8), np.uint8), [[1]]],
)
def test_what_is_no_picture_is_refused(denoiser: Denoiser, image: Any) -> None:
    with pytest.raises(InputError, match=r"image is .*; expected uint8"):
        denoiser.denoise(image)


def test_windows_leave_no_seam(denoiser: Denoiser) -> None:
    image = noisy(301, 205, 3)
    windowed = Denoiser(bundles.DENOISER, threads=1)
    for core in (8, 64, 128):
        windowed._tile = core
        np.testing.assert_array_equal(windowed.denoise(image), denoiser.denoise(image))


def test_nothing_is_changed_and_any_layout_is_taken(denoiser: Denoiser) -> None:
    image = noisy(60, 50, 3)
    expected = denoiser.denoise(image)
    frozen = np.asfortranarray(image)
    frozen.setflags(write=False)
    np.testing.assert_array_equal(denoiser.denoise(frozen), expected)
    np.testing.assert_array_equal(frozen, image)
    np.testing.assert_array_equal(image, noisy(60, 50, 3))


def test_pickles_and_shares(denoiser: Denoiser) -> None:
    twin = pickle.loads(pickle.dumps(denoiser))
    assert repr(twin) == repr(denoiser)
    images = [noisy(20 + i, 90 - i, 3) for i in range(12)]
    with ThreadPoolExecutor(6) as pool:
        for image, clean in zip(images, pool.map(twin.denoise, images), strict=True):
            np.testing.assert_array_equal(clean, denoiser.denoise(image))
