# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Meshes over a map: the folded sphere is closed and its chart has no seam, the sheet looks to the front."""

from __future__ import annotations

import math

import numpy as np
import pytest

from backend.models.surface_maps import Surface, SurfaceConfig, chart, make_surface

SPHERE = make_surface(SurfaceConfig("sphere", 12))


def normals(surface: Surface) -> np.ndarray:
    a, b, c = surface.start[surface.triangles].transpose(1, 0, 2)
    return np.cross(b - a, c - a)


def test_the_folded_sphere_is_closed_and_turned_outwards() -> None:
    directed = {tuple(t[[i, (i + 1) % 3]]) for t in SPHERE.triangles for i in range(3)}
    assert len(directed) == 3 * len(SPHERE.triangles)
    assert {(b, a) for a, b in directed} == directed
    assert len(SPHERE.start) - len(directed) // 2 + len(SPHERE.triangles) == 2  # Euler's number of a sphere
    assert np.allclose(np.linalg.norm(SPHERE.start, axis=1), 1, atol=1e-6)
    assert ((normals(SPHERE) * SPHERE.start[SPHERE.triangles].mean(axis=1)).sum(axis=1) > 0).all()


@pytest.mark.parametrize("cells", [8, 16, 32])
def test_finer_spheres_come_nearer_to_the_volume_of_a_ball(cells: int) -> None:
    surface = make_surface(SurfaceConfig("sphere", cells))
    corners = surface.start[surface.triangles].astype(np.float64)
    volume = np.linalg.det(corners).sum() / 6
    assert volume == pytest.approx(4 / 3 * math.pi, rel=7 / cells**2)


def test_shares_are_of_the_area_so_that_a_stretched_surface_is_measured_and_not_its_grid() -> None:
    points = SPHERE.start * [1.0, 0.5, 0.5]
    by_share = np.sqrt((points**2).sum(axis=1) @ SPHERE.share)
    # Of points spread evenly over a sphere every coordinate has the mean square 1 / 3.
    assert by_share == pytest.approx(math.sqrt((1 + 0.25 + 0.25) / 3), rel=0.01)
    assert SPHERE.share.sum() == pytest.approx(1, rel=1e-5) and SPHERE.share.max() > 1.5 * SPHERE.share.min()
    front = SPHERE.start[:, 1] < -0.5
    assert SPHERE.share[front].sum() == pytest.approx(0.25, abs=0.04)  # a cap's area grows with its height


def test_the_chart_is_seen_from_the_front_and_equidistant() -> None:
    front, left, up, behind = np.eye(3)[[1, 0, 2, 1]] * [[-1], [1], [1], [1]]
    assert np.allclose(chart(front), [0.5, 0.5])
    assert np.allclose(chart(left), [0.75, 0.5])
    assert np.allclose(chart(up), [0.5, 0.75])
    assert np.linalg.norm(chart(behind) - 0.5) == pytest.approx(0.5)
    angle = 2.1
    there = np.array([math.sin(angle), -math.cos(angle), 0])
    assert np.allclose(chart(there), [0.5 + 0.5 * angle / math.pi, 0.5])


def test_triangles_have_their_vertices_places_but_behind_where_the_rim_is_one_point() -> None:
    pole = int(SPHERE.start[:, 1].argmax())
    at_vertices = SPHERE.uv[SPHERE.triangles]
    elsewhere = np.abs(SPHERE.triangle_uv - at_vertices).max(axis=2) > 1e-6
    assert set(SPHERE.triangles[elsewhere].tolist()) <= {pole}
    behind = SPHERE.triangle_uv[SPHERE.triangles == pole]
    assert len(behind) >= 4 and np.allclose(np.linalg.norm(behind - 0.5, axis=1), 0.5, atol=1e-6)
    # No triangle reaches across the chart: none is longer than the ring of its own vertices makes it.
    edges = SPHERE.triangle_uv - np.roll(SPHERE.triangle_uv, 1, axis=1)
    assert np.linalg.norm(edges, axis=2).max() < 0.75
    assert SPHERE.rim[pole] == 1 and (SPHERE.rim[SPHERE.start[:, 1] < 0.5] == 0).all()


@pytest.mark.parametrize("circular", [False, True])
def test_the_sheet_looks_to_the_front_and_has_a_border(circular: bool) -> None:
    sheet = make_surface(SurfaceConfig("sheet", 9, circular))
    assert (normals(sheet)[:, 1] < 0).all()
    edges = np.sort(np.concatenate([sheet.triangles[:, [i, (i + 1) % 3]] for i in range(3)]), axis=1)
    counts = np.unique(edges, axis=0, return_counts=True)[1]
    assert set(counts) == {1, 2}
    reach = np.linalg.norm(sheet.uv * 2 - 1, axis=1).max()
    assert reach == pytest.approx(math.sqrt(2)) if not circular else reach <= 1 + 1e-6
    assert set(sheet.triangles.reshape(-1).tolist()) == set(range(len(sheet.start)))
    assert math.sqrt((sheet.start**2).sum(axis=1).mean()) == pytest.approx(1, rel=1e-5)


def test_impossible_surfaces_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="sheet, sphere, not 'torus'"):
        SurfaceConfig("torus")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="even number, not 7"):
        SurfaceConfig("sphere", 7)
