"""Muon and Adam in one optimiser."""

import copy

import pytest
import torch
from torch import nn

from train.engine.loop import optimizer
from train.engine.optimizer import MuonAdam, orthogonal
from train.networks.integer import IntegerConv
from train.recipes import PhotoRecipe


@pytest.mark.parametrize("shape", [(16, 40), (24, 100), (100, 24)])
def test_orthogonal_keeps_directions_and_levels_their_sizes(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    matrix = torch.randn(*shape)
    found = orthogonal(matrix)
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    inside = torch.diag(left.T @ found @ right.T)
    assert found.shape == matrix.shape
    assert 0.25 < float(inside.min()) <= float(inside.max()) < 1.3
    torch.testing.assert_close(left @ torch.diag(inside) @ right, found, atol=1e-4, rtol=0)


def test_orthogonal_of_nothing_is_nothing() -> None:
    assert not bool(orthogonal(torch.zeros(3, 5)).any())


def test_the_rest_is_adam_bit_for_bit_or_nearly() -> None:
    torch.manual_seed(0)
    ours = nn.Parameter(torch.randn(5))
    theirs = nn.Parameter(ours.detach().clone())
    mine, adam = MuonAdam([], [ours], lr=0.1), torch.optim.Adam([theirs], lr=0.1)
    for step in range(6):
        grad = torch.randn(5) * 10.0**step
        ours.grad, theirs.grad = grad.clone(), grad.clone()
        mine.step()
        adam.step()
    torch.testing.assert_close(ours, theirs)


def test_layers_get_muon_and_everything_else_adam() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), IntegerConv(4, 4), nn.Linear(4, 2))
    groups = optimizer(model, PhotoRecipe()).param_groups
    assert [[tuple(p.shape) for p in group["params"]] for group in groups] == [
        [(4, 3, 3, 3), (2, 4)],
        [(4,), (4, 4, 1, 1), (4,), (2,)],
    ]
    assert isinstance(optimizer(model, PhotoRecipe(muon=False)), torch.optim.Adam)


def test_its_state_goes_through_a_checkpoint() -> None:
    torch.manual_seed(0)
    model = nn.Linear(6, 4)
    other = copy.deepcopy(model)
    first, second = (optimizer(m, PhotoRecipe()) for m in (model, other))
    grads = [torch.randn(4, 6), torch.randn(4)]

    def step(of: nn.Linear, by: torch.optim.Optimizer) -> None:
        for parameter, grad in zip(of.parameters(), grads, strict=True):
            parameter.grad = grad.clone()
        by.step()

    step(model, first)
    other.load_state_dict(model.state_dict())
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    step(model, first)
    step(other, second)
    assert all(
        torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True)
    )


def test_it_fits_a_line_far_off_scale() -> None:
    torch.manual_seed(0)
    x = torch.randn(64, 8)
    target = x @ torch.diag(torch.logspace(0, -2, 8))
    layer = nn.Linear(8, 8)
    by = optimizer(layer, PhotoRecipe(learning_rate=0.02))
    losses = []
    for _ in range(150):
        by.zero_grad()
        loss = nn.functional.mse_loss(layer(x), target)
        loss.backward()  # type: ignore[no-untyped-call]
        by.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.02 * losses[0]
