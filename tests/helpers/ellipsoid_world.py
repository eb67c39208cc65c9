# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A world for which paper B's theorem holds: painted ellipsoids of two kinds, one picture each from a known prior.

Letters: N ellipsoids, R side of a picture.
"""

from __future__ import annotations

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
    """(N, 4, R, R) colours and coverage of painted ellipsoids, each from a viewpoint of the prior."""
    count = len(sides)
    scale = torch.stack([sides[:, 0], sides[:, 1], torch.full((count,), 0.3)], dim=1)
    vertices = torch.from_numpy(SURFACE.start) * scale[:, None]
    scene = Scene(vertices, paint().expand(count, -1, -1, -1), torch.zeros(count, 3, 2, 2))
    picture = picture_of(MESH, scene, prior.viewpoints(prior.draw(count, random)), SIDE)
    return torch.cat([picture.rgb, picture.coverage[:, None]], dim=1)


def distance_from_truth(sides: Tensor) -> float:
    """Energy distance of half widths and lengths (N, 2) from the world's own, in the world's unit."""
    return float(energy_distance(sides, true_sides(2000, torch.Generator().manual_seed(1))))
