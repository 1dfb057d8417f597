"""The denoiser's network: what the knob means, how far it sees, and that it learns."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from export import __main__ as export
from tests.training import camera_recipe, picture
from train.data.photographs import detail
from train.engine.loop import Trainer
from train.networks.denoiser import (
    GREY_PART,
    GRIDS,
    LEVEL_STRIDE,
    STRIDE,
    Between,
    DenoiserGraph,
    DenoiserNetwork,
)
from train.tasks.camera import CameraTask
from venturi import Denoiser


@pytest.fixture
def network() -> DenoiserNetwork:
    torch.manual_seed(3)
    return DenoiserNetwork(16, 16, 1, 1, len(GRIDS)).eval()


def frame(height: int = 64, width: int = 48, seed: int = 0) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("bfloat16", [False, True])
@torch.no_grad()
def test_strength_zero_is_the_frame_itself(network: DenoiserNetwork, bfloat16: bool) -> None:
    x = frame()
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        assert torch.equal(network(x, torch.zeros(1)).clean, x)


@torch.no_grad()
def test_below_one_a_share_of_the_noise_goes(network: DenoiserNetwork) -> None:
    x = frame()
    full = network(x, torch.ones(1)).clean
    assert not torch.equal(full, x)
    quarter = network(x, torch.tensor([0.25])).clean
    torch.testing.assert_close(quarter, 0.75 * x + 0.25 * full, atol=1e-6, rtol=0)


@torch.no_grad()
def test_above_one_the_claim_grows(network: DenoiserNetwork) -> None:
    x = frame()
    one, two = (network(x, torch.tensor([s])) for s in (1.0, 2.0))
    assert torch.equal(one.level, two.level)
    assert not torch.equal(one.clean, two.clean)


@torch.no_grad()
def test_each_frame_has_its_own_strength(network: DenoiserNetwork) -> None:
    x = torch.cat((frame(seed=0), frame(seed=1), frame(seed=2)))
    strengths = torch.tensor([0.0, 1.0, 2.5])
    together = network(x, strengths).clean
    for i in range(3):
        alone = network(x[i : i + 1], strengths[i : i + 1]).clean
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("size", [(8, 8), (8, 40), (72, 16)])
def test_sizes_are_multiples_of_the_stride(network: DenoiserNetwork, size: tuple[int, int]) -> None:
    found = network(frame(*size), torch.ones(1))
    assert found.clean.shape == (1, 3, *size)
    assert found.level.shape == (1, 1, size[0] // LEVEL_STRIDE, size[1] // LEVEL_STRIDE)
    assert bool((found.level >= 0).all())
    assert torch.equal(DenoiserGraph(network)(frame(*size), torch.ones(1)), found.clean)


@torch.no_grad()
@pytest.mark.parametrize(("down", "right"), GRIDS)
def test_patches_between_the_patches_are_those_of_the_moved_picture(down: int, right: int) -> None:
    network = DenoiserNetwork(16, 16, 1, 1)
    grid = Between(16, down, right)
    whole = network.analysis(frame() - 0.5)
    moved = network.analysis(torch.roll(frame() - 0.5, (-down, -right), (2, 3)))
    found = grid.there(whole)  # without what begins or ends beyond the frame
    expected = moved[:, :GREY_PART, : found.shape[2], : found.shape[3]]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    features = torch.zeros(1, 16, *whole.shape[2:])
    assert not grid(whole, features).any()  # nothing at first
    assert grid.share.bias is not None
    torch.nn.init.ones_(grid.share.bias)
    grey = whole.clone()
    grey[:, GREY_PART:] = 0
    held = (..., slice(grey.shape[2] - bool(down)), slice(grey.shape[3] - bool(right)))
    torch.testing.assert_close(grid(grey, features)[held], grey[held], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("depth", "deep_depth", "grids"), [(1, 1, 0), (1, 2, 0), (2, 3, 0), (1, 1, 3)]
)
def test_nothing_is_seen_beyond_the_reach(depth: int, deep_depth: int, grids: int) -> None:
    torch.manual_seed(0)
    network = DenoiserNetwork(16, 16, depth, deep_depth, grids)
    for name, parameter in network.named_parameters():
        if "between" in name and "share" in name:
            torch.nn.init.normal_(parameter)
    assert network.reach % STRIDE == 0
    side = 2 * network.reach + 64
    place = side // 2 + 3
    x = frame(side, side).requires_grad_()
    network(x, torch.ones(1)).clean[..., place, place].sum().backward()
    assert x.grad is not None
    rows, columns = x.grad[0].abs().sum(0).nonzero(as_tuple=True)
    farthest = int(max((rows - place).abs().max(), (columns - place).abs().max()))
    assert network.reach // 2 < farthest <= network.reach


def test_the_level_learns_from_its_own_loss_alone(network: DenoiserNetwork) -> None:
    network.train()
    network(frame(), torch.ones(1)).clean.sum().backward()
    assert all(p.grad is None for p in network.estimator.parameters())
    assert all(p.grad is not None for p in network.stem.parameters())


def test_batches_are_what_the_loss_expects(picture_folder: Path) -> None:
    task = CameraTask(camera_recipe(picture_folder))
    batch = task.batch(0, 0, 12)
    assert {name: tuple(value.shape) for name, value in batch.items()} == {
        "frame": (12, 3, 32, 32),
        "target": (12, 3, 32, 32),
        "level": (12, 1, 8, 8),
        "strength": (12,),
    }
    assert all(value.dtype == torch.float32 for value in batch.values())
    for name in ("frame", "target"):
        assert batch[name].is_contiguous(memory_format=torch.channels_last)
        assert 0 <= float(batch[name].min()) <= float(batch[name].max()) <= 1
    strengths = torch.cat([task.batch(step, 0, 12)["strength"] for step in range(10)])
    assert 0.7 < float((strengths == 1).float().mean()) < 0.97
    assert 1 <= float(strengths.min()) <= float(strengths.max()) <= task.recipe.strength_max


def test_crops_with_detail_are_preferred(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in range(4):
        tiles = np.random.default_rng(i).integers(0, 256, (8, 8, 3), np.uint8)
        large = tiles.repeat(8, 0).repeat(8, 1)
        assert cv2.imwrite(str(folder / f"{i}.png"), large if i % 2 else np.full_like(large, 99))
    task = CameraTask(camera_recipe(folder))
    assert [detail(image) > 0 for image in task.pictures] == [False, True, False]
    targets = torch.cat([task.batch(step, 0, 16)["target"] for step in range(20)])
    textured = float((targets.std((1, 2, 3)) > 0.08).float().mean())  # noise is left of a camera's
    camera = 0.52  # the share of crops with a camera's noise, which are single ones
    of_two = 1 - (2 / 3) ** 2
    assert textured == pytest.approx(camera / 3 + (1 - camera) * of_two, abs=0.05)


def test_a_crop_weighs_by_the_root_of_its_error(picture_folder: Path) -> None:
    task = CameraTask(camera_recipe(picture_folder))
    batch = task.batch(0, 0, 2)
    error = torch.tensor([0.01, 0.03]).view(2, 1, 1, 1)

    def spread(x: Tensor, strength: Tensor) -> tuple[Tensor, Tensor]:
        sign = torch.ones_like(x)
        sign[..., ::2] = -1
        return batch["target"] + error * sign, batch["level"]

    def gathered(x: Tensor, strength: Tensor) -> tuple[Tensor, Tensor]:
        corner = torch.zeros_like(x)
        corner[..., :16, :16] = 2  # four times the power, in a quarter of the crop
        return batch["target"] + error * corner, batch["level"]

    for wrong in (spread, gathered):
        loss, _ = task.loss(wrong, batch)  # type: ignore[arg-type]
        assert float(loss) == pytest.approx(0.02, rel=0.01)


def test_an_estimate_too_low_costs_more(picture_folder: Path) -> None:
    task = CameraTask(camera_recipe(picture_folder))
    batch = task.batch(0, 0, 2)

    class Fixed(torch.nn.Module):
        def __init__(self, error: float) -> None:
            super().__init__()
            self.error = error

        def forward(self, x: Tensor, strength: Tensor) -> tuple[Tensor, Tensor]:
            return batch["target"], batch["level"] + self.error

    low, exact, high = (float(task.loss(Fixed(e), batch)[0]) for e in (-0.1, 0.0, 0.1))
    assert exact < high < low
    assert (low - exact) / (high - exact) == pytest.approx(0.7 / 0.3, rel=1e-3)


def test_it_learns(picture_folder: Path, tmp_path: Path) -> None:
    small = camera_recipe(picture_folder, steps=80, batch=4)
    recipe = replace(small, width=48, learning_rate=5e-3, average=0.9, validate_every=1000)
    task = CameraTask(recipe)
    trainer = Trainer(task, tmp_path / "run", "camera")
    cpu = torch.device("cpu")
    before = task.validate(trainer.model, cpu)
    trainer.train()
    trainer.model.load_state_dict(trainer.average.weights)
    after = task.validate(trainer.model, cpu)
    assert after["noisy_25"] == before["noisy_25"] == pytest.approx(20.4, abs=0.6)
    assert after["psnr_25"] > after["noisy_25"] + 1
    assert after["psnr_50"] > after["noisy_50"] + 1


# The exporter of torch 2.13 trips over its own deprecation of tree specs.
@pytest.mark.filterwarnings("ignore:.*isinstance.treespec:FutureWarning")
def test_what_is_exported_is_what_was_trained(picture_folder: Path, tmp_path: Path) -> None:
    recipe = camera_recipe(picture_folder, steps=2)
    trainer = Trainer(CameraTask(recipe), tmp_path / "run", "camera")
    trainer.train()
    assert export.main([str(tmp_path / "run"), "--out", str(tmp_path / "bundle")]) == 0
    denoiser = Denoiser(tmp_path / "bundle", threads=1)
    assert (denoiser.manifest.task, denoiser.manifest.stride) == ("denoiser", STRIDE)
    image = picture(64, 48, 9)
    trainer.model.load_state_dict(trainer.average.weights)
    x = torch.from_numpy(image).permute(2, 0, 1).unsqueeze(0).float() / 255
    for strength in (0.5, 1.0, 2.0):
        with torch.no_grad():
            clean = trainer.model(x, torch.tensor([strength])).clean[0].permute(1, 2, 0)
        expected = torch.floor(clean.clamp(0, 1) * 255 + 0.5).numpy()
        assert abs(expected - denoiser.denoise(image, strength=strength)).max() <= 1
