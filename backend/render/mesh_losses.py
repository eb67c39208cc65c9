# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Regularisers of a deformed mesh, and the silhouette loss: paper A's equation 1.

None of the papers says how its terms are normalised, so every docstring here does: over what is summed, over what is
averaged. All are means over the batch. A mesh need be neither closed nor a manifold: a vertex without an edge adds
nothing to the Laplacian, and every pair of triangles at an edge counts in the flatness.

Letters: N batch, V vertices, E edges, F triangles.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class MeshTopology:
    """Index tensors that the regularisers need, made once for a mesh."""

    edges: Tensor
    """(E, 2) int64."""
    degree: Tensor
    """(V, 1) number of neighbours."""
    hinges: Tensor
    """(H, 4) int64, one for every pair of triangles that share an edge: the edge's two vertices, then the vertex
    opposite in each of the two. An edge of one triangle has no pair, an edge of three has three."""

    @staticmethod
    def of(
        edges: np.ndarray, triangles: np.ndarray, number_of_vertices: int, device: str | torch.device = "cpu"
    ) -> MeshTopology:
        """Returns the topology of a mesh with edges (E, 2) and triangles (F, 3)."""
        edges = np.asarray(edges, np.int64).reshape(-1, 2)
        degree = np.bincount(edges.reshape(-1), minlength=number_of_vertices).reshape(-1, 1)
        return MeshTopology(
            torch.as_tensor(edges, dtype=torch.int64, device=device),
            torch.as_tensor(degree, dtype=torch.float32, device=device),
            torch.as_tensor(_hinges(triangles), dtype=torch.int64, device=device),
        )


def _hinges(triangles: np.ndarray) -> np.ndarray:
    opposite: dict[tuple[int, int], list[int]] = {}
    for triangle in triangles.tolist():
        for i in range(3):
            a, b, c = triangle[i], triangle[(i + 1) % 3], triangle[(i + 2) % 3]
            opposite.setdefault((min(a, b), max(a, b)), []).append(c)
    hinges = [[*edge, *pair] for edge, corners in sorted(opposite.items()) for pair in combinations(corners, 2)]
    return np.array(hinges, np.int64).reshape(-1, 4)


def neighbour_difference(field: Tensor, topology: MeshTopology) -> Tensor:
    """Mean of the neighbours minus the own value (N, V, D), of a field (N, V, D) on the vertices; 0 without any."""
    a, b = topology.edges.unbind(dim=1)
    total = torch.zeros_like(field).index_add(1, a, field[:, b]).index_add(1, b, field[:, a])
    return total / topology.degree.clamp(min=1) - field * (topology.degree > 0)


def laplacian_loss(offsets: Tensor, topology: MeshTopology) -> Tensor:
    """Mean over the vertices of the squared length of the uniform Laplacian, times V: the sum over the vertices.

    A vertex without an edge adds 0, the sum over no neighbours, as PyTorch3D documents its term (its code draws such a
    vertex to the origin).
    offsets: (N, V, 3) from the template, so that the template's own curvature is free. DIB-R's published training
    multiplies by 3 V what is a mean over the 3 components too, which is the same number.
    """
    return (neighbour_difference(offsets, topology) ** 2).sum(dim=-1).mean() * offsets.shape[1]


def flatness_loss(vertices: Tensor, topology: MeshTopology, rest: Tensor | None = None) -> Tensor:
    """Mean of (1 - cos)^2 over pairs of triangles that share an edge, of meshes (N, V, 3); 0 is a plane, 4 a fold.

    cos is that of the angle between their normals. Where three triangles share an edge, all three pairs count, as in
    PyTorch3D (whose term is 1 - cos); without any pair the loss is 0. DIB-R's published training multiplies by the
    number of edges.

    rest: a shape (V, 3) whose creases are meant. Angles then count from its own, which for a flat one is the same.
    """
    if len(topology.hinges) == 0:
        return vertices[:0].sum()  # the sum of nothing keeps the graph
    if rest is not None:
        # The cosine of the difference of both angles.
        cosine = (_turn(vertices[:, topology.hinges]) * _turn(rest[topology.hinges])).sum(dim=-1)
    else:
        a, b, c, d = vertices[:, topology.hinges].unbind(dim=2)
        first = torch.cross(b - a, c - a, dim=-1)
        second = torch.cross(d - a, b - a, dim=-1)
        cosine = torch.nn.functional.cosine_similarity(first, second, dim=-1, eps=1e-10)
    return ((1 - cosine) ** 2).mean()


def _turn(corners: Tensor) -> Tensor:
    """(..., 2) cosine and sine of the angle from the first triangle to the second of hinges of corners (..., 4, 3)."""
    a, b, c, d = corners.unbind(dim=-2)
    normalize = torch.nn.functional.normalize
    first = normalize(torch.cross(b - a, c - a, dim=-1), dim=-1)
    second = normalize(torch.cross(d - a, b - a, dim=-1), dim=-1)
    sine = (torch.cross(first, second, dim=-1) * normalize(b - a, dim=-1)).sum(dim=-1)
    return torch.stack([(first * second).sum(dim=-1), sine], dim=-1)


def edge_length_loss(vertices: Tensor, topology: MeshTopology, rest_lengths: Tensor | float = 0.0) -> Tensor:
    """Mean over the edges of the squared difference between an edge's length and its length at rest.

    vertices: (N, V, 3); rest_lengths: (E,) in the same unit, or one for all. At 0 the loss shrinks long edges and so
    spreads the vertices evenly. Without edges the loss is 0.
    """
    if len(topology.edges) == 0:
        return vertices[:0].sum()
    a, b = topology.edges.unbind(dim=1)
    # The root has no gradient at 0, where two vertices meet.
    squared = ((vertices[:, a] - vertices[:, b]) ** 2).sum(dim=-1)
    return ((squared.clamp(min=1e-16).sqrt() - rest_lengths) ** 2).mean()


def offset_loss(offsets: Tensor) -> Tensor:
    """Mean over the vertices of the squared length of the offsets (N, V, 3): paper A's L_mov."""
    return (offsets**2).sum(dim=-1).mean()


def silhouette_iou(predicted: Tensor, target: Tensor) -> Tensor:
    """(N,) intersection over union of soft masks (N, H, W): sum of a b over sum of a + b - a b, over the pixels.

    Two empty masks have 0.
    """
    intersection = (predicted * target).sum(dim=(1, 2))
    union = (predicted + target - predicted * target).sum(dim=(1, 2))
    return intersection / union.clamp(min=1e-6)


def silhouette_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """1 minus the mean over the batch of the intersection over union: paper A's L_IOU."""
    return 1 - silhouette_iou(predicted, target).mean()
