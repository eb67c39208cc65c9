# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Triangles on the screen for the tests of the rasterisers: random ones good and bad, none at all, a sphere."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from scipy.spatial import ConvexHull
from torch import Tensor


class Scene(NamedTuple):
    screen: Tensor
    """(N, V, 3) double."""
    faces: Tensor
    height: int
    width: int


def random_scene(seed: int, count: int = 7, batch: int = 2, ties: bool = True) -> Scene:
    """Faces of all kinds, good and bad, on small pictures of all proportions.

    Two pictures with other vertices; faces share vertices at random, so that some use one twice and have no area.
    ties: with vertices on centres of pixels, where they coincide or lie symmetrically, and with three on a line, seen
    from the edge. Then the closest point of an outline may lie on two edges, and gradients are not unique.
    """
    rng = np.random.default_rng(seed)
    height, width = [(7, 9), (8, 5), (6, 6), (1, 1), (1, 8), (9, 2)][rng.integers(6)]
    size = np.array([width, height])
    good = np.concatenate(
        [rng.uniform(-0.3, 1.3, (batch, 2 * count, 2)) * size, rng.uniform(1, 5, (batch, 2 * count, 1))], axis=2
    )
    if ties and seed % 2:
        good[:, ::3, :2] = np.floor(good[:, ::3, :2]) + 0.5
    bad = np.array(
        [
            [0.3 * width, 0.3 * height, -1.0],  # behind the camera
            [0.7 * width, 0.6 * height, 0.0],  # in the camera's plane
            [math.nan, 0.2 * height, 2.0],
            [0.5 * width, math.inf, 2.0],
            [0.5 * width, 0.5 * height, -math.inf],
            [1.0, 1.0, 2.0], [3.0, 3.0, 3.0], [5.0, 5.0, 2.5],  # on one line
            [-2e4, -1e4, 6.0], [5e3, 4e4, 5.0], [3e4, -3e3, 7.0],  # far larger than the picture
            [3.0 * width, 0.2, 2.0], [4.0 * width, 0.4, 2.0], [3.5 * width, height, 2.0],  # outside of it
        ]
    )  # fmt: skip
    first = 2 * count
    special = [[first + k, *rng.integers(0, first, 2)] for k in range(5)]
    special += [[first + 11, first + 12, first + 13]] + [[first + 5, first + 6, first + 7]] * ties
    # Half of the scenes are all covered; the other half are not, for the sake of what lies outside of faces.
    special += [[first + 8, first + 10, first + 9][:: rng.choice([1, -1])]] if rng.integers(2) else []
    faces = np.concatenate([rng.integers(0, first, (count, 3)), special])
    screen = np.concatenate([good, np.broadcast_to(bad, (batch, *bad.shape))], axis=1)
    return Scene(torch.tensor(screen), torch.tensor(rng.permutation(faces)), height, width)


def empty_scenes() -> list[Scene]:
    """Nothing to see: no faces, no vertices either, no picture in the batch."""
    vertices = torch.tensor([[[1.0, 1, 2], [1, 4, 2], [4, 1, 2]]], dtype=torch.float64)
    no_faces, face = torch.zeros(0, 3, dtype=torch.int64), torch.tensor([[0, 1, 2]])
    return [
        Scene(vertices.expand(2, -1, -1), no_faces, 4, 5),
        Scene(vertices[:, :0].expand(2, -1, -1), no_faces, 4, 5),
        Scene(vertices[:0], face, 4, 5),
        Scene(vertices, face, 0, 5),
    ]


def sphere(dtype: torch.dtype, height: int, width: int) -> tuple[Tensor, Tensor]:
    """A sphere of 400 points before a camera: screen (1, V, 3), faces (F, 3), counter-clockwise from outside."""
    step = np.arange(400)
    z, angle = 1 - (2 * step + 1) / 400, step * np.pi * (3 - math.sqrt(5))
    points = np.stack([np.sqrt(1 - z**2) * np.cos(angle), np.sqrt(1 - z**2) * np.sin(angle), z], axis=1)
    faces = ConvexHull(points).simplices.astype(np.int64)
    a, b, c = points[faces].transpose(1, 0, 2)
    inwards = (np.cross(b - a, c - a) * a).sum(axis=1) < 0
    faces[inwards] = faces[inwards][:, ::-1]
    x, y, z = points.T
    depth = 3 - z
    screen = np.stack([width / 2 + height * x / depth, height / 2 - height * y / depth, depth], axis=-1)
    return torch.tensor(screen, dtype=dtype)[None], torch.tensor(faces)
