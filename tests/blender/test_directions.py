# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Doubts about the direction of view: shown, kept with the object, and settled by making it again in its place."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from mathutils import Vector

import addon
from addon import directions, environment, matching, parts, pixels, session
from addon.operators import use_direction
from addon.ui import handle_panels
from addon.wire import client
from tests.helpers import toy, toy_worker


@pytest.fixture(params=["", toy_worker.WITH_PARTS])
def made(request, root, tmp_path, monkeypatch):
    """An object whose direction is doubtful, as one surface and with parts, made from a photo by the toy worker."""
    bpy.ops.wm.read_homefile(use_empty=True)
    addon.register()
    command = client.WorkerCommand(
        [sys.executable, "-m", "tests.helpers.toy_worker", request.param], root, tmp_path / "worker.log"
    )
    monkeypatch.setattr(environment, "worker_command", lambda chosen="": command)
    path = tmp_path / f"{toy_worker.UNSURE} car.png"
    pixels.write_png(path, np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8))
    bpy.context.scene.unrender.image_path = str(path)
    assert bpy.ops.unrender.image_to_3d() == {"FINISHED"}
    yield bpy.context.view_layer.objects.active
    addon.unregister()


def height(one):
    """The height of an object and of its wheels, in metres."""
    bpy.context.view_layer.update()
    z = [(part.matrix_world @ v.co).z for part in (one, *parts.turning(one)) for v in part.data.vertices]
    return max(z) - min(z), min(z)


def names():
    """Names of everything in the file that belongs to objects."""
    kinds = ("objects", "meshes", "materials", "images", "cameras", "collections", "worlds")
    return {kind: sorted(block.name for block in getattr(bpy.data, kind)) for kind in kinds}


def test_an_object_keeps_how_sure_its_direction_is_and_the_others(made, tmp_path):
    state = made.unrender
    assert directions.sentence_of(state.confidence) == "Direction: 57 % sure"
    assert [round(one.probability, 2) for one in state.directions] == [0.31, 0.12]
    assert handle_panels.UNRENDER_PT_other_directions.poll(bpy.context)
    name = made.name
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    again = bpy.data.objects[name].unrender
    assert again.directions[0].azimuth == pytest.approx(0.7 + math.pi, abs=1e-5)
    picture = directions.from_text(again.directions[0].picture)
    assert picture.shape == (60, 60, 4) and picture[30, 30].tolist() == [200, 60, 50, 255] and picture[0, 0, 3] == 0


def test_another_direction_takes_the_objects_place(made):
    bpy.context.scene.collection.children.unlink(made.users_collection[0])
    home = bpy.data.collections.new("Garage")
    bpy.context.scene.collection.children.link(home)
    for one in (made, *parts.turning(made)):
        home.objects.link(one)
    follower = bpy.data.objects.new("follower", None)
    follower.parent = made
    made.location, made.rotation_euler, made.name = (3.0, 2.0, 0.5), (0.0, 0.0, 0.4), "mine"
    for wheel in parts.turning(made)[:1]:
        wheel.rotation_euler.x = 0.7
    before, low = height(made)
    wheels, camera, everything = parts.turning(made), made.unrender.camera, names()
    azimuth = made.unrender.directions[0].azimuth
    matching.match(bpy.context.scene, made)

    assert bpy.ops.unrender.use_direction(number=0) == {"FINISHED"}
    after = bpy.data.objects["mine"]
    assert after == made and follower.parent == made and list(home.objects) == [made, *wheels]
    higher, lowest = height(made)
    assert higher == pytest.approx(before * toy_worker.HIGHER, rel=1e-4) and lowest == pytest.approx(low, abs=1e-4)
    assert tuple(made.location)[:2] == (3.0, 2.0) and made.rotation_euler.z == pytest.approx(0.4)
    assert [one.name for one in parts.turning(made)] == [one.name for one in wheels]
    assert all(wheel.rotation_euler.x == pytest.approx(0.7) for wheel in parts.turning(made)[:1])
    assert names() == everything, "nothing is left over, and nothing has another name"
    assert made.unrender.azimuth == pytest.approx(azimuth) and made.unrender.camera == camera
    centre = made.matrix_world @ Vector((0, 0, made.get(parts.CENTRE_HEIGHT, 0.0)))
    assert (camera.matrix_world.translation - centre).length == pytest.approx(3.0 * 4.5, rel=1e-4)
    assert bpy.context.scene.camera == camera and bpy.context.scene.world == made.unrender.world


