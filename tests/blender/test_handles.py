# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""After every undo, redo and reopening, mesh and texture are those of the sliders, of every object in the file."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from addon import environment, handles, pixels, scene, session
from addon.environment import NoEnvironment
from tests.helpers import toy
from tests.helpers.addon_at_work import addon_with_toy_worker

SIZE = 4.5
SLOWEST = 0.25
"""Seconds that one change of shape may take in 95 of 100: 0.08 are promised on a core that has nothing else to do."""


@pytest.fixture(autouse=True)
def toy_worker(root, tmp_path, monkeypatch):
    """An empty file, the add-on registered, and a toy worker in place of the product's."""
    with addon_with_toy_worker(root, tmp_path, monkeypatch):
        yield


@pytest.fixture
def no_worker(monkeypatch):
    """Nothing may ask for the worker."""

    def none(chosen=""):
        raise AssertionError("shape sliders need no worker")

    monkeypatch.setattr(environment, "worker_command", none)


def build(name="box"):
    """A box of one surface in the scene, where nobody has touched it."""
    return scene.build(bpy.context.scene, toy.reconstruction(name), real_size=SIZE, set_up_scene=False).object


def shape(owner):
    """Vertices (V, 3) of an object's mesh."""
    return np.array([vertex.co for vertex in owner.data.vertices])


def shape_of_sliders(owner):
    """Vertices (V, 3) that the object's sliders stand for, on the ground."""
    result = toy.reconstruction()
    vertices = result.vertices + np.tensordot(np.array(owner.unrender.shape), result.shape_directions, axes=1)
    vertices[:, 2] -= vertices[:, 2].min()
    return vertices * SIZE


def texture(owner):
    """Texture (T, T, 3) uint8 of an object."""
    return pixels.to_bytes(pixels.read(handles.texture_of(owner))[..., :3])


def texture_of_sliders(owner):
    """Texture that the toy worker's first slider makes: brighter by 0.1."""
    return np.clip(np.round(toy.texture() + 25.5 * owner.unrender.texture[0]), 0, 255).astype(int)


def check(owner):
    """An object shows what its sliders say."""
    np.testing.assert_allclose(shape(owner), shape_of_sliders(owner), atol=1e-5)
    assert np.abs(texture(owner).astype(int) - texture_of_sliders(owner)).max() <= 1


def push(message):
    bpy.ops.ed.undo_push(message=message)


def test_undo_of_the_first_texture_drag_brings_the_photos_texture_back():
    name = build().name
    push("made")
    bpy.data.objects[name].unrender.texture[0] = 1.0
    push("texture")
    check(bpy.data.objects[name])
    bpy.ops.ed.undo()
    owner = bpy.data.objects[name]
    assert owner.unrender.texture[0] == 0 and np.array_equal(texture(owner), toy.texture())
    bpy.ops.ed.redo()
    assert bpy.data.objects[name].unrender.texture[0] == 1
    check(bpy.data.objects[name])


def test_an_undone_texture_is_saved_as_it_was_found(tmp_path):
    name, path = build().name, str(tmp_path / "scene.blend")
    push("made")
    bpy.data.objects[name].unrender.texture[0] = 1.0
    push("texture")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.ed.undo()
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert np.array_equal(texture(bpy.data.objects[name]), toy.texture())
    bpy.data.objects[name].unrender.texture[0] = -1.0
    check(bpy.data.objects[name])


def test_undo_and_redo_of_several_sliders_of_several_objects():
    names = [build("one").name, build("two").name]
    steps = [(0, "shape", 0, 2.0), (1, "shape", 1, 2.0), (1, "texture", 0, 1.0), (0, "texture", 0, -0.5),
             (0, "shape", 1, -1.0)]  # fmt: skip
    bpy.context.view_layer.objects.active = bpy.data.objects[names[0]]
    push("made")
    for number, kind, slider, value in steps:
        getattr(bpy.data.objects[names[number]].unrender, kind)[slider] = value
        push(f"{kind} {slider}")
    for step in (bpy.ops.ed.undo,) * len(steps) + (bpy.ops.ed.redo,) * len(steps):
        step()
        for name in names:
            check(bpy.data.objects[name])
    for number, kind, slider, value in steps[:4]:
        assert getattr(bpy.data.objects[names[number]].unrender, kind)[slider] == value


def test_sliders_that_moved_without_their_effect_are_followed_after_undo():
    """As where a mesh was in edit mode when its slider moved."""
    name = build().name
    with handles.muted():
        bpy.data.objects[name].unrender.shape[0] = 1.5
    push("the slider is ahead of the mesh")
    push("another step")
    bpy.ops.ed.undo()
    owner = bpy.data.objects[name]
    assert owner.unrender.shape[0] == 1.5
    check(owner)


