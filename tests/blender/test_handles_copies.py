# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A duplicate becomes its own the moment one of its sliders moves, and nothing of the original changes."""

from __future__ import annotations

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from addon import copies, handles, looks, parts, pixels, scene, session
from backend.pipeline.generate import load_generator
from backend.pipeline.parts_object import object_from_code
from tests.helpers import toy
from tests.helpers.addon_at_work import addon_with_toy_worker


@pytest.fixture(autouse=True)
def toy_worker(root, tmp_path, monkeypatch):
    """An empty file, the add-on registered, and a toy worker in place of the product's."""
    with addon_with_toy_worker(root, tmp_path, monkeypatch):
        yield


@pytest.fixture
def box():
    return scene.build(bpy.context.scene, toy.reconstruction("box"), real_size=4.5).object


@pytest.fixture(scope="module")
def found():
    """A car of the shipped template, with a look of its photo."""
    model = load_generator("car")[0]
    result = object_from_code(model.space.sample(np.random.default_rng(5)), model, texture_size=32)
    result.parts.photo = np.full((32, 32, 3), (200, 30, 30), np.uint8)
    return result


@pytest.fixture
def car(found):
    return scene.build(bpy.context.scene, found).object


def duplicate(owner, linked=False, with_camera=False):
    """Duplicates an object and its wheels as Shift-D or Alt-D do; returns the copy, moved aside."""
    bpy.ops.object.select_all(action="DESELECT")
    for one in (*copies.family(owner), *([owner.unrender.camera] if with_camera else [])):
        one.select_set(True)
    bpy.context.view_layer.objects.active = owner
    bpy.ops.object.duplicate(linked=linked)
    copy = bpy.context.view_layer.objects.active
    assert copy != owner
    copy.location.x += 3
    bpy.context.view_layer.update()
    return copy


def state(owner):
    """What an object shows: meshes, places of wheels and camera, pixels of its texture, and how much photo."""
    bpy.context.view_layer.update()
    meshes = [[tuple(vertex.co) for vertex in one.data.vertices] for one in copies.family(owner)]
    wheels = [tuple(wheel.location) for wheel in parts.turning(owner)]
    image, camera = handles.texture_of(owner), owner.unrender.camera
    mix = owner.active_material.node_tree.nodes.get(looks.MIX)
    shown = mix.inputs[0].default_value if mix is not None else None
    return meshes, wheels, tuple(camera.matrix_world.translation), pixels.read(image).tobytes(), shown


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("mover", ["copy", "original"])
@pytest.mark.parametrize(("slider", "changed"), [("shape", {0, 2}), ("texture", {3}), ("azimuth", {2})])
def test_a_slider_of_one_surface_changes_nothing_of_the_other(box, linked, mover, slider, changed):
    copy = duplicate(box, linked)
    moved, still = (copy, box) if mover == "copy" else (box, copy)
    camera = box.unrender.camera
    before = state(still)
    own = state(moved)
    if slider == "azimuth":
        moved.unrender.azimuth = 2.0
    else:
        getattr(moved.unrender, slider)[0] = 1.0
    if mover == "original" and slider in {"azimuth", "shape"}:
        assert box.unrender.camera == camera, "the original's camera is the scene's"
        camera_moves = {2}  # a copy whose slider has not moved yet looks through the original's
    else:
        camera_moves = set()
    after = state(still)
    assert all(after[number] == before[number] for number in range(5) if number not in camera_moves)
    now = state(moved)
    assert all(now[number] != own[number] for number in changed)
    assert session.status.error == "" and bpy.context.scene.camera == camera


