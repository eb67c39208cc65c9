# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paper B's figure 3, its first step, in seconds: shapes are learned through the soft renderer and not the crisp one.

The whole generator learns from pictures of solids. The energy distance stands for the discriminator, so that what is
compared is what reaches the shape through the renderer, not how two networks play against each other.
"""

from __future__ import annotations

import functools
from dataclasses import replace

import torch
import torch.nn.functional as F

from backend.data.solids import SolidsConfig, make_solids, photographed
from backend.evaluation.scene_sheets import draw_scenes
from backend.models.scene_pictures import CRISP, SOFT, shown
from backend.models.shape_generator import Scene, ShapeGenerator, ShapeGeneratorConfig, root_mean_square_radius
from backend.models.stylegan2 import GeneratorConfig
from backend.models.surface_maps import SurfaceConfig
from backend.render.viewpoints import ViewpointPrior
from tests.helpers.energy_distance import energy_distance

SIDE, BATCH, STEPS = 16, 24, 40
CONFIG = SolidsConfig(resolution=SIDE, viewpoints=ViewpointPrior(90.0, (0.0, 10.0)))
TINY = ShapeGeneratorConfig(
    maps=GeneratorConfig(16, 16, 16, 1, channels=(16, 16, 16)),
    background=GeneratorConfig(8, 8, 8, 1, channels=(8, 8)),
    surface=SurfaceConfig("sphere", 8),
    radius=0.3,
    size_constraint=False,
)


def before_black(scene: Scene) -> Scene:
    return replace(scene, background=-torch.ones(len(scene), 3, 4, 4))


def mean_size(generator: ShapeGenerator) -> float:
    with torch.no_grad():
        vertices = draw_scenes(generator, 24, seed=0).vertices
    return float(root_mean_square_radius(vertices - vertices.mean(dim=1, keepdim=True)).mean())


@functools.cache
def learned(soft: bool) -> tuple[float, float]:
    """By how much the shapes of a generator, too small at first, have grown, and the last distance of pictures."""
    torch.manual_seed(0)
    generator = ShapeGenerator(TINY)
    start = mean_size(generator)
    optimizer = torch.optim.Adam(generator.parameters(), 0.01, betas=(0.0, 0.99))
    random = torch.Generator().manual_seed(0)
    distances = []
    for step in range(STEPS):
        solids = before_black(make_solids(BATCH, seed=1, first=step * BATCH))
        real = photographed(solids, CONFIG, CONFIG.viewpoints.draw(BATCH, random))
        scene = before_black(generator(torch.randn(BATCH, generator.z_dim, generator=random)))
        viewpoints = CONFIG.viewpoints.viewpoints(CONFIG.viewpoints.draw(BATCH, random))
        made = shown(generator.mesh, scene, viewpoints, SIDE, SOFT if soft else CRISP)
        loss = energy_distance(*(F.avg_pool2d(pictures, 2).flatten(1) for pictures in (made, real)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        distances.append(loss.item())
    return mean_size(generator) - start, sum(distances[-5:]) / 5


def test_shapes_grow_towards_the_size_of_the_photographed_ones_through_the_soft_renderer_alone() -> None:
    wanted = float(root_mean_square_radius(make_solids(24, seed=1).vertices).mean())
    soft, crisp = learned(soft=True)[0], learned(soft=False)[0]
    assert wanted > 0.4 > TINY.radius + soft
    assert soft > 0.02 and crisp < 0.25 * soft


def test_pictures_come_nearer_to_the_photographs_through_the_soft_renderer() -> None:
    assert learned(soft=True)[1] < 0.3 * learned(soft=False)[1]
