# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Surface colour and normals: what a mesh looks like before light falls on it.

Letters: N batch, V vertices, F triangles, H, W picture, T texture side, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .fragments import Fragments, interpolate, interpolate_vertices


@dataclass
class Texture:
    """Colours from an image by UV; bilinear."""

    triangle_uv: Tensor
    """(F, 3, 2), origin bottom left; shared by the batch."""
    image: Tensor
    """(N, C, T, T')"""
    chart_bounds: Tensor | None = None
    """(F, 4) u0, v0, u1, v1 of the chart that each triangle lies in: samples never reach beyond it, so that nothing
    bleeds in over a border of the atlas, whatever lies in its gutter and however small the image is."""
    repeat: bool = False
    """UVs wrap around at 0 and 1, and so does the filter; otherwise the border texels go on for ever."""

    def colour(self, fragments: Fragments) -> Tensor:
        """(N, C, H, W) at every pixel; of no use where there is no face."""
        uv = interpolate(fragments, self.triangle_uv)
        if self.chart_bounds is not None:
            uv = self._inside_charts(uv, fragments.face_index)
        return sample_texture(self.image, uv, repeat=self.repeat)

    def _inside_charts(self, uv: Tensor, face_index: Tensor) -> Tensor:
        """Between the centres of the outermost texels of a chart a bilinear sample touches the chart's texels alone."""
        assert self.chart_bounds is not None
        face = face_index.clamp(min=0)
        inside = []
        for axis, size in enumerate((self.image.shape[3], self.image.shape[2])):
            first = ((self.chart_bounds[:, axis] * size - 0.5).ceil() + 0.5) / size
            last = ((self.chart_bounds[:, axis + 2] * size - 0.5).floor() + 0.5) / size
            inside.append(uv[..., axis].clamp(first[face], last[face]))
        return torch.stack(inside, dim=-1)


@dataclass
class VertexColours:
    """Colours at the vertices, interpolated."""

    triangles: Tensor
    """(F, 3) int64"""
    colours: Tensor
    """(N, V, C)"""

    def colour(self, fragments: Fragments) -> Tensor:
        """(N, C, H, W) at every pixel, 0 where there is no face."""
        return interpolate_vertices(fragments, self.colours, self.triangles).permute(0, 3, 1, 2)


Material = Texture | VertexColours


def sample_texture(image: Tensor, uv: Tensor, *, repeat: bool = False) -> Tensor:
    """Bilinear samples (N, C, H, W) of images (N, C, T, T') at uv (N, H, W, 2), origin bottom left.

    Texel centres lie at half-integers over T. Beyond the border lies the border texel, or the other side with
    ``repeat``.
    """
    u, v = uv[..., 0], uv[..., 1]
    if repeat:
        # One texel of the other side around the image, and UVs brought into the first period.
        rows, columns = image.shape[2:]
        image = F.pad(image, (1, 1, 1, 1), mode="circular")
        u = ((u - u.floor()) * columns + 1) / (columns + 2)
        v = ((v - v.floor()) * rows + 1) / (rows + 2)
    grid = torch.stack([2 * u - 1, 1 - 2 * v], dim=-1)
    return F.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=False)


def face_normals(vertices: Tensor, triangles: Tensor) -> Tensor:
    """Outward normals (N, F, 3) with the length of twice the area."""
    return _face_normals(vertices.permute(2, 0, 1), triangles).permute(1, 2, 0)


def vertex_normals(vertices: Tensor, triangles: Tensor) -> Tensor:
    """Unit normals (N, V, 3), the area-weighted mean of the faces around each vertex."""
    columns = vertices.permute(2, 0, 1)
    per_face = _face_normals(columns, triangles)
    total = torch.zeros_like(columns).index_add(2, triangles.t().reshape(-1), per_face.repeat(1, 1, 3))
    return normalized(total, dim=0).permute(1, 2, 0)


def normals_at(fragments: Fragments, vertices: Tensor, triangles: Tensor) -> Tensor:
    """Smooth unit normals (N, H, W, 3) in the world; 0 where there is no face."""
    return normalized(interpolate_vertices(fragments, vertex_normals(vertices, triangles), triangles), dim=-1)


def normalized(vectors: Tensor, dim: int) -> Tensor:
    """Vectors of length 1 along a dimension; those shorter than 1e-12 stay so, with a finite gradient."""
    return vectors * (vectors * vectors).sum(dim=dim, keepdim=True).clamp(min=1e-24).rsqrt()


def _face_normals(columns: Tensor, triangles: Tensor) -> Tensor:
    """(3, N, F) from vertices (3, N, V): component by component, as everything per face is quickest."""
    a, b, c = columns.index_select(2, triangles.t().reshape(-1)).unflatten(2, (3, -1)).unbind(dim=2)
    u, v = b - a, c - a
    return torch.stack([u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]])
