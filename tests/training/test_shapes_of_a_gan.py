# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paper B's theorem with a GAN that is trained: a generator of ellipsoids learns their distribution from pictures that
a discriminator tells from true ones, if it is shown from the right viewpoints, and another one if not."""

from __future__ import annotations

import copy
import functools
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from backend.models.stylegan2_discriminator import Discriminator, DiscriminatorConfig
from backend.render.viewpoints import ViewpointPrior
from backend.training.gan_losses import discriminator_loss, generator_loss, r1_penalty
from tests.helpers.ellipsoid_world import PRIOR, SIDE, distance_from_truth, pictures, true_sides

BATCH = 32
STEPS = 240
RATE = 0.007
R1_WEIGHT = 0.2
START = 0.34
"""Half width and half length of every ellipsoid before anything is learned."""
CODES = 4


class Ellipsoids(nn.Sequential):
    """A z (N, CODES) to half widths and half lengths (N, 2)."""

    def __init__(self) -> None:
        super().__init__(
            nn.Linear(CODES, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 2)
        )
        with torch.no_grad():
            self[-1].weight.mul_(0.3)
            self[-1].bias.zero_()

    def forward(self, z: Tensor) -> Tensor:
        return START * super().forward(z).exp()


def learned(prior: ViewpointPrior) -> Tensor:
    """Half widths and lengths (1000, 2) of a generator trained on pictures of the world, shown under ``prior``."""
    torch.manual_seed(0)
    random = torch.Generator().manual_seed(0)
    generator = Ellipsoids()
    average = copy.deepcopy(generator)
    judge = Discriminator(
        DiscriminatorConfig(SIDE, channels=(48, 32), image_channels=4, minibatch_group=16, minibatch_channels=4)
    )
    optimizers = [
        torch.optim.Adam(network.parameters(), RATE * share, (0.0, 0.99))
        for network, share in ((judge, 1.0), (generator, 0.5))
    ]
    for step in range(STEPS):
        for optimizer, share in zip(optimizers, (1.0, 0.5), strict=True):
            optimizer.param_groups[0]["lr"] = RATE * share * (1 - step / STEPS)
        real = pictures(true_sides(BATCH, random), PRIOR, random).requires_grad_(step % 4 == 0)
        made = pictures(generator(torch.randn(BATCH, CODES, generator=random)), prior, random)
        logits = judge(real)
        loss = discriminator_loss(logits, judge(made.detach()))
        if step % 4 == 0:
            loss = loss + 4 * 0.5 * R1_WEIGHT * r1_penalty(logits, real)
        _descend(optimizers[0], loss)
        _descend(optimizers[1], generator_loss(judge(made)))
        with torch.no_grad():
            for mine, theirs in zip(average.parameters(), generator.parameters(), strict=True):
                mine.lerp_(theirs, 0.02)
    with torch.no_grad():
        return average(torch.randn(1000, CODES, generator=random))


def _descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


@functools.cache
def distance_of_shapes(azimuth_deg: float) -> float:
    """How far the learned shapes are from the true ones with such a prior."""
    return distance_from_truth(learned(replace(PRIOR, azimuth_deg=azimuth_deg)))


def test_a_gan_learns_the_distribution_of_shapes_from_pictures_alone() -> None:
    assert distance_of_shapes(PRIOR.azimuth_deg) < 0.3 * distance_from_truth(torch.full((48, 2), START))


@pytest.mark.parametrize("azimuth_deg", [20.0, 180.0])
def test_with_wrong_viewpoints_a_gan_learns_wrong_shapes(azimuth_deg: float) -> None:
    assert distance_of_shapes(azimuth_deg) > 2 * distance_of_shapes(PRIOR.azimuth_deg)
