# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The boundary renderer of paper B (Szabó et al., 2019): exact gradients at silhouettes and self-occlusions.

Two layers a pixel. The crisp layer is the nearest face that holds the pixel's centre. The margin layer is the nearest
face whose outline passes within ``margin`` pixels of it, taken at the outline's closest point, its opacity falling
linearly from 1 at the outline to 0 at the margin's end and its depth pushed back by up to half, so that a smooth
surface hides its own margins. The margin layer is laid over the crisp one and that over the background. As an edge
crosses a pixel the picture changes linearly, so its derivative is what finite differences measure; the crisp
picture's jumps, and its derivative is blind to the jump.

Letters: N batch, V vertices, F faces, H, W picture, P pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from .fragments import Fragments
from .pairs import nearness
from .rasterize import fragments_of, pixel_centres
from .searches import nearest_margins, nearest_triangles
from .triangles import Raster, Triangles, can_be_drawn, closest_on_outline, edge_functions, outlines, screen_triangles


class BoundaryLayers(NamedTuple):
    """What a pixel sees, from behind to the front."""

    crisp: Fragments
    margin: Fragments
    """At the closest points of outlines; its barycentric weights lie on an edge of the face."""
    opacity: Tensor
    """(N, H, W) of the margin layer, 0 where there is none; differentiable."""

    @property
    def coverage(self) -> Tensor:
        """(N, H, W) opacity of both layers together: the mask."""
        crisp = (self.crisp.face_index >= 0).to(self.opacity.dtype)
        return crisp + (1 - crisp) * self.opacity


def rasterize_boundary(
    screen: Tensor,
    faces: Tensor,
    height: int,
    width: int,
    *,
    margin: float = 1.0,
    clearance: float | None = None,
    perspective: bool = True,
    cull_back_faces: bool = True,
) -> BoundaryLayers:
    """Both layers of every pixel; arguments as of :func:`rasterize.rasterize`.

    margin: its width in pixels; 0 gives the crisp picture alone.
    clearance: where, before another face, depths are measured from that margins are pushed back by up to half of: so
    far before the nearest corner of the picture's triangles, in the scene's unit; None: from the camera, as in the
    paper's renderer. A camera that is many lengths of the object away pushes margins behind all of it, and occlusions
    within the object have no gradient; with a clearance of a few tenths of the object's length they have.
    Raises ValueError for a negative margin or clearance.
    """
    if margin < 0:
        raise ValueError(f"The margin is a width in pixels and cannot be {margin}.")
    if clearance is not None and clearance < 0:
        raise ValueError(f"The clearance is a length and cannot be {clearance}.")
    raster = Raster(screen.shape[0], height, width)
    with torch.no_grad():
        triangles = screen_triangles(screen, faces)
        functions = edge_functions(triangles)
        drawn = can_be_drawn(triangles, cull_back_faces=cull_back_faces)
        order = nearness(triangles, perspective)
        triangle = nearest_triangles(triangles, functions, order, drawn, raster)
    crisp = fragments_of(screen, faces, triangle, raster, perspective=perspective)
    if margin == 0 or faces.shape[0] == 0:
        nothing = Fragments(*(torch.zeros_like(row) for row in crisp))
        return BoundaryLayers(crisp, nothing._replace(face_index=nothing.face_index - 1), torch.zeros_like(crisp.depth))
    with torch.no_grad():
        behind = torch.where(triangle < 0, torch.inf, crisp.depth.reshape(-1))
        beside = nearest_margins(triangles, functions, drawn, raster, margin, behind, perspective)
        if clearance is not None:
            nearer, behind = _nearer(triangles, drawn, behind, raster, clearance)
            # Before the background alone margins stay as they are: pushed far back, the closest outline is the nearest,
            # and opacities do not jump from one to another.
            within = nearest_margins(nearer, functions, drawn, raster, margin, behind, False)
            beside = torch.where(triangle < 0, beside, within)
    return BoundaryLayers(crisp, *_margin_layer(screen, faces, triangles, beside, raster, margin, perspective))


