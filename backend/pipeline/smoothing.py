# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Averages fields over a mesh's vertices, in such a way that going backwards costs no more than going forwards.

Letters: N batch, V vertices, K most neighbours of a vertex, D attributes.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def neighbour_table(edges: np.ndarray, vertices: int) -> np.ndarray:
    """(V, K) int64 neighbours of each vertex, of edges (E, 2); where there are fewer, the vertex itself."""
    start = np.concatenate([edges[:, 0], edges[:, 1]]).astype(np.int64)
    end = np.concatenate([edges[:, 1], edges[:, 0]]).astype(np.int64)
    order = np.argsort(start, kind="stable")
    start, end = start[order], end[order]
    degree = np.bincount(start, minlength=vertices)
    place = np.arange(len(start)) - (np.cumsum(degree) - degree)[start]
    table = np.repeat(np.arange(vertices)[:, None], int(degree.max(initial=1)), axis=1)
    table[start, place] = end
    return table


def smoothed(field: Tensor, neighbours: Tensor, times: int) -> Tensor:
    """The field (N, V, D) after ``times`` steps halfway towards the neighbours' mean; neighbours: (V, K) int64."""
    return _Smoothed.apply(field, neighbours, times)


class _Smoothed(torch.autograd.Function):
    """A step is a symmetric matrix, for a vertex that stands for a missing neighbour adds nothing: backwards is the
    same as forwards. Torch alone would scatter every step's gradient, which takes longer than drawing a picture."""

    @staticmethod
    def forward(ctx, field: Tensor, neighbours: Tensor, times: int) -> Tensor:
        ctx.neighbours, ctx.times = neighbours, times
        return _steps(field, neighbours, times)

    @staticmethod
    def backward(ctx, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return _steps(gradients[0], ctx.neighbours, ctx.times), None, None


def _steps(field: Tensor, neighbours: Tensor, times: int) -> Tensor:
    count = neighbours.shape[1]
    for _ in range(times):
        field = 0.5 * field + field[:, neighbours].sum(dim=2) / (2 * count)
    return field
