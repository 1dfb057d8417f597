"""The loss that looks: it is SSIMULACRA2, and its gradient is one."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from ssimulacra2 import compute_ssimulacra2
from torch import Tensor

from tests.training import picture
from train.tasks.photo import to_tensor
from train.tasks.ssimulacra2 import distance, score

ORIGINAL = picture(256, 320, 4)


def noisy(strength: float) -> NDArray[np.uint8]:
    noise = np.random.default_rng(1).normal(0, strength, ORIGINAL.shape)
    return np.asarray(np.clip(ORIGINAL + noise, 0, 255), np.uint8)


def in_jpeg(quality: int) -> NDArray[np.uint8]:
    _, data = cv2.imencode(".jpg", ORIGINAL, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


CHANGED = {
    "coarse JPEG": in_jpeg(5),
    "fine JPEG": in_jpeg(80),
    "noise": noisy(12),
    "blur": np.asarray(cv2.GaussianBlur(ORIGINAL, (0, 0), 2), np.uint8),
    "hue": np.ascontiguousarray(ORIGINAL[..., [1, 0, 2]]),
}


@pytest.mark.parametrize("name", CHANGED)
def test_scores_are_those_of_the_reference(name: str, tmp_path: Path) -> None:
    for file, image in (("original.png", ORIGINAL), ("changed.png", CHANGED[name])):
        assert cv2.imwrite(str(tmp_path / file), image[..., ::-1])
    expected = compute_ssimulacra2(tmp_path / "original.png", tmp_path / "changed.png")
    ours = float(score(distance(to_tensor([CHANGED[name]]), to_tensor([ORIGINAL]))))
    # The loss's floor under fourth roots counts where the least differs: 0.3 of the fine JPEG's.
    assert ours == pytest.approx(expected, abs=0.4)


def test_each_picture_is_measured_by_itself() -> None:
    images, originals = to_tensor(list(CHANGED.values())), to_tensor([ORIGINAL] * len(CHANGED))
    together = distance(images, originals)
    apart = torch.cat([distance(one, originals[:1]) for one in torch.split(images, 1)])
    torch.testing.assert_close(together, apart)


def test_the_original_is_perfect_and_leads_nowhere() -> None:
    original = to_tensor([ORIGINAL])
    image = original.clone().requires_grad_()
    total = distance(image, original).sum()
    total.backward()  # type: ignore[no-untyped-call]
    assert float(score(total.detach())) > 99.9
    assert image.grad is not None
    assert bool(image.grad.isfinite().all())


def test_the_gradient_is_that_of_the_measure() -> None:
    """In float64, by differences; and steps along it make the picture look better."""
    generator = torch.Generator().manual_seed(0)
    original, image = (
        0.1 + 0.8 * torch.rand(1, 3, 16, 24, generator=generator, dtype=torch.float64)
        for _ in range(2)
    )

    def measured(x: Tensor) -> Tensor:
        return distance(x, original)

    assert torch.autograd.gradcheck(measured, image.requires_grad_(), fast_mode=True)
    (gradient,) = torch.autograd.grad(measured(image).sum(), image)
    with torch.no_grad():
        step = 1e-3 * gradient / gradient.abs().max()
        assert float(measured(image - step)) < float(measured(image))
