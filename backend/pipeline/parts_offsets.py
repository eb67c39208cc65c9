# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small free offsets of vertices, last of all, that bring an outline nearer to the masks than any code can.

They are a field in space, not on the mesh, given at the points of a coarse lattice around the object: what lies side by
side moves together, wheels and body too, and left and right move as one.

Letters: N photographs, V vertices, P points of the lattice, S side of the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..common.records import Camera
from ..models.fit_parts import silhouette_loss
from ..render.camera import Cameras, project
from ..render.rasterize import rasterize
from ..render.template import Template
from .adam import Adam
from .soft_outline import softened


@dataclass(frozen=True)
class OffsetsConfig:
    """How far and how freely vertices move."""

    lattice: tuple[int, int, int] = (5, 11, 6)
    """Points across, along and upwards."""
    limit: float = 0.012
    """Longest offset in lengths of the object."""
    size: int = 192
    """Side of the picture whose outline counts …"""
    sharpness: float = 12000.0
    """… and its ``sigma_inverse``."""
    steps: int = 40
    rate: float = 0.0006
    smoothness: float = 60.0
    """Weight of the squared differences of neighbouring points …"""
    shortness: float = 20.0
    """… and of the squared offsets."""


def free_offsets(
    masks: Tensor, cameras: Sequence[Camera], vertices: np.ndarray, template: Template,
    config: OffsetsConfig = OffsetsConfig(), progress: Callable[[int, int], None] = lambda done, total: None,
) -> np.ndarray:  # fmt: skip
    """Offsets (V, 3) float32 with which vertices (V, 3), seen by N cameras, cover masks (N, S, S) in [0, 1] better.

    As symmetric as the vertices are, and none where the outlines come no nearer.
    """
    device = masks.device
    small = F.interpolate(masks[:, None], (config.size, config.size), mode="area")[:, 0]
    wanted = torch.stack([softened(one, config.sharpness) for one in small])
    rest = torch.as_tensor(np.asarray(vertices, np.float32), device=device)
    triangles = torch.as_tensor(template.triangles, dtype=torch.int64, device=device)
    batch = Cameras.batch(list(cameras), device)
    places = _places(rest)
    lattice = torch.zeros(1, 3, *reversed(config.lattice), device=device, requires_grad=True)
    optimizer = Adam([(lattice, config.rate)])
    best, best_overlap = torch.zeros_like(rest), -1.0
    for step in range(config.steps + 1):
        offsets = _field(lattice, places, config.limit)
        screen = project(batch, (rest + offsets).expand(len(small), -1, -1), config.size, config.size)
        fragments = rasterize(screen.detach(), triangles, config.size, config.size)
        covered, solid = fragments.face_index >= 0, small > 0.5
        union = (covered | solid).sum(dim=(1, 2)).clamp(min=1)
        overlap = float(((covered & solid).sum(dim=(1, 2)) / union).mean())
        if overlap > best_overlap:
            best, best_overlap = offsets.detach(), overlap
        if step == config.steps:
            break
        loss = silhouette_loss(screen, triangles, fragments, wanted, config.sharpness).mean()
        optimizer.step(loss + _roughness(lattice, config))
        progress(step + 1, config.steps)
    return best.cpu().numpy().astype(np.float32)


def _places(vertices: Tensor) -> Tensor:
    """(V, 3) places in the lattice, -1 to 1 on each axis: the plane of symmetry is in its middle."""
    low, high = vertices.amin(dim=0), vertices.amax(dim=0)
    half = (high - low).clamp(min=1e-6) / 2
    middle = (high + low) / 2
    middle[0], half[0] = 0, vertices[:, 0].abs().amax().clamp(min=1e-6)
    return (vertices - middle) / half


def _field(lattice: Tensor, places: Tensor, limit: float) -> Tensor:
    """Offsets (V, 3) of a lattice (1, 3, Z, Y, X) at places (V, 3), mirrored and no longer than the limit."""
    sides = lattice.new_tensor([-1, 1, 1])[:, None, None, None]
    symmetric = 0.5 * (lattice + sides * lattice.flip(4))
    # A second order blend, whose slope is continuous, of the points around.
    smooth = F.avg_pool3d(F.pad(symmetric, [1] * 6, mode="replicate"), 2, stride=1)
    found = F.grid_sample(smooth, places[None, None, None], mode="bilinear", padding_mode="border", align_corners=True)
    offsets = found[0, :, 0, 0].T
    length = offsets.square().sum(dim=1, keepdim=True).add(1e-12).sqrt()
    return offsets * (limit * torch.tanh(length / limit) / length)


def _roughness(lattice: Tensor, config: OffsetsConfig) -> Tensor:
    differences = torch.stack([lattice.diff(dim=axis).square().sum() for axis in (2, 3, 4)]).sum()
    return (config.smoothness * differences + config.shortness * lattice.square().sum()) / 10
