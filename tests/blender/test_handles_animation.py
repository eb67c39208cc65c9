# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keyframes on sliders play and render: meshes, wheels and cameras of every frame are those of its sliders."""

from __future__ import annotations

import time

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

import addon
from addon import animation, environment, handles, parts, pixels, scene
from backend.pipeline.generate import load_generator
from backend.pipeline.parts_object import object_from_code
from tests.helpers import toy

LAST = 11
SIZE = 4.5


@pytest.fixture(autouse=True)
def emptied_file(monkeypatch):
    """Every test begins with an empty file and the add-on registered; a worker cannot be started."""

    def none(chosen=""):
        raise AssertionError("no frame can wait for the worker")

    bpy.ops.wm.read_homefile(use_empty=True)
    addon.register()
    monkeypatch.setattr(environment, "worker_command", none)
    yield
    addon.unregister()


@pytest.fixture
def box():
    return scene.build(bpy.context.scene, toy.reconstruction("box"), real_size=SIZE).object


@pytest.fixture(scope="module")
def found():
    """A car of the shipped template."""
    model = load_generator("car")[0]
    return object_from_code(model.space.sample(np.random.default_rng(5)), model, texture_size=32)


def shape(owner):
    return np.array([vertex.co for vertex in owner.data.vertices])


def key(owner, path, first, last, index=-1):
    """Keyframes a slider at frame 1 and at the last one, in a straight line."""
    for frame, value in ((1, first), (LAST, last)):
        if index < 0:
            setattr(owner.unrender, path, value)
        else:
            getattr(owner.unrender, path)[index] = value
        assert owner.keyframe_insert(f"unrender.{path}", index=index, frame=frame)


def show(frame):
    bpy.context.scene.frame_set(frame)


def test_every_frame_has_the_shape_of_its_sliders(box):
    key(box, "shape", -2.0, 2.0, index=0)
    heights = []
    for frame in (1, 6, LAST, 3, 1):
        show(frame)
        result, position = toy.reconstruction(), box.unrender.shape[0]
        vertices = result.vertices + position * result.shape_directions[0]
        np.testing.assert_allclose(shape(box), (vertices - [0, 0, vertices[:, 2].min()]) * SIZE, atol=1e-5)
        heights.append(np.ptp(shape(box)[:, 2]))
    assert heights[0] < 0.8 * heights[1] < 0.8 * heights[2] and heights[0] == pytest.approx(heights[4])


def test_every_frame_has_the_camera_of_its_sliders(box):
    key(box, "azimuth", -1.0, 1.0)
    key(box, "zoom", 1.0, 2.0)
    camera = box.unrender.camera
    centre = np.array([0, 0, box[parts.CENTRE_HEIGHT]])
    for frame in (1, 6, LAST):
        show(frame)
        to_camera = np.array(camera.matrix_world.translation) - centre
        assert np.arctan2(to_camera[0], -to_camera[1]) == pytest.approx(box.unrender.azimuth, abs=1e-4)
        assert np.linalg.norm(to_camera) == pytest.approx(3.0 * SIZE / box.unrender.zoom, rel=1e-4)
    assert box.unrender.azimuth == pytest.approx(1.0)


def test_a_camera_goes_around_an_object_that_is_animated_itself(box):
    key(box, "azimuth", 0.0, 0.0)
    key(box, "elevation", 0.0, 0.5)
    for frame, place in ((1, 0.0), (LAST, 10.0)):
        box.location.x = place
        box.keyframe_insert("location", frame=frame)
    show(LAST)
    assert box.unrender.camera.matrix_world.translation.x == pytest.approx(10, abs=1e-3)


def test_wheels_of_a_car_go_along_and_stand_on_the_ground(found):
    car = scene.build(bpy.context.scene, found).object
    key(car, "proportions", 0.0, 1.0, index=1)
    places = []
    for frame in (1, LAST):
        show(frame)
        bpy.context.view_layer.update()
        places.append([tuple(wheel.matrix_world.translation) for wheel in parts.turning(car)])
        lowest = min((one.matrix_world @ vertex.co).z for one in parts.turning(car) for vertex in one.data.vertices)
        assert lowest == pytest.approx(0, abs=1e-3)
        expected = scene.build(bpy.context.scene, found).object
        expected.unrender.proportions[1] = car.unrender.proportions[1]
        np.testing.assert_allclose(shape(car), shape(expected), atol=1e-5)
    assert np.abs(np.subtract(*places)).max() > 0.005


def rendered(tmp_path, name):
    """The present frame as a picture (h, w, 4)."""
    bpy.context.scene.render.filepath = str(tmp_path / name)
    bpy.ops.render.render(write_still=True)
    return read(tmp_path / f"{name}.png")


