# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Meshes whose vertices lie at fixed places of a map, so that a network that makes images makes shapes (paper B).

*Sheet*: a regular grid, each cell two triangles, whose chart is the whole map. *Sphere*: a grid folded along
|u| + |v| = 1 to an octahedron and rounded, closed and without a seam; its chart is the map's disc, azimuthal and
equidistant: the middle is the front (-Y), the distance from it is proportional to the polar angle, and the whole rim is
the one point behind. To the right of the chart lies +X, up +Z.

NumPy alone. Letters: V vertices, F triangles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

Kind = Literal["sheet", "sphere"]
_RIM = 0.8
"""Radius in the chart from which on the map of a sphere is drawn towards its rim's mean."""


@dataclass(frozen=True)
class SurfaceConfig:
    """Which mesh. Raises ValueError for an unknown one or an impossible number of cells."""

    kind: Kind = "sphere"
    cells: int = 24
    """Number along each side of the grid; even for a sphere."""
    circular: bool = False
    """Whether a sheet is cut to the map's disc."""

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"A surface is one of {', '.join(get_args(Kind))}, not {self.kind!r}.")
        if self.cells < 2 or (self.kind == "sphere" and self.cells % 2):
            raise ValueError(f"A {self.kind} has 2 cells a side at least, a sphere an even number, not {self.cells}.")


@dataclass(frozen=True)
class Surface:
    """A mesh over a map."""

    uv: np.ndarray
    """(V, 2) float32 place of each vertex in the map, origin bottom left."""
    triangles: np.ndarray
    """(F, 3) int64, counter-clockwise from outside."""
    triangle_uv: np.ndarray
    """(F, 3, 2) float32 place of each corner in the map."""
    start: np.ndarray
    """(V, 3) float32 the surface before anything is learned: of radius 1 about the origin."""
    share: np.ndarray
    """(V,) float32 part of the start's area about each vertex; together 1. The grid is finer here than there."""
    rim: np.ndarray
    """(V,) float32 how much of a vertex's value is the rim's mean: 0 but near the point behind a sphere, where it
    is 1."""
    rim_uv: np.ndarray
    """(K, 2) float32 places around the rim; empty for a sheet."""


def make_surface(config: SurfaceConfig = SurfaceConfig()) -> Surface:
    """Returns the mesh of a config."""
    return _sphere(config.cells) if config.kind == "sphere" else _sheet(config.cells, config.circular)


def chart(directions: np.ndarray) -> np.ndarray:
    """Places (..., 2) in the map of unit directions (..., 3); behind (+Y) it is one of the rim's."""
    x, y, z = np.moveaxis(directions, -1, 0)
    across = np.hypot(x, z)
    radius = np.arctan2(across, -y) / np.pi
    scale = np.where(across > 1e-9, radius / np.maximum(across, 1e-9), 0)
    right = np.where((across <= 1e-9) & (y > 0), 1.0, x * scale)
    return np.stack([right, z * scale], axis=-1) * 0.5 + 0.5


def _grid(cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Points (V, 2) in [-1, 1]² and quads (C, 4), counter-clockwise with the second coordinate upwards."""
    line = np.linspace(-1, 1, cells + 1)
    u, v = np.meshgrid(line, line)
    first = (np.arange(cells)[:, None] * (cells + 1) + np.arange(cells)).reshape(-1)
    quads = np.stack([first, first + 1, first + cells + 2, first + cells + 1], axis=1)
    return np.stack([u.reshape(-1), v.reshape(-1)], axis=1), quads


def _triangles(points: np.ndarray, quads: np.ndarray) -> np.ndarray:
    """Two triangles (F, 3) a quad, cut along the fold: across the quadrants where u and v have one sign."""
    middle = points[quads].mean(axis=1)
    across = middle[:, 0] * middle[:, 1] > 0
    a, b, c, d = quads.T
    one = np.where(across[:, None], np.stack([a, b, d], axis=1), np.stack([a, b, c], axis=1))
    other = np.where(across[:, None], np.stack([b, c, d], axis=1), np.stack([a, c, d], axis=1))
    return np.stack([one, other], axis=1).reshape(-1, 3)


def _sheet(cells: int, circular: bool) -> Surface:
    points, quads = _grid(cells)
    triangles = _triangles(points, quads)
    if circular:
        triangles = triangles[(np.linalg.norm(points[triangles], axis=2) <= 1 + 1e-9).all(axis=1)]
        used, places = np.unique(triangles, return_inverse=True)
        points, triangles = points[used], places.reshape(-1, 3)
    bulge = 0.5 * (1 - 0.5 * (points**2).sum(axis=1))
    start = np.stack([points[:, 0], -bulge, points[:, 1]], axis=1)
    start -= start.mean(axis=0)
    start /= np.sqrt((start**2).sum(axis=1).mean())
    uv = points * 0.5 + 0.5
    none = np.zeros((0, 2), np.float32)
    return _surface(uv, triangles, uv[triangles], start, np.zeros(len(uv)), none)


def _sphere(cells: int) -> Surface:
    points, quads = _grid(cells)
    u, v = points.T
    behind = np.abs(u) + np.abs(v) > 1
    x = np.where(behind, (1 - np.abs(v)) * np.sign(u), u)
    z = np.where(behind, (1 - np.abs(u)) * np.sign(v), v)
    folded = np.stack([x, np.abs(u) + np.abs(v) - 1, z], axis=1)
    # Both halves of each side of the grid are one edge, and its corners one point.
    _, first, places = np.unique(np.round(folded, 9) + 0.0, axis=0, return_index=True, return_inverse=True)
    start = folded[first] / np.linalg.norm(folded[first], axis=1, keepdims=True)
    triangles = places.reshape(-1)[_triangles(points, quads)]
    uv = chart(start)
    corners = uv[triangles]
    pole = int(np.argmax(start[:, 1]))
    for triangle, corner in np.argwhere(triangles == pole):
        # Behind is the whole rim: a triangle takes the piece of it that lies before its other corners.
        others = np.delete(corners[triangle], corner, axis=0) - 0.5
        outwards = others.sum(axis=0)
        corners[triangle, corner] = 0.5 + 0.5 * outwards / np.linalg.norm(outwards)
    radius = np.arccos(np.clip(-start[:, 1], -1, 1)) / np.pi
    step = np.clip((radius - _RIM) / (1 - _RIM), 0, 1)
    angle = np.arange(16) * 2 * np.pi / 16
    rim_uv = 0.5 + 0.5 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return _surface(uv, triangles, corners, start, step * step * (3 - 2 * step), rim_uv)


def _surface(
    uv: np.ndarray, triangles: np.ndarray, corners: np.ndarray, start: np.ndarray, rim: np.ndarray, rim_uv: np.ndarray
) -> Surface:
    a, b, c = start[triangles].transpose(1, 0, 2)
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    share = np.bincount(triangles.reshape(-1), np.repeat(area, 3), len(start)) / (3 * area.sum())
    floats = (array.astype(np.float32) for array in (corners, start, share, rim, rim_uv))
    return Surface(uv.astype(np.float32), triangles.astype(np.int64), *floats)
