# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""DIB-R's rasteriser (Chen et al., NeurIPS 2019) in plain torch, for any device.

A pixel that a face covers takes the face's attributes by barycentric interpolation, which is differentiable in the
attributes and in the vertices; a pixel that no face covers gets a soft mask that falls off with the squared distance
to the faces near it, so that silhouettes have gradients too.

Work is proportional to the pixels inside the faces' bounding boxes: each (face, pixel) pair is listed once, all faces
of all pictures of the batch together, and the nearest is found by a scatter. No pixel meets a face far from it.

Letters: N batch, V vertices, F faces, H, W picture, P pairs, D attributes.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

_NEAR = 1e-4
_MINIMAL_AREA = 1e-9


class Fragments(NamedTuple):
    """What each pixel sees."""

    face_index: Tensor
    """(N, H, W) int64 index of the nearest front face, -1 where there is none."""
    barycentric: Tensor
    """(N, H, W, 3) weights of the face's corners at the pixel's centre, 0 where there is none; differentiable."""
    depth: Tensor
    """(N, H, W) depth along the viewing direction, 0 where there is none; differentiable."""


def rasterize(screen: Tensor, faces: Tensor, height: int, width: int, *, perspective: bool = True) -> Fragments:
    """The nearest front face of every pixel.

    screen: (N, V, 3) x, y in pixels (y down) and depth, from :func:`camera.project`.
    faces: (F, 3) int64, counter-clockwise seen from outside; back faces and faces behind the camera are dropped.
    perspective: interpolates in 3D rather than in the picture (DIB-R itself does the latter).
    """
    corners = screen[:, faces]
    pixel, flat_face = _nearest(corners.detach(), height, width)
    batch, number_of_faces = corners.shape[:2]
    covered = flat_face >= 0
    flat_face = flat_face[covered]
    points = _pixel_centres(pixel[covered], height, width, screen.dtype)
    weights = _barycentric(corners.reshape(-1, 3, 3)[flat_face], points)
    corner_depth = corners.reshape(-1, 3, 3)[flat_face][..., 2]
    if perspective:
        weights = weights / corner_depth
        weights = weights / weights.sum(dim=-1, keepdim=True)
    depth = (weights * corner_depth).sum(dim=-1)

    size = batch * height * width
    where = pixel[covered]
    face_index = torch.full((size,), -1, dtype=torch.int64, device=screen.device)
    face_index[where] = flat_face % number_of_faces if number_of_faces else flat_face
    barycentric = weights.new_zeros(size, 3).index_put((where,), weights)
    dense_depth = depth.new_zeros(size).index_put((where,), depth)
    shape = (batch, height, width)
    return Fragments(face_index.view(shape), barycentric.view(*shape, 3), dense_depth.view(shape))


def interpolate(fragments: Fragments, face_attributes: Tensor) -> Tensor:
    """Attributes at every pixel, (N, H, W, D); 0 where there is no face.

    face_attributes: (F, 3, D) shared by the batch or (N, F, 3, D), one row per corner.
    """
    index = fragments.face_index
    batch = index.shape[0]
    if face_attributes.dim() == 3:
        chosen = face_attributes[index.clamp(min=0)]
    else:
        number_of_faces = face_attributes.shape[1]
        offset = torch.arange(batch, device=index.device)[:, None, None] * number_of_faces
        chosen = face_attributes.flatten(0, 1)[index.clamp(min=0) + offset]
    return (fragments.barycentric[..., None] * chosen).sum(dim=-2)


def soft_mask(
    screen: Tensor, faces: Tensor, fragments: Fragments, *, sigma_inverse: float = 7000.0, box_length: float = 0.02
) -> Tensor:
    """DIB-R's soft silhouette (N, H, W): 1 on covered pixels, else 1 - prod_j (1 - exp(-sigma_inverse d_j^2)).

    d_j is the distance to face j in units of half the longer picture side (Kaolin's normalised coordinates on square
    pictures); a face counts within ``box_length`` of its bounding box in the same units. Front and back faces count.
    """
    height, width = fragments.face_index.shape[1:]
    uncovered = fragments.face_index < 0
    unit = 0.5 * max(height, width)
    corners = screen[:, faces]
    pixel, flat_face = _pairs_near_silhouette(corners.detach(), uncovered, box_length * unit)
    points = _pixel_centres(pixel, height, width, screen.dtype)
    squared = _squared_distance(corners.reshape(-1, 3, 3)[flat_face][..., :2], points) / unit**2
    # log(1 - A) summed over the faces; A is kept below 1 so that the logarithm and its gradient stay finite.
    log_transparency = torch.log1p(-torch.exp(-sigma_inverse * squared).clamp(max=1 - 1e-6))
    total = log_transparency.new_zeros(uncovered.numel()).index_add(0, pixel, log_transparency)
    return torch.where(uncovered, 1 - torch.exp(total.view(uncovered.shape)), torch.ones_like(fragments.depth))


