"""Export the entropy network: three graphs of exact integers, one for each step of the coder.

1×1 layers are matrix products, with channels first or last as the neighbouring layers need them.
Positions are taken from the latents, and put back between them, as whole lines.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from export.channels_last import Size, shuffled
from export.graphs import Port, block_major, export_graph
from export.parity import ParityError, largest_difference, require
from export.storage import store_exactly
from train.networks.codec import (
    CONTEXT_MAX,
    GROUPS,
    INDEX_UNIT,
    SCALE_COUNT,
    STEP_MARK,
    ContextFeatures,
    EntropyNetwork,
    partner,
    place_of,
    scattered,
)
from train.networks.integer import ACCUMULATOR_LIMIT, ACTIVATION_MAX, IntegerConv
from venturi._layout import HYPER_MAX, STEPS

FILES = {
    "entropy_first": "entropy-first.onnx",
    "entropy_second": "entropy-second.onnx",
    "entropy_third": "entropy-third.onnx",
}


class FirstGraph(nn.Module):
    """The first step with constant integers; planes of a constant become biases."""

    def __init__(self, network: EntropyNetwork) -> None:
        super().__init__()
        n = network
        hyper, width = n.enter.weight.shape[1] - 1, n.up2.weight.shape[0] // 4
        self.enter = _Pointwise(n.enter, slice(0, hyper))
        self.enter_quality = nn.Buffer(_Pointwise(n.enter, slice(hyper, None)).weight)
        self.mix, self.mix1 = _Depthwise(n.mix), _Depthwise(n.mix1)
        self.up1, self.up2 = _Pointwise(n.up1, block=2), _Pointwise(n.up2, block=2)
        self.fuse = _Pointwise(n.fuse, slice(0, width))
        self.features = _Features(n)
        self.choice = _Choice(n, 0)

    def forward(self, hyper_latent: Tensor, quality: Tensor) -> tuple[Tensor, ...]:
        """Return the inputs of the third and of the second step, means and scale indices."""
        height, width = hyper_latent.shape[2:]
        sizes = [(factor * height, factor * width) for factor in (1, 2, 4)]
        x = self.enter(_flat(hyper_latent))
        x = _activation(x + self.enter_quality * quality)
        x = _activation(self.up1.channels_last(self.mix(x, sizes[0]).T))
        x = shuffled(x, sizes[0]).T
        x = _activation(self.up2.channels_last(self.mix1(x, sizes[1]).T))
        shared = self.fuse(shuffled(x, sizes[1]).T)
        features = self.features(shared, sizes[2])
        mean, index = self.choice(features, sizes[2])
        shared = shared.view(1, len(shared), *sizes[2])
        return shared, features.view(*sizes[2], features.shape[1]), mean, index


class SecondGraph(nn.Module):
    """The second step, which corrects the features of the first."""

    def __init__(self, network: EntropyNetwork) -> None:
        super().__init__()
        self.context = _Context(network.early, 1)
        self.correct = _Pointwise(network.correct)
        self.choice = _Choice(network, 1)

    def forward(self, features: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and scale indices."""
        height, width = features.shape[:2]
        positions = features.reshape(height * width, -1)
        context_features = self.context(context, (height, width))
        mean, index = self.choice(
            _activation(positions + self.correct.channels_last(context_features.T)), (height, width)
        )
        return mean, index


