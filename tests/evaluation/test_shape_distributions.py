# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paper B's theorem on a world where its conditions hold: pictures and the right viewpoints give the shapes' own
distribution, and wrong viewpoints another one.

The theorem supposes a perfect discriminator, for which the distributions of pictures are equal. Here the energy
distance stands for it, which is 0 for equal distributions alone, and a set of shapes for the generator. So what is
tested is the theorem's condition through the renderer, not how well a GAN reaches it.
"""

from __future__ import annotations

import functools
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from backend.models.scene_pictures import picture_of
from backend.models.shape_generator import Scene, SceneMesh
from backend.models.surface_maps import SurfaceConfig, make_surface
from backend.render.viewpoints import ViewpointPrior
from tests.helpers.energy_distance import energy_distance

SIDE = 8
PRIOR = ViewpointPrior(azimuth_deg=80.0, elevation_deg=(0.0, 0.0))
SURFACE = make_surface(SurfaceConfig("sphere", 6))
MESH = SceneMesh(torch.from_numpy(SURFACE.triangles), torch.from_numpy(SURFACE.triangle_uv), 1.0)


def true_sides(count: int, random: torch.Generator) -> Tensor:
    """Half widths and half lengths (N, 2): broad short solids and narrow long ones, half of each."""
    kinds = torch.tensor([[0.45, 0.25], [0.2, 0.5]])
    return kinds[torch.randint(2, (count,), generator=random)] + 0.02 * torch.randn(count, 2, generator=random)


def paint() -> Tensor:
    """(1, 3, T, T) the same for all: front, side and top are told apart, and with them the viewpoint."""
    line = torch.linspace(-1, 1, 16)
    right, up = line.expand(16, -1), -line[:, None].expand(-1, 16)
    return torch.stack([(3 * right).sin(), up, (3 * right).cos()])[None]


def pictures(sides: Tensor, prior: ViewpointPrior, random: torch.Generator) -> Tensor:
    """(N, 4 R R) colours and coverage of painted ellipsoids, each from a viewpoint of the prior."""
    count = len(sides)
    scale = torch.stack([sides[:, 0], sides[:, 1], torch.full((count,), 0.3)], dim=1)
    vertices = torch.from_numpy(SURFACE.start) * scale[:, None]
    scene = Scene(vertices, paint().expand(count, -1, -1, -1), torch.zeros(count, 3, 2, 2))
    picture = picture_of(MESH, scene, prior.viewpoints(prior.draw(count, random)), SIDE)
    return torch.cat([picture.rgb, picture.coverage[:, None]], dim=1).flatten(1)


def learned_sides(prior: ViewpointPrior, steps: int = 100, count: int = 24) -> Tensor:
    """Half widths and lengths (N, 2) of shapes whose pictures under ``prior`` are distributed as those of the world."""
    random = torch.Generator().manual_seed(0)
    sides = (0.34 + 0.05 * torch.randn(count, 2, generator=random)).requires_grad_()
    optimizer = torch.optim.Adam([sides], lr=0.02)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 0.02 * (1 - step / steps)
        real = pictures(true_sides(2 * count, random), PRIOR, random)
        made = pictures(sides.repeat(2, 1), prior, random)
        loss = energy_distance(made, real)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return sides.detach()


@functools.cache
def distance_of_shapes(azimuth_deg: float) -> float:
    """Energy distance of true half widths and lengths and those learned with such a prior, in the world's unit."""
    true = true_sides(2000, torch.Generator().manual_seed(1))
    return float(energy_distance(learned_sides(replace(PRIOR, azimuth_deg=azimuth_deg)), true))


def test_the_energy_distance_is_zero_for_equal_distributions_alone() -> None:
    random = torch.Generator().manual_seed(0)
    one, same, other = (torch.randn(800, 2, generator=random) for _ in range(3))
    assert abs(float(energy_distance(one, same))) < 0.01 and float(energy_distance(one, 1.6 * other)) > 0.05


def test_pictures_from_known_viewpoints_give_the_distribution_of_shapes() -> None:
    start = float(energy_distance(torch.full((48, 2), 0.34), true_sides(2000, torch.Generator().manual_seed(1))))
    assert distance_of_shapes(PRIOR.azimuth_deg) < 0.2 * start


@pytest.mark.parametrize("azimuth_deg", [20.0, 180.0])
def test_wrong_viewpoints_give_wrong_shapes(azimuth_deg: float) -> None:
    assert distance_of_shapes(azimuth_deg) > 3 * distance_of_shapes(PRIOR.azimuth_deg)
