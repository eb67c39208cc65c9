# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shapes are kept as shape keys: one value blends two of them, with wheels and axles, and sliders go on working."""

from __future__ import annotations

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

import addon
from addon import copies, environment, parts, scene, session, shape_keys
from backend.pipeline.generate import load_generator
from backend.pipeline.parts_object import object_from_code
from tests.helpers import toy


@pytest.fixture(autouse=True)
def emptied_file(monkeypatch):
    """Every test begins with an empty file and the add-on registered; a worker cannot be started."""

    def none(chosen=""):
        raise AssertionError("shapes need no worker")

    bpy.ops.wm.read_homefile(use_empty=True)
    addon.register()
    monkeypatch.setattr(environment, "worker_command", none)
    yield
    addon.unregister()


@pytest.fixture
def box():
    owner = scene.build(bpy.context.scene, toy.reconstruction("box"), real_size=4.5).object
    bpy.context.view_layer.objects.active = owner
    return owner


@pytest.fixture(scope="module")
def found():
    """Two cars of the shipped template."""
    model = load_generator("car")[0]
    codes = [model.space.sample(np.random.default_rng(seed)) for seed in (5, 6)]
    return [object_from_code(code, model, texture_size=16, name=name) for code, name in zip(codes, "ab", strict=True)]


@pytest.fixture
def car(found):
    owner = scene.build(bpy.context.scene, found[0], set_up_scene=False).object
    bpy.context.view_layer.objects.active = owner
    return owner


def seen(owner):
    """Vertices (V, 3) that Blender shows of an object and its wheels, in the frame of the object."""
    evaluated = bpy.context.evaluated_depsgraph_get()
    origin = np.linalg.inv(np.array(owner.evaluated_get(evaluated).matrix_world))
    found = []
    for one in sorted(copies.family(owner), key=lambda one: one.get("unrender_vertex_counts", [0])[0]):
        shown = one.evaluated_get(evaluated)
        local = np.empty(len(shown.data.vertices) * 3, np.float32)
        shown.data.vertices.foreach_get("co", local)
        matrix = origin @ np.array(shown.matrix_world)
        found.append(local.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3])
    return np.concatenate(found)


def blend(owner, value, name=None):
    keys = owner.data.shape_keys.key_blocks
    keys[name or len(keys) - 1].value = value
    bpy.context.view_layer.update()


def axles(owner):
    """Places of the wheels' origins in the object, as Blender shows them."""
    evaluated = bpy.context.evaluated_depsgraph_get()
    return np.array(
        [wheel.evaluated_get(evaluated).matrix_local.translation for wheel in parts.turning(owner)]
    )  # fmt: skip


def test_a_kept_shape_stays_what_it_was_and_one_value_goes_over_to_it(box):
    box.unrender.shape[0] = 2.0
    kept = seen(box)
    assert bpy.ops.unrender.keep_shape_key() == {"FINISHED"}
    box.unrender.shape[0] = -2.0
    now = seen(box)
    assert np.abs(now - kept).max() > 0.5
    for value in (1.0, 0.5, 0.0):
        blend(box, value)
        np.testing.assert_allclose(seen(box), now + value * (kept - now), atol=1e-5)
    assert session.status.error == ""


def test_wheels_and_axles_of_a_car_go_over_with_the_one_value(car):
    car.unrender.proportions[1] = 1.0
    car.unrender.proportions[7] = 0.0
    kept, kept_axles = seen(car), axles(car)
    assert bpy.ops.unrender.keep_shape_key(name="tall") == {"FINISHED"}
    car.unrender.proportions[1] = 0.0
    car.unrender.proportions[7] = 1.0
    now, now_axles = seen(car), axles(car)
    assert np.abs(now - kept).max() > 0.1 and np.abs(now_axles - kept_axles).max() > 0.01
    for value in (1.0, 0.25, 0.0):
        blend(car, value, "tall")
        np.testing.assert_allclose(seen(car), now + value * (kept - now), atol=1e-4)
        np.testing.assert_allclose(axles(car), now_axles + value * (kept_axles - now_axles), atol=1e-5)
        assert seen(car)[:, 2].min() == pytest.approx(0, abs=1e-4)


def test_a_wheel_turns_about_its_axle_in_a_blended_shape(car):
    assert bpy.ops.unrender.keep_shape_key(name="as found") == {"FINISHED"}
    car.unrender.proportions[0] = 1.0
    blend(car, 0.5, "as found")
    wheel = parts.turning(car)[0]
    evaluated = bpy.context.evaluated_depsgraph_get()
    shown = wheel.evaluated_get(evaluated)
    local = np.array([vertex.co for vertex in shown.data.vertices])
    middle = (local.min(axis=0) + local.max(axis=0)) / 2
    assert np.abs(middle[1:]).max() < 0.005, "the origin is on the axle"


