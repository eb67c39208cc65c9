# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Markings become a relief: grooves between panels, inset glass, a raised plate; and the relief a normal map.

Normals are in tangent space as Blender and glTF have it (OpenGL's convention): x along u, y along v of the atlas, which
goes up. Heights are lengths of the object, outwards.

Letters: M markings, R regions, S x T the sheet, Q texture side, P texels, F triangles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..common.regions import REGIONS
from ..render.template import Template
from .atlas import Atlas

FLAT = np.array([128, 128, 255], np.uint8)
"""What a normal map says where nothing stands out."""
_GROOVED = ("paint", "two_tone", "head_lamp", "tail_lamp")
_LEAST_STEP = 1e-6
"""Difference of height between neighbours that no map of 8 bits can show."""


@dataclass(frozen=True)
class ReliefConfig:
    """How high things stand, in lengths of the object: a thousandth is 4.5 mm of a car."""

    levels: tuple[tuple[str, float], ...] = (("glass", -0.0008), ("dark", -0.0012), ("plate", 0.0007))
    """Regions that lie deeper or higher than the paint."""
    lines: tuple[str, ...] = ("door", "lid", "seam", "head", "tail")
    """Markings whose outline is a groove in panels and lamps, or between them."""
    half_width: float = 0.0011
    """Half the width of a groove …"""
    depth: float = 0.0011
    """… and its depth."""
    spoke_gap: float = -0.002
    """How deep a wheel is between its spokes."""
    steepest: float = 1.5
    """Slope that is shown at most: a map cannot show what is behind an edge."""


def heights(
    shares: torch.Tensor, distances: torch.Tensor, markings: tuple[str, ...], texel: torch.Tensor,
    config: ReliefConfig = ReliefConfig(),
) -> torch.Tensor:  # fmt: skip
    """Height (P,) of texels with shares (R, P) of the regions and signed distances (M, P) to the markings.

    ``texel`` (P,) is the side of each on the surface: a groove narrower than a texel is as much shallower.
    """
    result = torch.zeros_like(shares[0])
    for region, level in config.levels:
        result += level * shares[REGIONS.index(region)]
    if "spoke_gap" in markings:
        inside = torch.sigmoid(distances[markings.index("spoke_gap")] * (-4 / texel))
        result += config.spoke_gap * inside * shares[REGIONS.index("rim")]
    outlines = [distances[markings.index(name)].abs() for name in config.lines if name in markings]
    if outlines:
        grooved = sum(shares[REGIONS.index(name)] for name in _GROOVED)
        width = texel.clamp(min=config.half_width)
        line = torch.sigmoid((torch.stack(outlines).amin(dim=0) - width) * (-4 / texel))
        result -= line * grooved * (config.depth * config.half_width / width)
    return result


def normal_map(
    template: Template, vertices: np.ndarray, atlas: Atlas, height: np.ndarray, config: ReliefConfig = ReliefConfig()
) -> np.ndarray:
    """Normals (Q, Q, 3) uint8 of a relief whose texels have heights (Q, Q) on a shape (V, 3).

    Between the charts all is flat: :meth:`Atlas.dilate` continues what is inside.
    """
    result = np.tile(FLAT, (*height.shape, 1))
    chart = _chart_of_texels(template, atlas)
    flat = np.flatnonzero(_uneven(height) & (chart >= 0))
    if len(flat) == 0:
        return result
    along_u, along_v = (_difference(height, chart, flat, axis) for axis in (1, 0))
    # The tangent runs along u; in the plane of the triangle the other axis is square to it, on the side of v.
    _, du, dv = atlas.affine(vertices[atlas.triangles])
    across = np.linalg.norm(du, axis=1).clip(min=1e-9)
    tangent = du / across[:, None]
    skew = (dv * tangent).sum(axis=1)
    up = np.linalg.norm(dv - skew[:, None] * tangent, axis=1).clip(min=1e-9)
    triangle = atlas.triangle_of_texel.reshape(-1)[flat]
    slope_x = along_u / across[triangle]
    slope_y = (along_v - skew[triangle] * slope_x) / up[triangle]
    normals = np.stack([-slope_x, -slope_y, np.ones_like(slope_x)], axis=1)
    normals[:, 2] = np.maximum(np.hypot(slope_x, slope_y) / config.steepest, 1)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    result.reshape(-1, 3)[flat] = np.round(normals * 127.5 + 127.5)
    return result


def _uneven(height: np.ndarray) -> np.ndarray:
    """(Q, Q) bool: where a neighbour of a texel lies higher or lower."""
    found = np.zeros(height.shape, bool)
    for axis in (0, 1):
        step = np.abs(np.diff(height, axis=axis)) > _LEAST_STEP
        before, after = (slice(None, -1), slice(1, None)) if axis == 0 else (np.s_[:, :-1], np.s_[:, 1:])
        found[before] |= step
        found[after] |= step
    return found


def _difference(height: np.ndarray, chart: np.ndarray, flat: np.ndarray, axis: int) -> np.ndarray:
    """Slope (P,) of the height (Q, Q) along u (axis 1) or v (axis 0), the atlas's side being 1, at texels.

    At a chart's border it is that towards its inside.
    """
    size = len(height)
    place = list(np.divmod(flat, size))
    values, is_other = [], []
    for step in (1, -1):
        there = place.copy()
        there[axis] = np.clip(place[axis] + step, 0, size - 1)
        same = (chart[there[0], there[1]] == chart[place[0], place[1]]) & (there[axis] != place[axis])
        values.append(np.where(same, height[there[0], there[1]], height[place[0], place[1]]))
        is_other.append(same.astype(np.float32))
    slope = (values[0] - values[1]) / np.maximum(is_other[0] + is_other[1], 1) * size
    result: np.ndarray = slope if axis == 1 else -slope  # rows run down, v runs up
    return result


def _chart_of_texels(template: Template, atlas: Atlas) -> np.ndarray:
    """(Q, Q) number of each texel's chart, -1 between the charts."""
    _, chart = np.unique(template.chart_bounds, axis=0, return_inverse=True)
    numbers = np.append(chart.reshape(-1), -1).astype(np.int16)  # the last: no triangle
    result: np.ndarray = numbers[atlas.triangle_of_texel]
    return result
