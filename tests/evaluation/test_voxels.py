# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Solids on a grid against volumes that are known, and against a slow test of every voxel."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.evaluation.voxels import HALF, RESOLUTION, boxed, solid, solid_iou
from tests.helpers.synthetic import TEMPLATE
from tests.helpers.toy import box

EDGE = 2 * HALF / RESOLUTION


def triangles_of(quads: np.ndarray) -> np.ndarray:
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def cuboid(size: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    vertices, quads, _ = box(size, cells=2, roundness=0.0)
    return vertices.astype(np.float64), triangles_of(quads)


def ball(radius: float) -> tuple[np.ndarray, np.ndarray]:
    vertices, quads, _ = box((1, 1, 1), cells=24, roundness=1.0)
    return radius * vertices / np.linalg.norm(vertices, axis=1, keepdims=True), triangles_of(quads)


def volume(grid: np.ndarray) -> float:
    return grid.sum() * EDGE**3


def turned(seed: int) -> np.ndarray:
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return q * np.sign(np.linalg.det(q))


def centres() -> np.ndarray:
    """(R, R, R, 3)."""
    line = (np.arange(RESOLUTION) + 0.5) * EDGE - HALF
    return np.stack(np.meshgrid(line, line, line, indexing="ij"), axis=-1)


def test_a_box_fills_exactly_the_voxels_whose_centres_it_holds() -> None:
    vertices, triangles = cuboid((0.44, 0.95, 0.31))
    shift = np.array([0.05, -0.12, 0.17])
    inside = (np.abs(centres() - shift) < np.array([0.22, 0.475, 0.155])).all(axis=-1)
    assert np.array_equal(solid(vertices + shift, triangles), inside)


@pytest.mark.parametrize("seed", range(3))
def test_a_turned_box_too(seed: int) -> None:
    vertices, triangles = cuboid((0.44, 0.95, 0.31))
    rotation = turned(seed)
    inside = (np.abs(centres() @ rotation) < np.array([0.22, 0.475, 0.155])).all(axis=-1)
    made = solid(vertices @ rotation.T, triangles)
    assert np.count_nonzero(made != inside) <= 2  # rays pass the centres by some thousandths of a voxel


def test_a_ball_has_its_volume_wherever_it_lies() -> None:
    vertices, triangles = ball(0.4)
    for shift in ((0, 0, 0), (0.1, 0.23, -0.3), (0.345, 0.0, -0.345)):
        assert volume(solid(vertices + shift, triangles)) == pytest.approx(4 / 3 * math.pi * 0.4**3, rel=0.01)


def test_it_does_not_matter_which_way_a_mesh_is_turned_inside_out_or_along_which_axis_it_lies() -> None:
    vertices, triangles = TEMPLATE.vertices, TEMPLATE.triangles
    grid = solid(vertices, triangles)
    assert np.array_equal(solid(vertices, triangles[:, ::-1]), grid)
    for order in ((1, 2, 0), (2, 0, 1), (1, 0, 2)):
        other = solid(vertices[:, order], triangles)
        assert np.count_nonzero(other != grid.transpose(order)) <= 0.002 * grid.sum()


@given(st.tuples(*[st.integers(-12, 12)] * 3))
@settings(max_examples=8, deadline=None)
def test_what_moves_by_whole_voxels_moves_its_voxels(steps: tuple[int, int, int]) -> None:
    moved = solid(0.6 * TEMPLATE.vertices + EDGE * np.array(steps), TEMPLATE.triangles)
    assert np.count_nonzero(np.roll(solid(0.6 * TEMPLATE.vertices, TEMPLATE.triangles), steps, (0, 1, 2)) != moved) <= 2


def test_parts_that_overlap_and_parts_that_lie_within_others_fill_what_they_cover() -> None:
    first, triangles = cuboid((0.5, 0.6, 0.4))
    second = first * 0.5 + [0.2, 0.0, 0.1]
    vertices = np.concatenate([first, second, 0.3 * first])
    parts = np.concatenate([triangles + number * len(first) for number in range(3)])
    assert np.array_equal(solid(vertices, parts), solid(first, triangles) | solid(second, triangles))


def test_an_inner_wall_turned_inwards_bounds_a_cavity() -> None:
    vertices, triangles = ball(0.5)
    both = np.concatenate([vertices, 0.6 * vertices])
    hollow = solid(both, np.concatenate([triangles, triangles[:, ::-1] + len(vertices)]))
    assert volume(hollow) == pytest.approx(4 / 3 * math.pi * (0.5**3 - 0.3**3), rel=0.015)
    assert not hollow[RESOLUTION // 2, RESOLUTION // 2, RESOLUTION // 2]


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("side", (-1, 1))
def test_a_shell_with_a_hole_on_one_side_is_full_up_to_the_rim(axis: int, side: int) -> None:
    vertices, triangles = ball(0.45)
    middle = vertices[triangles].mean(axis=1)
    with_a_hole = triangles[side * middle[:, axis] < 0.3]
    assert len(with_a_hole) < 0.9 * len(triangles)
    below = side * centres()[..., axis] < 0.3
    assert solid_iou(solid(vertices, with_a_hole), solid(vertices, triangles) & below) > 0.985


def test_iou_of_shifted_boxes_is_what_arithmetic_says() -> None:
    vertices, triangles = cuboid((0.5, 0.5, 0.5))
    moved = solid(vertices + [0.125, 0, 0], triangles)
    assert solid_iou(solid(vertices, triangles), moved) == pytest.approx(0.375 / 0.625)
    nothing = np.zeros_like(moved)
    assert solid_iou(nothing, nothing) == 0 and solid_iou(moved, nothing) == 0 and solid_iou(moved, moved) == 1


def test_what_lies_beyond_the_grid_is_lost_and_no_more() -> None:
    vertices, triangles = cuboid((4.0, 0.5, 0.5))
    grid = solid(vertices, triangles)
    assert grid.any(axis=(1, 2)).all() and volume(grid) == pytest.approx(2 * HALF * 0.25)
    assert not solid(vertices + 5, triangles).any()
    assert not solid(vertices, triangles[:0]).any()


def test_boxed_takes_out_shift_and_scale_and_nothing_else() -> None:
    vertices = TEMPLATE.vertices.astype(np.float64)
    made = boxed(3.7 * vertices + [1, -2, 5])
    np.testing.assert_allclose(made, boxed(vertices), atol=1e-12)
    assert np.ptp(made, axis=0).max() == pytest.approx(1)
    np.testing.assert_allclose(np.ptp(made, axis=0) / np.ptp(vertices, axis=0), 1 / np.ptp(vertices, axis=0).max())
    with pytest.raises(ValueError, match="no extent"):
        boxed(np.ones((4, 3)))
