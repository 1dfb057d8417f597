"""Integer layers: float32 arithmetic gives what int64 arithmetic gives, for any weights."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from train.networks.codec import CONTEXT_MAX, EntropyNetwork
from train.networks.integer import (
    ACCUMULATOR_LIMIT,
    ACTIVATION_MAX,
    MAX_SHIFT,
    WEIGHT_MAX,
    IntegerConv,
    activate,
    clamp_inwards,
    floor_through,
    round_through,
)
from venturi._layout import HYPER_MAX


def in_int64(layer: IntegerConv, x: Tensor) -> Tensor:
    """Return floor(sum / 2^shift) in integer arithmetic, with a shift instead of a product."""
    weight, bias, _ = layer.quantised()
    shift = layer.shift().to(torch.int64).view(1, -1, 1, 1)
    kernel = weight.shape[-1]
    patches = functional.unfold(x.double(), kernel, padding=layer.padding).to(torch.int64)
    outputs, inputs = weight.shape[:2]
    patches = patches.view(len(x), layer.groups, inputs * kernel**2, -1)
    flat = weight.detach().to(torch.int64).view(layer.groups, outputs // layer.groups, -1)
    total = torch.einsum("ngkl,gok->ngol", patches, flat).reshape(len(x), outputs, *x.shape[2:])
    total = total + bias.detach().to(torch.int64).view(1, -1, 1, 1)
    return total >> shift


def check(layer: IntegerConv, x: Tensor) -> None:
    weight, bias, scale = (part.detach() for part in layer.quantised())
    assert torch.equal(weight, weight.round())
    assert torch.equal(bias, bias.round())
    assert float(weight.abs().max()) <= WEIGHT_MAX
    assert bool((torch.log2(scale) == -layer.shift()).all())
    assert float(layer.largest_sum().max()) < ACCUMULATOR_LIMIT
    exact = in_int64(layer, x)
    for channels_last in (False, True):
        form = torch.channels_last if channels_last else torch.contiguous_format
        assert torch.equal(floor_through(layer(x.to(memory_format=form))).to(torch.int64), exact)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    magnitude=st.sampled_from([0.0, 1e-12, 1e-4, 0.02, 1.0, 8.0]),
    bias=st.sampled_from([0.0, 1e-6, 1.0, 1e4, -1e4]),
    shape=st.sampled_from([(1, 1, 1, False), (48, 7, 1, False), (5, 4, 3, False), (6, 6, 5, True)]),
    input_max=st.sampled_from([1, 127, 255, ACTIVATION_MAX, CONTEXT_MAX]),
    extreme=st.booleans(),
)
def test_exact_for_any_weights(
    seed: int,
    magnitude: float,
    bias: float,
    shape: tuple[int, int, int, bool],
    input_max: int,
    extreme: bool,
) -> None:
    inputs, outputs, kernel, depthwise = shape
    layer = IntegerConv(inputs, outputs, kernel, input_max=input_max, depthwise=depthwise)
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        weight = torch.randn(layer.weight.shape, generator=rng)
        if extreme:  # all of the largest magnitude, so that the sums are as large as they get
            weight = weight.sign()
        layer.weight.copy_(weight * magnitude)
        layer.bias.fill_(bias)
    x = torch.randint(-input_max, input_max + 1, (2, inputs, 6, 5), generator=rng).float()
    check(layer, x)


def test_the_worst_input_stays_below_the_limit() -> None:
    layer = IntegerConv(512, 16)
    with torch.no_grad():
        layer.weight.fill_(3.0)
        layer.bias.fill_(1e9)
    worst = torch.full((1, 512, 2, 2), float(ACTIVATION_MAX))
    weight, bias, _ = layer.quantised()
    total = (
        weight.detach().double().sum((1, 2, 3)) * ACTIVATION_MAX + bias.detach().double()
    ).abs()
    assert torch.equal(total, layer.largest_sum())
    assert float(total.max()) < ACCUMULATOR_LIMIT
    check(layer, worst)
    check(layer, -worst)


def test_the_limit_can_be_reached_by_other_means() -> None:
    """The proof is no tautology: weights that were not scaled down break it."""
    layer = IntegerConv(512, 1)
    with torch.no_grad():
        layer.weight.fill_(3.0)
    layer.shift = lambda: torch.full((1,), 5.0)  # type: ignore[method-assign]
    assert float(layer.largest_sum().max()) > ACCUMULATOR_LIMIT


def test_weights_beyond_any_scale_are_named() -> None:
    layer = IntegerConv(64, 2)
    with torch.no_grad():
        layer.weight.fill_(1e6)
    with pytest.raises(ArithmeticError, match=r"reach 1000000\.0, .* lower the learning rate"):
        layer(torch.zeros(1, 64, 1, 1))


def test_no_weights_at_all() -> None:
    layer = IntegerConv(4, 3)
    with torch.no_grad():
        layer.weight.zero_()
    assert layer.shift().tolist() == [MAX_SHIFT] * 3
    check(layer, torch.ones(1, 4, 2, 2))


def test_rounding_is_half_up_everywhere() -> None:
    x = torch.tensor([-2.5, -0.5, 0.5, 1.5, 2.4])
    assert round_through(x).tolist() == [-2.0, 0.0, 1.0, 2.0, 2.0]
    assert floor_through(x).tolist() == [-3.0, -1.0, 0.0, 1.0, 2.0]
    assert activate(torch.tensor([-1.0, 3.7, 1e6])).tolist() == [0, 3, ACTIVATION_MAX]


def gradient(x: Tensor) -> list[float]:
    assert x.grad is not None
    return [float(v) for v in x.grad]


def test_gradients_pass_the_rounding_and_point_inwards() -> None:
    x = torch.tensor([-1.0, 0.5, 2.0], requires_grad=True)
    round_through(x).sum().backward()  # type: ignore[no-untyped-call]
    assert gradient(x) == [1, 1, 1]
    for sign, expected in ((1.0, [0, 1, 1]), (-1.0, [1, 1, 0])):
        x.grad = None
        (sign * clamp_inwards(x, 0, 1)).sum().backward()  # type: ignore[no-untyped-call]
        assert [abs(v) for v in gradient(x)] == expected


@torch.no_grad()
def test_the_entropy_network_is_the_same_in_float64() -> None:
    torch.manual_seed(0)
    network = EntropyNetwork(32, 16).eval()
    rng = np.random.default_rng(0)
    hyper = torch.from_numpy(rng.integers(-HYPER_MAX, HYPER_MAX + 1, (1, 16, 3, 2))).float()
    context = torch.from_numpy(rng.integers(-4000, 4000, (1, 32, 12, 8))).float()
    quality = torch.tensor([200.0])
    found = every_step(network, hyper, quality, context)
    for step, (mean, index) in enumerate(found):
        assert mean.shape == index.shape == (1, 32, (6, 6, 12)[step], 4)
        assert torch.equal(mean, mean.round())
        assert torch.equal(index, index.round())
        assert 0 <= float(index.min()) <= float(index.max()) <= 63
    for layer in network.modules():
        if isinstance(layer, IntegerConv):
            assert float(layer.largest_sum().max()) < ACCUMULATOR_LIMIT
    other = every_step(network.double(), hyper.double(), quality.double(), context.double())
    for one, two in zip(found, other, strict=True):
        for mine, exact in zip(one, two, strict=True):
            assert torch.equal(mine.double(), exact)


def every_step(
    network: EntropyNetwork, hyper: Tensor, quality: Tensor, context: Tensor
) -> list[tuple[Tensor, Tensor]]:
    shared = network.shared(hyper, quality)
    features, mean, index = network.first(shared)
    later = network.second(features, context), network.third(shared, context)
    return [(mean, index), *later]
