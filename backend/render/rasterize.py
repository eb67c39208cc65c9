# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The crisp rasteriser: the nearest face of every pixel, and where in it the pixel lies.

The foreground half of DIB-R (Chen et al., NeurIPS 2019): a covered pixel takes the face's attributes by barycentric
interpolation, differentiable in the attributes and, through the weights, in the vertices. What happens at the
silhouette is the business of :func:`.searches.soft_mask` (DIB-R) and :mod:`.boundary` (paper B).

Letters: N batch, V vertices, F faces, M = N * F, H, W picture, P = N * H * W pixels.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from .fragments import Fragments
from .pairs import nearness
from .searches import nearest_triangles
from .triangles import Raster, Triangles, can_be_drawn, edge_functions, screen_triangles


def rasterize(
    screen: Tensor,
    faces: Tensor,
    height: int,
    width: int,
    *,
    perspective: bool = True,
    cull_back_faces: bool = True,
) -> Fragments:
    """The nearest face of every pixel.

    screen: (N, V, 3) x, y in pixels (y down) and depth, from :func:`camera.project`; float32 or float64.
    faces: (F, 3) int64, counter-clockwise seen from outside. Faces that are edge-on, not finite, or behind the camera
    in one corner are dropped, and back faces unless ``cull_back_faces`` is off.
    perspective: interpolates in 3D rather than in the picture (DIB-R itself does the latter).

    Differentiable once in ``screen``.
    """
    raster = Raster(screen.shape[0], height, width)
    with torch.no_grad():
        triangles = screen_triangles(screen, faces)
        functions = edge_functions(triangles)
        drawn = can_be_drawn(triangles, cull_back_faces=cull_back_faces)
        order = nearness(triangles, perspective)
        triangle = nearest_triangles(triangles, functions, order, drawn, raster)
    return fragments_of(screen, faces, triangle, raster, perspective=perspective)


def fragments_of(screen: Tensor, faces: Tensor, triangle: Tensor, raster: Raster, *, perspective: bool) -> Fragments:
    """Fragments where the triangle (P,) of every pixel is known, among N * F; -1 for none."""
    shape = tuple(raster)
    number = faces.shape[0]
    if number == 0 or raster.pixels == 0:
        nothing = screen[:0].sum() + screen.new_zeros(*shape, 4)  # the sum of nothing keeps the graph
        return Fragments(triangle.view(shape), nothing[..., :3], nothing[..., 3])
    # Pixels without a face look into one more triangle, whose numbers are all zero.
    none = triangle < 0
    chosen = triangle.masked_fill(none, raster.batch * number)
    weights, depth = _Weights.apply(screen, faces, chosen, raster, perspective)  # type: ignore[no-untyped-call]
    first = torch.arange(raster.batch, device=faces.device)[:, None, None] * number
    face_index = (triangle.view(shape) - first).masked_fill_(none.view(shape), -1)
    return Fragments(face_index, weights.view(3, *shape).permute(1, 2, 3, 0), depth.view(shape))


