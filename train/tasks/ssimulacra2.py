"""A differentiable SSIMULACRA2: the visible difference of a decoded picture from its original.

Sneyers, "SSIMULACRA 2: Structural SIMilarity Unveiling Local And Compression Related Artifacts",
2023: errors of structure, artefacts and lost detail at six scales in the opponent colours XYB,
weighted as people ranked 22,000 compressed pictures. As in the reference, pictures are made smaller
in linear light, and averages reflect at two edges and fade to zero at the other two.
"""

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

SCALES = 6
_LEAST_SIDE = 8
_SIGMA, _RADIUS = 1.5, 5
_C2 = 0.0009
_ROOT_FLOOR = 1e-4
"""From where fourth roots count: at zero their slope is infinite, and below is rounding error."""

_BIAS = 0.0037930732552754493
_OPSIN = (
    (0.30, 0.622, 0.078),
    (0.23, 0.692, 0.078),
    (0.24342268924547819, 0.20476744424496821, 0.5518098665095536),
)

# fmt: off
_WEIGHTS = (
    0.0, 0.0007376606707406586, 0.0, 0.0, 0.0007793481682867309, 0.0,
    0.0, 0.0004371155730107379, 0.0,
    1.1041726426657346, 0.00066284834129271, 0.00015231632783718752,
    0.0, 0.0016406437456599754, 0.0, 1.8422455520539298, 11.441172603757666, 0.0,
    0.0007989109436015163, 0.000176816438078653, 0.0, 1.8787594979546387, 10.94906990605142, 0.0,
    0.0007289346991508072, 0.9677937080626833, 0.0,
    0.00014003424285435884, 0.9981766977854967, 0.00031949755934435053,
    0.0004550992113792063, 0.0, 0.0, 0.0013648766163243398, 0.0, 0.0,
    0.0, 0.0, 0.0, 7.466890328078848, 0.0, 17.445833984131262,
    0.0006235601634041466, 0.0, 0.0, 6.683678146179332, 0.00037724407979611296, 1.027889937768264,
    225.20515300849274, 0.0, 0.0, 19.213238186143016, 0.0011401524586618361, 0.001237755635509985,
    176.39317598450694, 0.0, 0.0, 24.43300999870476, 0.28520802612117757, 0.0004485436923833408,
    0.0, 0.0, 0.0, 34.77906344483772, 44.835625328877896, 0.0,
    0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
    0.0, 0.0008680556573291698, 0.0, 0.0, 0.0, 0.0,
    0.0, 0.0005313191874358747, 0.0, 0.00016533814161379112, 0.0, 0.0,
    0.0, 0.0, 0.0, 0.0004179171803251336, 0.0017290828234722833, 0.0,
    0.0020827005846636437, 0.0, 0.0, 8.826982764996862, 23.19243343998926, 0.0,
    95.1080498811086, 0.9863978034400682, 0.9834382792465353,
    0.0012286405048278493, 171.2667255897307, 0.9807858872435379,
    0.0, 0.0, 0.0, 0.0005130064588990679, 0.0, 0.00010854057858411537,
)
# fmt: on
"""For each of X, Y, B, each scale, mean and fourth-power mean: structure, artefact, detail."""


def distance(image: Tensor, original: Tensor) -> Tensor:
    """Return SSIMULACRA2's weighted sum of errors, before the curve that makes it a score: (N,).

    Args:
        image, original: sRGB, float32 (N, 3, H, W); of the first, what is outside [0, 1] counts as
            black or white. Sides of at least 8 pixels, even at every scale.
    """
    weights = image.new_tensor(_WEIGHTS).view(3, SCALES, 2, 3)
    light, original_light = _linear(image.clamp(0, 1)), _linear(original)
    total = image.new_zeros(len(image))
    for scale in range(SCALES):
        if min(light.shape[2:]) < _LEAST_SIDE:
            break
        errors = _errors(_positive_xyb(light), _positive_xyb(original_light))
        total = total + (errors * weights[:, scale]).sum((1, 2, 3))
        light, original_light = (functional.avg_pool2d(x, 2) for x in (light, original_light))
    return total


def score(distance: Tensor) -> Tensor:
    """Return the score of weighted sums: 100 is the original, 70 high quality, 30 low quality."""
    d = distance * 0.9562382616834844
    curve = d * (2.326765642916932 + d * (6.248496625763138e-05 * d - 0.020884521182843837))
    return 100 - 10 * curve.clamp_min(0).pow(0.6276336467831387)


def _errors(image: Tensor, original: Tensor) -> Tensor:
    """Return (N, 3, 2, 3): of each colour, mean and fourth-power mean of the three errors."""
    mean, wanted_mean = _blur(image), _blur(original)
    power = _blur(image.square() + original.square()) - mean.square() - wanted_mean.square()
    product = _blur(image * original) - mean * wanted_mean
    likeness = (1 - (mean - wanted_mean).square()) * (2 * product + _C2) / (power + _C2)
    edges = (1 + (image - mean).abs()) / (1 + (original - wanted_mean).abs()) - 1
    maps = torch.stack([1 - likeness, edges, -edges], 2).clamp_min(0)
    fourth = (maps.square().square().mean((3, 4)) + _ROOT_FLOOR**4).sqrt().sqrt() - _ROOT_FLOOR
    return torch.stack([maps.mean((3, 4)), fourth], 2)


def _linear(image: Tensor) -> Tensor:
    """Return the linear light of sRGB values in [0, 1]."""
    curve = ((image.clamp_min(0.04045) + 0.055) / 1.055).pow(2.4)
    return torch.where(image <= 0.04045, image / 12.92, curve)


def _positive_xyb(light: Tensor) -> Tensor:
    """Return the opponent colours of linear light, with the offset and scale of the metric."""
    matrix = light.new_tensor(_OPSIN).view(3, 3, 1, 1)
    cones = (functional.conv2d(light, matrix) + _BIAS).pow(1 / 3) - _BIAS ** (1 / 3)
    long, middle, short = cones.unbind(1)
    y = (long + middle) / 2
    return torch.stack([7 * (long - middle) + 0.42, y + 0.01, short - y + 0.55], 1)


def _blur(image: Tensor) -> Tensor:
    """Return local means by one matrix per direction: exact, and faster than 11 taps."""
    height, width = image.shape[2:]
    down, right = _reflecting(height).to(image), _fading(width).to(image)
    return down @ image @ right


@cache
def _fading(side: int) -> Tensor:
    """Return (side, side): a Gaussian average of what there is, zero beyond the edges."""
    place = torch.arange(side)
    gap = (place.view(-1, 1) - place).double()
    taps = torch.exp(-0.5 * (torch.arange(-_RADIUS, _RADIUS + 1).double() / _SIGMA).square())
    weight = torch.exp(-0.5 * (gap / _SIGMA).square()) * (gap.abs() <= _RADIUS) / taps.sum()
    return weight.float()


@cache
def _reflecting(side: int) -> Tensor:
    """Return (side, side): the same average, but of a picture that is mirrored at its edges."""
    whole = _fading(3 * side)[side : 2 * side].view(side, 3, side)
    return whole[:, 1] + whole[:, 0].flip(1) + whole[:, 2].flip(1)
