# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the six sides of the box lie in the texture atlas.

Mirroring the object mirrors the atlas (u becomes 1 - u): left and right are images of one another, and front, back, top
and underside are images of themselves. So each of these four is either in the middle, or cut in two along the plane
of symmetry with its halves at equal distances from the middle.

NumPy alone. Places in the atlas are (u, v) in 0..1 with v counted downwards until they leave this file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CAR_PROPORTIONS = (0.42, 1.0, 0.30)
"""Sides of the box that cars start from."""
MARGIN = 0.008
"""Around each chart, so that twice as much lies between two."""
UNDERSIDE = 0.25
"""Share of the texels a unit of area that the underside gets, which nearly nobody sees."""

Box = tuple[float, float, float, float]
"""(u0, v0, u1, v1)."""


@dataclass(frozen=True)
class BoxCharts:
    """The charts of a box's sides."""

    boxes: dict[str, Box]
    """Boxes by side; where a side is cut in two, by its name with ``-right`` and ``-left``."""
    flanks_stand: bool
    """Whether the flanks' length runs along v rather than along u."""

    def place(self, side: str, surface: np.ndarray) -> np.ndarray:
        """UVs (4, 2) of a quad's corners, origin bottom left.

        surface: (4, 2) places on the side along its axes, 0 to 1: x and y of top and bottom, x and z of front and
        back, y and z of left and right.
        """
        a, b = surface.T
        chart = side
        # Nothing is mirrored on its way. u runs from the object's right (-X) to its left (+X) in all charts that are
        # images of themselves.
        if side in ("top", "front"):
            b = 1 - b
        elif side in ("left", "right"):
            towards_front = 1 - a
            if self.flanks_stand:
                a, b = (1 - b if side == "left" else b), towards_front
            else:
                a, b = (a if side == "left" else towards_front), 1 - b
        if side not in self.boxes:
            half = "right" if a.mean() < 0.5 else "left"
            chart, a = f"{side}-{half}", 2 * a - (half == "left")
        u0, v0, u1, v1 = self.boxes[chart]
        downwards = np.array([u0, v0]) + np.stack([a, b], axis=1) * np.array([u1 - u0, v1 - v0])
        return downwards * [1, -1] + [0, 1]


# The flanks stand at both edges, with the object's length along v; the middle column holds, from the top of the atlas
# down, underside, rear, top and front. These numbers are in the UVs of every bundle of cars: they stay.
_CAR_CHARTS = BoxCharts(
    {
        "right": (0.008, 0.008, 0.288, 0.992),
        "left": (0.712, 0.008, 0.992, 0.992),
        "bottom": (0.304, 0.008, 0.696, 0.088),
        "back": (0.304, 0.104, 0.696, 0.290),
        "top": (0.304, 0.306, 0.696, 0.790),
        "front": (0.304, 0.806, 0.696, 0.992),
    },
    flanks_stand=True,
)


@dataclass(frozen=True)
class _Arrangement:
    """Strips of charts, each as long as the atlas is wide: rows, or columns."""

    strips: tuple[tuple[str, ...], ...]
    columns: bool = False
    flanks_stand: bool = False


_ARRANGEMENTS = (
    # For what is about as long as high.
    _Arrangement((("right", "front", "left"), ("back-right", "bottom-right", "top", "bottom-left", "back-left"))),
    # For what is long or flat.
    _Arrangement((("right",), ("bottom", "back", "top", "front"), ("left",)), columns=True, flanks_stand=True),
    # For what is tall.
    _Arrangement((("back-right",), ("right",), ("bottom", "top", "front"), ("left",), ("back-left",)), columns=True),
)


def box_charts(proportions: Sequence[float]) -> BoxCharts:
    """The charts of a box with sides in the given proportions.

    Every side but the underside has as many texels for its area as any other. Of the arrangements the one is taken
    that stretches these sides least.
    """
    if tuple(proportions) == CAR_PROPORTIONS:
        return _CAR_CHARTS
    laid_out = [_laid_out(arrangement, proportions) for arrangement in _ARRANGEMENTS]
    _, _, best = min((stretch, number, charts) for number, (charts, stretch) in enumerate(laid_out))
    return best


def _laid_out(arrangement: _Arrangement, proportions: Sequence[float]) -> tuple[BoxCharts, float]:
    """The charts of an arrangement, and how much the most stretched one is: 1 for none."""
    charts = [chart for strip in arrangement.strips for chart in strip]
    sizes = {chart: _size(chart, proportions, arrangement.flanks_stand) for chart in charts}
    share = {chart: w * h * (UNDERSIDE if chart.startswith("bottom") else 1) for chart, (w, h) in sizes.items()}
    total = sum(share.values())
    boxes: dict[str, Box] = {}
    worst, across = 1.0, 0.0
    for strip in arrangement.strips:
        area = sum(share[chart] for chart in strip)
        thickness, along = area / total, 0.0
        for chart in strip:
            length = share[chart] / area
            (low, high), (near, far) = _inset(along, length), _inset(across, thickness)
            boxes[chart] = (near, low, far, high) if arrangement.columns else (low, near, high, far)
            along += length
            if not chart.startswith("bottom"):
                u0, v0, u1, v1 = boxes[chart]
                stretch = (u1 - u0) * sizes[chart][1] / ((v1 - v0) * sizes[chart][0])
                worst = max(worst, stretch, 1 / stretch)
        across += thickness
    return BoxCharts(boxes, arrangement.flanks_stand), worst


def _inset(start: float, length: float) -> tuple[float, float]:
    """Both ends without their margins, of which half is always left."""
    margin = min(MARGIN, length / 4)
    return start + margin, start + length - margin


def _size(chart: str, proportions: Sequence[float], flanks_stand: bool) -> tuple[float, float]:
    """Width and height of what a chart shows."""
    side, _, half = chart.partition("-")
    x, y, z = proportions
    sizes = {
        "top": (x, y), "bottom": (x, y), "front": (x, z), "back": (x, z),
        "left": (z, y) if flanks_stand else (y, z), "right": (z, y) if flanks_stand else (y, z),
    }  # fmt: skip
    width, height = sizes[side]
    return (width / 2 if half else width), height
