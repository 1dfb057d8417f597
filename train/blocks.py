"""The block family of the pixel networks: cheap convolutions at low resolution."""

from torch import Tensor, nn
from torch.nn import functional


class Block(nn.Module):
    """Residual: depthwise 3×3, then a two-layer 1×1 network twice as wide (4 C² MAC each).

    The shape is ConvNeXt's (Liu et al., CVPR 2022, section 2.4) without its normalisation, with
    ReLU, so that onnxruntime fuses all of it into three convolutions.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.spatial = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.expand = nn.Conv2d(channels, 2 * channels, 1)
        self.project = nn.Conv2d(2 * channels, channels, 1)
        nn.init.dirac_(self.spatial.weight, groups=channels)
        nn.init.kaiming_normal_(self.expand.weight, nonlinearity="relu")
        nn.init.normal_(self.project.weight, std=0.1 / (2 * channels) ** 0.5)
        for layer in (self.spatial, self.expand, self.project):
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        y: Tensor = x + self.project(functional.relu(self.expand(self.spatial(x))))
        return y


def blocks(channels: int, count: int) -> nn.Sequential:
    """Return ``count`` blocks in a row."""
    return nn.Sequential(*(Block(channels) for _ in range(count)))


def pointwise(inputs: int, outputs: int) -> nn.Conv2d:
    """Return a 1×1 convolution that keeps the variance of its input."""
    layer = nn.Conv2d(inputs, outputs, 1)
    nn.init.normal_(layer.weight, std=inputs**-0.5)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
