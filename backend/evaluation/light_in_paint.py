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
from ..common.records import Reconstruction

PANELS = ("paint", "two_tone")
CORRELATION, SLOPE = "paint_correlation", "paint_slope"
_SAMPLES = 3
"""Places along each side of a quad that are looked at."""
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
    points, colours = (values.reshape(-1, 3) for values in _places(result))
    x, y = pinhole.project(result.camera, points, height, width).T
    column, row = np.floor(x).astype(int), np.floor(y).astype(int)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    seen = inside & np.repeat(_towards(result), _SAMPLES**2) & _nearest(result, points, x, y, max(height, width))
    seen[seen] = mask[row[seen], column[seen]] > 127
    region = np.repeat(result.parts.region_of_quad, _SAMPLES**2)
    own: list[np.ndarray] = []
    shown: list[np.ndarray] = []
    for name in PANELS:
        mine = seen & (region == result.parts.regions.index(name)) if name in result.parts.regions else seen & False
        if mine.sum() < _FEWEST:
            continue
        for values, kept in ((colours[mine], own), (rgb[row[mine], column[mine]], shown)):
            logarithm = _log_luminance(values)
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


def _places(result: Reconstruction) -> tuple[np.ndarray, np.ndarray]:
    """World points (F, samples, 3) spread over each quad, and the texture's sRGB there, 0 to 255."""
    steps = (np.arange(_SAMPLES) + 0.5) / _SAMPLES
    s, t = (values.reshape(-1, 1) for values in np.meshgrid(steps, steps))

    def between(corners: np.ndarray) -> np.ndarray:
        a, b, c, d = (corners[:, None, corner] for corner in range(4))
        made: np.ndarray = (1 - s) * (1 - t) * a + s * (1 - t) * b + s * t * c + (1 - s) * t * d
        return made

    uv = between(result.uv)
    height, width = result.texture.shape[:2]
    column = np.clip((uv[..., 0] * width).astype(int), 0, width - 1)
    row = np.clip(((1 - uv[..., 1]) * height).astype(int), 0, height - 1)
    return between(result.vertices.astype(np.float64)[result.quads]), result.texture[row, column]


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


def _log_luminance(colours: np.ndarray) -> np.ndarray:
    """(P,) logarithms of the linear brightness of sRGB colours (P, 3) from 0 to 255."""
    encoded = colours / 255.0
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    result: np.ndarray = np.log(linear @ np.array([0.2126, 0.7152, 0.0722]) + 0.003)
    return result
