# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of meshes: made one at a time in sound ones, and crossing triangles against whole numbers, which are exact."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import backend.evaluation.mesh_checks as module
from backend.evaluation.mesh_checks import crossing_pairs, faults, flipped_faces, open_edges
from backend.render.template import Parts, Template, TemplateConfig, make_template

SOUND = {"open_edges": 0, "flipped_faces": 0, "crossings": 0}


@pytest.fixture(scope="module")
def box() -> Template:
    return make_template(TemplateConfig(4, 5, 4))


def joined(one: Template, other: Template, offset: tuple[float, float, float], apart: bool) -> Template:
    """Two templates as one; ``apart``: as two parts."""
    count = len(one.vertices)
    of_face = np.array([0] * len(one.quads) + [1] * len(other.quads), np.int32)
    return Template(
        np.concatenate([one.vertices, other.vertices + np.float32(offset)]),
        np.concatenate([one.quads, other.quads + count]),
        np.concatenate([one.uv, other.uv]),
        np.concatenate([one.mirror, other.mirror + count]),
        Parts(("one", "other"), of_face) if apart else None,
    )


def quads_apart(template: Template) -> Template:
    """Every quad with four vertices of its own, so that what happens to one happens to no other."""
    faces = np.arange(4 * len(template.quads), dtype=np.int32).reshape(-1, 4)
    return Template(template.vertices[template.quads].reshape(-1, 3), faces, template.uv, faces.reshape(-1))


# ---- Closed surfaces ----


@pytest.mark.parametrize(
    "config", [TemplateConfig(4, 5, 4), TemplateConfig(2, 1, 1), TemplateConfig(6, 2, 3, (1, 2, 3))]
)
def test_a_closed_box_has_no_faults(config: TemplateConfig) -> None:
    template = make_template(config)
    assert faults(template.vertices, template) == SOUND


def test_a_missing_quad_opens_four_edges_and_two_neighbours_six(box: Template) -> None:
    triangles = box.triangles
    for quad in range(len(box.quads)):
        assert open_edges(np.delete(triangles, [2 * quad, 2 * quad + 1], axis=0)) == 4
    shared = [len(np.intersect1d(box.quads[0], face)) for face in box.quads]
    neighbour = shared.index(2)
    gone = [0, 1, 2 * neighbour, 2 * neighbour + 1]
    assert open_edges(np.delete(triangles, gone, axis=0)) == 6
    assert open_edges(np.delete(triangles, 0, axis=0)) == 3


def test_a_triangle_the_wrong_way_round_is_found(box: Template) -> None:
    """Its three edges run as its neighbours' do: three edges there twice, and six without an opposite."""
    triangles = box.triangles.copy()
    triangles[7] = triangles[7, ::-1]
    assert open_edges(triangles) == 9
    faces = box.quads.copy()
    faces[5] = faces[5, ::-1]
    assert faults(box.vertices, replace(box, quads=faces))["open_edges"] == 12


def test_a_doubled_face_is_found(box: Template) -> None:
    assert open_edges(np.concatenate([box.triangles, box.triangles[5:6]])) == 3


# ---- Folded and turned quads ----


def sheet_of(rows: np.ndarray, columns: int = 4) -> Template:
    """A sheet of quads: rows (R, 2) of y and z, all of them ``columns`` quads long; on the flat they look up."""
    grid = np.array([[[x, y, z] for x in range(columns + 1)] for y, z in rows], np.float32)
    index = np.arange(grid.shape[0] * grid.shape[1]).reshape(grid.shape[:2])
    faces = np.stack([index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]], axis=-1).reshape(-1, 4)
    nothing = np.zeros((len(faces), 4, 2), np.float32)
    return Template(grid.reshape(-1, 3), faces.astype(np.int32), nothing, index.reshape(-1))


def strip_turned_by(degrees: float) -> np.ndarray:
    """Rows of a sheet that lies flat but for its third strip of quads, which climbs at an angle."""
    angle = np.radians(degrees)
    y, z = np.cos(angle), np.sin(angle)
    return np.array([[0, 0], [1, 0], [2, 0], [2 + y, z], [3 + y, z], [4 + y, z]])


@pytest.mark.parametrize(
    "degrees, found", [(0, False), (90, False), (140, False), (147, True), (180, True), (213, True), (220, False)]
)
def test_quads_turned_over_against_those_on_either_side_are_found(degrees: float, found: bool) -> None:
    template = sheet_of(strip_turned_by(degrees))
    flags = flipped_faces(template.vertices, template).reshape(5, 4)
    assert (flags[2] == found).all() and not np.delete(flags, 2, axis=0).any()


def test_a_limit_says_how_far_quads_may_turn() -> None:
    template = sheet_of(strip_turned_by(100))
    assert not flipped_faces(template.vertices, template).any()
    flags = flipped_faces(template.vertices, template, opposed=-0.1).reshape(5, 4)
    assert flags[2].all() and flags.sum() == 4


def test_an_edge_as_sharp_as_a_knife_is_none_that_is_turned_over() -> None:
    template = sheet_of(np.array([[0, 0], [1, 0], [2, 0], [1, 0.01], [0, 0.02]]))
    assert not flipped_faces(template.vertices, template).any()


