# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loss terms on meshes against loops over vertices, edges and pixels, with the normalisation their docstrings state."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from backend.render.mesh_losses import (
    MeshTopology,
    edge_length_loss,
    flatness_loss,
    laplacian_loss,
    offset_loss,
    silhouette_iou,
    silhouette_loss,
)
from backend.render.template import CAR_BOX, make_template

TEMPLATE = make_template(replace(CAR_BOX, cells_x=4, cells_y=5, cells_z=3))
TOPOLOGY = MeshTopology.of(TEMPLATE.edges, TEMPLATE.triangles, len(TEMPLATE.vertices))
EDGES = [tuple(edge) for edge in TEMPLATE.edges.tolist()]


def random_field(seed: int, batch: int = 2) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    return torch.as_tensor(rng.normal(0, 0.1, (batch, len(TEMPLATE.vertices), 3)))


def test_laplacian_is_the_sum_over_the_vertices_of_the_distance_to_the_neighbours_mean() -> None:
    offsets = random_field(0)
    total = 0.0
    for mesh in offsets.numpy():
        for vertex in range(len(mesh)):
            neighbours = [b if a == vertex else a for a, b in EDGES if vertex in (a, b)]
            total += float(((mesh[neighbours].mean(axis=0) - mesh[vertex]) ** 2).sum())
    assert laplacian_loss(offsets, TOPOLOGY).item() == pytest.approx(total / 2, rel=1e-6)


def test_flatness_is_the_mean_over_pairs_of_adjacent_triangles() -> None:
    vertices = torch.as_tensor(TEMPLATE.vertices, dtype=torch.float64)[None] + random_field(1, batch=1)
    mesh, triangles = vertices[0].numpy(), TEMPLATE.triangles.tolist()
    a, b, c = mesh[TEMPLATE.triangles].transpose(1, 0, 2)
    normals = np.cross(b - a, c - a)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    terms = [
        (1 - float(normals[i] @ normals[j])) ** 2
        for i in range(len(triangles))
        for j in range(i)
        if len(set(triangles[i]) & set(triangles[j])) == 2
    ]
    assert len(terms) == len(TOPOLOGY.hinges) == len(triangles) * 3 // 2
    assert flatness_loss(vertices, TOPOLOGY).item() == pytest.approx(np.mean(terms), rel=1e-6)


def test_flatness_beside_a_creased_shape_counts_from_its_own_angles() -> None:
    """Against signed angles from their sines and cosines, one pair of triangles after the other."""
    shapes = torch.as_tensor(TEMPLATE.vertices, dtype=torch.float64) + 0.4 * random_field(4)
    rest, vertices = shapes

    def angles(mesh: np.ndarray) -> np.ndarray:
        found = []
        for a, b, c, d in TOPOLOGY.hinges.tolist():
            edge = mesh[b] - mesh[a]
            one, two = np.cross(edge, mesh[c] - mesh[a]), np.cross(mesh[d] - mesh[a], edge)
            found.append(math.atan2(np.cross(one, two) @ edge / np.linalg.norm(edge), one @ two))
        return np.array(found)

    expected = np.mean((1 - np.cos(angles(vertices.numpy()) - angles(rest.numpy()))) ** 2)
    assert flatness_loss(vertices[None], TOPOLOGY, rest).item() == pytest.approx(expected, rel=1e-9)
    assert flatness_loss(rest[None], TOPOLOGY, rest).item() == pytest.approx(0, abs=1e-12)
    flat = torch.as_tensor(TEMPLATE.vertices, dtype=torch.float64) * torch.tensor([1.0, 1.0, 0.0])
    hinges = TOPOLOGY.hinges[:1]  # of one pair in a plane
    one = replace(TOPOLOGY, hinges=hinges)
    assert flatness_loss(vertices[None], one, flat).item() == pytest.approx(
        flatness_loss(vertices[None], one).item(), rel=1e-9
    )


def test_flatness_of_a_plane_is_nothing_and_of_a_fold_is_four() -> None:
    triangles = np.array([[0, 1, 2], [1, 0, 3]])
    topology = MeshTopology.of(np.array([[0, 1], [0, 2], [1, 2], [0, 3], [1, 3]]), triangles, 4)
    corners = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [0.5, 1, 0], [0.5, -1, 0]]])
    assert flatness_loss(corners, topology).item() == pytest.approx(0, abs=1e-6)
    corners[0, 3, 1] = 0.9
    assert flatness_loss(corners, topology).item() == pytest.approx(4, abs=1e-5)
    corners[0, 3] = torch.tensor([0.5, 0, 1])
    assert flatness_loss(corners, topology).item() == pytest.approx(1, abs=1e-5)


# Two triangles and a fin at one edge, a triangle apart from them, and a vertex in none: neither closed nor a manifold.
TORN_TRIANGLES = np.array([[0, 1, 2], [1, 0, 3], [0, 1, 4], [5, 6, 7]])
TORN_EDGES = np.array(sorted({tuple(sorted((t[i], t[i - 1]))) for t in TORN_TRIANGLES.tolist() for i in range(3)}))
TORN = MeshTopology.of(TORN_EDGES, TORN_TRIANGLES, 9)


