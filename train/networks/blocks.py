"""The block family of the pixel networks: cheap convolutions at low resolution."""

from torch import Tensor, nn
from torch.nn import functional

SLOPE = 0.1
"""Of the leaky ReLU below zero: plain ReLU let nine tenths of the coarse units die."""


class Block(nn.Module):
    """Residual: dense 3×3, leaky ReLU, 1×1 (10 C² MAC per position).

    Dense 3×3 layers reach the peak of a CPU in training and in onnxruntime, which depthwise ones do
    not; the activation is one that onnxruntime fuses into its convolution.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.spatial = nn.Conv2d(channels, channels, 3, padding=1)
        self.project = nn.Conv2d(channels, channels, 1)
        nn.init.kaiming_normal_(self.spatial.weight, a=SLOPE)
        nn.init.normal_(self.project.weight, std=0.1 / channels**0.5)
        for layer in (self.spatial, self.project):
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        return x + self.change(x)

    def change(self, x: Tensor) -> Tensor:
        """Return what it adds to its input."""
        y: Tensor = self.project(functional.leaky_relu(self.spatial(x), SLOPE))
        return y


def blocks(channels: int, count: int) -> nn.Sequential:
    """Return ``count`` blocks in a row."""
    return nn.Sequential(*(Block(channels) for _ in range(count)))


def activation(slope: float = SLOPE) -> nn.Module:
    """Return a leaky ReLU, or a plain one for slope 0."""
    return nn.LeakyReLU(slope) if slope else nn.ReLU()


def pointwise(inputs: int, outputs: int) -> nn.Conv2d:
    """Return a 1×1 convolution that starts orthogonal, so that it loses nothing it can keep."""
    layer = nn.Conv2d(inputs, outputs, 1)
    nn.init.orthogonal_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