def test_the_shape_is_looked_at_and_not_the_templates_own(box: Template) -> None:
    flat, folded = sheet_of(strip_turned_by(0)), sheet_of(strip_turned_by(170))
    assert flipped_faces(folded.vertices, flat).sum() == 4 and not flipped_faces(flat.vertices, folded).any()
    turned = folded.vertices @ np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    assert flipped_faces(turned, flat).sum() == 4


@pytest.mark.parametrize("corner", [1, 3])
def test_a_quad_folded_along_its_diagonal_is_found(box: Template, corner: int) -> None:
    """A corner is laid over the diagonal onto the other one's side."""
    loose = quads_apart(box)
    for quad in range(0, len(loose.quads), 5):
        vertices = loose.vertices.astype(np.float64)
        a, other, c = (vertices[loose.quads[quad, k]] for k in (0, 4 - corner, 2))
        vertices[loose.quads[quad, corner]] = 0.5 * (a + c) / 2 + 0.5 * other
        flags = flipped_faces(vertices, loose)
        assert flags[quad] and not np.delete(flags, quad).any()


def test_a_quad_bent_to_a_right_angle_is_not_folded_and_one_bent_double_is() -> None:
    corners = np.array([[0, 0, 0], [1, -1, 0], [2, 0, 0], [1, 1, 0]], np.float32)
    template = Template(corners, np.array([[0, 1, 2, 3]], np.int32), np.zeros((1, 4, 2), np.float32), np.arange(4))
    for degrees, folded in ((0, False), (90, False), (115, False), (125, True), (179, True), (235, True), (245, False)):
        bent = corners.copy()
        angle = np.radians(degrees)
        bent[3] = [1, np.cos(angle), np.sin(angle)]
        assert flipped_faces(bent, template).tolist() == [folded], degrees


def test_quads_without_area_do_not_count() -> None:
    """Neither by themselves nor as neighbours: two strips without height lie around one that is turned over."""
    template = sheet_of(np.array([[0, 0], [1, 0], [2, 0], [2, 0], [1.5, 0], [1.5, 0], [3, 0]]))
    assert not flipped_faces(template.vertices, template).any()
    points = np.zeros_like(template.vertices)
    points[5:] = [0, 0.1, 0]
    assert not flipped_faces(points, template).any()


# ---- Crossing triangles ----


def side_of(a: list[int], b: list[int], c: list[int], p: list[int]) -> int:
    """Of the plane through a, b and c on which p lies: -1, 0 or 1; exact for whole numbers."""
    (ux, uy, uz), (vx, vy, vz), (wx, wy, wz) = ([q - o for q, o in zip(x, a, strict=True)] for x in (b, c, p))
    volume = ux * (vy * wz - vz * wy) - uy * (vx * wz - vz * wx) + uz * (vx * wy - vy * wx)
    return (volume > 0) - (volume < 0)


def passes_through(start: list[int], end: list[int], triangle: list[list[int]]) -> bool:
    """Whether a segment passes through a triangle's inside."""
    a, b, c = triangle
    if side_of(a, b, c, start) * side_of(a, b, c, end) != -1:
        return False
    return abs(sum(side_of(start, end, p, q) for p, q in ((a, b), (b, c), (c, a)))) == 3


def cross(one: list[list[int]], other: list[list[int]]) -> bool:
    return any(
        passes_through(first[k], first[(k + 1) % 3], second)
        for first, second in ((one, other), (other, one))
        for k in range(3)
    )


def slowly_crossing(vertices: np.ndarray, triangles: np.ndarray) -> list[tuple[int, int]]:
    """All pairs that share no vertex, one after the other."""
    points, corners = vertices.tolist(), triangles.tolist()
    return [
        (i, j)
        for i, j in itertools.combinations(range(len(corners)), 2)
        if not set(corners[i]) & set(corners[j]) and cross(*([points[v] for v in corners[k]] for k in (i, j)))
    ]


def as_pairs(found: np.ndarray) -> list[tuple[int, int]]:
    """In order, whatever the order that they were found in; one that was found twice is there twice."""
    return sorted((int(min(pair)), int(max(pair))) for pair in found)


places = st.lists(st.integers(-3, 3), min_size=3, max_size=3)
pairs = st.lists(places, min_size=6, max_size=6)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(pairs, min_size=1, max_size=12), st.sampled_from([0.01, 1.0]))
def test_pairs_cross_where_an_edge_passes_through_the_inside(several: list[list[list[int]]], scale: float) -> None:
    """Few whole numbers, so that touching, lying in one plane and having no area come about too. Each pair lies in a
    place of its own."""
    vertices = np.array([[[x + 10 * k, y, z] for x, y, z in pair] for k, pair in enumerate(several)]).reshape(-1, 3)
    triangles = np.arange(len(vertices)).reshape(-1, 3)
    expected = [(2 * k, 2 * k + 1) for k, pair in enumerate(several) if cross(pair[:3], pair[3:])]
    assert as_pairs(crossing_pairs(vertices * scale, triangles)) == expected