def test_undo_of_something_else_leaves_what_was_sculpted_and_painted():
    owner = build()
    owner.data.vertices[0].co.x += 0.25
    image = handles.texture_of(owner)
    painted = pixels.read(image)
    painted[:20, :20] = 0.25
    pixels.write(image, painted)
    push("made")
    sculpted, name = shape(owner), owner.name
    owner.location.x = 3
    push("moved")
    bpy.ops.ed.undo()
    np.testing.assert_array_equal(shape(bpy.data.objects[name]), sculpted)
    np.testing.assert_array_equal(texture(bpy.data.objects[name]), pixels.to_bytes(painted[..., :3]))


def test_an_import_that_is_undone_and_redone_shows_its_sliders():
    push("empty")
    name = build().name
    push("made")
    bpy.data.objects[name].unrender.texture[0] = 1.0
    push("texture")
    for _ in range(2):
        bpy.ops.ed.undo()
    assert name not in bpy.data.objects
    bpy.ops.ed.redo()
    check(bpy.data.objects[name])
    bpy.ops.ed.redo()
    assert bpy.data.objects[name].unrender.texture[0] == 1
    check(bpy.data.objects[name])


def test_a_file_that_blender_saved_by_itself_shows_its_sliders(tmp_path):
    """Blender's own backups ask nobody to pack what was painted."""
    name, path = build().name, str(tmp_path / "backup.blend")
    bpy.data.objects[name].unrender.texture[0] = 1.0
    asked = list(bpy.app.handlers.save_pre)
    bpy.app.handlers.save_pre.clear()
    try:
        bpy.ops.wm.save_as_mainfile(filepath=path, copy=True)
    finally:
        bpy.app.handlers.save_pre.extend(asked)
    bpy.ops.wm.open_mainfile(filepath=path)
    check(bpy.data.objects[name])


def test_shape_sliders_of_a_surface_need_no_worker_and_follow_a_drag(no_worker):
    owner = build()
    seconds = []
    for position in np.linspace(-2, 2, 40):
        began = time.perf_counter()
        owner.unrender.shape[0] = position
        seconds.append(time.perf_counter() - began)
    check(owner)
    assert session.status.error == ""
    print(f"95 % of shape changes within {1000 * np.percentile(seconds, 95):.1f} ms")
    assert np.percentile(seconds, 95) < SLOWEST


def test_the_origin_is_on_the_ground_and_the_object_stays_on_it(no_worker):
    owner = build()
    assert tuple(owner.location) == (0, 0, 0)
    camera = owner.unrender.camera
    for position in (-2.5, 0.0, 2.5):
        owner.unrender.shape[0] = position
        assert shape(owner)[:, 2].min() == pytest.approx(0, abs=1e-5)
        # The camera keeps looking at the canonical centre, as far away as before.
        distance = np.linalg.norm(np.array(camera.location) - [0, 0, owner["unrender_centre_height"]])
        assert distance == pytest.approx(3.0 * SIZE, rel=1e-4)
        assert owner["unrender_centre_height"] == pytest.approx(np.ptp(shape(owner)[:, 2]) / 2, rel=1e-4)


def test_a_slider_and_then_azimuth_put_the_camera_where_azimuth_alone_does(no_worker):
    owner = build()
    owner.unrender.shape[0] = 2.0
    lifted = np.array(owner.unrender.camera.location)
    owner.unrender.azimuth = owner.unrender.azimuth
    np.testing.assert_allclose(owner.unrender.camera.location, lifted, atol=1e-5)


def test_what_has_no_directions_says_so():
    result = toy.reconstruction("old")
    result.shape_directions = np.zeros((0, 0, 0), np.float32)
    owner = scene.build(bpy.context.scene, result, set_up_scene=False).object
    owner.unrender.shape[0] = 1.0
    assert session.status.error == "old keeps no directions for its shape sliders: make it from its photo again."


def test_with_a_killed_worker_shapes_go_on_and_textures_say_one_sentence_and_work_again():
    owner = build()
    owner.unrender.texture[0] = 1.0
    check(owner)
    os.kill(session.worker().process_id, signal.SIGKILL)
    time.sleep(0.3)
    owner.unrender.shape[0] = 1.0
    assert session.status.error == ""
    np.testing.assert_allclose(shape(owner), shape_of_sliders(owner), atol=1e-5)
    owner.unrender.texture[0] = 0.5
    assert "stopped unexpectedly" in session.status.error and "\n" not in session.status.error
    owner.unrender.texture[0] = 0.25
    assert session.status.error == ""
    check(owner)


def test_without_an_environment_shapes_go_on_and_known_textures_come_back(monkeypatch):
    owner = build()
    owner.unrender.texture[0] = 1.0

    def none(chosen=""):
        raise NoEnvironment("Create one in the preferences.")

    session.end_worker()
    monkeypatch.setattr(environment, "worker_command", none)
    owner.unrender.texture[0] = 0.7
    assert session.status.error == "Create one in the preferences."
    owner.unrender.shape[1] = 1.0
    np.testing.assert_allclose(shape(owner), shape_of_sliders(owner), atol=1e-5)
    for position in (0.0, 1.0):
        owner.unrender.texture[0] = position
        assert session.status.error == ""
        check(owner)