def test_the_direction_before_can_be_chosen_again(made):
    first = made.unrender.azimuth
    bpy.ops.unrender.use_direction(number=1)
    state = made.unrender
    assert directions.sentence_of(state.confidence) == "Direction: 12 % sure"
    assert [round(one.probability, 2) for one in state.directions] == [0.57, 0.31]
    bpy.ops.unrender.use_direction(number=0)
    assert made.unrender.azimuth == pytest.approx(first) and made.unrender.confidence == pytest.approx(0.57)


def test_a_direction_that_nobody_rated_has_what_the_others_leave(made):
    made.unrender.confidence = directions.UNKNOWN
    assert directions.sentence_of(made.unrender.confidence) == ""
    kept = directions.exchanged(made.unrender, 0, 0.7)
    assert kept.confidence == pytest.approx(0.31)
    assert [other[1] for other in kept.others] == pytest.approx([0.57, 0.12])


def test_sliders_work_on_the_new_shape(made):
    if parts.has_parts(made):
        pytest.skip("the toy's parts have no shape space")
    bpy.ops.unrender.use_direction(number=0)
    made.unrender.shape = (1.0, 0, 0, 0, 0, 0)
    assert session.status.error == "" and height(made)[0] > 0


def test_a_world_and_a_camera_of_the_users_own_stay(made):
    mine = bpy.data.worlds.new("mine")
    bpy.context.scene.world = mine
    bpy.data.objects.remove(made.unrender.camera)
    bpy.context.scene.render.resolution_x = 77
    worlds = sorted(world.name for world in bpy.data.worlds)
    assert bpy.ops.unrender.use_direction(number=0) == {"FINISHED"}
    assert bpy.context.scene.world == mine and made.unrender.camera is None and bpy.context.scene.camera is None
    assert bpy.context.scene.render.resolution_x == 77
    assert sorted(world.name for world in bpy.data.worlds) == worlds


def test_what_cannot_be_made_again_says_so_and_stays(made):
    before = height(made)
    with pytest.raises(RuntimeError, match="only 2 other directions"):
        bpy.ops.unrender.use_direction(number=2)
    bpy.ops.object.mode_set(mode="EDIT")
    with pytest.raises(RuntimeError, match="Leave the edit mode"):
        bpy.ops.unrender.use_direction(number=0)
    bpy.ops.object.mode_set(mode="OBJECT")
    made.unrender.photo_path = ""
    with pytest.raises(RuntimeError, match="is not known any more"):
        bpy.ops.unrender.use_direction(number=0)
    assert height(made) == before
    made.unrender.directions.clear()
    assert not bpy.ops.unrender.use_direction.poll()
    assert not handle_panels.UNRENDER_PT_other_directions.poll(bpy.context)


def test_a_mask_is_used_only_for_its_own_photo(made, tmp_path):
    settings = bpy.context.scene.unrender
    settings.mask_image = pixels.new_image("mask", np.full((40, 60, 3), 255, np.uint8))
    request = use_direction.request_of(settings, made, 1.25)
    assert request.azimuth == 1.25 and request.mask_path and request.with_parts == parts.has_parts(made)
    settings.image_path = str(tmp_path / "another.png")
    assert use_direction.request_of(settings, made, 1.25).mask_path, "it is still that photo's"
    settings.mask_image = pixels.new_image("another mask", np.full((40, 60, 3), 255, np.uint8))
    request = use_direction.request_of(settings, made, 1.25)
    assert request.mask_path == "" and request.image_path == made.unrender.photo_path


def test_large_pictures_become_small_and_keep_their_colours():
    picture = np.zeros((301, 500, 4), np.uint8)
    picture[..., 3] = 255
    picture[:, 250:] = (0, 255, 0, 0)  # transparent, so that its colour must not be seen
    small = directions.from_text(directions.as_text(picture))
    assert small.shape[0] == small.shape[1] <= 128 and small[..., 1].max() == 0
    assert directions.as_text(np.zeros((0, 0, 4), np.uint8)) == ""
    assert directions.from_text("") is None and directions.from_text("no picture") is None


def test_toys_have_alternatives_that_travel():
    from addon.wire import protocol

    result = toy.reconstruction()
    result.alternatives = toy.alternatives()
    frame = protocol.encode(protocol.Message(1, result))
    import io

    received = protocol.read(io.BytesIO(frame)).body
    np.testing.assert_array_equal(received.alternatives[1].picture, result.alternatives[1].picture)
