# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a shape is one that a surface can have: closed, no face turned over, no part that crosses itself.

NumPy alone. Letters: V vertices, F quads, T triangles, P pairs of triangles.
"""

from __future__ import annotations

import numpy as np

from ..render.template import Template

DEPTH = 5e-4
"""How deep parts of a surface must pass through one another to be seen: 2 mm of a car."""
_CHUNK = 128


def open_edges(triangles: np.ndarray) -> int:
    """Number of directed edges of triangles (T, 3) whose opposite is missing or there twice: 0 for a closed surface."""
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]).astype(np.int64)
    size = int(edges.max()) + 1
    forth, back = edges[:, 0] * size + edges[:, 1], edges[:, 1] * size + edges[:, 0]
    names, count = np.unique(forth, return_counts=True)
    place = np.searchsorted(names, back).clip(max=len(names) - 1)
    return int((names[place] != back).sum() + (count > 1).sum())


def flipped_faces(vertices: np.ndarray, template: Template, opposed: float = -0.8) -> np.ndarray:
    """(F,) bool: quads folded onto themselves, or turned over against what lies around them.

    A quad is folded where its two triangles look in nearly opposite directions. It is turned over where the normals of
    at least two of its four neighbours oppose its own, with a cosine below ``opposed``: a sharp edge has one such
    neighbour at most. Quads without area do not count, neither as such nor as neighbours.
    """
    folded, normals = _quad_normals(vertices[template.quads])
    neighbours = _neighbours(template.quads)
    cosines = np.einsum("fd,fkd->fk", normals, np.where(neighbours[..., None] >= 0, normals[neighbours], 0))
    return folded | ((cosines < opposed).sum(axis=1) >= 2)


def _neighbours(quads: np.ndarray) -> np.ndarray:
    """(F, 4) the quad beyond each edge of quads (F, 4), -1 where there is none."""
    start, end = quads.astype(np.int64), np.roll(quads, -1, axis=1).astype(np.int64)
    size = int(quads.max()) + 1
    forth, back = (start * size + end).reshape(-1), (end * size + start).reshape(-1)
    order = np.argsort(forth)
    place = np.searchsorted(forth, back, sorter=order).clip(max=len(forth) - 1)
    found = order[place]
    return np.where(forth[found] == back, found // 4, -1).reshape(quads.shape)


def _quad_normals(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(F,) whether quads (F, 4, 3) are folded, and their unit normals (F, 3), 0 for quads without area."""
    a, b, c, d = corners.astype(np.float64).transpose(1, 0, 2)
    one, two = np.cross(b - a, c - a), np.cross(c - a, d - a)
    whole = one + two
    sizes = [np.linalg.norm(values, axis=1) for values in (one, two, whole)]
    tiny = 1e-6
    folded = ((one * two).sum(axis=1) < -0.5 * sizes[0] * sizes[1]) & (np.minimum(sizes[0], sizes[1]) > tiny)
    return folded, np.where(sizes[2] > tiny, 1 / np.maximum(sizes[2], tiny), 0)[:, None] * whole


def crossing_pairs(vertices: np.ndarray, triangles: np.ndarray, depth: float = 0.0) -> np.ndarray:
    """(P, 2) indices of triangles (T, 3) that cross each other; those that share a vertex are not looked at.

    depth: an edge must reach beyond the other triangle's plane by more than this, at both of its ends.
    """
    # In the order of where they begin along Y, so that only a window of them can touch a few that follow one another.
    triangles_y = vertices[triangles][..., 1]
    order = np.argsort(triangles_y.min(axis=1))
    corners = vertices[triangles[order]].astype(np.float64)
    low, high = corners.min(axis=1), corners.max(axis=1)
    found = []
    for start in range(0, len(triangles), _CHUNK):
        own = slice(start, start + _CHUNK)
        window = slice(start, int(np.searchsorted(low[:, 1], high[own, 1].max(), side="right")))
        near = (low[own, None] <= high[None, window]).all(axis=2) & (high[own, None] >= low[None, window]).all(axis=2)
        first, second = np.nonzero(near)
        after = second > first
        found.append(np.stack([first[after], second[after]], axis=1) + start)
    pairs = order[np.concatenate(found)]
    corners = vertices[triangles].astype(np.float64)
    shared = (triangles[pairs[:, 0], :, None] == triangles[pairs[:, 1], None]).any(axis=(1, 2))
    pairs = pairs[~shared]
    one, two = corners[pairs[:, 0]], corners[pairs[:, 1]]
    crosses = np.zeros(len(pairs), bool)
    for a, b in ((0, 1), (1, 2), (2, 0)):
        crosses |= _pierces(one[:, a], one[:, b], two, depth) | _pierces(two[:, a], two[:, b], one, depth)
    return pairs[crosses]


def _pierces(start: np.ndarray, end: np.ndarray, triangle: np.ndarray, depth: float) -> np.ndarray:
    """(P,) bool: whether segments pass through triangles (P, 3, 3), their outlines left out."""
    along = end - start
    u, v = triangle[:, 1] - triangle[:, 0], triangle[:, 2] - triangle[:, 0]
    normal = np.cross(along, v)
    determinant = (u * normal).sum(axis=1)
    safe = np.where(np.abs(determinant) > 1e-14, determinant, 1)
    away = start - triangle[:, 0]
    first = (away * normal).sum(axis=1) / safe
    across = np.cross(away, u)
    second, where = (along * across).sum(axis=1) / safe, (v * across).sum(axis=1) / safe
    margin = 1e-6
    inside = (first > margin) & (second > margin) & (first + second < 1 - margin)
    plane = np.cross(u, v)
    plane /= np.maximum(np.linalg.norm(plane, axis=1, keepdims=True), 1e-20)
    before, after = (away * plane).sum(axis=1), ((end - triangle[:, 0]) * plane).sum(axis=1)
    deep = np.minimum(np.abs(before), np.abs(after)) > depth
    return inside & deep & (where > margin) & (where < 1 - margin) & (np.abs(determinant) > 1e-14)


def faults(vertices: np.ndarray, template: Template, depth: float = DEPTH) -> dict[str, int]:
    """Open edges, flipped faces and crossing pairs of triangles within parts of a template's shape (V, 3).

    depth: of :func:`crossing_pairs`, in lengths of the object.
    """
    of_triangle = np.zeros(len(template.triangles), int)
    if template.parts is not None:
        of_triangle = template.parts.of_quad.repeat(2)
    parts = [template.triangles[of_triangle == part] for part in np.unique(of_triangle)]
    crossings = sum(len(crossing_pairs(vertices, triangles, depth)) for triangles in parts)
    return {
        "open_edges": open_edges(template.triangles),
        "flipped_faces": int(flipped_faces(vertices, template).sum()),
        "crossings": crossings,
    }
