"""The autoencoder family's networks: an encoder to a code, a decoder back.

    image ──encoder──▶ code ──decoder──▶ logits ──sigmoid──▶ image

Encoders and decoders are dense, convolutional or recurrent. The code is deterministic, drawn from a
posterior, or rounded to integers.
"""

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

Shape = tuple[int, int, int]
"""Channels, height and width of a picture."""


_GAIN = 16.0


class Coded(NamedTuple):
    """The result of a forward pass.

    Attributes:
        logits: float32 (N, C, H, W); their sigmoid is the picture.
        code: float32 (N, numbers), the decoder's input.
        nats: float32 (N,), cost of the code in nats; 0 for networks that do not model it.
    """

    logits: Tensor
    code: Tensor
    nats: Tensor


class Autoencoder(nn.Module):
    """An encoder and a decoder with a deterministic code."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def encode(self, image: Tensor) -> Tensor:
        """Map float32 (N, C, H, W) in [0, 1] to codes (N, numbers)."""
        code: Tensor = self.encoder(image)
        return code

    def decode(self, code: Tensor) -> Tensor:
        """Map codes (N, numbers) to logits (N, C, H, W)."""
        logits: Tensor = self.decoder(code)
        return logits

    def forward(self, image: Tensor, noise: Tensor | None = None) -> Coded:
        """Map pictures to codes and back; this class takes no noise."""
        code = self.encode(image)
        return Coded(self.decode(code), code, code.new_zeros(len(code)))


class Variational(Autoencoder):
    """A variational autoencoder: each number of the code is drawn from a Gaussian posterior.

    The cost is the divergence from a standard normal prior (Kingma and Welling, "Auto-Encoding
    Variational Bayes", ICLR 2014, sections 2.3 and 3).
    """

    def encode(self, image: Tensor) -> Tensor:
        """Return the means (N, numbers)."""
        mean: Tensor = self.encoder(image).chunk(2, 1)[0]
        return mean

    def forward(self, image: Tensor, noise: Tensor | None = None) -> Coded:
        """Reparameterise with standard normal noise (N, numbers); None takes the mean."""
        mean, log_variance = self.encoder(image).chunk(2, 1)
        nats = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
        code = mean if noise is None else mean + noise * torch.exp(0.5 * log_variance)
        return Coded(self.decode(code), code, nats)


class Rounded(Autoencoder):
    """An autoencoder whose code is rounded to integers; its cost is that of coding them.

    Uniform noise replaces rounding in training (Ballé et al., "End-to-end Optimized Image
    Compression", ICLR 2017, section 3.1), and each number has a logistic density.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, numbers: int) -> None:
        super().__init__(encoder, decoder)
        self.log_scale = nn.Parameter(torch.full((numbers,), 1.0))

    def encode(self, image: Tensor) -> Tensor:
        """Return codes (N, numbers), scaled so that the noise does not drown them at the start."""
        return _GAIN * super().encode(image)

    def decode(self, code: Tensor) -> Tensor:
        """Map codes (N, numbers) to logits (N, C, H, W)."""
        return super().decode(code / _GAIN)

    def forward(self, image: Tensor, noise: Tensor | None = None) -> Coded:
        """Add noise (N, numbers) in [-1/2, 1/2) to the code; None rounds it instead."""
        code = self.encode(image)
        code = torch.round(code) if noise is None else code + noise
        distance, rate = code.abs(), torch.exp(-self.log_scale)
        inside = torch.sigmoid((0.5 - distance) * rate) - torch.sigmoid((-0.5 - distance) * rate)
        return Coded(self.decode(code), code, -torch.log(inside + 1e-9).sum(1))


class DenseDecoder(nn.Module):
    """Fully connected layers from a code to logits."""

    def __init__(self, shape: Shape, widths: tuple[int, ...], numbers: int) -> None:
        super().__init__()
        self.shape = shape
        self.layers = _dense((numbers, *widths, shape[0] * shape[1] * shape[2]))

    def forward(self, code: Tensor) -> Tensor:
        """Map (N, numbers) to (N, C, H, W)."""
        logits: Tensor = self.layers(code)
        return logits.view(-1, *self.shape)


class ConvEncoder(nn.Module):
    """Two convolutions of stride 2, then two dense layers."""

    def __init__(self, shape: Shape, width: int, dense: int, outputs: int) -> None:
        super().__init__()
        channels, height, width_px = shape
        self.padding = (0, -width_px % 4, 0, -height % 4)
        rows, columns = -(-height // 4), -(-width_px // 4)
        self.fine = nn.Conv2d(channels, width, 3, stride=2, padding=1)
        self.coarse = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.head = _dense((2 * width * rows * columns, dense, outputs))
        _initialise(self)

    def forward(self, image: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, outputs)."""
        x = functional.relu(self.fine(functional.pad(image, self.padding)))
        code: Tensor = self.head(functional.relu(self.coarse(x)).flatten(1))
        return code


class ConvDecoder(nn.Module):
    """Two dense layers, then two convolutions, each followed by a pixel shuffle by 2."""

    def __init__(self, shape: Shape, width: int, dense: int, numbers: int) -> None:
        super().__init__()
        channels, self.height, self.width = shape
        self.coarse_shape = (2 * width, -(-self.height // 4), -(-self.width // 4))
        rows, columns = self.coarse_shape[1:]
        self.head = _dense((numbers, dense, 2 * width * rows * columns))
        self.coarse = nn.Conv2d(2 * width, 4 * width, 3, padding=1)
        self.fine = nn.Conv2d(width, 4 * channels, 3, padding=1)
        _initialise(self)

    def forward(self, code: Tensor) -> Tensor:
        """Map (N, numbers) to (N, C, H, W)."""
        x = functional.relu(self.head(code)).view(-1, *self.coarse_shape)
        x = functional.relu(functional.pixel_shuffle(self.coarse(x), 2))
        logits = functional.pixel_shuffle(self.fine(x), 2)
        return logits[:, :, : self.height, : self.width]


class RowEncoder(nn.Module):
    """A GRU that reads the rows of a picture in order, into one vector."""

    def __init__(self, shape: Shape, width: int, outputs: int) -> None:
        super().__init__()
        self.rows = nn.GRU(shape[0] * shape[2], width, batch_first=True)
        self.head = nn.Linear(width, outputs)

    def forward(self, image: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, outputs)."""
        states, _ = self.rows(image.transpose(1, 2).flatten(2))
        code: Tensor = self.head(states[:, -1])
        return code


class RowDecoder(nn.Module):
    """A GRU that writes the rows of a picture in order, from one vector."""

    def __init__(self, shape: Shape, width: int, numbers: int) -> None:
        super().__init__()
        self.shape = shape
        self.start = nn.Linear(numbers, width)
        self.rows = nn.GRU(numbers, width, batch_first=True)
        self.head = nn.Linear(width, shape[0] * shape[2])

    def forward(self, code: Tensor) -> Tensor:
        """Map (N, numbers) to (N, C, H, W)."""
        every_row = code.unsqueeze(1).expand(-1, self.shape[1], -1)
        states, _ = self.rows(every_row, torch.tanh(self.start(code)).unsqueeze(0))
        return self.picture(states)

    def picture(self, states: Tensor) -> Tensor:
        """Map the states of all rows (N, H, width) to (N, C, H, W)."""
        channels, height, width = self.shape
        rows: Tensor = self.head(states)
        return rows.view(-1, height, channels, width).transpose(1, 2)


def dense_encoder(shape: Shape, widths: tuple[int, ...], outputs: int) -> nn.Module:
    """Return fully connected layers from a picture to ``outputs`` numbers."""
    return nn.Sequential(nn.Flatten(), *_dense((shape[0] * shape[1] * shape[2], *widths, outputs)))


def _dense(sizes: tuple[int, ...]) -> nn.Sequential:
    """Return linear layers of these sizes with ReLUs between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.ReLU(), nn.Linear(inputs, outputs)]
    stack = nn.Sequential(*layers[1:])
    _initialise(stack)
    return stack


def _initialise(module: nn.Module) -> None:
    """Initialise weights after Glorot and Bengio (2010), biases with 0."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            nn.init.xavier_uniform_(layer.weight)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
