# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The car template's texture atlas: one chart a region, laid out so that mirroring the car mirrors the atlas.

Nose and tail are seen along the car (plane charts); flanks, bonnet with deck, windows with roof, underside are rolled
out along the grid's rows and columns, whose lengths on the mean shape give the chart's coordinates. Both kinds are
one-to-one. Charts that both halves share lie across the atlas's middle line, the left half's own at its right edge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .body import CABIN_STATIONS
from .template import RIM_ROWS, HalfLayout

SIDE_FROM, SIDE_TO = 12, 29
"""Columns of the body's grid where the flank begins (sill) and ends (shoulder)."""
CABIN_SIDE_TO = 15
"""Column of the cabin's grid where the side ends and the roof begins."""
END_COSINE = 0.5
"""Faces of the body whose normal is at least so much along the car belong to the nose's or the tail's chart."""


@dataclass(frozen=True)
class Chart:
    """A rectangle of the atlas, v counted downwards; `centred` ones show both halves."""

    u0: float
    v0: float
    u1: float
    v1: float
    centred: bool = False


# The left half's charts. The middle column is 0.33 to 0.67; its charts are given by their right half.
CHARTS = {
    "flank": Chart(0.796, 0.006, 0.994, 0.836),
    "cabin_side": Chart(0.682, 0.006, 0.786, 0.510),
    "wheel_front": Chart(0.846, 0.846, 0.994, 0.994),
    "wheel_rear": Chart(0.688, 0.846, 0.836, 0.994),
    "tread_front": Chart(0.682, 0.520, 0.786, 0.600),
    "tread_rear": Chart(0.682, 0.610, 0.786, 0.690),
    "mirror": Chart(0.682, 0.700, 0.786, 0.836),
    "tail": Chart(0.5, 0.006, 0.672, 0.166, centred=True),
    "cabin_top": Chart(0.5, 0.176, 0.672, 0.446, centred=True),
    "top": Chart(0.5, 0.456, 0.672, 0.770, centred=True),
    "nose": Chart(0.5, 0.780, 0.672, 0.940, centred=True),
    "underside": Chart(0.5, 0.950, 0.672, 0.974, centred=True),
    "cabin_floor": Chart(0.5, 0.980, 0.672, 0.994, centred=True),
}
VISIBLE = ("flank", "cabin_side", "wheel_front", "wheel_rear", "mirror", "tail", "cabin_top", "top", "nose")
"""Charts of what a photograph of a car shows."""


