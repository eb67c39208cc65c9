# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mesh's texture atlas as a grid of texels: where each lies on the surface, and smooth fields over the surface.

NumPy and OpenCV alone: every triangle is an affine map from the atlas to the surface, so a texel needs only the number
of its triangle.

Letters: V vertices, F triangles, E edges, T texture side, P texels, D attributes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from ..render.template import Template

_SUBPIXEL_BITS = 8


@dataclass
class Atlas:
    """The texels of a template's atlas."""

    triangles: np.ndarray
    """(F, 3) int32."""
    triangle_uv: np.ndarray
    """(F, 3, 2), origin bottom left."""
    triangle_of_texel: np.ndarray
    """(T, T) int32, row 0 at the top; -1 between the charts."""

    @property
    def size(self) -> int:
        return self.triangle_of_texel.shape[0]

    @staticmethod
    def of(template: Template, size: int) -> Atlas:
        """Which triangle each texel of a size x size texture belongs to."""
        corners = template.triangle_uv * [size, -size] + [0, size]
        fixed = np.ascontiguousarray(np.round((corners - 0.5) * (1 << _SUBPIXEL_BITS)).astype(np.int32))
        grid = np.full((size, size), -1, dtype=np.int32)
        for index, polygon in enumerate(fixed):
            # Paints every texel that the triangle touches: half a texel beyond a chart's border, where it helps.
            cv2.fillConvexPoly(grid, polygon, (index,), lineType=cv2.LINE_8, shift=_SUBPIXEL_BITS)
        return Atlas(template.triangles, template.triangle_uv, grid)

    def interpolate(self, values: np.ndarray, flat: np.ndarray) -> np.ndarray:
        """Values (V, D) on the vertices at texels of flat indices (P,): (P, D) float32."""
        return self.interpolate_corners(values[self.triangles], flat)

    def interpolate_corners(self, values: np.ndarray, flat: np.ndarray) -> np.ndarray:
        """Values (F, 3, D) at the triangles' corners at texels of flat indices (P,): (P, D) float32."""
        triangle = self.triangle_of_texel.reshape(-1)[flat]
        row, column = np.divmod(flat, self.size)
        origin, along_u, along_v = self.affine(values)
        u = ((column + 0.5) / self.size).astype(np.float32)
        v = (1 - (row + 0.5) / self.size).astype(np.float32)
        result = origin[triangle]
        result += along_u[triangle] * u[:, None]
        result += along_v[triangle] * v[:, None]
        return result

    def picture(self, values: np.ndarray) -> np.ndarray:
        """Values (V, D) on the vertices as an atlas (T, T, D), continued between the charts."""
        flat = np.flatnonzero(self.triangle_of_texel.reshape(-1) >= 0)
        result = np.zeros((self.size * self.size, values.shape[1]), dtype=np.float32)
        result[flat] = self.interpolate(values, flat)
        return self.dilate(result.reshape(self.size, self.size, -1))

    def dilate(self, picture: np.ndarray) -> np.ndarray:
        """The picture (T, T, D) with every texel between the charts given the nearest chart's value, in place."""
        gaps, nearest = self._gaps
        flat = picture.reshape(-1, picture.shape[2])
        flat[gaps] = flat[nearest]
        return picture

    @cached_property
    def _gaps(self) -> tuple[np.ndarray, np.ndarray]:
        """Flat indices of the texels between the charts, and of the nearest texel in a chart of each."""
        outside = self.triangle_of_texel < 0
        _, label = cv2.distanceTransformWithLabels(
            outside.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
        )
        # Each texel inside a chart has a label of its own; those outside carry that of the nearest.
        place = np.zeros(int(label.max()) + 1, dtype=np.int64)
        inside = np.flatnonzero(~outside.reshape(-1))
        place[label.reshape(-1)[inside]] = inside
        gaps = np.flatnonzero(outside.reshape(-1))
        return gaps, place[label.reshape(-1)[gaps]]

    def vertex_means(
        self, colours: np.ndarray, weights: np.ndarray, flat: np.ndarray, vertices: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Weighted mean (V, D) of texels (P, D) around every vertex, and their mean weight (V,) over all its texels."""
        triangle = self.triangle_of_texel.reshape(-1)[flat]
        count = len(self.triangles)
        total = np.stack(
            [np.bincount(triangle, weights * colours[:, d], count) for d in range(colours.shape[1])]
            + [np.bincount(triangle, weights, count), self.texels_of_triangle()],
            axis=1,
        )
        on_vertices = np.zeros((vertices, total.shape[1]))
        for corner in range(3):
            np.add.at(on_vertices, self.triangles[:, corner], total)
        weight, texels = on_vertices[:, -2], on_vertices[:, -1]
        means = on_vertices[:, :-2] / np.maximum(weight, 1e-6)[:, None]
        return means, weight / np.maximum(texels, 1)

    def texels_of_triangle(self) -> np.ndarray:
        """(F,) how many texels each triangle has."""
        return np.bincount(self.triangle_of_texel.reshape(-1) + 1, minlength=len(self.triangles) + 1)[1:]

    def affine(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Values (F, 3, D) of the triangles' corners as origin + u * along_u + v * along_v, (F, D) float32 each."""
        a, b, c = self.triangle_uv.astype(np.float64).transpose(1, 0, 2)
        p, q, r = values.astype(np.float64).transpose(1, 0, 2)
        (ux, uy), (wx, wy) = (b - a).T, (c - a).T
        area = ux * wy - uy * wx
        area = np.where(np.abs(area) > 1e-12, area, 1e-12)[:, None]
        along_u = ((q - p) * wy[:, None] - (r - p) * uy[:, None]) / area
        along_v = ((r - p) * ux[:, None] - (q - p) * wx[:, None]) / area
        origin = p - along_u * a[:, :1] - along_v * a[:, 1:]
        return origin.astype(np.float32), along_u.astype(np.float32), along_v.astype(np.float32)


def spread(values: np.ndarray, weights: np.ndarray, edges: np.ndarray, reach: float) -> np.ndarray:
    """A smooth field (V, D) over the surface that follows values (V, D) where they have weight and fades to 0 beyond.

    Minimises sum_v weights_v |field_v - values_v|^2 + sum_edges |field_i - field_j|^2 + sum_v |field_v|^2 / reach^2, by
    conjugate gradients. ``reach``: how many edges away from known values the field has faded to about a third.
    """
    a, b = edges.T
    order = np.concatenate([a, b])
    other = np.concatenate([b, a])
    count = len(values)
    diagonal = (np.bincount(order, minlength=count) + weights + 1 / reach**2)[:, None]

    def times(field: np.ndarray) -> np.ndarray:
        gathered = field[other]
        columns = [np.bincount(order, gathered[:, d], count) for d in range(field.shape[1])]
        return diagonal * field - np.stack(columns, axis=1)

    field = np.zeros_like(values, dtype=np.float64)
    residual = weights[:, None] * values - times(field)
    direction = residual / diagonal
    product = (residual * direction).sum(axis=0)
    for _ in range(60):
        image = times(direction)
        step = product / np.maximum((direction * image).sum(axis=0), 1e-20)
        field += step * direction
        residual -= step * image
        preconditioned = residual / diagonal
        previous, product = product, (residual * preconditioned).sum(axis=0)
        if product.max(initial=0.0) < 1e-10:
            break
        direction = preconditioned + product / np.maximum(previous, 1e-20) * direction
    return field
