# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What photographs do and renders do not: casts, contrast, blur, noise and imperfect masks, on cut-out crops."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class AugmentConfig:
    """Strengths; 0 switches a change off."""

    contrast: float = 0.25
    brightness: float = 0.1
    colour_cast: float = 0.08
    saturation: float = 0.3
    gamma: float = 0.25
    noise: float = 0.03
    blur: float = 0.4
    """Probability of a picture being blurred."""
    mask_error: float = 0.5
    """Probability of a mask being grown, shrunk or bitten into."""


def augment(crops: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """Changed copies of crops (N, 4, S, S) whose colour is 0 outside the mask."""
    colour, mask = crops[:, :3], crops[:, 3:]
    count = len(crops)

    def signed(*shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=generator) * 2 - 1

    colour = colour.clamp(1e-4, 1) ** torch.exp(config.gamma * signed(1, 1, 1))
    grey = colour.mean(dim=1, keepdim=True)
    colour = grey + (colour - grey) * (1 + config.saturation * signed(1, 1, 1))
    colour = (colour - 0.4) * torch.exp(config.contrast * signed(1, 1, 1)) + 0.4
    colour = colour * torch.exp(config.colour_cast * signed(3, 1, 1)) + config.brightness * signed(1, 1, 1)
    blurred = F.avg_pool2d(F.avg_pool2d(colour, 3, 1, 1, count_include_pad=False), 3, 1, 1, count_include_pad=False)
    blur = (torch.rand(count, 1, 1, 1, generator=generator) < config.blur) * torch.rand(
        count, 1, 1, 1, generator=generator
    )
    colour = colour + (blurred - colour) * blur
    sigma = config.noise * torch.rand(count, 1, 1, 1, generator=generator)
    colour = colour + sigma * torch.randn(colour.shape, generator=generator)
    mask = _spoiled(mask, config, generator)
    return torch.cat([colour.clamp(0, 1) * mask, mask], dim=1)


def _spoiled(mask: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """Masks (N, 1, S, S) grown or shrunk by a pixel or two, with a bite at some place near their outline."""
    count, _, size, _ = mask.shape
    kind = torch.rand(count, 1, 1, 1, generator=generator)
    grown = F.max_pool2d(mask, 3, 1, 1)
    shrunk = -F.max_pool2d(-mask, 3, 1, 1)
    share = config.mask_error / 3
    # A grown mask shows background, whose colour the crop no longer has: it stays black, one pixel wide.
    mask = torch.where(kind < share, grown, torch.where(kind < 2 * share, shrunk, mask))
    axis = torch.arange(size) / size
    centre = torch.rand(count, 2, 1, 1, generator=generator)
    radius = 0.04 + 0.1 * torch.rand(count, 1, 1, generator=generator)
    distance = ((axis[None, :, None] - centre[:, 0]) ** 2 + (axis[None, None, :] - centre[:, 1]) ** 2).sqrt()
    bitten = mask * (distance > radius)[:, None]
    return torch.where((kind > 2 * share) & (kind < config.mask_error), bitten, mask)
