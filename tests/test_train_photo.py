"""The photo codec's task: what is drawn, what is held out, and what a loss is made of."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.training import photo_recipe, picture, pictures
from train.tasks.photo import PhotoTask, to_tensor
from train.tasks.ssimulacra2 import distance


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pictures(tmp_path_factory.mktemp("data") / "pictures")


def task(data: Path, **fields: object) -> PhotoTask:
    return PhotoTask(replace(photo_recipe(data), **fields))  # type: ignore[arg-type]


def test_a_share_of_the_crops_is_synthetic(data: Path) -> None:
    none, some, all_ = (
        torch.stack([own.batch(step, 0, 8)["synthetic"] for step in range(10)])
        for own in (task(data, synthetic_share=share) for share in (0.0, 0.25, 1.0))
    )
    assert not none.any()
    assert all_.all()
    assert 0.1 < float(some.float().mean()) < 0.4


def test_folders_are_joined_and_names_held_out(data: Path, tmp_path: Path) -> None:
    other = pictures(tmp_path / "other", 5)
    both = f"{data},{other}"
    plain, named = task(Path(both)), task(Path(both), held_out="0")
    assert [len(plain.pictures), len(plain.held_out)] == [2 + 4, 2]
    assert [len(named.pictures), len(named.held_out)] == [1 + 3, 4]


def test_extra_pictures_are_one_more_kind(data: Path, tmp_path: Path) -> None:
    extra = pictures(tmp_path / "extra", 1)
    plain, more = (
        task(data, synthetic_share=1.0, extra_data=folder) for folder in ("", str(extra))
    )
    assert len(more.extra) == 1
    drawn, without = (one.batch(0, 0, 32)["image"] for one in (more, plain))
    assert not torch.equal(drawn, without)


def test_squared_error_and_looks_are_weighed(data: Path) -> None:
    own = task(data, ssimulacra2_share=0.75, balance=0.0)
    image = to_tensor([picture(64, 64, 1)])
    decoded, quality = (image + 0.02).clamp(0, 1), torch.tensor([0.5])
    error = (decoded - image).square().mean()
    recipe = own.recipe
    lambda_, eye = (
        (low * high) ** 0.5
        for low, high in (
            (recipe.lambda_min, recipe.lambda_max),
            (recipe.ssimulacra2_min, recipe.ssimulacra2_max),
        )
    )
    looks = float(distance(decoded, image))
    assert looks > 0
    batch = {"image": image, "quality": quality, "synthetic": torch.tensor([False])}
    cost = own._cost(torch.tensor([0.3]), decoded, batch)
    expected = 0.3 + 0.25 * lambda_ * 255**2 * float(error) + 0.75 * eye * looks
    assert float(cost) == pytest.approx(expected, rel=1e-4)
    plain = task(data, ssimulacra2_share=0.0, synthetic_ssimulacra2_share=0.0, balance=0.0)
    cost = plain._cost(torch.tensor([0.3]), decoded, batch)
    assert float(cost) == pytest.approx(0.3 + lambda_ * 255**2 * float(error), rel=1e-4)


def test_of_synthetic_pictures_the_worst_blocks_count_twice(data: Path) -> None:
    own = task(data, ssimulacra2_share=0.0, synthetic_ssimulacra2_share=0.0)
    image = to_tensor([picture(64, 64, 1)] * 2)
    even, one_block = image.clone(), image.clone()
    even[:] += 0.02
    one_block[..., :16, :16] += 0.08  # the same squared error, in a sixteenth of the picture
    quality, bpp = torch.tensor([0.5, 0.5]), torch.zeros(2)
    for synthetic, ratio in ((False, 1.0), (True, 2.5)):
        batch = {"image": image, "quality": quality, "synthetic": torch.full((2,), synthetic)}
        ours = own._cost(bpp, one_block, batch) / own._cost(bpp, even, batch)
        torch.testing.assert_close(ours, torch.full((2,), ratio), rtol=1e-3, atol=0)


def test_validation_reports_rates_scores_and_the_worst_kinds(data: Path) -> None:
    own = task(data)
    torch.manual_seed(0)
    values = own.validate(own.build().eval(), torch.device("cpu"))
    for level in ("0.00", "0.25", "0.50", "0.75", "1.00"):
        assert values[f"bpp_{level}"] > 0
        assert values[f"psnr_{level}"] < 60
        assert values[f"ssimulacra2_{level}"] < 100
    kinds = [name for name in values if name.startswith("psnr_of_") and name != "psnr_of_kinds"]
    assert len(kinds) == 4
    assert max(values[name] for name in kinds) <= values["psnr_of_kinds"]