def atlas(layout: HalfLayout, vertices: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Return UVs (F, 4, 2) of the left half's faces, origin bottom left, and the chart of each.

    vertices: (L, 3) the mean shape.
    """
    faces, grid, part = np.array(layout.faces), np.array(layout.corner_grid, float), np.array(layout.part)
    names = _chart_names(faces, grid, part, vertices)
    uv = np.zeros((len(faces), 4, 2))
    for name, chart in CHARTS.items():
        mine = np.flatnonzero([own == name for own in names])
        if name in ("nose", "tail"):
            # The tail stands on its head, as if it were folded down from the roof: no chart is a mirror image.
            flat = _plane(vertices[faces[mine]], (0, 2), (1, -1 if name == "nose" else 1))
        elif name.startswith("wheel"):
            # Seen from outside, the left side's front lies to the left.
            flat = _plane(vertices[faces[mine]], (1, 2), (1, -1))
        elif name.startswith("tread"):
            flat = _rolled(grid[mine], vertices[faces[mine]])
        elif name == "mirror":
            flat = grid[mine][..., ::-1]
        else:
            flat = _rolled(grid[mine], vertices[faces[mine]])
            if name in ("flank", "cabin_side", "top", "cabin_top", "underside", "cabin_floor"):
                flat = _upright(flat, name)
        uv[mine] = _fit(flat, chart, centre=name in ("nose", "tail"))
    return uv, names


def _chart_names(faces: np.ndarray, grid: np.ndarray, part: np.ndarray, vertices: np.ndarray) -> list[str]:
    names = []
    corners = vertices[faces]
    normals = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    middle_row, middle_column = grid[..., 0].mean(axis=1), grid[..., 1].mean(axis=1)
    for k, owner in enumerate(part):
        if owner == 0:
            # A fan at an end always belongs to it, and ends do not reach beyond the rounding of nose and tail.
            at_end = min(middle_row[k], 103 - middle_row[k]) < 18
            along = normals[k, 1] * (1 if middle_row[k] > 50 else -1)
            if at_end and along > END_COSINE:
                names.append("tail" if middle_row[k] > 50 else "nose")
            else:
                names.append(
                    "underside" if middle_column[k] < SIDE_FROM else "flank" if middle_column[k] < SIDE_TO else "top"
                )
        elif owner == 1:
            floor = grid[k].min() < 0 or grid[k, :, 0].max() == CABIN_STATIONS
            names.append("cabin_floor" if floor else "cabin_side" if middle_column[k] < CABIN_SIDE_TO else "cabin_top")
        elif owner in (2, 3):
            which = "front" if owner == 2 else "rear"
            outside = grid[k, :, 0].max() <= len(RIM_ROWS) + 3
            names.append(f"wheel_{which}" if outside else f"tread_{which}")
        else:
            names.append("mirror")
    return names


def _plane(points: np.ndarray, axes: tuple[int, int], signs: tuple[int, int]) -> np.ndarray:
    """Return (F, 4, 2) right and down as seen in a plane."""
    return points[..., list(axes)] * np.array(signs)


def _rolled(grid: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return (F, 4, 2) places along rows and columns of the grid, in mean lengths on the surface."""
    result = np.zeros_like(grid)
    for axis in (0, 1):
        values = np.unique(grid[..., axis])
        total, count = np.zeros(len(values)), np.zeros(len(values))
        for a, b in ((0, 1), (1, 2), (2, 3), (3, 0)):
            low, high = np.minimum(grid[:, a, axis], grid[:, b, axis]), np.maximum(grid[:, a, axis], grid[:, b, axis])
            runs = high > low
            first, last = np.searchsorted(values, low[runs]), np.searchsorted(values, high[runs])
            length = np.linalg.norm(points[runs, a] - points[runs, b], axis=1) / np.maximum(last - first, 1)
            for f, t, one in zip(first, last, length, strict=True):
                total[f:t] += one
                count[f:t] += 1
        steps = np.maximum(total / np.maximum(count, 1), 1e-4)[:-1]
        result[..., axis] = np.interp(grid[..., axis], values, np.concatenate([[0], np.cumsum(steps)]))
    return result


def _upright(flat: np.ndarray, name: str) -> np.ndarray:
    """Return rolled-out places (rows along the car, columns up its side) as right and down in the chart.

    Flanks stand along the atlas's edge with the roof towards the middle and the nose at the bottom, as the charts in
    the middle do, whose left half has the centre line at its left.
    """
    along, across = flat[..., 0], flat[..., 1]
    if name in ("underside", "cabin_floor"):
        return np.stack([across, along], axis=-1)
    return np.stack([across.max() - across, -along], axis=-1)


def _fit(flat: np.ndarray, chart: Chart, centre: bool) -> np.ndarray:
    """Return places (F, 4, 2), right and down, scaled into a chart; in a plane chart x = 0 stays on its left edge."""
    low, high = flat.min(axis=(0, 1)), flat.max(axis=(0, 1))
    if centre:
        low[0] = 0.0
    unit = (flat - low) / (high - low)
    u = chart.u0 + unit[..., 0] * (chart.u1 - chart.u0)
    v = chart.v0 + unit[..., 1] * (chart.v1 - chart.v0)
    return np.stack([u, 1 - v], axis=-1)


def share_of_visible(uv: np.ndarray, names: list[str]) -> float:
    """Return which part of the texels that are in use shows what a photograph shows."""
    a, b, c, d = uv.transpose(1, 0, 2)
    area = 0.5 * np.abs(np.cross(c - a, d - b))
    seen = np.array([name in VISIBLE for name in names])
    return float(area[seen].sum() / area.sum())
