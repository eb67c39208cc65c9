# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each pixel sees, and attributes carried there from the corners of the faces.

Letters: N batch, F faces, M = N * F faces of all pictures, H, W picture, P = N * H * W pixels, D attributes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class Fragments(NamedTuple):
    """The one face that each pixel sees."""

    face_index: Tensor
    """(N, H, W) int64 index of the face in its mesh, -1 where there is none."""
    barycentric: Tensor
    """(N, H, W, 3) weights of the face's corners, 0 where there is none; differentiable."""
    depth: Tensor
    """(N, H, W) depth along the viewing direction, 0 where there is none; differentiable."""


def interpolate(fragments: Fragments, face_attributes: Tensor) -> Tensor:
    """Attributes at every pixel, (N, H, W, D); 0 where there is no face.

    face_attributes: (F, 3, D) shared by the batch or (N, F, 3, D), one row per corner. Differentiable once in the
    attributes and in the weights.
    """
    number = face_attributes.shape[1] if face_attributes.dim() == 4 else 0
    table = face_attributes.reshape(-1, 3, face_attributes.shape[-1]).permute(1, 2, 0)
    return _interpolated(fragments, table, number)


def interpolate_vertices(fragments: Fragments, attributes: Tensor, faces: Tensor) -> Tensor:
    """The same for attributes (N, V, D) at the vertices of faces (F, 3): (N, H, W, D)."""
    corners = attributes.permute(2, 0, 1).index_select(2, faces.t().reshape(-1))
    table = corners.unflatten(2, (3, -1)).permute(2, 0, 1, 3).flatten(2)
    return _interpolated(fragments, table, faces.shape[0])


def _interpolated(fragments: Fragments, table: Tensor, faces_per_picture: int) -> Tensor:
    """From a table (3, D, M) whose faces are those of all pictures in one row, or the same for all (0 a picture)."""
    batch, height, width = fragments.face_index.shape
    dimensions = table.shape[1]
    if table.shape[2] == 0:
        return fragments.barycentric.new_zeros(batch, height, width, dimensions)
    # A pixel without a face points at any: it has no weight there.
    face = fragments.face_index.clamp(min=0)
    if faces_per_picture:
        face = face + torch.arange(batch, device=face.device)[:, None, None] * faces_per_picture
    weights = fragments.barycentric.permute(3, 0, 1, 2).reshape(3, -1)
    values: Tensor = _Interpolate.apply(weights, table, face.reshape(-1))  # type: ignore[no-untyped-call]
    return values.view(dimensions, batch, height, width).permute(1, 2, 3, 0)


class _Interpolate(torch.autograd.Function):
    """sum_k weight_k attribute_k: weights (3, P), table (3, D, M), face (P,) give (D, P).

    Written out because autograd's own gradient of a gather accumulates rows one by one, which is many times slower
    than a sum along the last dimension.
    """

    @staticmethod
    def forward(ctx: Any, weights: Tensor, table: Tensor, face: Tensor) -> Tensor:
        ctx.save_for_backward(weights, table, face)
        return (_gather(table, face) * weights[:, None]).sum(dim=0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        weights, table, face = ctx.saved_tensors
        of_weights = of_table = None
        if ctx.needs_input_grad[0]:
            of_weights = (_gather(table, face) * gradient).sum(dim=1)
        if ctx.needs_input_grad[1]:
            corners, dimensions, number = table.shape
            of_table = table.new_zeros(corners * dimensions, number)
            of_table.index_add_(1, face, (weights[:, None] * gradient).reshape(corners * dimensions, -1))
            of_table = of_table.view(corners, dimensions, number)
        return of_weights, of_table, None


def _gather(table: Tensor, face: Tensor) -> Tensor:
    corners, dimensions, number = table.shape
    return table.reshape(corners * dimensions, number).index_select(1, face).view(corners, dimensions, -1)
