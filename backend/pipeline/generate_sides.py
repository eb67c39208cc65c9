# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small pictures of new objects from five sides, for a quick look at many of them."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from ..common.records import Reconstruction
from ..models.scene_pictures import shown
from ..models.shape_generator import Scene
from ..render.camera import Cameras
from ..render.picture import RenderConfig, render
from ..render.shading import Texture
from ..render.template import Template
from ..weights.shape_generator_bundle import LoadedShapeGenerator

SIDES_DEG = (-90.0, -45.0, 0.0, 45.0, 90.0)
"""Azimuths, as in the sheets of paper B."""
GROUND = 0.86
"""Brightness behind objects with parts: that of the previews."""
_ELEVATION, _DISTANCE, _FIELD_OF_VIEW = 0.15, 3.4, 0.34
_CRISP = RenderConfig(soft=None, supersampling=2)


@torch.no_grad()
def sides_of_scene(weights: LoadedShapeGenerator, scene: Scene, size: int) -> np.ndarray:
    """Pictures (5, size, size, 3) uint8 of one generated scene, the object before its background."""
    viewpoints = weights.viewpoints.at(list(SIDES_DEG)).to(weights.device)
    pictures = shown(weights.generator.mesh, scene.repeated(len(SIDES_DEG)), viewpoints, size)
    return to_bytes((pictures + 1) / 2)


@torch.no_grad()
def sides_of_parts(made: Reconstruction, template: Template, size: int) -> np.ndarray:
    """Pictures (5, size, size, 3) uint8 of an object of a template in its own light, before a plain ground."""
    count = len(SIDES_DEG)
    azimuth = torch.tensor([math.radians(degrees) for degrees in SIDES_DEG])
    zero = torch.zeros_like(azimuth)
    cameras = Cameras(azimuth, zero + _ELEVATION, zero + _DISTANCE, zero, zero + _FIELD_OF_VIEW, zero, zero)
    image = torch.from_numpy(made.texture).permute(2, 0, 1)[None].float() / 255
    material = Texture(
        torch.from_numpy(template.triangle_uv),
        image.expand(count, -1, -1, -1),
        torch.from_numpy(template.chart_bounds),
    )
    picture = render(
        torch.from_numpy(made.vertices).float().expand(count, -1, -1),
        torch.from_numpy(template.triangles).long(),
        material,
        torch.from_numpy(made.light).expand(count, -1, -1),
        cameras,
        size,
        size,
        _CRISP,
    )
    return to_bytes(picture.over(torch.tensor(GROUND)))


def to_bytes(images: Tensor) -> np.ndarray:
    """Images (N, 3, H, W) in [0, 1] to (N, H, W, 3) uint8."""
    pixels = (images.float() * 255).round().clamp(0, 255).to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).contiguous().cpu().numpy()
