# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of generated scenes: paper B's renderer R(m, v), which has nothing to learn.

Letters: N batch, H, W picture.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..render.picture import Picture, RenderConfig, render
from ..render.shading import Texture
from ..render.viewpoints import Viewpoints, seen_background
from .shape_generator import Scene, SceneMesh

CLEARANCE = 0.25
"""In lengths of an object. From a near-orthographic camera the paper's margins lie behind all of the object, so that
its own occlusions have no gradient (a ball before a wall of its length at 10°: 0 of 0.34; with this, 0.28)."""
SOFT = RenderConfig(renderer="boundary", margin=1.0, clearance=CLEARANCE)
"""Colours change linearly as an edge crosses a pixel; back faces are not drawn."""
CRISP = RenderConfig(renderer="boundary", margin=0.0)
"""The picture's jumps have no gradient: for the ablation."""


def picture_of(
    mesh: SceneMesh,
    scene: Scene,
    viewpoints: Viewpoints,
    resolution: int,
    config: RenderConfig = SOFT,
    *,
    normals: bool = False,
) -> Picture:
    """Objects (N) alone, unlit, each from its viewpoint (N); colours as the texture has them, about in [-1, 1]."""
    material = Texture(mesh.triangle_uv, scene.texture)
    return render(
        scene.vertices, mesh.triangles, material, None, viewpoints.cameras, resolution, resolution, config,
        normals=normals,
    )  # fmt: skip


def shown(
    mesh: SceneMesh, scene: Scene, viewpoints: Viewpoints, resolution: int, config: RenderConfig = SOFT
) -> Tensor:
    """Scenes (N), each from its viewpoint (N), before the background: images (N, 3, H, W), about in [-1, 1]."""
    factor = mesh.background_factor
    background = seen_background(scene.background, viewpoints.window, factor, resolution, resolution)
    return picture_of(mesh, scene, viewpoints, resolution, config).over(background)


def normal_colours(
    mesh: SceneMesh, scene: Scene, viewpoints: Viewpoints, resolution: int, config: RenderConfig = SOFT
) -> Tensor:
    """Normals as colours (N, 3, H, W) in [-1, 1]: red for what looks to the object's left (+X), green up (+Z), blue to
    the front (-Y); white where there is no object."""
    picture = picture_of(mesh, scene, viewpoints, resolution, config, normals=True)
    assert picture.normal is not None
    covered = (picture.fragments.face_index >= 0)[:, None]
    x, y, z = picture.normal.unbind(dim=1)
    return torch.where(covered, torch.stack([x, z, -y], dim=1), 1)
