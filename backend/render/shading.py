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

from .fragments import Fragments, interpolate


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
        size = self.image.new_tensor([self.image.shape[3], self.image.shape[2]])
        first = ((self.chart_bounds[:, :2] * size - 0.5).ceil() + 0.5) / size
        last = ((self.chart_bounds[:, 2:] * size - 0.5).floor() + 0.5) / size
        face = face_index.clamp(min=0)
        return uv.clamp(first[face], last[face])


@dataclass
class VertexColours:
    """Colours at the vertices, interpolated."""

    triangles: Tensor
    """(F, 3) int64"""
    colours: Tensor
    """(N, V, C)"""

    def colour(self, fragments: Fragments) -> Tensor:
        """(N, C, H, W) at every pixel, 0 where there is no face."""
        return interpolate(fragments, self.colours[:, self.triangles]).permute(0, 3, 1, 2)


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
    a, b, c = vertices[:, triangles].unbind(dim=2)
    return torch.cross(b - a, c - a, dim=-1)


def vertex_normals(vertices: Tensor, triangles: Tensor) -> Tensor:
    """Unit normals (N, V, 3), the area-weighted mean of the faces around each vertex."""
    per_face = face_normals(vertices, triangles)
    total = torch.zeros_like(vertices)
    for corner in range(3):
        total = total.index_add(1, triangles[:, corner], per_face)
    return F.normalize(total, dim=-1, eps=1e-12)


def normals_at(fragments: Fragments, vertices: Tensor, triangles: Tensor) -> Tensor:
    """Smooth unit normals (N, H, W, 3) in the world; 0 where there is no face."""
    normals = vertex_normals(vertices, triangles)
    return F.normalize(interpolate(fragments, normals[:, triangles]), dim=-1, eps=1e-6)