def test_cameras_of_copies_go_around_them_and_stay_theirs_in_a_file(box, tmp_path):
    copy = duplicate(box)
    camera = box.unrender.camera
    copy.unrender.azimuth = 0.5
    own = copy.unrender.camera
    assert own != camera and own.data != camera.data and own.name == "box.001 camera"
    assert list(own.users_collection) == list(copy.users_collection)
    centre = np.array(copy.matrix_world.translation) + [0, 0, copy[parts.CENTRE_HEIGHT]]
    assert np.linalg.norm(np.array(own.matrix_world.translation) - centre) == pytest.approx(3.0 * 4.5, rel=1e-4)
    assert copy.unrender.world is None and box.unrender.world == bpy.context.scene.world
    path = str(tmp_path / "scene.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    box, copy = bpy.data.objects["box"], bpy.data.objects["box.001"]
    place = tuple(box.unrender.camera.matrix_world.translation)
    copy.unrender.zoom = 2.0
    assert tuple(box.unrender.camera.matrix_world.translation) == place and box.unrender.camera != copy.unrender.camera


def test_the_original_is_known_after_renaming_saving_and_deleting(box, tmp_path):
    copy = duplicate(box)
    box.name, copy.name = "zebra", "aardvark"
    path = str(tmp_path / "scene.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    box, copy = bpy.data.objects["zebra"], bpy.data.objects["aardvark"]
    assert copies.is_original(box) and not copies.is_original(copy)
    bpy.data.objects.remove(box)
    assert copies.is_original(copy)


def test_a_copy_made_with_its_camera_has_that_one(box):
    copy = duplicate(box, with_camera=True)
    own = copy.unrender.camera
    assert own != box.unrender.camera and copies.own_camera(copy) == own


@pytest.mark.parametrize("linked", [False, True])
def test_wheels_of_a_duplicated_car_belong_to_the_copy(car, linked):
    copy = duplicate(car, linked)
    assert len(parts.turning(copy)) == 4 and not set(parts.turning(copy)) & set(parts.turning(car))
    before, mine = state(car), state(copy)
    copy.unrender.proportions[1] = 1.0
    assert state(car) == before
    after = state(copy)
    assert after[0][0] != mine[0][0] and after[0][1] != mine[0][1] and after[1] != mine[1]
    bpy.context.view_layer.update()
    lowest = min((wheel.matrix_world @ vertex.co).z for wheel in parts.turning(copy) for vertex in wheel.data.vertices)
    assert lowest == pytest.approx(0, abs=1e-3)


def test_a_wheel_that_was_duplicated_goes_along_and_lifts_nothing(car):
    bpy.ops.object.select_all(action="DESELECT")
    spare = parts.turning(car)[0]
    spare.select_set(True)
    bpy.context.view_layer.objects.active = spare
    bpy.ops.object.duplicate()
    assert len(parts.turning(car)) == 5
    car.unrender.proportions[1] = 1.0
    bpy.context.view_layer.update()
    lowest = min((wheel.matrix_world @ vertex.co).z for wheel in parts.turning(car) for vertex in wheel.data.vertices)
    assert lowest == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("mover", ["copy", "original"])
def test_the_look_of_one_does_not_change_the_others(car, mover):
    copy = duplicate(car)
    moved, still = (copy, car) if mover == "copy" else (car, copy)
    before = state(still)
    looks.show(moved, 0.75)
    bpy.context.view_layer.update()
    assert state(still) == before
    assert state(moved)[4] == pytest.approx(0.75)
    materials = {one.active_material for one in copies.family(moved)}
    assert len(materials) == 1 and not materials & {one.active_material for one in copies.family(still)}
    looks.show(still, 0.25)
    bpy.context.view_layer.update()
    assert (state(moved)[4], state(still)[4]) == (pytest.approx(0.75), pytest.approx(0.25))


def test_a_look_survives_undo_and_redo(car):
    name, other = car.name, duplicate(car).name
    bpy.ops.ed.undo_push(message="duplicated")
    looks.show(bpy.data.objects[other], 0.75)
    bpy.ops.ed.undo_push(message="look")
    bpy.context.view_layer.update()
    for step, shown in ((bpy.ops.ed.undo, 0.0), (bpy.ops.ed.redo, 0.75)):
        step()
        assert state(bpy.data.objects[other])[4] == pytest.approx(shown)
        assert state(bpy.data.objects[name])[4] == pytest.approx(0.0)


def test_colours_of_a_copy_leave_the_original_alone(car):
    copy = duplicate(car)
    before = state(car)
    copy.unrender.colour_paint = (0.1, 0.9, 0.1)
    if session.status.error or state(copy)[3] == before[3]:
        pytest.skip("this car has no map of its colours")
    assert state(car) == before


def test_what_nobody_moves_stays_shared(box):
    copy = duplicate(box, linked=True)
    assert copy.data == box.data and copy.active_material == box.active_material
    assert handles.texture_of(copy) == handles.texture_of(box) and copy.unrender.camera == box.unrender.camera


def test_a_material_that_a_third_object_has_is_not_repainted(box):
    bpy.ops.mesh.primitive_cube_add()
    cube = bpy.context.object
    cube.data.materials.append(box.active_material)
    image = handles.texture_of(box)
    before = pixels.read(image)
    box.unrender.texture[0] = 1.0
    assert cube.active_material != box.active_material
    np.testing.assert_array_equal(pixels.read(image), before)
