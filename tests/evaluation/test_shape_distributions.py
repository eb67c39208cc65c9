# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paper B's theorem on a world where its conditions hold: pictures and the right viewpoints give the shapes' own
distribution, and wrong viewpoints another one.

The theorem supposes a perfect discriminator, for which the distributions of pictures are equal. Here the energy
distance stands for it, which is 0 for equal distributions alone, and a set of shapes for the generator. So what is
tested is the theorem's condition through the renderer; ``test_shapes_of_a_gan.py`` tests how near a GAN comes.
"""

from __future__ import annotations

import functools
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from backend.render.viewpoints import ViewpointPrior
from tests.helpers.ellipsoid_world import PRIOR, distance_from_truth, pictures, true_sides
from tests.helpers.energy_distance import energy_distance


def learned_sides(prior: ViewpointPrior, steps: int = 100, count: int = 24) -> Tensor:
    """Half widths and lengths (N, 2) of shapes whose pictures under ``prior`` are distributed as those of the world."""
    random = torch.Generator().manual_seed(0)
    sides = (0.34 + 0.05 * torch.randn(count, 2, generator=random)).requires_grad_()
    optimizer = torch.optim.Adam([sides], lr=0.02)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 0.02 * (1 - step / steps)
        real = pictures(true_sides(2 * count, random), PRIOR, random).flatten(1)
        made = pictures(sides.repeat(2, 1), prior, random).flatten(1)
        loss = energy_distance(made, real)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return sides.detach()


@functools.cache
def distance_of_shapes(azimuth_deg: float) -> float:
    """Energy distance of true half widths and lengths and those learned with such a prior, in the world's unit."""
    return distance_from_truth(learned_sides(replace(PRIOR, azimuth_deg=azimuth_deg)))


def test_the_energy_distance_is_zero_for_equal_distributions_alone() -> None:
    random = torch.Generator().manual_seed(0)
    one, same, other = (torch.randn(800, 2, generator=random) for _ in range(3))
    assert abs(float(energy_distance(one, same))) < 0.01 and float(energy_distance(one, 1.6 * other)) > 0.05


def test_pictures_from_known_viewpoints_give_the_distribution_of_shapes() -> None:
    assert distance_of_shapes(PRIOR.azimuth_deg) < 0.2 * distance_from_truth(torch.full((48, 2), 0.34))


@pytest.mark.parametrize("azimuth_deg", [20.0, 180.0])
def test_wrong_viewpoints_give_wrong_shapes(azimuth_deg: float) -> None:
    assert distance_of_shapes(azimuth_deg) > 3 * distance_of_shapes(PRIOR.azimuth_deg)
