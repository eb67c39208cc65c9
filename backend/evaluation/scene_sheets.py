# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sheets that show what a generator of shapes has learnt, laid out as paper B's figures 1 and 5.

All are (H, W, 3) uint8. The learned noise is used, never a fresh one, and codes are drawn on the CPU: the same
generator and seed give the same sheet on every machine, to rounding.

Letters: N samples, Z length of a z.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..models.scene_pictures import SOFT, normal_colours, shown
from ..models.shape_generator import Scene, ShapeGenerator
from ..render.viewpoints import ViewpointPrior
from .grids import tiled, to_bytes

FIVE_VIEWS_DEG = [-90.0, -45.0, 0.0, 45.0, 90.0]
THREE_VIEWS_DEG = [-45.0, 0.0, 45.0]


def draw_z(generator: ShapeGenerator, samples: int, seed: int, first: int = 0) -> Tensor:
    """z (N, Z) number ``first`` and following of a seed, which do not depend on how many are drawn."""
    drawn = []
    for number in range(first, first + samples):
        random = torch.Generator().manual_seed(seed * 1_000_003 + number)
        drawn.append(torch.randn(generator.z_dim, generator=random))
    return torch.stack(drawn).to(generator.start)


@torch.no_grad()
def draw_scenes(generator: ShapeGenerator, samples: int, seed: int, first: int = 0, truncation: float = 1.0) -> Scene:
    """The scenes of :func:`draw_z`."""
    return generator(draw_z(generator, samples, seed, first), truncation)


@torch.no_grad()
def sample_sheet(
    generator: ShapeGenerator, prior: ViewpointPrior, resolution: int, rows: int, seed: int, truncation: float = 1.0
) -> np.ndarray:
    """A sample a row: from a random viewpoint, its normals from the front, its texture, its background, and the object
    with its background from five sides between -90° and +90° (paper B, figure 1)."""
    device = generator.start.device
    random = torch.Generator().manual_seed(seed)
    scene = draw_scenes(generator, rows, seed, truncation=truncation)
    front = prior.at([0.0] * rows).to(device)
    size = resolution, resolution
    columns = [
        shown(generator.mesh, scene, prior.viewpoints(prior.draw(rows, random)).to(device), resolution),
        normal_colours(generator.mesh, scene, front, resolution),
        *(F.interpolate(maps, size, mode="bilinear", antialias=True) for maps in (scene.texture, scene.background)),
    ]
    views = _seen_from(generator, scene, prior, FIVE_VIEWS_DEG, resolution)
    cells = torch.cat([torch.stack(columns, dim=1), views], dim=1)
    return tiled(to_bytes(cells.flatten(0, 1)), cells.shape[1])


@torch.no_grad()
def interpolation_sheet(
    generator: ShapeGenerator, prior: ViewpointPrior, resolution: int, rows: int, seed: int, truncation: float = 1.0
) -> np.ndarray:
    """From one sample in ``rows`` steps straight to another, in z; each from three sides between -45° and +45° (paper
    B, figure 5)."""
    z = draw_z(generator, 2, seed)
    weights = torch.linspace(0, 1, rows, device=z.device)[:, None]
    scene = generator(torch.lerp(z[:1], z[1:], weights), truncation)
    views = _seen_from(generator, scene, prior, THREE_VIEWS_DEG, resolution)
    return tiled(to_bytes(views.flatten(0, 1)), views.shape[1])


def _seen_from(
    generator: ShapeGenerator, scene: Scene, prior: ViewpointPrior, azimuths_deg: list[float], resolution: int
) -> Tensor:
    """(N, azimuths, 3, H, W)."""
    viewpoints = prior.at(azimuths_deg * len(scene)).to(scene.vertices.device)
    pictures = shown(generator.mesh, scene.repeated(len(azimuths_deg)), viewpoints, resolution, SOFT)
    return pictures.unflatten(0, (len(scene), len(azimuths_deg)))