def torn_mesh() -> torch.Tensor:
    return torch.rand(2, 9, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(4))


def test_a_vertex_without_an_edge_adds_nothing_to_the_laplacian() -> None:
    mesh = torn_mesh()
    total = 0.0
    for vertices in mesh.numpy():
        for vertex in range(8):
            neighbours = [edge[1 - edge.index(vertex)] for edge in TORN_EDGES.tolist() if vertex in edge]
            total += float(((vertices[neighbours].mean(axis=0) - vertices[vertex]) ** 2).sum())
    assert laplacian_loss(mesh, TORN).item() == pytest.approx(total / 2, rel=1e-9)
    mesh.requires_grad_()
    (gradient,) = torch.autograd.grad(laplacian_loss(mesh, TORN), mesh)
    assert (gradient[:, 8] == 0).all() and (gradient[:, :8] != 0).any(dim=2).all()


def test_every_pair_of_triangles_at_an_edge_counts_in_the_flatness_and_open_edges_do_not() -> None:
    mesh = torn_mesh()
    terms = []
    for vertices in mesh.numpy():
        along = vertices[1] - vertices[0]
        for first, second in ((2, 3), (2, 4), (3, 4)):
            a = np.cross(along, vertices[first] - vertices[0])
            b = np.cross(vertices[second] - vertices[0], along)
            terms.append((1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b)) ** 2)
    assert flatness_loss(mesh, TORN).item() == pytest.approx(np.mean(terms), rel=1e-9)


@pytest.mark.parametrize("loss", [laplacian_loss, flatness_loss, edge_length_loss])
def test_losses_of_torn_meshes_have_the_gradients_of_finite_differences(loss) -> None:
    assert torch.autograd.gradcheck(lambda v: loss(v, TORN), (torn_mesh().requires_grad_(),))


@pytest.mark.parametrize("loss", [laplacian_loss, flatness_loss, edge_length_loss])
def test_points_without_edges_and_triangles_cost_nothing(loss) -> None:
    points = torn_mesh().requires_grad_()
    nothing = loss(points, MeshTopology.of(np.empty((0, 2)), np.empty((0, 3)), 9))
    (gradient,) = torch.autograd.grad(nothing, points)
    assert nothing.item() == 0 and (gradient == 0).all()


@pytest.mark.parametrize("rest", [0.0, 0.2])
def test_edge_length_is_the_mean_over_the_edges(rest: float) -> None:
    vertices = random_field(2, batch=1)
    expected = np.mean([(math.dist(vertices[0, a].tolist(), vertices[0, b].tolist()) - rest) ** 2 for a, b in EDGES])
    assert edge_length_loss(vertices, TOPOLOGY, rest).item() == pytest.approx(expected, rel=1e-6)


def test_edges_at_their_rest_length_cost_nothing() -> None:
    vertices = torch.as_tensor(TEMPLATE.vertices)[None]
    rest = (vertices[0, TOPOLOGY.edges[:, 0]] - vertices[0, TOPOLOGY.edges[:, 1]]).norm(dim=-1)
    assert edge_length_loss(vertices, TOPOLOGY, rest).item() == pytest.approx(0, abs=1e-10)
    collapsed = torch.zeros_like(vertices).requires_grad_()
    edge_length_loss(collapsed, TOPOLOGY, rest).backward()
    assert collapsed.grad is not None and torch.isfinite(collapsed.grad).all()


def test_offsets_are_measured_in_the_mean_over_the_vertices() -> None:
    offsets = torch.zeros(2, 5, 3)
    offsets[0, 1] = torch.tensor([1.0, 2.0, 2.0])
    assert offset_loss(offsets).item() == pytest.approx(9 / 10)


def test_intersection_over_union_counts_pixels() -> None:
    rng = np.random.default_rng(3)
    first, second = rng.random((2, 2, 9, 7)) > 0.5
    expected = [(a & b).sum() / (a | b).sum() for a, b in zip(first, second, strict=True)]
    predicted, target = torch.as_tensor(first).double(), torch.as_tensor(second).double()
    np.testing.assert_allclose(silhouette_iou(predicted, target).numpy(), expected, rtol=1e-9)
    assert silhouette_loss(predicted, target).item() == pytest.approx(1 - np.mean(expected))
    assert silhouette_loss(target, target).item() == pytest.approx(0)


def test_gradients_of_all_terms_agree_with_finite_differences() -> None:
    small = MeshTopology.of(np.array([[0, 1], [0, 2], [1, 2], [0, 3], [1, 3]]), np.array([[0, 1, 2], [1, 0, 3]]), 4)
    generator = torch.Generator().manual_seed(0)
    vertices = torch.rand(1, 4, 3, dtype=torch.float64, generator=generator).requires_grad_()
    for loss in (laplacian_loss, flatness_loss, edge_length_loss):
        assert torch.autograd.gradcheck(lambda v, loss=loss: loss(v, small), (vertices,))