def composite(layers: BoundaryLayers, shade: Callable[[Fragments], Tensor]) -> Tensor:
    """The colours (N, C, H, W) of both layers, multiplied by :attr:`BoundaryLayers.coverage`.

    shade: gives the colours (N, C, H, W) of fragments; what it says where there is no face does not count.
    """
    crisp = shade(layers.crisp) * (layers.crisp.face_index >= 0)[:, None]
    margin = shade(layers.margin)
    opacity = layers.opacity[:, None]
    return torch.where(opacity > 0, opacity * margin + (1 - opacity) * crisp, crisp)


def _nearer(
    triangles: Triangles, drawn: Tensor, behind: Tensor, raster: Raster, clearance: float
) -> tuple[Triangles, Tensor]:
    """Triangles and the depths (P,) behind margins, moved so that each picture's nearest corner is at the clearance.

    Depths that are measured from there are no longer those of a perspective, whose inverses are linear on the screen.
    """
    nearest = torch.where(drawn, triangles.depth, torch.inf).amin(dim=0).view(raster.batch, -1).amin(dim=1)
    step = torch.where(nearest.isfinite(), nearest, 0) - clearance
    pixels, faces = raster.height * raster.width, triangles.depth.shape[1] // raster.batch
    moved = triangles._replace(depth=triangles.depth - step.repeat_interleave(faces, output_size=faces * raster.batch))
    return moved, behind - step.repeat_interleave(pixels, output_size=pixels * raster.batch)


def _margin_layer(
    screen: Tensor, faces: Tensor, triangles: Triangles, triangle: Tensor, raster: Raster, margin: float,
    perspective: bool,
) -> tuple[Fragments, Tensor]:  # fmt: skip
    """The closest points of the outlines of the triangles (P,), differentiable; -1 where there is no triangle."""
    shape = tuple(raster)
    # Few pixels have a margin. A GPU would have to wait for their number, so there all are computed.
    on_cpu = screen.device.type == "cpu"
    seen = (triangle >= 0).nonzero()[:, 0] if on_cpu else torch.arange(len(triangle), device=screen.device)
    found = triangle[seen] >= 0
    chosen = triangle[seen].clamp(min=0)
    x, y = (centre.expand(shape).reshape(-1)[seen] for centre in pixel_centres(raster, screen))
    with torch.no_grad():
        start = closest_on_outline(outlines(triangles), chosen, x, y).start
    end = (start + 1) % 3

    columns = screen.permute(2, 0, 1).reshape(3, -1)
    vertex = triangles.vertex.index_select(1, chosen)
    start_vertex, end_vertex = vertex.gather(0, start[None])[0], vertex.gather(0, end[None])[0]
    safe = (torch.arange(3, device=screen.device)[:, None] == 2).to(screen.dtype)  # 0, 0, 1
    start_x, start_y, start_depth = torch.where(found, columns.index_select(1, start_vertex), safe)
    end_x, end_y, end_depth = torch.where(found, columns.index_select(1, end_vertex), safe)
    along_x, along_y = end_x - start_x, end_y - start_y
    length = (along_x**2 + along_y**2).clamp(min=1e-12)
    fraction = (((x - start_x) * along_x + (y - start_y) * along_y) / length).clamp(0, 1)
    away_x, away_y = x - start_x - fraction * along_x, y - start_y - fraction * along_y
    distance = (away_x**2 + away_y**2).clamp(min=1e-24).sqrt()
    opacity = torch.where(found, (1 - distance / margin).clamp(0, 1), 0)

    if perspective:
        of_start, of_end = (1 - fraction) / start_depth, fraction / end_depth
        depth = 1 / (of_start + of_end)
        of_start, of_end = of_start * depth, of_end * depth
    else:
        of_start, of_end = 1 - fraction, fraction
        depth = of_start * start_depth + of_end * end_depth
    weights = screen.new_zeros(3, len(seen)).scatter(0, start[None], of_start[None]).scatter(0, end[None], of_end[None])
    rows = torch.where(found, torch.cat([weights, depth[None]]), 0)
    rows = torch.cat([rows, opacity[None]])
    rows = screen.new_zeros(5, raster.pixels).index_copy(1, seen, rows).view(5, *shape)
    face_index = torch.where(triangle < 0, -1, triangle % faces.shape[0]).view(shape)
    return Fragments(face_index, rows[:3].permute(1, 2, 3, 0), rows[3]), rows[4]
