# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How near a reconstruction comes to the truth: silhouettes, cameras, surfaces. NumPy alone.

Surfaces are compared as both stand in the canonical frame (longest side 1), without any alignment to each other.
Letters: V vertices, F triangles, P points.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SurfaceDistance:
    """Of two surfaces sampled evenly."""

    chamfer: float
    """Mean of both directions' mean distances, in the longest side of the object."""
    f_score: float
    """Harmonic mean of the shares of either surface that lie within the threshold of the other."""


def silhouette_iou(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two boolean masks (H, W); 0 if both are empty."""
    union = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / union if union else 0.0


def angle_error_deg(found: float, true: float) -> float:
    """Smallest difference of two angles given in radians, in degrees from 0 to 180."""
    return abs(math.degrees(math.remainder(found - true, 2 * math.pi)))


def is_flip(found: float, true: float) -> bool:
    """Whether two azimuths (radians) differ by more than a right angle: front taken for rear."""
    return angle_error_deg(found, true) > 90


def sample_surface(vertices: np.ndarray, triangles: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Points (P, 3) spread evenly over the area of a mesh. Raises ValueError for a mesh without area."""
    rng = np.random.default_rng(seed)
    a, b, c = vertices[triangles].transpose(1, 0, 2)
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    if not area.sum() > 0:
        raise ValueError("The mesh has no area.")
    chosen = rng.choice(len(triangles), count, p=area / area.sum())
    u, v = rng.random((2, count, 1))
    outside = u + v > 1
    u, v = np.where(outside, 1 - u, u), np.where(outside, 1 - v, v)
    return a[chosen] + u * (b - a)[chosen] + v * (c - a)[chosen]


def nearest_distances(points: np.ndarray, others: np.ndarray, chunk: int = 512) -> np.ndarray:
    """(P,) distance of each point to the nearest of the others."""
    squared_others = (others**2).sum(axis=1)
    result = []
    for start in range(0, len(points), chunk):
        part = points[start : start + chunk]
        squared = (part**2).sum(axis=1)[:, None] + squared_others - 2 * part @ others.T
        result.append(np.sqrt(np.maximum(squared.min(axis=1), 0)))
    return np.concatenate(result)


def surface_distance(found: np.ndarray, true: np.ndarray, threshold: float = 0.05) -> SurfaceDistance:
    """Compares point sets (P, 3) of two surfaces."""
    to_true, to_found = nearest_distances(found, true), nearest_distances(true, found)
    precision, recall = (to_true < threshold).mean(), (to_found < threshold).mean()
    f_score = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return SurfaceDistance(float(0.5 * (to_true.mean() + to_found.mean())), float(f_score))
