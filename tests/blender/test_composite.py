# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The object back in its photo: over its own place, with a shadow below, and nothing else changed."""

from __future__ import annotations

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

import addon
from addon import composite, preview, scene
from addon.wire import records
from tests.helpers import toy

WIDTH, HEIGHT = 96, 64
GREY = 160


@pytest.fixture
def built():
    """The toy car, seen from a little above, in an otherwise empty file."""
    bpy.ops.wm.read_homefile(use_empty=True)
    addon.register()
    camera = records.Camera(azimuth=0.9, elevation=0.35, distance=3.2, field_of_view=0.5)
    result = toy.parts_reconstruction(width=WIDTH, height=HEIGHT, camera=camera)
    photo = np.full((HEIGHT, WIDTH, 3), GREY, np.uint8)
    yield scene.build(bpy.context.scene, result, photo), result, photo
    addon.unregister()


def lowest(built):
    """World height of the lowest vertex of the object and its wheels."""
    bpy.context.view_layer.update()
    return min(
        float((one.matrix_world @ vertex.co).z)
        for one in (built.object, *built.turning)
        for vertex in one.data.vertices
    )


def test_the_ground_lies_below_the_wheels_and_goes_with_the_object(built):
    made, _, _ = built
    ground = composite.add_ground(made)
    bpy.context.view_layer.update()
    heights = [float((ground.matrix_world @ vertex.co).z) for vertex in ground.data.vertices]
    assert heights == pytest.approx([lowest(made)] * 4, abs=1e-3)
    made.object.location = (3.0, -2.0, 1.5)
    bpy.context.view_layer.update()
    assert float((ground.matrix_world @ ground.data.vertices[0].co).z) == pytest.approx(lowest(made), abs=1e-3)


def test_the_photo_stays_but_for_the_object_and_a_shadow_below_it(built):
    made, result, photo = built
    target = bpy.context.scene
    before = target.render.engine, target.render.resolution_x, target.camera
    with preview.render_settings(target):
        alone = preview.render(target, made.camera, WIDTH, HEIGHT)[..., 3]
    composite.add_ground(made)
    picture = composite.picture(target, made, result, photo).astype(int)
    assert picture.shape == (HEIGHT, WIDTH, 3)
    assert (target.render.engine, target.render.resolution_x, target.camera) == before
    brightness = picture.mean(axis=2)
    outside = alone < 0.01
    rows = np.flatnonzero((alone > 0.5).any(axis=1))
    assert brightness[: rows[0] - 2].min() > GREY - 6, "nothing falls onto the sky"
    assert brightness[outside].max() <= GREY + 1, "a shadow only darkens"
    near_ground = outside & (np.arange(HEIGHT)[:, None] > rows[-1] - 4)
    assert brightness[near_ground].min() < GREY - 15, "below and beside the wheels it is darker"
    assert np.abs(picture - GREY)[alone > 0.99].max() > 30, "the object is there"


def test_objects_of_one_surface_get_a_ground_too():
    bpy.ops.wm.read_homefile(use_empty=True)
    addon.register()
    try:
        made = scene.build(bpy.context.scene, toy.reconstruction(), None)
        ground = composite.add_ground(made)
        bpy.context.view_layer.update()
        assert float((ground.matrix_world @ ground.data.vertices[0].co).z) == pytest.approx(lowest(made), abs=1e-3)
        assert ground.is_shadow_catcher
    finally:
        addon.unregister()


def test_a_tall_object_is_whole_in_the_previews_tiles():
    bpy.ops.wm.read_homefile(use_empty=True)
    addon.register()
    try:
        result = toy.reconstruction("box")
        lower, upper = result.vertices.min(axis=0), result.vertices.max(axis=0)
        size = np.array([0.3, 0.3, 1.0], np.float32)
        result.vertices[:] = ((result.vertices - lower) / (upper - lower) - 0.5) * size
        made = scene.build(bpy.context.scene, result, np.zeros((40, 60, 3), np.uint8))
        bpy.context.view_layer.update()
        distance = preview.side_distance(made.object, 2 / 3)
        with preview.render_settings(bpy.context.scene):
            for pose in preview.side_poses(result.camera, distance):
                alpha = preview.render_side(bpy.context.scene, made, pose, 60, 40)[..., 3]
                assert not alpha[[0, -1]].any() and not alpha[:, [0, -1]].any() and alpha.max() > 0.9
            cut = preview.render_side(bpy.context.scene, made, preview.side_poses(result.camera)[0], 60, 40)[..., 3]
        assert cut[0].any(), "from as near as a car it would be cut off"
    finally:
        addon.unregister()
