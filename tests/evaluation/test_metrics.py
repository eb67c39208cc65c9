# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The metrics on shapes whose distances are known in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.evaluation.metrics import (
    angle_error_deg,
    is_flip,
    nearest_distances,
    sample_surface,
    silhouette_iou,
    surface_distance,
)

SQUARE = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]), np.array([[0, 1, 2], [0, 2, 3]])


def test_parallel_squares_are_as_far_as_their_planes() -> None:
    points = sample_surface(*SQUARE, 4000)
    shifted = sample_surface(*SQUARE, 4000, seed=1) + [0, 0, 0.2]
    result = surface_distance(points, shifted)
    assert result.chamfer == pytest.approx(0.2, abs=0.002)
    assert result.f_score == 0
    assert surface_distance(points, shifted, threshold=0.21).f_score > 0.99


def test_samples_are_spread_by_area() -> None:
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 5], [3, 0, 5], [0, 3, 5]])
    points = sample_surface(vertices, np.array([[0, 1, 2], [3, 4, 5]]), 20_000)
    assert (points[:, 2] > 2).mean() == pytest.approx(0.9, abs=0.01)


def test_a_mesh_without_area_is_refused() -> None:
    with pytest.raises(ValueError, match="no area"):
        sample_surface(np.zeros((3, 3)), np.array([[0, 1, 2]]), 10)


def test_nearest_distances_agree_with_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random((40, 3)), rng.random((30, 3))
    slow = [min(math.dist(p, q) for q in b) for p in a]
    np.testing.assert_allclose(nearest_distances(a, b, chunk=7), slow, atol=1e-6)


@given(st.floats(-20, 20), st.floats(-3, 3), st.integers(-3, 3))
def test_angle_error_ignores_whole_turns(angle: float, difference: float, turns: int) -> None:
    error = angle_error_deg(angle + difference + turns * 2 * math.pi, angle)
    assert error == pytest.approx(abs(math.degrees(difference)), abs=1e-6)
    assert is_flip(angle + difference, angle) == (error > 90)


def test_iou_of_half_overlapping_masks() -> None:
    one, other = np.zeros((4, 6), bool), np.zeros((4, 6), bool)
    one[:, :4] = True
    other[:, 2:] = True
    assert silhouette_iou(one, other) == pytest.approx(2 / 6)
    assert silhouette_iou(np.zeros((2, 2), bool), np.zeros((2, 2), bool)) == 0
