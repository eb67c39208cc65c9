# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cameras from points and where they are seen: known cameras are found again, whatever else is in the data."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from backend.common.pinhole import camera_to_world, project
from backend.common.records import Camera
from backend.pipeline.azimuths import angle_between
from backend.pipeline.pinhole_cameras import PinholeConfig, _looking_at_origin, find_camera

NEAR = Camera(0.6, 0.15, 1.6, 0.03, 2 * math.atan(0.5 / 1.5), 0.05, -0.04)
FAR = Camera(-2.4, 0.1, 3.5, -0.05, 2 * math.atan(0.5 / 4), -0.03, 0.06)
SIDE = Camera(math.pi / 2, 0.05, 2.3, 0.0, 2 * math.atan(0.5 / 1.9), 0.0, 0.0)
ABOVE = Camera(2.9, 0.6, 2.6, 0.1, 2 * math.atan(0.5 / 3), 0.0, 0.02)


def seen(camera: Camera, noise: float, wrong: float, seed: int = 0, count: int = 400) -> tuple[np.ndarray, ...]:
    """Points on the near side of a box of a car's proportions, where the camera sees them, and equal weights."""
    random = np.random.default_rng(seed)
    points = random.uniform(-1, 1, (count, 3))
    side = random.integers(0, 3, count)
    towards = np.array([math.sin(camera.azimuth), -math.cos(camera.azimuth), 1.0])
    points[np.arange(count), side] = np.sign(towards)[side]
    points *= [0.2, 0.5, 0.16]
    places = project(camera, points, 1, 1) + random.normal(0, noise, (count, 2))
    mistaken = random.random(count) < wrong
    places[mistaken] = random.uniform(0.1, 0.9, (int(mistaken.sum()), 2))
    return points, places, np.ones(count)


def degrees(camera: Camera, other: Camera) -> float:
    return math.degrees(angle_between(camera.azimuth, other.azimuth))


@pytest.mark.parametrize("camera", [NEAR, FAR, SIDE, ABOVE])
def test_a_known_camera_is_found_in_spite_of_noise_and_mistakes(camera: Camera) -> None:
    found = find_camera(*seen(camera, noise=0.006, wrong=0.25))
    assert found is not None
    assert degrees(found.camera, camera) < 1.5
    assert found.camera.elevation == pytest.approx(camera.elevation, abs=0.03)
    assert found.camera.roll == pytest.approx(camera.roll, abs=0.02)
    assert found.camera.distance == pytest.approx(camera.distance, rel=0.2)
    assert found.agreeing == pytest.approx(0.75, abs=0.08)
    points = seen(camera, 0, 0, seed=9)[0]
    apart = project(found.camera, points, 1, 1) - project(camera, points, 1, 1)
    assert np.abs(apart).max() < 0.01


@pytest.mark.parametrize("camera", [NEAR, FAR, SIDE, ABOVE])
def test_without_noise_the_camera_is_the_very_one_but_for_what_is_likely(camera: Camera) -> None:
    """With errors that are known to be small the pairs alone decide."""
    config = PinholeConfig(noise=1e-4, independent=400)
    found = find_camera(*seen(camera, noise=0, wrong=0.2), config=config)
    assert found is not None
    for name, value in vars(camera).items():
        assert getattr(found.camera, name) == pytest.approx(value, abs=4e-3), name


def test_a_focal_length_that_is_known_gives_the_distance() -> None:
    """Seen straight from the side a car tells its distance least."""
    focal = 0.5 / math.tan(0.5 * SIDE.field_of_view)
    for factor in (0.6, 1, 1.6):
        camera = Camera(SIDE.azimuth, 0.05, SIDE.distance * factor, 0.0, 2 * math.atan(0.5 / (focal * factor)))
        pairs = seen(camera, noise=0.01, wrong=0.2, seed=3)
        known = find_camera(*pairs, focal=focal * factor)
        assert known is not None
        assert known.camera.distance == pytest.approx(camera.distance, rel=0.06)
        assert 0.5 / math.tan(0.5 * known.camera.field_of_view) == pytest.approx(focal * factor, rel=0.06)


def test_the_same_pairs_give_the_same_camera_whatever_was_drawn_before() -> None:
    pairs = seen(FAR, noise=0.01, wrong=0.4)
    first = find_camera(*pairs)
    np.random.default_rng().random(5)
    find_camera(*seen(NEAR, 0.01, 0.1))
    assert find_camera(*pairs) == first


def test_surer_pairs_count_more() -> None:
    """A third says one camera, with much weight; two thirds another."""
    right, other = seen(NEAR, 0.003, 0, seed=1, count=130), seen(Camera(0.9, 0.15, 1.6, 0, 0.64), 0.003, 0, count=270)
    points, places = (np.concatenate([a, b]) for a, b in zip(right[:2], other[:2], strict=True))
    weights = np.concatenate([np.full(130, 20.0), np.full(270, 1.0)])
    found = find_camera(points, places, weights)
    assert found is not None and degrees(found.camera, NEAR) < 4


def test_where_nothing_can_be_found_nothing_is() -> None:
    points, places, weights = seen(NEAR, 0.01, 0)
    assert find_camera(points[:5], places[:5], weights[:5]) is None
    on_one_spot = find_camera(np.zeros((50, 3)), np.full((50, 2), 0.5), np.ones(50))
    assert on_one_spot is None or np.isfinite(list(vars(on_one_spot.camera).values())).all()
    random = np.random.default_rng(0).uniform(0, 1, (200, 2))
    lost = find_camera(points[:200], random, weights[:200])
    assert lost is None or lost.agreeing < 0.3


@pytest.mark.parametrize("camera", [NEAR, FAR, ABOVE])
def test_a_pose_as_opencv_has_it_is_the_products_camera(camera: Camera) -> None:
    """A camera whose picture is not shifted has the very same numbers."""
    middle = replace(camera, shift_x=0.0, shift_y=0.0)
    axes = camera_to_world(middle)[:3, :3]
    rotation = np.stack([axes[:, 0], -axes[:, 1], -axes[:, 2]])
    made = _looking_at_origin(rotation, np.array([0, 0, camera.distance]), 0.5 / math.tan(0.5 * camera.field_of_view))
    assert made is not None
    np.testing.assert_allclose(list(vars(made).values()), list(vars(middle).values()), atol=1e-9)
    assert _looking_at_origin(rotation, np.array([0, 0, -1.0]), 1.0) is None