class _Weights(torch.autograd.Function):
    r"""Barycentric weights (3, P) and depth (P,) at pixel centres, with the gradient written out.

    With k_i = (x_i z_i, y_i z_i, z_i) as the rows of K, the unnormalised weights u of the pixel p = (x, y, 1) solve
    K^T u = p; then depth = 1 / sum(u) and the weights are u * depth. Hence
    dL/dK = -K^-T (sum over the triangle's pixels of p dL/du^T) K^-T: all that is summed over pixels are nine numbers
    a triangle. Without perspective z_i = 1 in K.
    """

    @staticmethod
    def forward(
        ctx: Any, screen: Tensor, faces: Tensor, chosen: Tensor, raster: Raster, perspective: bool
    ) -> tuple[Tensor, Tensor]:
        triangles = screen_triangles(screen, faces)
        inverse = _inverse(triangles, perspective)
        table = torch.cat([inverse.view(9, -1), triangles.x[:1], triangles.y[:1], triangles.depth])
        rows = F.pad(torch.nan_to_num(table), (0, 1)).index_select(1, chosen)
        centre_x, centre_y = pixel_centres(raster, screen)
        shape = tuple(raster)
        x, y = rows[9].neg_(), rows[10].neg_()
        x.view(shape).add_(centre_x)
        y.view(shape).add_(centre_y)
        weights = rows[6:9].addcmul_(rows[:3], x).addcmul_(rows[3:6], y)
        if perspective:
            total = weights.sum(dim=0)
            depth = total.reciprocal_().masked_fill_(total == torch.inf, 0)
            weights = weights * depth
        else:
            weights = weights.clone()
            depth = (weights * rows[11:14]).sum(dim=0)
        ctx.save_for_backward(screen, faces, chosen, inverse, x.clone(), y.clone(), weights, depth)
        ctx.perspective = perspective
        return weights, depth

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_weights: Tensor, of_depth: Tensor) -> tuple[Tensor, None, None, None, None]:
        screen, faces, chosen, inverse, x, y, weights, depth = ctx.saved_tensors
        triangles = screen_triangles(screen, faces)
        kinds = 3 if ctx.perspective else 4
        rows = screen.new_empty(kinds, 3, len(chosen))
        of_solution = rows[2]
        if ctx.perspective:
            mean = (of_weights * weights).sum(dim=0).addcmul_(of_depth, depth)
            # Where there is no face the depth is 0, and so is all that follows.
            torch.sub(of_weights, mean, out=of_solution).mul_(depth)
        else:
            corner_depth = F.pad(torch.nan_to_num(triangles.depth), (0, 1)).index_select(1, chosen)
            torch.addcmul(of_weights, of_depth, corner_depth, out=of_solution)
            torch.mul(of_depth, weights, out=rows[3])
        torch.mul(of_solution, x, out=rows[0])
        torch.mul(of_solution, y, out=rows[1])
        number = triangles.x.shape[1]
        summed = screen.new_zeros(3 * kinds, number + 1).index_add_(1, chosen, rows.view(3 * kinds, -1))
        of_corners = _to_corners(triangles, inverse, summed[:, :number].reshape(kinds, 3, number), ctx.perspective)

        of_screen = screen.new_zeros(3, screen.shape[0] * screen.shape[1])
        of_screen.index_add_(1, triangles.vertex.reshape(-1), of_corners.reshape(3, -1))
        return of_screen.view(3, *screen.shape[:2]).permute(1, 2, 0), None, None, None, None


def _inverse(triangles: Triangles, perspective: bool) -> Tensor:
    """K^-T as (3, 3, M): u_i = inverse[0, i] x + inverse[1, i] y + inverse[2, i], from the first corner on.

    Coordinates begin at the triangle's own corner: in the picture's they would lose digits in every product.
    """
    x, y = triangles.x - triangles.x[0], triangles.y - triangles.y[0]
    area = x[1] * y[2] - y[1] * x[2]
    factor = 1 / (area * triangles.depth) if perspective else (1 / area).expand_as(x)
    # No pixel sees a triangle without area: its sums are zero, and shall not become 0 / 0.
    factor = torch.nan_to_num(factor, 0, 0, 0)
    # Corners one and two further on; indexing with lists would make a GPU wait.
    next_x, next_y, last_x, last_y = x.roll(-1, 0), y.roll(-1, 0), x.roll(-2, 0), y.roll(-2, 0)
    across = torch.stack([next_y - last_y, last_x - next_x, next_x * last_y - last_x * next_y])
    return torch.nan_to_num(across, 0, 0, 0) * factor


def _to_corners(triangles: Triangles, inverse: Tensor, summed: Tensor, perspective: bool) -> Tensor:
    """(3, 3, M), x, y and depth by corner: the gradient of the corners from the sums over the pixels (3 or 4, 3, M)."""
    # Component c of the gradient of k_i is - sum over d, j of inverse[d, i] summed[d, j] inverse[c, j].
    middle = (inverse[:, :, None] * summed[:3, None]).sum(dim=0)
    of_x, of_y, of_one = -(middle[None] * inverse[:, None]).sum(dim=2)
    if not perspective:
        return torch.stack([of_x, of_y, summed[3]])
    x, y = triangles.x - triangles.x[0], triangles.y - triangles.y[0]
    of_corners = torch.stack([of_x * triangles.depth, of_y * triangles.depth, of_x * x + of_y * y + of_one])
    return torch.nan_to_num(of_corners, 0, 0, 0)


def pixel_centres(raster: Raster, like: Tensor) -> tuple[Tensor, Tensor]:
    """x (W,) and y (H, 1) of the pixels' centres."""
    x = torch.arange(raster.width, device=like.device, dtype=like.dtype) + 0.5
    y = torch.arange(raster.height, device=like.device, dtype=like.dtype) + 0.5
    return x, y[:, None]
