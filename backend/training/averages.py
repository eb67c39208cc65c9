# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moving averages of networks: what a training exports is the average of its last weights, not the last ones.

Batch norms need care. Their statistics belong to the weights that they were measured with: those of the network do not
fit an average of its past weights while these still move.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from ..models.inverse_graphics import InverseGraphics

SETTLING_CROPS = 512
"""Crops on which an average's batch norms are measured before it is judged and exported."""
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Moves an exponential moving average of the weights and of batch norms' statistics; other buffers are copied."""
    for weight, new_weight in zip(average.parameters(), network.parameters(), strict=True):
        weight.lerp_(new_weight.detach(), 1 - decay)
    for module, new_module in zip(average.modules(), network.modules(), strict=True):
        moves = isinstance(module, _NORMS)
        for (_, buffer), (_, new_buffer) in zip(
            module.named_buffers(recurse=False), new_module.named_buffers(recurse=False), strict=True
        ):
            if moves and buffer.is_floating_point():
                buffer.lerp_(new_buffer, 1 - decay)
            else:
                buffer.copy_(new_buffer)


def settle(network: InverseGraphics, sample: Callable[[], Tensor], batch: int, generator: torch.Generator) -> None:
    """Measures an average's batch norms' statistics anew, with its own weights, on crops as training sees them.

    ``sample`` gives crops (``batch``, 4, S, S) drawn with ``generator``, which goes on afterwards as if nothing had
    been drawn. The network stays in the mode, training or evaluation, in which it is.
    """
    state = generator.get_state()
    batches = (sample().contiguous(memory_format=torch.channels_last) for _ in range(math.ceil(SETTLING_CROPS / batch)))
    update_bn(batches, _WithTexture(network))
    generator.set_state(state)


class _WithTexture(nn.Module):
    """A network called so that all of it runs: what it says of crops (N, 4, S, S), and the texture (N, 3, T, T)."""

    def __init__(self, network: InverseGraphics) -> None:
        super().__init__()
        self.network = network
        self.training = network.training

    def forward(self, crops: Tensor) -> Tensor:
        return self.network.texture_decoder(self.network(crops).texture_code)
