"""The places of the three coding steps, and the search for a quality."""

import numpy as np
import pytest
import torch

from tests import plain_decoder
from train.networks import codec as network
from venturi import Codec, StreamError
from venturi._entropy.latents import gather, scattered
from venturi._entropy.payload import encode
from venturi._format import target as search


@pytest.mark.parametrize("channels", [4, 5, 12])
def test_gather_takes_what_the_format_says(channels: int) -> None:
    values = np.arange(channels * 8 * 12).reshape(channels, 8, 12)
    for step, quarters in enumerate(plain_decoder.QUARTERS):
        expected = [values[place] for place in plain_decoder.places_of(values.shape, quarters)]
        np.testing.assert_array_equal(gather(values, step).reshape(-1), expected)


def test_training_takes_the_same_places() -> None:
    values = np.random.default_rng(0).integers(-9, 9, (8, 8, 12)).astype(np.int16)
    whole = torch.from_numpy(values)[None]
    taken = [network.gather(whole, step) for step in (0, 1, 2)]
    for step, part in enumerate(taken):
        np.testing.assert_array_equal(part[0].numpy(), gather(values, step))
    assert torch.equal(network.scattered(taken), whole)
    for count in (1, 2):
        known = network.scattered(taken[:count])
        places = network.scattered([torch.ones_like(part) for part in taken[:count]])
        assert places.sum() == count * places.numel() / 4
        assert torch.equal(known, whole * places)


def test_training_rounds_as_the_encoder_does() -> None:
    residual = torch.tensor([-1.4, -0.6, -0.1, 0.0, 0.3, 0.51, 0.7, 2.6], requires_grad=True)
    for index, expected in ((0.0, [-1, 0, 0, 0, 0, 0, 0, 2]), (50.0, [-1, -1, 0, 0, 0, 1, 1, 3])):
        leaned = network.dead_zone(residual, torch.full_like(residual, index))
        assert leaned.round().tolist() == expected
    leaned.sum().backward()  # type: ignore[no-untyped-call]
    assert residual.grad is not None
    assert residual.grad.tolist() == [1.0] * 8


def test_scattered_puts_back_what_gather_took() -> None:
    values = np.random.default_rng(0).integers(0, 99, (8, 8, 8))
    np.testing.assert_array_equal(scattered([gather(values, step) for step in (0, 1, 2)]), values)


@pytest.mark.parametrize("target", [0.001, 3.3, 40.0, 77.0, 99.9])
@pytest.mark.parametrize("power", [0.6, 1.0, 2.5])
def test_search_comes_close_in_few_passes(target: float, power: float) -> None:
    seen: list[int] = []

    def gap(place: int) -> float:
        seen.append(place)
        return 100 * float(((place - 256) / 25344) ** power) - target

    found = search.largest(gap, 256, 25600, slope=0.01, close=0.5)
    assert len(seen) <= search.PASSES + 1
    assert found in seen
    assert found is not None
    assert -3 <= gap(found) <= 0


def test_search_says_when_nothing_fits() -> None:
    assert search.largest(lambda place: place + 1.0, 0, 100, slope=1, close=0.1) is None
    assert search.largest(lambda place: place - 1e9, 0, 100, slope=1, close=0.1) == 100
    assert search.largest(lambda place: place - 0.5, 0, 10**6, slope=1e3, close=0.1) == 0


@pytest.mark.parametrize("beyond", [-(2**31), -(2**31) + 1, -128, 128, 2**31 - 1])
def test_a_hyper_latent_beyond_the_limit_is_refused(codec: Codec, beyond: int) -> None:
    """The magnitude of the smallest int32 is negative, and passed."""
    coder = codec._coder
    channels = coder._tables.hyper_index.shape[1]
    table = coder._hyper_table(100, 1, 1)
    symbols = np.zeros(channels, np.int32)
    coded = int(np.flatnonzero(coder._tables.radius[table])[0])
    symbols[coded] = beyond
    payload = encode([(symbols, table)], coder._tables)
    with pytest.raises(StreamError, match="a hyper-latent lies beyond 127"):
        coder.decode(payload, 4, 4, 100)