def test_the_shape_of_another_car_becomes_a_key(car, found):
    other = scene.build(bpy.context.scene, found[1], real_size=car.unrender.real_size, set_up_scene=False).object
    other.unrender.proportions[1] = 0.9
    other.location = (5, 1, 0)
    assert not bpy.ops.unrender.join_shape_key.poll()
    other.select_set(True)
    mine, its = seen(car), seen(other)
    assert bpy.ops.unrender.join_shape_key() == {"FINISHED"}
    assert car.active_shape_key.name == other.name
    for value in (1.0, 0.5, 0.0):
        blend(car, value)
        np.testing.assert_allclose(seen(car), mine + value * (its - mine), atol=1e-4)
    np.testing.assert_allclose(seen(other), its, atol=1e-6)


def test_another_template_is_refused_with_a_sentence(car, box):
    bpy.context.view_layer.objects.active = car
    box.select_set(True)
    with pytest.raises(RuntimeError, match="other vertices or wheels than a"):
        bpy.ops.unrender.join_shape_key()
    assert car.data.shape_keys is None


def test_keys_of_the_users_own_go_along_with_the_sliders(box):
    box.shape_key_add(name="Basis", from_mix=False)
    dent = box.shape_key_add(name="Dent", from_mix=False)
    dent.points[0].co.x += 0.3
    before = seen(box)
    box.unrender.shape[0] = 2.0
    moved = seen(box)
    assert np.abs(moved - before).max() > 0.5
    blend(box, 1.0, "Dent")
    difference = seen(box) - moved
    np.testing.assert_allclose(difference[0], (0.3, 0, 0), atol=1e-5)
    np.testing.assert_allclose(difference[1:], 0, atol=1e-6)


def test_a_key_that_was_renamed_or_removed_leaves_the_wheels_in_order(car):
    kept = seen(car)
    bpy.ops.unrender.keep_shape_key(name="one")
    car.unrender.proportions[1] = 1.0
    now = seen(car)
    car.data.shape_keys.key_blocks["one"].name = 'my "best"'
    blend(car, 1.0, 'my "best"')
    np.testing.assert_allclose(seen(car), kept, atol=1e-4)
    car.shape_key_remove(car.data.shape_keys.key_blocks['my "best"'])
    bpy.context.view_layer.update()
    car.unrender.proportions[1] = 1.0
    car.unrender.proportions[2] = car.unrender.proportions[2] + 0.0
    bpy.context.view_layer.update()
    np.testing.assert_allclose(seen(car), now, atol=1e-4)
    assert all(not shape_keys.kept(wheel) for wheel in parts.turning(car))


def test_absolute_keys_are_refused_with_a_sentence(box):
    box.shape_key_add(name="Basis", from_mix=False)
    box.data.shape_keys.use_relative = False
    before = seen(box)
    box.unrender.shape[0] = 1.0
    assert session.status.error == "Make the shape keys of box relative to use the sliders of box."
    np.testing.assert_array_equal(seen(box), before)


def test_a_copy_of_a_car_with_kept_shapes_blends_by_its_own_key(car):
    bpy.ops.unrender.keep_shape_key(name="as found")
    car.unrender.proportions[1] = 1.0
    bpy.ops.object.select_all(action="DESELECT")
    for one in copies.family(car):
        one.select_set(True)
    bpy.ops.object.duplicate()
    copy = bpy.context.view_layer.objects.active
    bpy.context.view_layer.update()
    still = seen(car)
    blend(copy, 1.0, "as found")
    np.testing.assert_allclose(seen(car), still, atol=1e-6)
    blend(car, 1.0, "as found")
    np.testing.assert_allclose(seen(copy), seen(car), atol=1e-4)


def test_kept_shapes_survive_saving_and_undo(car, tmp_path):
    name, kept = car.name, seen(car)
    bpy.ops.ed.undo_push(message="made")
    bpy.ops.unrender.keep_shape_key(name="as found")
    bpy.ops.ed.undo_push(message="kept")
    bpy.data.objects[name].unrender.proportions[1] = 1.0
    bpy.ops.ed.undo_push(message="slider")
    bpy.ops.ed.undo()
    np.testing.assert_allclose(seen(bpy.data.objects[name]), kept, atol=1e-5)
    bpy.ops.ed.redo()
    path = str(tmp_path / "scene.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    blend(bpy.data.objects[name], 1.0, "as found")
    np.testing.assert_allclose(seen(bpy.data.objects[name]), kept, atol=1e-4)
