# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Adam's steps for a few tensors: an optimiser of ``torch.optim`` first loads torch's compiler, which takes seconds."""

from __future__ import annotations

import torch
from torch import Tensor


class Adam:
    """Moves tensors by their gradients, each with a rate of its own, as ``torch.optim.Adam`` does."""

    def __init__(self, rates: list[tuple[Tensor, float]], betas: tuple[float, float] = (0.9, 0.999)) -> None:
        """``rates``: tensors that require gradients, and their rates."""
        self.rates, self.betas, self.steps = rates, betas, 0
        self.moments = [(torch.zeros_like(tensor), torch.zeros_like(tensor)) for tensor, _ in rates]

    def step(self, loss: Tensor) -> None:
        """Moves all tensors one step down a loss of one number, and forgets the gradients."""
        loss.backward()
        self.steps += 1
        first, second = self.betas
        with torch.no_grad():
            for (tensor, rate), (mean, square) in zip(self.rates, self.moments, strict=True):
                gradient = tensor.grad
                if gradient is None:
                    continue
                mean.lerp_(gradient, 1 - first)
                square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
                scale = (square / (1 - second**self.steps)).sqrt_().add_(1e-8)
                tensor.addcdiv_(mean, scale, value=-rate / (1 - first**self.steps))
                tensor.grad = None
