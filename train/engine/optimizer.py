"""Muon for the weights of layers, Adam for everything else, in one optimiser.

Muon (Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024) replaces the
momentum of a weight matrix by the nearest orthogonal matrix, so that every direction of a layer
learns at the same speed. The update is scaled to the size of Adam's (Liu et al., "Muon is Scalable
for LLM Training", 2025, section 2.2), so one learning rate serves both.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

_COEFFICIENTS = ((4.0848, -6.8946, 2.9270), (3.9505, -6.3029, 2.6377), (2.8769, -3.1427, 1.2046))
"""Newton–Schulz steps after You Jiacheng, each as a + b·X Xᵀ + c·(X Xᵀ)². Three of his five: on a
CPU the other two cost more time than they saved steps."""

_RMS = 0.2
_ADAM_EPSILON = 1e-8


class MuonAdam(torch.optim.Optimizer):
    """Muon for ``matrices``, whose axes after the first count as one; Adam for ``others``.

    Args:
        matrices, others: parameters.
        lr: of both.
        momentum: of Muon, Nesterov's.
        betas: of Adam.
    """

    def __init__(
        self,
        matrices: Iterable[nn.Parameter],
        others: Iterable[nn.Parameter],
        *,
        lr: float,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.999),
    ) -> None:
        groups: list[dict[str, Any]] = [
            {"params": list(matrices), "muon": True},
            {"params": list(others), "muon": False},
        ]
        super().__init__(
            [group for group in groups if group["params"]],
            {"lr": lr, "momentum": momentum, "betas": betas},
        )

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            update = self._muon if group["muon"] else self._adam
            for parameter in group["params"]:
                if parameter.grad is not None:
                    update(parameter, parameter.grad, group)

    def _muon(self, parameter: Tensor, grad: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        momentum = state["momentum"]
        momentum.lerp_(grad, 1 - group["momentum"])
        direction = orthogonal(torch.lerp(grad, momentum, group["momentum"]).flatten(1))
        scale = _RMS * max(direction.shape) ** 0.5
        parameter.add_(direction.view_as(parameter), alpha=-group["lr"] * scale)

    def _adam(self, parameter: Tensor, grad: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros(())
            state["mean"], state["square"] = (torch.zeros_like(parameter) for _ in range(2))
        state["step"] += 1
        mean, square, step = state["mean"], state["square"], float(state["step"])
        first, second = group["betas"]
        mean.lerp_(grad, 1 - first)
        square.mul_(second).addcmul_(grad, grad, value=1 - second)
        size = (square / (1 - second**step)).sqrt_().add_(_ADAM_EPSILON)
        parameter.addcdiv_(mean, size, value=-group["lr"] / (1 - first**step))


def orthogonal(matrix: Tensor) -> Tensor:
    """Return nearly the orthogonal factor of float32 (rows, columns): singular values near 1.

    The polynomials are multiplied out in the smaller Gram matrix, so the matrix itself is used
    twice only, however many steps there are.
    """
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    wide = wide / (wide.norm() * 1.01 + 1e-12)
    gram = wide @ wide.T
    whole = _polynomial(gram, _COEFFICIENTS[0])
    factor = whole
    for coefficients in _COEFFICIENTS[1:]:
        gram = factor @ gram @ factor
        factor = _polynomial(gram, coefficients)
        whole = factor @ whole
    result: Tensor = whole @ wide
    return result if matrix.shape[0] <= matrix.shape[1] else result.T


def _polynomial(gram: Tensor, coefficients: tuple[float, float, float]) -> Tensor:
    """Return a·I + b·X + c·X²."""
    a, b, c = coefficients
    factor = torch.addmm(gram, gram, gram, beta=b, alpha=c)
    factor.diagonal().add_(a)
    return factor
