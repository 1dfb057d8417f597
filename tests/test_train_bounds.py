"""Bounds of the decoder: photographs do not meet them, and nothing else gets far beyond."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from tests.training import picture
from train.engine import checkpoint
from train.engine.loop import Average
from train.networks.blocks import Bound, set_bounds, without_bounds
from train.networks.codec import CodecNetwork, Sizes
from train.tasks.photo import to_tensor

SIZES = Sizes(16, 16, 16, 16, analysis_depth=1, synthesis_depth=1, deep_depth=1)
QUALITY = torch.tensor([0.2, 0.9])


@pytest.fixture
def network() -> CodecNetwork:
    """Return a decoder whose shares and offsets are not zero, as they are at first."""
    torch.manual_seed(0)
    network = CodecNetwork(SIZES).eval()
    for name, weight in network.synthesis.named_parameters():
        if "share.weight" in name or "offset.weight" in name:
            torch.nn.init.normal_(weight, std=0.3)
    return network


def photographs() -> Iterator[tuple[Tensor, Tensor, None]]:
    for seed in range(3):
        yield to_tensor([picture(64, 128, seed), picture(64, 128, seed + 9)]), QUALITY, None


@torch.no_grad()
def decoded(network: CodecNetwork, latent: Tensor) -> Tensor:
    image: Tensor = network.synthesis(latent, QUALITY)
    return image


@torch.no_grad()
def test_photographs_do_not_meet_them(network: CodecNetwork) -> None:
    before = [network(*inputs).image for inputs in photographs()]
    set_bounds(network, photographs())
    bounds = [layer for layer in network.modules() if isinstance(layer, Bound)]
    assert len(bounds) == 5
    assert all(bound.is_set for bound in bounds)
    after = [network(*inputs).image for inputs in photographs()]
    assert all(torch.equal(one, two) for one, two in zip(before, after, strict=True))


@torch.no_grad()
def test_wild_latents_end_near_the_linear_path(network: CodecNetwork) -> None:
    """A thousand times the latents move what is not linear by no more than a bound allows."""
    set_bounds(network, photographs())
    part = network.synthesis
    inputs, *_ = photographs()
    latent = network.analysis(*inputs[:2])[0]
    wild = 1000 * latent

    def change(network: CodecNetwork, latent: Tensor) -> float:
        """Return by how much features differ from none, as the end of the decoder gets them."""
        kept: list[Tensor] = []
        hook = network.synthesis.leaves.register_forward_hook(lambda *x: kept.append(x[2]))
        decoded(network, latent)
        hook.remove()
        return float(kept[0].abs().max())

    limit = float(part.leaves.get_buffer("largest"))
    assert change(network, wild) <= limit
    assert change(without_bounds(network), wild) > 20 * limit
    shares: list[Tensor] = []
    hook = part.filter.share.register_forward_hook(lambda *x: shares.append(x[2]))
    decoded(network, wild)
    hook.remove()
    bounded = part.filter.bounded_share(torch.full((1, 32, 4, 4), 1e3))
    assert float(bounded.abs().max()) <= 1


def test_bounds_that_are_set_stay(network: CodecNetwork) -> None:
    set_bounds(network, photographs())
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    set_bounds(network, ((10 * image, *rest) for image, *rest in photographs()))
    assert all(torch.equal(weights[name], value) for name, value in network.state_dict().items())
    average = Average(network, 0.5)
    average.update(network, 1)
    assert checkpoint.weights_hash(average.weights) == checkpoint.weights_hash(weights)


def test_a_checkpoint_from_before_there_were_bounds_has_none(network: CodecNetwork) -> None:
    weights = {name: value for name, value in network.state_dict().items() if "largest" not in name}
    set_bounds(network, photographs())
    checkpoint.fill(network, weights)
    assert not any(layer.is_set for layer in network.modules() if isinstance(layer, Bound))
    average = Average(network, 0.5)
    average.update(network, 1)
    assert all(bool(value.isfinite().all()) for value in average.weights.values())


def test_gradients_lead_back_inside() -> None:
    bound = Bound()
    bound.get_buffer("largest").fill_(1.0)
    x = torch.tensor([-3.0, 0.5, 3.0], requires_grad=True)
    y = bound(x)
    assert y.tolist() == [-1.0, 0.5, 1.0]
    (outwards,) = torch.autograd.grad(y.sum(), x, retain_graph=True)
    assert outwards.tolist() == [0.0, 1.0, 1.0]  # a smaller sum: 3 may shrink, −3 not grow
    (inwards,) = torch.autograd.grad(-y.sum(), x)
    assert inwards.tolist() == [-1.0, -1.0, 0.0]