def read(path):
    return pixels.read(bpy.data.images.load(str(path)))


def test_rendered_frames_show_what_still_objects_with_these_sliders_show(tmp_path):
    settings = bpy.context.scene
    built = [
        scene.build(bpy.context.scene, toy.reconstruction(name), real_size=SIZE, set_up_scene=name == "one").object
        for name in ("one", "two")
    ]
    built[1].location.x = 3
    settings.render.engine, settings.cycles.samples, settings.cycles.use_denoising = "CYCLES", 1, False
    settings.world = None  # the outlines are enough to see, and a light's map takes longer than all frames
    settings.render.resolution_x, settings.render.resolution_y = 48, 32
    stills = []
    for first, second, azimuth in ((-2.0, 1.0, -0.5), (2.0, -1.0, 0.5)):
        built[0].unrender.shape[0], built[1].unrender.shape[1] = first, second
        built[0].unrender.azimuth = azimuth
        stills.append(rendered(tmp_path, f"still {first}"))
    assert np.abs(stills[0] - stills[1]).mean() > 0.02
    key(built[0], "shape", -2.0, 2.0, index=0)
    key(built[1], "shape", 1.0, -1.0, index=1)
    key(built[0], "azimuth", -0.5, 0.5)
    show(5)
    before = [shape(one) for one in built]
    settings.render.filepath, settings.frame_start, settings.frame_end = str(tmp_path / "frame "), 1, LAST
    settings.frame_step = LAST - 1
    bpy.ops.render.render(animation=True)
    for still, frame in zip(stills, ("0001", "0011"), strict=True):
        assert np.abs(read(tmp_path / f"frame {frame}.png") - still).mean() < 2e-3
    show(5)
    for one, shown in zip(built, before, strict=True):
        np.testing.assert_allclose(shape(one), shown, atol=1e-5)


def test_nothing_is_done_for_objects_whose_handles_are_not_animated(box, monkeypatch):
    box.data.vertices[0].co.x += 0.25
    camera = box.unrender.camera
    camera.location.x += 1
    for frame in (1, LAST):
        box.location.x = frame
        box.keyframe_insert("location", frame=frame)
    sculpted, place = shape(box), tuple(camera.location)

    def none(*_arguments):
        raise AssertionError("nothing is animated that needs it")

    monkeypatch.setattr(handles, "follow_shape", none)
    monkeypatch.setattr(handles, "place_camera", none)
    began = time.perf_counter()
    for frame in range(1, LAST):
        show(frame)
    print(f"{(time.perf_counter() - began) / 10 * 1000:.2f} ms a frame")
    np.testing.assert_array_equal(shape(box), sculpted)
    assert tuple(camera.location) == place


def test_a_slider_that_is_driven_by_something_else_is_followed_too(box):
    empty = bpy.data.objects.new("control", None)
    bpy.context.scene.collection.objects.link(empty)
    driver = box.driver_add("unrender.shape", 0).driver
    driver.type = "AVERAGE"
    variable = driver.variables.new()
    variable.type = "TRANSFORMS"
    variable.targets[0].id, variable.targets[0].transform_type = empty, "LOC_X"
    for frame in (1, LAST):
        empty.location.x = frame / 10
        empty.keyframe_insert("location", frame=frame)
    show(1)
    low = np.ptp(shape(box)[:, 2])
    show(LAST)
    assert np.ptp(shape(box)[:, 2]) == pytest.approx(low * 1.22 / 1.02, rel=1e-4)


def test_sliders_that_need_the_worker_cannot_be_keyed(box):
    with pytest.raises(TypeError, match="not animatable"):
        box.keyframe_insert("unrender.texture")
    for path in ("shape", "proportions", "azimuth", "elevation", "zoom"):
        assert box.keyframe_insert(f"unrender.{path}")


def test_a_render_in_a_thread_of_its_own_has_its_work_done_by_the_main_thread(box, monkeypatch):
    """The window's render job: its frame waits at the door, and goes on by itself where nobody comes."""
    import threading

    done = []
    monkeypatch.setattr(animation, "PATIENCE", 5.0)
    work = animation._Work(lambda: done.append(threading.get_ident()))
    thread = threading.Thread(target=work.wait)
    animation._waiting.put(work)
    thread.start()
    animation._open_door()
    thread.join(2.0)
    assert not thread.is_alive() and done == [threading.get_ident()]
    monkeypatch.setattr(animation, "PATIENCE", 0.05)
    alone = animation._Work(lambda: done.append(threading.get_ident()))
    thread = threading.Thread(target=alone.wait)
    thread.start()
    thread.join(2.0)
    assert not thread.is_alive() and len(done) == 2 and done[1] != threading.get_ident()