@pytest.mark.parametrize("chunk", [1, 7, 512])
def test_all_pairs_of_many_triangles_are_looked_at(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CHUNK", chunk)
    rng = np.random.default_rng(0)
    vertices, triangles = rng.integers(-9, 10, (60, 3)), rng.permutation(60).reshape(20, 3)
    triangles = np.concatenate([triangles, rng.integers(0, 60, (20, 3))])
    expected = slowly_crossing(vertices, triangles)
    assert len(expected) > 50
    assert as_pairs(crossing_pairs(vertices.astype(np.float32), triangles)) == expected


def test_a_random_half_of_the_pairs_is_not_all_of_one_kind() -> None:
    """What the property above relies on."""
    rng = np.random.default_rng(0)
    drawn = [cross(pair[:3], pair[3:]) for pair in rng.integers(-3, 4, (300, 6, 3)).tolist()]
    assert 30 < sum(drawn) < 270


def test_a_corner_pushed_through_the_other_side_is_found_with_its_triangles() -> None:
    """The middle of the top goes down through the bottom: its eight triangles cross those below, and no others do."""
    template = make_template(TemplateConfig(4, 4, 4))
    vertices = np.round(template.vertices * 1000).astype(np.int64)
    middle = int(np.argmin(np.square(template.vertices - [0, 0, 0.5]).sum(axis=1)))
    vertices[middle] = [11, 7, -800]
    expected = slowly_crossing(vertices, template.triangles)
    found = as_pairs(crossing_pairs(vertices / 1000, template.triangles))
    assert found == expected
    pushed = set(np.flatnonzero((template.triangles == middle).any(axis=1)).tolist())
    below = set(np.flatnonzero((vertices[template.triangles][:, :, 2] < -400).all(axis=1)).tolist())
    assert found and all(len({*pair} & pushed) == 1 and len({*pair} & below) == 1 for pair in found)
    assert {k for pair in found for k in pair} >= pushed
    assert faults(vertices / 1000, template, depth=0.0)["crossings"] == len(found)


def test_what_touches_does_not_cross() -> None:
    """Boxes that lie on each other, that share an edge's place, and one whose corner stands on a face."""
    cube = make_template(TemplateConfig(2, 2, 2, roundness=1000))
    for offset in ((0, 0, 1), (0.3, 0.2, 1), (1, 0, 1), (0.5, 0, 1)):
        both = joined(cube, cube, offset, apart=False)
        rounded = np.round(both.vertices * 10) / 10
        assert np.ptp(rounded, axis=0)[2] == pytest.approx(2)
        assert len(crossing_pairs(rounded, both.triangles)) == 0
    face_and_spike = np.array([[0, 0, 0], [4, 0, 0], [0, 4, 0], [1, 1, 0], [1, 1, 3], [2, 1, 3]])
    triangles = np.array([[0, 1, 2], [3, 4, 5]])
    assert len(crossing_pairs(face_and_spike, triangles)) == 0
    face_and_spike[3, 2] = -1
    assert as_pairs(crossing_pairs(face_and_spike, triangles)) == [(0, 1)]


@pytest.mark.parametrize("deep", [0.03, 0.3])
@pytest.mark.parametrize("upside_down", [False, True])
def test_what_passes_through_less_than_a_depth_does_not_count(deep: float, upside_down: bool) -> None:
    vertices = np.array([[0, 0, 0], [4, 0, 0], [0, 4, 0], [1, 1, -deep], [1, 1, 3], [2, 1, 3]])
    turned = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    vertices = (vertices * [1, 1, -1 if upside_down else 1]) @ turned
    for order in ([[0, 1, 2], [3, 4, 5]], [[5, 3, 4], [2, 1, 0]]):
        for depth in (0.0, 0.01, 0.029, 0.031, 0.29, 0.31):
            assert len(crossing_pairs(vertices, np.array(order), depth)) == (depth < deep)


def test_parts_may_cross_each_other_but_not_themselves() -> None:
    small = make_template(TemplateConfig(2, 2, 2))
    together, apart = (joined(small, small, (0.31, 0.17, 0.23), kind) for kind in (False, True))
    expected = slowly_crossing(np.round(together.vertices * 10000).astype(np.int64), together.triangles)
    assert as_pairs(crossing_pairs(together.vertices, together.triangles)) == expected
    assert faults(together.vertices, together, depth=0.0)["crossings"] == len(expected) > 10
    assert faults(apart.vertices, apart, depth=0.0) == SOUND


def test_faults_overlooks_what_nobody_sees() -> None:
    """A corner comes out of the other side by less or more than what is overlooked."""
    cube = make_template(TemplateConfig(4, 4, 4, roundness=1000))
    middle = int(np.argmin(np.square(cube.vertices - [0, 0, 0.5]).sum(axis=1)))
    for deep, found in ((0.5 * module.DEPTH, False), (2 * module.DEPTH, True)):
        vertices = cube.vertices.copy()
        vertices[middle] = [0.11, 0.07, vertices[:, 2].min() - deep]
        assert len(crossing_pairs(vertices, cube.triangles)) > 0
        assert (faults(vertices, cube)["crossings"] > 0) == found
