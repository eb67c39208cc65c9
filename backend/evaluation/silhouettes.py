# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Silhouettes of predicted shapes inside the crop that a network sees, to be compared with the object's mask.

Letters: N batch, V vertices, S side.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ..models.inverse_graphics import CROP_MARGIN, apparent_size_of, field_of_view_of
from ..render.camera import Cameras, project
from ..render.picture import HARD, render
from ..render.shading import Texture
from ..render.template import Template

SIZE = 96
"""Side of the pictures in which silhouettes are compared."""


def boxed(cameras: Cameras, vertices: Tensor) -> Cameras:
    """Cameras of crops, shifted and scaled so that the box of ``vertices`` (N, V, 3) is where a crop has the mask's."""
    corners = project(cameras, vertices, 1, 1)[..., :2] - 0.5
    low, high = corners.amin(dim=1), corners.amax(dim=1)
    scale = 1 / (CROP_MARGIN * (high - low).amax(dim=1))
    size = apparent_size_of(cameras.field_of_view, cameras.distance) * scale
    middle = (low + high) / 2
    return replace(
        cameras,
        field_of_view=field_of_view_of(size, cameras.distance),
        shift_x=scale * (cameras.shift_x - middle[:, 0]),
        shift_y=scale * (cameras.shift_y + middle[:, 1]),
    )


class Silhouettes:
    """Hard masks (N, SIZE, SIZE) of a template's deformations."""

    def __init__(self, template: Template, device: torch.device) -> None:
        self.triangles = torch.as_tensor(template.triangles, dtype=torch.int64, device=device)
        self.uv = torch.as_tensor(template.triangle_uv, device=device)
        self.grey = torch.full((1, 3, 2, 2), 0.5, device=device)

    def __call__(self, vertices: Tensor, cameras: Cameras) -> Tensor:
        """vertices: (N, V, 3) in the world."""
        material = Texture(self.uv, self.grey.expand(len(vertices), -1, -1, -1))
        return render(vertices, self.triangles, material, None, cameras, SIZE, SIZE, HARD).mask
