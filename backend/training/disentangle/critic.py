# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A discriminator beside StyleGAN-R's fine-tuning: optional, and not in the paper's losses.

Letters: N pictures, R picture.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...models.stylegan2 import GeneratorConfig
from ...models.stylegan2_discriminator import Discriminator, DiscriminatorConfig
from ..gan_losses import discriminator_loss, generator_loss, r1_penalty

R1_EVERY = 8
R1_WEIGHT = 1.0
CHANNELS = 0.5
"""Channels of the discriminator over those of the generator: here it only says how sharp a picture is, what it has to
show is said by others, and of full width it would take longer than all the rest."""


class Critic:
    """StyleGAN2's discriminator with its optimiser, begun anew."""

    def __init__(self, config: GeneratorConfig, rate: float, device: torch.device) -> None:
        channels = tuple(max(8, round(CHANNELS * count)) for count in config.channel_table)
        sizes = DiscriminatorConfig(
            config.resolution, channels=channels, half_from_resolution=config.half_from_resolution
        )
        self.network = Discriminator(sizes).to(device)
        self.optimizer = torch.optim.Adam(self.network.parameters(), rate, (0.0, 0.99))

    def judgement(self, pictures: Tensor) -> Tensor:
        """What pictures (N, 3, R, R) in [0, 1] lack of being the data's; the discriminator gets no gradient from it."""
        self.network.requires_grad_(False)
        loss = generator_loss(self.network(pictures * 2 - 1))
        self.network.requires_grad_(True)
        return loss

    def learn(self, real: Tensor, made: Tensor, step: int) -> Tensor:
        """One step of the discriminator on real and made pictures (N, 3, R, R); returns its loss."""
        real = (real * 2 - 1).requires_grad_(step % R1_EVERY == 0)
        logits = self.network(real)
        loss = discriminator_loss(logits, self.network(made * 2 - 1))
        total = loss
        if real.requires_grad:
            total = loss + 0.5 * R1_WEIGHT * R1_EVERY * r1_penalty(logits, real)
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        self.optimizer.step()
        return loss.detach()