class ThirdGraph(nn.Module):
    """The third step, which sees half of the latents."""

    def __init__(self, network: EntropyNetwork) -> None:
        super().__init__()
        n = network
        marker = n.fuse.weight.shape[1] - 1
        self.context = _Context(n.late, 2)
        self.fuse = _Pointwise(n.fuse, slice(marker - n.late.known.weight.shape[0], marker))
        self.fuse.bias = nn.Buffer(STEP_MARK * _Pointwise(n.fuse, slice(marker, None)).weight[:, 0])
        self.features = _Features(n)
        self.choice = _Choice(n, 2)

    def forward(self, shared: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and scale indices."""
        height, width = shared.shape[2:]
        size = height, width
        sums = _flat(shared) + self.fuse(self.context(context, size))
        mean, index = self.choice(self.features(sums, size), size)
        return mean, index


class _Context(nn.Module):
    """From decoded latents, in the order of coding, to features; only of known channels."""

    def __init__(self, context: ContextFeatures, quarters: int) -> None:
        super().__init__()
        weight, bias = _scaled(context.known)
        groups = weight[:, :, 0, 0].chunk(GROUPS, 1)
        self.quarters = range(quarters)
        place_groups = [
            [groups[partner(place, q)] for q in self.quarters] for place in range(GROUPS)
        ]
        self.known = nn.Buffer(torch.stack([torch.cat(parts, 1) for parts in place_groups]))
        self.bias = nn.Buffer(bias)
        self.around = _Depthwise(context.around)

    def forward(self, context: Tensor, size: Size) -> Tensor:
        """Map (1, latent, quarters · H/2, W/2) to (features, places)."""
        half, width = size[0] // 2, size[1] // 2
        values = context.clamp(-CONTEXT_MAX, CONTEXT_MAX)
        quarters = values.split_with_sizes([half for _ in self.quarters], 2)
        groups = [_flat(quarter).chunk(GROUPS) for quarter in quarters]
        # Channels last, interleaving moves whole lines; in planes, it would move single values.
        squares = []
        for place, weight in enumerate(self.known):
            place_values = torch.cat([groups[q][partner(place, q)] for q in self.quarters])
            squares.append(torch.addmm(self.bias, place_values.T, weight.T))
        interleaved = _activation(torch.stack(squares)).view(2, 2, half, width, -1)
        interleaved = interleaved.permute(2, 0, 3, 1, 4).reshape(size[0] * size[1], -1)
        around: Tensor = self.around(interleaved.T, size)
        return around


class _Features(nn.Module):
    """From sums to the features that predict means and scale indices."""

    def __init__(self, network: EntropyNetwork) -> None:
        super().__init__()
        self.mix2, self.deep = _Depthwise(network.mix2), _Pointwise(network.deep)

    def forward(self, sums: Tensor, size: Size) -> Tensor:
        """Map (channels, places) to (places, features)."""
        return _activation(self.deep.channels_last(self.mix2(_activation(sums), size).T))


class _Choice(nn.Module):
    """From features to means and scale indices at the places of one step."""

    def __init__(self, network: EntropyNetwork, step: int) -> None:
        super().__init__()
        self.quarters = STEPS[step]
        # At a place, each quarter has a group; each channel of a group has a mean and an index.
        heads = [
            [(unit * part).chunk(GROUPS) for part in _scaled(layer)]
            for layer, unit in ((network.mean, 1.0), (network.index, 1 / INDEX_UNIT))
        ]
        place_heads = [
            [(head, partner(place, q)) for q in self.quarters for head in heads]
            for place in range(GROUPS)
        ]
        weight, bias = (
            torch.stack(
                [torch.cat([head[part][group] for head, group in here]) for here in place_heads]
            )
            for part in (0, 1)
        )
        self.weight, self.bias = nn.Buffer(weight[..., 0, 0]), nn.Buffer(bias.unsqueeze(2))

    def forward(self, features: Tensor, size: Size) -> tuple[Tensor, Tensor]:
        """Map (places, features) to (1, latent, quarters · H/2, W/2), int32 and uint8."""
        half, width = size[0] // 2, size[1] // 2
        squares = features.view(half, 2, width, 2, -1)
        place_sums = []
        for place in range(GROUPS):
            place_features = squares[:, place >> 1, :, place & 1].reshape(half * width, -1)
            sums = torch.addmm(self.bias[place], self.weight[place], place_features.T)
            place_sums.append(sums.chunk(2 * len(self.quarters)))
        mean, index = (self._in_order(place_sums, head) for head in (0, 1))
        shape = 1, -1, len(self.quarters) * half, width
        index = index.clamp(0, SCALE_COUNT - 1)
        return mean.to(torch.int32).view(shape), index.to(torch.uint8).view(shape)

    def _in_order(self, place_sums: Sequence[Sequence[Tensor]], head: int) -> Tensor:
        """Return means or indices, (latent, quarters · places), in the order of coding."""
        parts = [(quarter, 2 * n + head) for n, quarter in enumerate(self.quarters)]
        groups = [
            torch.cat([place_sums[place_of(group, quarter)][part] for quarter, part in parts], 1)
            for group in range(GROUPS)
        ]
        return torch.floor(torch.cat(groups))


class _Pointwise(nn.Module):
    """A 1×1 :class:`IntegerConv` with constant integers, times their scale, a power of two."""

    def __init__(self, layer: IntegerConv, inputs: slice = slice(None), *, block: int = 1) -> None:
        super().__init__()
        weight, bias = _scaled(layer)
        order = block_major(len(weight), block)
        self.weight = nn.Buffer(weight[order][:, inputs, 0, 0])
        self.bias = nn.Buffer(bias[order])

    def forward(self, x: Tensor) -> Tensor:
        """Map (inputs, places) to (outputs, places)."""
        return torch.addmm(self.bias.unsqueeze(1), self.weight, x)

    def channels_last(self, x: Tensor) -> Tensor:
        """Map (places, inputs) to (places, outputs)."""
        return torch.addmm(self.bias, x, self.weight.T)


class _Depthwise(nn.Module):
    """A depthwise :class:`IntegerConv` with constant integers, and its activation."""

    def __init__(self, layer: IntegerConv) -> None:
        super().__init__()
        self.weight, self.bias = (nn.Buffer(part) for part in _scaled(layer))
        self.padding = layer.padding

    def forward(self, x: Tensor, size: Size) -> Tensor:
        """Map (channels, places) to the same shape."""
        planes, count = x.view(1, -1, *size), len(self.bias)
        y = functional.conv2d(planes, self.weight, self.bias, padding=self.padding, groups=count)
        return _flat(_activation(y))


def _scaled(layer: IntegerConv) -> tuple[Tensor, Tensor]:
    """Return the values of weights and biases; exact, since scales are powers of two."""
    weight, bias, scale = (tensor.detach() for tensor in layer.quantised())
    return weight * scale.view(-1, 1, 1, 1), bias * scale


def _flat(planes: Tensor) -> Tensor:
    """Return (1, channels, height, width) as (channels, places)."""
    return planes.reshape(planes.shape[1], -1)


def _activation(sums: Tensor) -> Tensor:
    # Clamped first, which onnxruntime fuses into a convolution.
    return torch.floor(sums.clamp(0, ACTIVATION_MAX))


def prove_exact(network: EntropyNetwork) -> float:
    """Return the largest |partial sum| that any input can cause in any integer layer.

    Raises:
        ParityError: it is not below 2^24, up to which float32 is exact.
    """
    layers = [layer for layer in network.modules() if isinstance(layer, IntegerConv)]
    worst = max(float(layer.largest_sum().max()) for layer in layers)
    # Features are added to the correction's sums, in units of their scale.
    scale = network.correct.quantised()[2].detach().double()
    joined = network.correct.largest_sum() + ACTIVATION_MAX / scale
    worst = max(worst, float(joined.max()))
    if worst >= ACCUMULATOR_LIMIT:
        raise ParityError(
            f"the entropy network: a partial sum can reach {worst:.0f}; expected less than 2^24; "
            "no bundle was written"
        )
    return worst


def write_entropy(network: EntropyNetwork, folder: Path) -> dict[str, float]:
    """Write the entropy network's graphs; return the proof that they are exact.

    Raises:
        ParityError: a file differs from the network, or might on some machine.
    """
    _write_steps(network, folder)
    for name in FILES.values():
        store_exactly(folder / name)
    return {
        "entropy_max_error": _largest_error(network, folder),
        "entropy_largest_partial_sum": prove_exact(network),
    }


def _write_steps(network: EntropyNetwork, folder: Path) -> None:
    latent, hyper = _channels(network)
    width = network.fuse.weight.shape[0]
    places = "latent_height", "latent_width"
    quarter, half, wide = "quarter_height", "half_height", "half_width"
    z = Port("hyper_latent", (1, hyper, "hyper_height", "hyper_width"))
    shared, features = Port("shared", (1, width, *places)), Port("features", (*places, width))

    def choice(height: str) -> list[Port]:
        return [Port(name, (1, latent, height, wide)) for name in ("mean", "scale_index")]

    def context(height: str) -> Port:
        return Port("context", (1, latent, height, wide))

    export_graph(
        FirstGraph(network),
        (torch.zeros(1, hyper, 3, 2), torch.full((1,), 100.0)),
        [z, Port("quality", (1,))],
        [shared, features, *choice(quarter)],
        folder / FILES["entropy_first"],
    )
    export_graph(
        SecondGraph(network),
        (torch.zeros(12, 8, width), torch.zeros(1, latent, 6, 4)),
        [features, context(quarter)],
        choice(quarter),
        folder / FILES["entropy_second"],
    )
    export_graph(
        ThirdGraph(network),
        (torch.zeros(1, width, 12, 8), torch.zeros(1, latent, 12, 4)),
        [shared, context(half)],
        choice(half),
        folder / FILES["entropy_third"],
    )


def _largest_error(network: EntropyNetwork, folder: Path) -> float:
    """Return the largest difference of the graphs from the network, which must be 0."""

    def first(hyper_latent: Tensor, quality: Tensor) -> tuple[Tensor, ...]:
        shared = network.shared(hyper_latent, quality)
        features, *choice = network.first(shared)
        return shared, _last(features), *choice

    def second(features: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        return network.second(features.permute(2, 0, 1).unsqueeze(0), scattered([context]))

    def third(shared: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        return network.third(shared, scattered(context.chunk(2, 2)))

    def pairs(*inputs: Sequence[Tensor]) -> list[tuple[Tensor, ...]]:
        return list(zip(*inputs, strict=True))

    cases = _cases(*_channels(network))
    errors = []
    with torch.no_grad():
        shared = [network.shared(z, quality) for z, quality, _ in cases]
        features = [_last(network.first(sums)[0]) for sums in shared]
        contexts = [context for *_, context in cases]
        quarter = [context[:, :, : context.shape[2] // 2] for context in contexts]
        for role, names, module, inputs in (
            ("entropy_first", ("hyper_latent", "quality"), first, [case[:2] for case in cases]),
            ("entropy_second", ("features", "context"), second, pairs(features, quarter)),
            ("entropy_third", ("shared", "context"), third, pairs(shared, contexts)),
        ):
            path = folder / FILES[role]
            errors.append(largest_difference(path, names, module, inputs))
            require(path, errors[-1], 0.0)
    return max(errors)


def _last(planes: Tensor) -> Tensor:
    """Return (1, channels, height, width) with the channels last."""
    return planes[0].permute(1, 2, 0)


def _channels(network: EntropyNetwork) -> tuple[int, int]:
    """Return how many channels latent and hyper-latent have."""
    return network.mean.weight.shape[0], network.enter.weight.shape[1] - 1


def _cases(latent: int, hyper: int) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Return ordinary and extreme integers: hyper-latents, qualities and half of the latents."""
    rng = torch.Generator().manual_seed(2)
    cases = []
    for height, width, spread in ((1, 1, HYPER_MAX), (2, 5, 9), (7, 3, HYPER_MAX), (4, 4, 2)):
        z = torch.randint(-spread, spread + 1, (1, hyper, height, width), generator=rng).float()
        size = (1, latent, 4 * height, 2 * width)
        context = torch.randint(-40 * spread, 40 * spread + 1, size, generator=rng).float()
        cases += [(z, torch.tensor([quality]), context) for quality in (0.0, 77.0, 255.0)]
    return cases