@torch.no_grad()
def _nearest(corners: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """For corners (N, F, 3, 3): all pixels' flat indices (N*H*W,) and the flat index of the nearest face, or -1."""
    batch = corners.shape[0]
    flat = corners.reshape(-1, 3, 3)
    a, b, c = flat[..., :2].unbind(dim=1)
    # Counter-clockwise from outside is clockwise on a screen whose y runs down, hence the negative sign.
    area = _cross(b - a, c - a)
    drawn = (area < -_MINIMAL_AREA) & (flat[..., 2] > _NEAR).all(dim=1)
    pixel, face = _pairs(flat[..., :2], drawn, 0.0, batch, height, width)
    weights = _barycentric(flat[face], _pixel_centres(pixel, height, width, flat.dtype))
    inside = (weights >= 0).all(dim=1)
    pixel, face, weights = pixel[inside], face[inside], weights[inside]
    # 1/depth is linear on the screen: the exact order for planar faces in perspective.
    inverse_depth = (weights / flat[face][..., 2]).sum(dim=1)

    size = batch * height * width
    best = inverse_depth.new_zeros(size).scatter_reduce(0, pixel, inverse_depth, "amax")
    winner = inverse_depth >= best[pixel]
    nearest = torch.full((size,), -1, dtype=torch.int64, device=corners.device)
    # Of faces at the very same depth the highest index wins on every device: order decides nothing.
    nearest = nearest.scatter_reduce(0, pixel[winner], face[winner], "amax")
    return torch.arange(size, device=corners.device), nearest


def _pairs(
    triangles: Tensor, drawn: Tensor, margin: float, batch: int, height: int, width: int
) -> tuple[Tensor, Tensor]:
    """All (pixel, face) pairs inside bounding boxes enlarged by ``margin`` pixels: flat indices, (P,) each.

    triangles: (N*F, 3, 2) in pixels; drawn: (N*F,) which of them count.
    """
    number_of_faces = triangles.shape[0] // max(batch, 1)
    finite = torch.isfinite(triangles).all(dim=2).all(dim=1)
    triangles = torch.where((drawn & finite)[:, None, None], triangles, torch.zeros_like(triangles))
    limit = torch.tensor([width, height], device=triangles.device, dtype=triangles.dtype)
    low = (triangles.amin(dim=1) - margin - 0.5).ceil().clamp(min=0).minimum(limit).long()
    high = (triangles.amax(dim=1) + margin - 0.5).floor().clamp(min=-1).minimum(limit - 1).long()
    extent = (high - low + 1).clamp(min=0)
    count = torch.where(drawn & finite, extent[:, 0] * extent[:, 1], 0)

    face = torch.repeat_interleave(torch.arange(len(count), device=count.device), count)
    within = torch.arange(len(face), device=count.device) - (count.cumsum(0) - count)[face]
    columns = extent[face, 0]
    x = low[face, 0] + within % columns
    y = low[face, 1] + torch.div(within, columns, rounding_mode="floor")
    picture = torch.div(face, max(number_of_faces, 1), rounding_mode="floor")
    return (picture * height + y) * width + x, face


@torch.no_grad()
def _pairs_near_silhouette(corners: Tensor, uncovered: Tensor, margin: float) -> tuple[Tensor, Tensor]:
    """Pairs of uncovered pixels with the faces whose enlarged box holds them."""
    batch, height, width = uncovered.shape
    flat = corners.reshape(-1, 3, 3)
    drawn = (flat[..., 2] > _NEAR).all(dim=1) & _box_holds_any(corners, uncovered, margin)
    pixel, face = _pairs(flat[..., :2], drawn, margin, batch, height, width)
    keep = uncovered.reshape(-1)[pixel]
    return pixel[keep], face[keep]


def _box_holds_any(corners: Tensor, uncovered: Tensor, margin: float) -> Tensor:
    """(N*F,) whether a face's enlarged box holds an uncovered pixel, by a summed-area table: most faces hold none."""
    batch, height, width = uncovered.shape
    table = torch.zeros(batch, height + 1, width + 1, dtype=torch.int64, device=uncovered.device)
    table[:, 1:, 1:] = uncovered.long().cumsum(1).cumsum(2)
    points = torch.nan_to_num(corners[..., :2], nan=0.0, posinf=0.0, neginf=0.0)
    limit = torch.tensor([width, height], device=points.device, dtype=points.dtype)
    low = (points.amin(dim=2) - margin - 0.5).ceil().clamp(min=0).minimum(limit).long()
    high = ((points.amax(dim=2) + margin - 0.5).floor() + 1).clamp(min=0).minimum(limit).long().maximum(low)
    n = torch.arange(batch, device=points.device)[:, None]
    total = (
        table[n, high[..., 1], high[..., 0]]
        - table[n, low[..., 1], high[..., 0]]
        - table[n, high[..., 1], low[..., 0]]
        + table[n, low[..., 1], low[..., 0]]
    )
    return (total > 0).reshape(-1)


def _pixel_centres(pixel: Tensor, height: int, width: int, dtype: torch.dtype) -> Tensor:
    """(P, 2) x, y of flat pixel indices (P,)."""
    within = pixel % (height * width)
    y = torch.div(within, width, rounding_mode="floor")
    return torch.stack([within % width, y], dim=-1).to(dtype) + 0.5


def _cross(u: Tensor, v: Tensor) -> Tensor:
    return u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]


def _barycentric(corners: Tensor, points: Tensor) -> Tensor:
    """(P, 3) screen-space weights of points (P, 2) in triangles (P, 3, 2 or more)."""
    a, b, c = corners[..., :2].unbind(dim=1)
    w_a = _cross(b - points, c - points)
    w_b = _cross(c - points, a - points)
    w_c = _cross(a - points, b - points)
    area = _cross(b - a, c - a)
    area = torch.where(area.abs() > _MINIMAL_AREA, area, torch.full_like(area, _MINIMAL_AREA))
    return torch.stack([w_a, w_b, w_c], dim=-1) / area[:, None]


def _squared_distance(corners: Tensor, points: Tensor) -> Tensor:
    """(P,) squared distance of points (P, 2) to the outlines of triangles (P, 3, 2)."""
    start, end = corners, corners.roll(-1, dims=1)
    along = end - start
    to_point = points[:, None] - start
    length = (along**2).sum(dim=-1).clamp(min=1e-12)
    fraction = ((to_point * along).sum(dim=-1) / length).clamp(0, 1)
    return ((to_point - fraction[..., None] * along) ** 2).sum(dim=-1).amin(dim=1)
