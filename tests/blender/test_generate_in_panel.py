# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generate in the panel: new objects from seeds, beside one another, in a scene that stays as it is."""

from __future__ import annotations

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from mathutils import Vector

import addon
from addon import handles, parts, proportions, session
from backend.pipeline.generate import load_generator
from tests.blender.test_proportions import everywhere
from tests.helpers.backend_here import answer_here


@pytest.fixture(scope="module")
def model():
    """The shipped car's template and shape space."""
    return load_generator("car")[0]


@pytest.fixture
def asked(monkeypatch, model):
    """An empty file with the add-on, and a backend in this process; returns the requests that it got."""
    bpy.ops.wm.read_homefile(use_empty=True)
    addon.register()
    bpy.context.scene.unrender.texture_size = "256"
    yield answer_here(monkeypatch, model)
    addon.unregister()


def made():
    """Returns the objects that were made, by name."""
    return sorted((one for one in bpy.data.objects if one.unrender.is_unrender), key=lambda one: one.name)


def box(owner):
    """Returns the corners of an object with its wheels in the world, (2, 3)."""
    bpy.context.view_layer.update()
    places = everywhere(owner)
    return np.array([places.min(axis=0), places.max(axis=0)])


def test_objects_stand_in_a_row_at_the_cursor_and_do_not_touch(asked, model):
    bpy.context.scene.cursor.location = (3.0, -2.0, 0.5)
    assert bpy.ops.unrender.generate(seed=7, count=3) == {"FINISHED"}
    objects = made()
    assert [one.name for one in objects] == ["car-000007", "car-000008", "car-000009"]
    assert objects[0].location[:] == pytest.approx((3.0, -2.0, 0.5))
    boxes = [box(one) for one in objects]
    for corners in boxes:
        assert corners[0, 2] == pytest.approx(0.5, abs=1e-4), "on the ground that the cursor is on"
    for left, right in zip(boxes, boxes[1:], strict=False):
        assert 0.2 < right[0, 0] - left[1, 0] < 2.0
    for seed, one in zip((7, 8, 9), objects, strict=True):
        expected = model.space.sample(np.random.default_rng(seed), 0.9)
        np.testing.assert_allclose(proportions.code_of(one)[0], expected, atol=1e-5)
    assert set(bpy.context.selected_objects) >= set(objects) and handles.active_object(bpy.context) == objects[0]


def test_objects_of_a_second_press_stand_beside_the_first_ones(asked):
    for seed in (7, 9):
        assert bpy.ops.unrender.generate(seed=seed, count=2) == {"FINISHED"}
    boxes = [box(one) for one in made()]
    assert len(boxes) == 4
    for left, right in zip(boxes, boxes[1:], strict=False):
        assert right[0, 0] > left[1, 0]


def test_edit_mode_and_selection_are_left_alone(asked):
    bpy.ops.mesh.primitive_cube_add(location=(0, 9, 0))
    cube = bpy.context.view_layer.objects.active
    bpy.ops.object.mode_set(mode="EDIT")
    assert bpy.ops.unrender.generate(seed=7) == {"FINISHED"}
    assert bpy.context.mode == "EDIT_MESH" and bpy.context.view_layer.objects.active == cube
    assert not made()[0].select_get()


def test_each_camera_looks_at_its_own_object(asked):
    assert bpy.ops.unrender.generate(seed=7, count=2) == {"FINISHED"}
    for one in made():
        camera = one.unrender.camera
        bpy.context.view_layer.update()
        centre = np.array(one.location) + [0, 0, one[parts.CENTRE_HEIGHT]]
        seen = camera.matrix_world.inverted() @ Vector(centre)
        assert abs(seen.x) < 1e-4 and abs(seen.y) < 1e-4 and seen.z < 0


def test_nothing_of_the_scene_changes_and_no_light_is_left_behind(asked):
    scene = bpy.context.scene
    bpy.ops.mesh.primitive_cube_add()
    cube, world = bpy.context.active_object, bpy.data.worlds.new("mine")
    scene.world = world
    before = (scene.camera, scene.render.resolution_x, scene.view_settings.view_transform, len(bpy.data.worlds))
    assert bpy.ops.unrender.generate(seed=1) == {"FINISHED"}
    assert scene.world == world and cube.name in bpy.data.objects
    assert before == (
        scene.camera, scene.render.resolution_x, scene.view_settings.view_transform, len(bpy.data.worlds)
    )  # fmt: skip
    assert all(image.users for image in bpy.data.images if image.name.startswith("car-"))


def test_the_button_takes_the_panels_numbers_and_goes_on_to_the_next_seed(asked):
    settings = bpy.context.scene.unrender
    settings.new_seed, settings.new_count, settings.new_variety = 4, 2, 0.5
    assert bpy.ops.unrender.generate("INVOKE_DEFAULT") == {"FINISHED"}
    assert [(request.seed, request.truncation) for request in asked] == [(4, 0.5), (5, 0.5)]
    assert settings.new_seed == 6 and asked[0].texture_size == 256


def test_what_fails_on_the_way_leaves_no_object(asked, monkeypatch):
    answer, calls = session.request, []

    def failing(body, key=None, progress=None):
        calls.append(body)
        if len(calls) == 2:
            raise ValueError("The backend is out of paint.")
        return answer(body, key, progress)

    monkeypatch.setattr(session, "request", failing)
    with pytest.raises(RuntimeError, match="out of paint"):
        bpy.ops.unrender.generate(seed=1, count=3)
    assert not made() and session.status.error == "The backend is out of paint."


def test_undo_takes_all_of_them_back(asked):
    bpy.ops.ed.undo_push(message="empty")
    bpy.ops.unrender.generate(seed=1, count=2)
    bpy.ops.ed.undo_push(message="generated")
    bpy.ops.ed.undo()
    assert not made()
    bpy.ops.ed.redo()
    assert len(made()) == 2
