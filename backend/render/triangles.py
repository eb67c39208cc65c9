# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Triangles on the screen: their edge functions, which of them can be drawn, distances to their outlines.

Everything lies in rows, one row a component and one column a triangle or a pixel, because torch gathers, adds and
accumulates such rows fastest on a CPU and on a GPU alike.

Letters: N batch, V vertices, F faces, M = N * F triangles of all pictures, P pairs of a triangle and a pixel.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

NEAR = 1e-4
"""Faces with a corner nearer than this (in the scene's unit) or behind the camera are not drawn."""
MINIMAL_AREA = 1e-9
"""Twice a triangle's area in pixels, below which it has no inside."""
PUSH_BACK = 0.5
"""Depth of a margin point grows by this share at the margin's outer end: paper B's renderer."""
OPAQUE = 1 - 1e-6
"""Influence on the soft mask is kept below this, so that its logarithm and gradient stay finite."""
SLACK = 0.01
"""Pixels that a span is taken longer at each end, against rounding, before its ends are checked."""
TRIANGLE_BITS = 31
"""Bits of a triangle's number below the rank of its nearness, where both are compared as one number."""


class Raster(NamedTuple):
    """The pictures that triangles are drawn into."""

    batch: int
    height: int
    width: int

    @property
    def pixels(self) -> int:
        return self.batch * self.height * self.width


class Triangles(NamedTuple):
    """The corners of all triangles of all pictures."""

    x: Tensor
    """(3, M) in pixels, to the right."""
    y: Tensor
    """(3, M) in pixels, downwards."""
    depth: Tensor
    """(3, M) along the viewing direction."""
    vertex: Tensor
    """(3, M) int64 index of each corner among the N * V vertices."""


class EdgeFunctions(NamedTuple):
    """Row i is linear on the screen, 0 on the edge opposite to corner i and positive inside.

    Its value is a (x - anchor_x) + b (y - anchor_y). Two triangles that share an edge get the very same numbers but
    for the sign, so that a pixel centre on or near the edge always falls into one of them at least: no cracks.
    """

    a: Tensor
    b: Tensor
    anchor_x: Tensor
    anchor_y: Tensor
    """(3, M) each."""
    area: Tensor
    """(M,) twice the area, positive."""


def screen_triangles(screen: Tensor, faces: Tensor) -> Triangles:
    """Corners of faces (F, 3) in pictures (N, V, 3) of x, y in pixels and depth."""
    batch, vertices = screen.shape[:2]
    offset = torch.arange(batch, device=screen.device) * vertices
    vertex = (faces.t()[:, None] + offset[:, None]).reshape(3, -1)
    x, y, depth = screen.permute(2, 0, 1).reshape(3, -1).index_select(1, vertex.reshape(-1)).view(3, 3, -1)
    return Triangles(x, y, depth, vertex)


def signed_area(triangles: Triangles) -> Tensor:
    """(M,) twice the area on a screen whose y runs down: negative for faces that look at the camera."""
    x, y = triangles.x, triangles.y
    return (x[1] - x[0]) * (y[2] - y[0]) - (y[1] - y[0]) * (x[2] - x[0])


def can_be_drawn(triangles: Triangles, *, cull_back_faces: bool, near: float = NEAR) -> Tensor:
    """(M,) whether a triangle is finite, before the camera, not edge-on and, if asked, turned to the camera."""
    area = signed_area(triangles)
    facing = area < -MINIMAL_AREA if cull_back_faces else area.abs() > MINIMAL_AREA
    return is_finite(triangles) & (triangles.depth > near).all(dim=0) & facing & torch.isfinite(area)


def counts_beside(triangles: Triangles, near: float, *, front_faces_only: bool) -> Tensor:
    """(M,) whether pixels beside a triangle feel it: finite, before the camera, and if asked turned to the camera."""
    counted = is_finite(triangles) & (triangles.depth > near).all(dim=0)
    return counted & (signed_area(triangles) < 0) if front_faces_only else counted


def is_finite(triangles: Triangles) -> Tensor:
    """(M,) whether all nine numbers are."""
    return torch.isfinite(triangles.x + triangles.y + triangles.depth).all(dim=0)


def edge_functions(triangles: Triangles) -> EdgeFunctions:
    """The three edge functions of every triangle; those of triangles that cannot be drawn are of no use."""
    start_x, start_y = triangles.x.roll(-1, 0), triangles.y.roll(-1, 0)
    end_x, end_y = triangles.x.roll(-2, 0), triangles.y.roll(-2, 0)
    swap = (end_x < start_x) | ((end_x == start_x) & (end_y < start_y))
    anchor_x, anchor_y = torch.where(swap, end_x, start_x), torch.where(swap, end_y, start_y)
    along_x = torch.where(swap, start_x, end_x) - anchor_x
    along_y = torch.where(swap, start_y, end_y) - anchor_y
    area = signed_area(triangles)
    sign = torch.where(swap ^ (area < 0), -1.0, 1.0).to(area.dtype)
    return EdgeFunctions(-along_y * sign, along_x * sign, anchor_x, anchor_y, area.abs())


def outlines(triangles: Triangles, unit: tuple[float, float] = (1.0, 1.0)) -> Tensor:
    """(6, 3, M) what :func:`closest_on_outline` needs of each edge, which starts at its own corner: start, direction,
    and direction over squared length. ``unit``: pixels of one unit of distance in x and in y."""
    x, y = triangles.x / unit[0], triangles.y / unit[1]
    along_x, along_y = x.roll(-1, 0) - x, y.roll(-1, 0) - y
    length = (along_x * along_x + along_y * along_y).clamp(min=1e-12)
    return torch.stack([x, y, along_x, along_y, along_x / length, along_y / length])


class OutlinePoints(NamedTuple):
    """The point of a triangle's outline that is closest to a pixel; (P,) each."""

    squared_distance: Tensor
    start: Tensor
    """int64, 0 to 2: the corner that its edge starts from; it ends in the next one."""
    fraction: Tensor
    """0 at the start, 1 at the end."""
    away_x: Tensor
    away_y: Tensor
    """Components of the way from that point to the pixel."""


def closest_on_outline(edges: Tensor, triangle: Tensor, x: Tensor, y: Tensor) -> OutlinePoints:
    """For edges of :func:`outlines`, triangles (P,) and points (P,) in the same unit. Of equal edges the first."""
    gathered = edges.reshape(18, -1).index_select(1, triangle).view(6, 3, -1)
    away_x, away_y, along_x, along_y, fraction, over_y = gathered
    torch.sub(x, away_x, out=away_x)
    torch.sub(y, away_y, out=away_y)
    fraction.mul_(away_x).addcmul_(over_y, away_y).clamp_(0, 1)
    away_x.addcmul_(fraction, along_x, value=-1)
    away_y.addcmul_(fraction, along_y, value=-1)
    squared = torch.mul(away_x, away_x, out=along_x).addcmul_(away_y, away_y)
    smallest, start = squared.min(dim=0)
    fraction, away_x, away_y = (row.gather(0, start[None])[0] for row in (fraction, away_x, away_y))
    return OutlinePoints(smallest, start, fraction, away_x, away_y)
