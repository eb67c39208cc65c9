# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much a handle moves what it should and what it should not.

Of random pairs of things, one handle after the other is swapped: the first of a pair gets the camera, the shape, the
texture or the background of the second. What the judge then reads is compared with what it reads in the picture of the
first; each difference is given in parts of that between the first and the second as a whole, so that 1 is all of it
and 0 nothing.

Letters: N pairs, R picture, T texture, V vertices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...models.picture_reader import PictureReader
from ...render.template import Template
from ..voxels import solid, solid_iou
from .painters import BATCH, HANDLES, Painter

VOXELS = 48
"""Along each side of the grid on which shapes are compared."""


@dataclass
class Read:
    """What the judge sees in N pictures."""

    azimuth: Tensor
    """(N,) radians."""
    elevation: Tensor
    """(N,) radians."""
    solids: list[np.ndarray]
    """(N) grids of the shapes."""
    texture: Tensor
    """(N, 3, T, T)."""
    pictures: Tensor
    """(N, 3, R, R)."""
    masks: Tensor
    """(N, R, R) bool, widened by a pixel: the object and its edge."""


@torch.no_grad()
def read(reader: PictureReader, template: Template, pictures: Tensor) -> Read:
    """Reads pictures (N, 3, R, R) in [0, 1]."""
    found = [reader(some) for some in pictures.split(BATCH)]
    vertices = torch.cat([reader.network.shape_decoder(one.prediction.shape_code) for one in found]).cpu().numpy()
    masks = torch.nn.functional.max_pool2d(torch.cat([one.masks for one in found])[:, None], 3, 1, 1)[:, 0] > 0.5
    return Read(
        azimuth=torch.cat([one.prediction.azimuth() for one in found]),
        elevation=torch.cat([one.prediction.pose[:, 0] for one in found]),
        solids=[solid(shape, template.triangles, VOXELS) for shape in vertices],
        texture=torch.cat([one.texture for one in found]),
        pictures=pictures,
        masks=masks,
    )


def differences(one: Read, other: Read) -> dict[str, np.ndarray]:
    """(N,) of each handle: angle between the directions of view in radians, 1 - 3D IoU, L1 of textures and of what is
    background in both pictures."""
    first, second = (
        torch.stack([r.azimuth.sin() * r.elevation.cos(), r.azimuth.cos() * r.elevation.cos(), r.elevation.sin()], 1)
        for r in (one, other)
    )
    outside = (~one.masks & ~other.masks).float()[:, None]
    apart = (one.pictures - other.pictures).abs() * outside
    return {
        "camera": torch.atan2(torch.linalg.cross(first, second).norm(dim=1), (first * second).sum(dim=1)).numpy(),
        "shape": np.array([1 - solid_iou(a, b) for a, b in zip(one.solids, other.solids, strict=True)]),
        "texture": (one.texture - other.texture).abs().mean(dim=(1, 2, 3)).numpy(),
        "background": (apart.sum(dim=(1, 2, 3)) / (3 * outside.sum(dim=(1, 2, 3))).clamp(min=1)).numpy(),
    }


def swap_table(
    painter: Painter, reader: PictureReader, template: Template, pairs: tuple[Tensor, Tensor]
) -> dict[str, dict[str, float]]:
    """By swapped handle: how far each property moved in parts of the pairs' difference, and how much ``arrived``.

    ``arrived`` is 1 where the picture has all of the second's property, 0 where it is as far from it as the first was.
    ``leak`` is the largest move of a property that should stay over the move of the one that should not.
    """
    first, second = pairs
    of_first = read(reader, template, painter([first] * 4))
    of_second = read(reader, template, painter([second] * 4))
    # Pairs that do not differ at all have nothing to move.
    whole = {name: max(float(v.mean()), 1e-6) for name, v in differences(of_first, of_second).items()}
    table: dict[str, dict[str, float]] = {}
    for place, handle in enumerate(HANDLES):
        numbers: Sequence[Tensor] = [second if at == place else first for at in range(4)]
        swapped = read(reader, template, painter(numbers))
        moved = {name: float(v.mean() / whole[name]) for name, v in differences(of_first, swapped).items()}
        left = float(differences(swapped, of_second)[handle].mean() / whole[handle])
        stays = max(value for name, value in moved.items() if name != handle)
        table[handle] = {**moved, "arrived": 1 - left, "leak": stays / max(moved[handle], 1e-6)}
    table["whole"] = whole
    return table


def draw_pairs(count: int, among: Sequence[int], seed: int) -> tuple[Tensor, Tensor]:
    """``count`` random pairs of different things, by number; ``among`` (P,) says which object each thing shows.

    Raises ValueError where all things show one object.
    """
    owner = np.asarray(among)
    if len(np.unique(owner)) < 2:
        raise ValueError("Pairs are of two objects, and there is but one.")
    random = np.random.default_rng(seed)
    first = random.integers(0, len(owner), count)
    second = np.array([random.choice(np.flatnonzero(owner != owner[one])) for one in first])
    return torch.from_numpy(first), torch.from_numpy(second)


def best_borders(
    make: Sequence[Painter], reader: PictureReader, template: Template, pairs: tuple[Tensor, Tensor]
) -> int:
    """Which of several painters keeps its handles apart best, by the mean of what moves that should not; its place."""
    leaks = []
    for painter in make:
        table = swap_table(painter, reader, template, pairs)
        leaks.append(float(np.mean([min(table[handle]["leak"], 3.0) for handle in HANDLES])))
    return int(np.argmin(leaks))
