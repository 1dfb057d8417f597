"""Convolutions whose arithmetic is exact: integers carried in float32.

The network that steers the entropy decoder must give the same bits on every machine (Ballé et al.,
"Integer Networks for Data Compression with Latent-Variable Models", ICLR 2019). Here weights are
integers in [-127, 127], activations are integers, and requantisation divides by a power of two.
Each output channel's scale is chosen so that no partial sum, in any order, can reach 2^24; float32
then represents every one of them exactly. Training sees the same integers, through straight-through
estimators of the rounding.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

ACTIVATION_MAX = 1023
"""Hidden activations are integers in [0, ACTIVATION_MAX]."""

ACTIVATION_UNIT = 64
"""The integer that stands for an activation of 1.0."""

WEIGHT_MAX = 127
MAX_SHIFT = 12
ACCUMULATOR_LIMIT = 2**24
_PRODUCT_BUDGET = 2**23
_BIAS_BUDGET = 2**22


def round_through(x: Tensor) -> Tensor:
    """Round half up; the gradient passes as if nothing had been rounded."""
    return x + (torch.floor(x + 0.5) - x).detach()


def clamp_inwards(x: Tensor, low: float | Tensor, high: float | Tensor) -> Tensor:
    """Clamp; the gradient passes where it points back inside, so saturated units can recover."""
    clamped: Tensor = _ClampInwards.apply(x, low, high)  # type: ignore[no-untyped-call]
    return clamped


class _ClampInwards(torch.autograd.Function):
    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, *args: Tensor | float) -> Tensor:
        x, low, high = args
        assert isinstance(x, Tensor)
        ctx.save_for_backward(x)
        ctx.bounds = low, high  # type: ignore[attr-defined]
        return x.clamp(low, high)  # type: ignore[arg-type]

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, *grads: Tensor
    ) -> tuple[Tensor, None, None]:
        (x,) = ctx.saved_tensors  # type: ignore[attr-defined]
        low, high = ctx.bounds  # type: ignore[attr-defined]
        (grad,) = grads
        passes = ((x >= low) | (grad < 0)) & ((x <= high) | (grad > 0))
        return grad * passes, None, None


class IntegerConv(nn.Module):
    """A convolution from integers to integers, requantised by a power of two per output channel.

    Args:
        inputs, outputs: channels.
        kernel: odd side of the square kernel; borders are padded with zeros.
        input_max: the largest absolute value of an input integer.
        depthwise: each channel by itself (``inputs == outputs``).
        unit: the output integer that stands for 1.0; scales the bias.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 1,
        *,
        input_max: int = ACTIVATION_MAX,
        depthwise: bool = False,
        unit: int = ACTIVATION_UNIT,
    ) -> None:
        super().__init__()
        self.groups = inputs if depthwise else 1
        self.input_max, self.unit, self.padding = input_max, unit, kernel // 2
        fan_in = (inputs // self.groups) * kernel * kernel
        self.weight = nn.Parameter(
            torch.randn(outputs, inputs // self.groups, kernel, kernel) * (2.0 / fan_in) ** 0.5
        )
        self.bias = nn.Parameter(torch.zeros(outputs))

    def shift(self) -> Tensor:
        """Return float32 (outputs,): the power of two that scales each channel's weights."""
        magnitude = self.weight.detach().abs().flatten(1)
        fan_in = magnitude.shape[1]
        by_weight = WEIGHT_MAX / magnitude.amax(1).clamp_min(1e-9)
        by_sum = (_PRODUCT_BUDGET / self.input_max - fan_in / 2) / magnitude.sum(1).clamp_min(1e-9)
        shift = torch.floor(torch.log2(torch.minimum(by_weight, by_sum)))
        if bool((shift < 1).any()):
            raise ArithmeticError(
                f"an integer layer's weights reach {float(magnitude.max()):.1f}, beyond what "
                "24-bit sums can hold; expected a stable training: lower the learning rate"
            )
        return shift.clamp(max=MAX_SHIFT)

    def quantised(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return integer weights, integer bias (rounding's half included) and scale 2^-shift."""
        factor = torch.exp2(self.shift())
        weight = round_through(self.weight * factor.view(-1, 1, 1, 1))
        bias = round_through(self.bias * self.unit * factor)
        bias = clamp_inwards(bias, -_BIAS_BUDGET, _BIAS_BUDGET) + factor / 2
        return weight, bias, 1.0 / factor

    def forward(self, x: Tensor) -> Tensor:
        """Map float32 integers (N, inputs, H, W) to unrounded sums (N, outputs, H, W).

        ``floor`` of the result is the exact output; :func:`activate` and the last layers take it.
        """
        weight, bias, scale = self.quantised()
        y = functional.conv2d(x, weight, bias, padding=self.padding, groups=self.groups)
        return y * scale.view(1, -1, 1, 1)

    def parted(self, *inputs: Tensor) -> Tensor:
        """Return a 1×1 layer's outputs: an equal part of them for each input."""
        parts = zip(inputs, *(of.chunk(len(inputs)) for of in self.quantised()), strict=True)
        return torch.cat(
            [
                functional.conv2d(x, w, bias) * scale.view(1, -1, 1, 1)
                for x, w, bias, scale in parts
            ],
            1,
        )

    def largest_sum(self) -> Tensor:
        """Return float64 (outputs,): the largest |partial sum| of any input, in any order."""
        weight, bias, _ = self.quantised()
        products = weight.detach().double().abs().flatten(1).sum(1) * self.input_max
        return products + bias.detach().double().abs()


def floor_through(x: Tensor) -> Tensor:
    """Round down; straight-through gradient of a rounding (the half is in the layer's bias)."""
    return x + (torch.floor(x) - x).detach()


def activate(x: Tensor) -> Tensor:
    """Integer ReLU: floor and clip to [0, ACTIVATION_MAX]."""
    return clamp_inwards(floor_through(x), 0, ACTIVATION_MAX)
