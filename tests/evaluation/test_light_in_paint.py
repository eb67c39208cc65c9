# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much light is printed on paint: of a car on which a photograph was printed, and of one that was painted."""

from __future__ import annotations

import numpy as np
import pytest

from backend.common import pinhole
from backend.common.records import Camera, Reconstruction
from backend.evaluation.light_in_paint import CORRELATION, SLOPE, light_in_paint
from tests.helpers import toy

HEIGHT, WIDTH = 120, 200
CAMERA = Camera(azimuth=0.7, elevation=0.3, distance=3.0, field_of_view=0.5)
MASK = np.full((HEIGHT, WIDTH), 255, np.uint8)
NONE = pytest.approx({CORRELATION: 0, SLOPE: 0}, abs=1e-9)


def photograph(contrast: float) -> np.ndarray:
    """Grey that grows brighter from left to right by a factor, linear in its logarithm."""
    brightness = 0.15 * np.exp(contrast * (np.arange(WIDTH) / WIDTH - 0.5))
    encoded = 255 * (1.055 * brightness ** (1 / 2.4) - 0.055)
    return np.repeat(np.tile(encoded, (HEIGHT, 1))[..., None], 3, axis=2).round().astype(np.uint8)


def car(picture: np.ndarray | None = None, share: float = 1.0) -> Reconstruction:
    """A car of paint; with a picture, that is printed on every quad, its contrast changed to a share of it."""
    made = toy.parts_reconstruction(width=WIDTH, height=HEIGHT, camera=CAMERA)
    made.parts.region_of_quad[:] = 0
    count = len(made.quads)
    made.uv = np.repeat(((np.arange(count) + 0.5) / count)[:, None, None], 4, axis=1).repeat(2, axis=2)
    made.uv = made.uv.astype(np.float32)
    texture = np.full((1, count, 3), 120, np.uint8)
    if picture is not None:
        places = pinhole.project(CAMERA, made.vertices[made.quads].mean(axis=1).astype(np.float64), HEIGHT, WIDTH)
        limits = zip(places.T, (WIDTH, HEIGHT), strict=True)
        column, row = (np.clip(axis, 0, limit - 1).astype(int) for axis, limit in limits)
        texture[0] = photograph(CONTRAST * share)[row, column]
    made.texture = texture
    return made


CONTRAST = 3.0
PHOTO = photograph(CONTRAST)


def test_a_printed_photograph_correlates_with_itself_and_a_plain_paint_does_not() -> None:
    printed = light_in_paint(car(PHOTO), PHOTO, MASK)
    assert printed[CORRELATION] > 0.97 and printed[SLOPE] == pytest.approx(1, abs=0.1)
    assert light_in_paint(car(), PHOTO, MASK) == NONE


def test_the_slope_tells_how_much_of_the_light_is_printed() -> None:
    third = light_in_paint(car(PHOTO, 1 / 3), PHOTO, MASK)
    assert third[SLOPE] == pytest.approx(1 / 3, abs=0.06) and third[CORRELATION] > 0.95
    assert light_in_paint(car(PHOTO, -1.0), PHOTO, MASK)[CORRELATION] < -0.95


def test_the_far_side_does_not_count() -> None:
    made = car()
    corners = made.vertices[made.quads].astype(np.float64)
    normals = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    away = ((pinhole.camera_to_world(CAMERA)[:3, 3] - corners.mean(axis=1)) * normals).sum(axis=1) < 0
    made.texture[0, away] = 250
    assert light_in_paint(made, PHOTO, MASK) == NONE


def test_what_stands_behind_something_else_does_not_count() -> None:
    """A second car behind the first, printed with light, is hidden by it."""
    made, behind = car(), car(PHOTO)
    backward = pinhole.camera_to_world(CAMERA)[:3, 2]
    further = (behind.vertices * 0.5 - 1.2 * backward).astype(np.float32)
    made.quads = np.concatenate([made.quads, behind.quads + len(made.vertices)])
    made.vertices = np.concatenate([made.vertices, further])
    made.uv = np.concatenate([made.uv * [0.5, 1], behind.uv * [0.5, 1] + [0.5, 0]]).astype(np.float32)
    made.texture = np.concatenate([made.texture, behind.texture], axis=1)
    made.parts.region_of_quad = np.tile(made.parts.region_of_quad, 2)
    assert abs(light_in_paint(made, PHOTO, MASK)[CORRELATION]) < 0.2


def test_two_paints_of_different_brightness_are_no_light() -> None:
    """The front half of the car is white and the rear half black, as is the photograph's right half."""
    made = car()
    made.parts.regions = ["paint", "two_tone", *made.parts.regions[2:]]
    places = pinhole.project(CAMERA, made.vertices[made.quads].mean(axis=1).astype(np.float64), HEIGHT, WIDTH)
    right = places[:, 0] > WIDTH / 2
    made.parts.region_of_quad = right.astype(np.int32)
    made.texture[0, right] = 20
    shown = np.full((HEIGHT, WIDTH, 3), 200, np.uint8)
    shown[:, WIDTH // 2 :] = 30
    assert light_in_paint(made, shown, MASK)[SLOPE] < 0.05


def test_nothing_is_said_where_no_paint_is_seen() -> None:
    assert light_in_paint(car(), PHOTO, np.zeros_like(MASK)) == {}
    assert light_in_paint(toy.reconstruction(), PHOTO, MASK) == {}
