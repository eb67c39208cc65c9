# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Spheres of any number of faces."""

from __future__ import annotations

import numpy as np


def icosphere(subdivisions: int, radius: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """An icosahedron whose faces are cut into four again and again: vertices (V, 3) float32, faces (F, 3) int64.

    F = 20 * 4^subdivisions, V = F / 2 + 2; faces are counter-clockwise seen from outside.
    """
    vertices, faces = _icosahedron()
    for _ in range(subdivisions):
        vertices, faces = _subdivide(vertices, faces)
    return (radius * vertices).astype(np.float32), faces


def _icosahedron() -> tuple[np.ndarray, np.ndarray]:
    """Corners of three golden rectangles; a face is any three corners at the shortest distance from one another."""
    golden = (1 + 5**0.5) / 2
    rectangle = np.array([[0, one, long] for one in (-1, 1) for long in (-golden, golden)])
    vertices = np.concatenate([np.roll(rectangle, turn, axis=1) for turn in range(3)])
    close = np.linalg.norm(vertices[:, None] - vertices, axis=2) < 2.1
    a, b, c = np.nonzero(close[:, :, None] & close[:, None] & close)
    once = (a < b) & (b < c)
    faces = np.stack([a[once], b[once], c[once]], axis=1)
    corners = vertices[faces]
    inwards = np.linalg.det(corners) < 0
    faces[inwards] = faces[inwards][:, ::-1]
    return vertices / np.linalg.norm(vertices, axis=1, keepdims=True), faces


def _subdivide(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every face in four, with the edges' middles moved out to the unit sphere."""
    ends = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    edges, index = np.unique(ends, axis=0, return_inverse=True)
    middles = vertices[edges].sum(axis=1)
    middles /= np.linalg.norm(middles, axis=1, keepdims=True)
    a, b, c = faces.T
    ab, bc, ca = len(vertices) + index.reshape(3, -1)
    four = [(a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca)]
    return np.concatenate([vertices, middles]), np.concatenate([np.stack(corners, axis=1) for corners in four])
