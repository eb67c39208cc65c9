# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of a photograph's light is printed on the paint of its object: needs no truth but the photograph.

Paint has one colour; what varies over it in a photograph is light, shade and what it mirrors. A base colour that
varies along with the photograph holds that light, and shows it again under any other.

NumPy alone. Letters: F quads, P places on them.
"""

from __future__ import annotations

import numpy as np

from ..common import pinhole
from ..common.colour import luminance
from ..common.records import Reconstruction
from .quad_places import PLACES, colours_on_quads, points_on_quads

PANELS = ("paint", "two_tone")
CORRELATION, SLOPE = "paint_correlation", "paint_slope"
_DARKEST = 0.003
"""Added to brightnesses before their logarithm: what a photograph does not tell from black."""
_CELLS = 96
"""Cells along the picture's longer side in which the nearest place hides those behind it …"""
_THICKNESS = 0.04
"""… by more than this, in lengths of the object."""
_FEWEST = 60
"""Places of paint below which nothing is said."""


def light_in_paint(result: Reconstruction, rgb: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    """Returns how the logarithm of the base colour's brightness goes with that of the photograph, over the paint seen.

    ``paint_correlation`` is Pearson's, 0 where the base colour does not vary; ``paint_slope`` how much of the
    photograph's variation the base colour has, 1 where the photograph itself is printed on. Each paint counts apart
    from the other, as their difference is no light. Empty where hardly any paint is seen, or an object has no parts.

    rgb: (H, W, 3) uint8 of the photograph; mask: (H, W) uint8 of the object in it.
    """
    if result.parts is None:
        return {}
    height, width = rgb.shape[:2]
    points, colours = (values(result).reshape(-1, 3) for values in (points_on_quads, colours_on_quads))
    x, y = pinhole.project(result.camera, points, height, width).T
    column, row = np.floor(x).astype(int), np.floor(y).astype(int)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    seen = inside & np.repeat(_towards(result), PLACES) & _nearest(result, points, x, y, max(height, width))
    seen[seen] = mask[row[seen], column[seen]] > 127
    region = np.repeat(result.parts.region_of_quad, PLACES)
    own: list[np.ndarray] = []
    shown: list[np.ndarray] = []
    for name in PANELS:
        mine = seen & (region == result.parts.regions.index(name)) if name in result.parts.regions else seen & False
        if mine.sum() < _FEWEST:
            continue
        for values, kept in ((colours[mine], own), (rgb[row[mine], column[mine]], shown)):
            logarithm = np.log(luminance(values / 255.0) + _DARKEST)
            kept.append(logarithm - logarithm.mean())
    if not own:
        return {}
    base, photo = np.concatenate(own), np.concatenate(shown)
    together = float((base * photo).mean())
    variation = float(np.sqrt((base**2).mean() * (photo**2).mean()))
    return {
        CORRELATION: together / variation if variation > 1e-9 else 0.0,
        SLOPE: together / max(float((photo**2).mean()), 1e-9),
    }


def _towards(result: Reconstruction) -> np.ndarray:
    """(F,) whether quads are clearly turned to the camera."""
    corners = result.vertices.astype(np.float64)[result.quads]
    normals = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    to_eye = pinhole.camera_to_world(result.camera)[:3, 3] - corners.mean(axis=1)
    lengths = np.linalg.norm(normals, axis=1) * np.linalg.norm(to_eye, axis=1)
    turned: np.ndarray = (normals * to_eye).sum(axis=1) > 0.2 * np.maximum(lengths, 1e-12)
    return turned


def _nearest(result: Reconstruction, points: np.ndarray, x: np.ndarray, y: np.ndarray, longer: int) -> np.ndarray:
    """(P,) whether nothing of the object lies before a point, as its other points tell cell by cell."""
    pose = pinhole.camera_to_world(result.camera)
    depth = -((points - pose[:3, 3]) @ pose[:3, 2])
    extent = int(np.ceil(3 * _CELLS))
    cells = [np.clip(np.floor(values * _CELLS / longer) + _CELLS, 0, extent - 1).astype(int) for values in (y, x)]
    cell = cells[0] * extent + cells[1]
    nearest = np.full(extent * extent, np.inf)
    np.minimum.at(nearest, cell, depth)
    before: np.ndarray = depth <= nearest[cell] + _THICKNESS
    return before
