# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shape sliders of an object with parts: the shipped car's, live in Blender's own process, and no worker anywhere."""

from __future__ import annotations

import time

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

import addon
from addon import environment, handles, parts, places, proportions, scene, session, shape_codes
from backend.common import bundle_files
from backend.pipeline.generate import load_generator
from backend.pipeline.parts_object import object_from_code
from tests.helpers import toy

FRONT, REAR = ("car wheel front left", "car wheel front right"), ("car wheel rear left", "car wheel rear right")
LARGEST, SMALLEST = 1.0, 0.0
"""Ends of a named slider."""
SLOWEST = 0.25
"""Seconds that one change of shape may take in 95 of 100: 0.08 are promised on a core that has nothing else to do."""


@pytest.fixture(autouse=True)
def emptied_file(monkeypatch):
    """Every test begins with an empty file and the add-on registered; a worker cannot be started."""

    def none(chosen=""):
        raise AssertionError("shape sliders of objects with parts need no worker")

    bpy.ops.wm.read_homefile(use_empty=True)
    addon.register()
    monkeypatch.setattr(environment, "worker_command", none)
    yield
    addon.unregister()


@pytest.fixture(scope="module")
def model():
    """The shipped car's template and shape space."""
    return load_generator("car")[0]


@pytest.fixture(scope="module")
def found(model):
    """What a car's code stands for, with offsets as refinement leaves them."""
    result = object_from_code(model.space.sample(np.random.default_rng(5)), model, texture_size=32)
    result.offsets[:] = np.random.default_rng(0).normal(scale=0.001, size=result.offsets.shape)
    result.vertices += result.offsets
    return result


@pytest.fixture
def car(found):
    """The car in the scene, where nobody has touched it."""
    return scene.build(bpy.context.scene, found, set_up_scene=False).object


def everywhere(owner):
    """Returns the vertices (V, 3) of an object with its wheels where they are in the world, in the template's order."""
    bpy.context.view_layer.update()
    objects = [owner, *parts.turning(owner)]
    places_of = np.empty((sum(len(one.data.vertices) for one in objects), 3))
    for one in objects:
        index, local = np.empty(len(one.data.vertices), np.int32), np.empty(len(one.data.vertices) * 3, np.float32)
        one.data.attributes["unrender_index"].data.foreach_get("value", index)
        one.data.vertices.foreach_get("co", local)
        matrix = np.array(one.matrix_world)
        places_of[index] = local.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]
    return places_of


def on_the_ground(vertices, size):
    """Returns canonical vertices in metres, the lowest at height 0."""
    raised = vertices.astype(float) * size
    raised[:, 2] -= raised[:, 2].min()
    return raised


def slide(owner, model, **positions):
    """Moves named sliders, all others being as found; a blank in a name is written as _."""
    values = np.full(proportions.MAX_PROPORTIONS, proportions.AS_FOUND)
    for name, position in positions.items():
        values[model.space.proportions.index(name.replace("_", " "))] = position
    owner.unrender.proportions = values


def wheelbase(owner):
    """Returns the metres from the front axle to the rear one: the origins of the wheels."""
    front, rear = (np.mean([bpy.data.objects[name].location.y for name in names]) for names in (FRONT, REAR))
    return rear - front


@pytest.mark.parametrize("direction", [0, 3, 5])
def test_a_direction_gives_the_vertices_of_the_moved_code_with_the_offsets(car, found, model, direction):
    size, code = car.unrender.real_size, found.shape_code.copy()
    way = shape_codes.further_of(model.space).directions[:, direction]
    end = np.percentile(model.space.examples.astype(float) @ way, 99)
    code += (0.5 * (end - way @ code) * way).astype(np.float32)  # half of the way to the data's end
    car.unrender.shape[direction] = 1.5
    expected = on_the_ground(model.space.decode(code).vertices + found.offsets, size)
    assert np.abs(expected - on_the_ground(found.vertices, size)).max() > 0.01 * size / 4, "it is another shape"
    np.testing.assert_allclose(everywhere(car), expected, atol=2e-5)
    assert session.status.error == ""
    car.unrender.shape[direction] = 0.0
    np.testing.assert_allclose(everywhere(car), on_the_ground(found.vertices, size), atol=2e-5)


def ends_of(found, model, name):
    """Where a slider ends: at the category's ends, or two deviations of drawn objects away, whichever is nearer."""
    codes = np.random.default_rng(0).standard_normal((4000, len(found.shape_code)))
    drawn = np.array([model.space.proportions_of(code)[name] for code in codes])
    drawn = np.log(drawn) if name == "length" else drawn
    now = model.space.proportions_of(found.shape_code)[name]
    now = np.log(now) if name == "length" else now
    low, high = model.space.proportion_range[model.space.proportions.index(name)]
    low, high = (np.log(low), np.log(high)) if name == "length" else (low, high)
    away = proportions.REACH * drawn.std()
    ends = max(low, now - away), min(high, now + away)
    return np.exp(ends) if name == "length" else ends


def test_at_the_end_of_a_named_slider_is_the_largest_or_smallest_of_the_category_within_reach(car, found, model):
    size = car.unrender.real_size
    ends = {name: ends_of(found, model, name) for name in ("wheelbase", "wheels")}
    for position, end in ((SMALLEST, 0), (LARGEST, 1)):
        slide(car, model, wheelbase=position)
        # The offsets, which stay, shift an axle by a thousandth.
        assert wheelbase(car) == pytest.approx(ends["wheelbase"][end] * size, abs=0.004 * size)
        slide(car, model, wheels=position)
        tyre = bpy.data.objects[FRONT[0]]
        assert tyre.dimensions.z / 2 == pytest.approx(ends["wheels"][end] * size, abs=0.005 * size)
        assert wheelbase(car) == pytest.approx(found_wheelbase(found, model) * size, abs=0.01 * size), "others are kept"


def found_wheelbase(found, model):
    return model.space.proportions_of(found.shape_code)["wheelbase"]


def test_a_higher_car_is_as_long_as_before_and_a_longer_one_is_longer(car, found, model):
    long, high = np.ptp(everywhere(car), axis=0)[1:]
    slide(car, model, height=LARGEST)
    higher = np.ptp(everywhere(car), axis=0)
    assert higher[2] > 1.15 * high and higher[1] == pytest.approx(long, rel=0.02)
    slide(car, model, length=LARGEST)
    longest = float(ends_of(found, model, "length")[1])
    assert longest < 0.8 * model.space.proportion_range[0, 1], "a lorry's length is out of a saloon's reach"
    assert np.ptp(everywhere(car), axis=0)[1] == pytest.approx(long * longest / found.real_size, rel=0.02)
    assert car.unrender.real_size == pytest.approx(found.real_size), "what was found is remembered"


@pytest.mark.parametrize("name", ["length", "height", "ground clearance", "roof line", "wheels"])
def test_wheels_turn_and_stand_on_the_ground_at_every_slider(car, model, name):
    turned = bpy.data.objects[FRONT[1]]
    turned.rotation_euler.x += 0.7
    turned.rotation_euler.z += 0.3
    before = tuple(turned.rotation_euler)
    for position in (SMALLEST, LARGEST):
        slide(car, model, **{name: position})
        assert tuple(turned.rotation_euler) == before
        # The turned wheel's offsets are turned with it, and it stands a little apart for that.
        assert everywhere(car)[:, 2].min() == pytest.approx(0, abs=0.01 * car.unrender.real_size)
        for one in parts.turning(car):
            # Around the axle a wheel is as far as its own radius, on both sides.
            corners = np.array(one.bound_box)
            np.testing.assert_allclose(corners[:, 1:].mean(axis=0), 0, atol=2e-3 * car.unrender.real_size)


def test_the_order_of_sliders_does_not_matter_and_reset_brings_all_back(car, model):
    before, camera = everywhere(car), np.array(car.unrender.camera.location)
    slide(car, model, cabin=0.8)
    car.unrender.shape[1] = -1.0
    slide(car, model, cabin=0.8, tail=0.3, length=0.6)
    once = everywhere(car)
    slide(car, model)
    car.unrender.shape = (0.0,) * 6
    slide(car, model, length=0.6, tail=0.3)
    slide(car, model, cabin=0.8, tail=0.3, length=0.6)
    car.unrender.shape[1] = -1.0
    np.testing.assert_allclose(everywhere(car), once, atol=1e-5)
    bpy.context.view_layer.objects.active = car
    assert bpy.ops.unrender.reset_handles() == {"FINISHED"}
    np.testing.assert_allclose(everywhere(car), before, atol=1e-4)
    np.testing.assert_allclose(car.unrender.camera.location, camera, atol=1e-4)
    assert list(car.unrender.proportions) == [proportions.AS_FOUND] * proportions.MAX_PROPORTIONS


def test_no_slider_leaves_the_shapes_of_cars(model):
    """Bonnet, cabin and tail add up to the length, so that a careless solution moves the code by hundreds."""
    ways = proportions.directions(model.space)
    ranges = model.space.proportion_range.astype(float)
    ranges[0] = np.log(ranges[0])
    whole = ways * np.ptp(ranges, axis=1)
    assert np.linalg.norm(whole, axis=0).max() < 8
    reached = model.space.proportion_map @ ways
    np.testing.assert_allclose(np.diag(reached), 1, atol=1e-4)


def test_sliders_work_after_saving_and_reopening(car, model, tmp_path):
    slide(car, model, bonnet=0.2)
    shape, name = everywhere(car), car.name
    path = str(tmp_path / "scene.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    again = bpy.data.objects[name]
    np.testing.assert_allclose(everywhere(again), shape, atol=1e-6)
    slide(again, model, bonnet=0.9)
    assert np.abs(everywhere(again) - shape).max() > 0.1
    slide(again, model, bonnet=0.2)
    np.testing.assert_allclose(everywhere(again), shape, atol=1e-4)


def test_undo_and_redo_bring_back_slider_and_shape(car, model):
    name = car.name
    bpy.ops.ed.undo_push(message="made")
    before = everywhere(car)
    slide(car, model, height=0.9)
    high = everywhere(car)
    bpy.ops.ed.undo_push(message="slider")
    bpy.ops.ed.undo()
    car = bpy.data.objects[name]
    np.testing.assert_array_equal(everywhere(car), before)
    assert list(car.unrender.proportions) == [proportions.AS_FOUND] * proportions.MAX_PROPORTIONS
    bpy.ops.ed.redo()
    np.testing.assert_array_equal(everywhere(bpy.data.objects[name]), high)


def test_a_linked_duplicate_keeps_its_own_shape(car, model):
    before = everywhere(car)
    bpy.ops.object.select_all(action="DESELECT")
    for one in (car, *parts.turning(car)):
        one.select_set(True)
    bpy.context.view_layer.objects.active = car
    bpy.ops.object.duplicate(linked=True)
    copy = bpy.context.view_layer.objects.active
    assert copy != car and copy.data == car.data
    slide(copy, model, height=LARGEST)
    np.testing.assert_array_equal(everywhere(car), before)
    assert np.abs(everywhere(copy) - before).max() > 0.1
    assert [one.data.users for one in (car, copy, *parts.turning(car), *parts.turning(copy))] == [1] * 10


def test_without_its_bundle_a_sentence_says_so_and_nothing_moves(car, model, monkeypatch):
    before = everywhere(car)
    monkeypatch.setattr(places, "shape_spaces", dict)
    slide(car, model, height=LARGEST)
    assert "'car', which car was made with, are not installed: install them" in session.status.error
    np.testing.assert_array_equal(everywhere(car), before)


def test_a_damaged_or_another_space_is_a_sentence(car, model, monkeypatch, tmp_path):
    (tmp_path / bundle_files.SHAPE_SPACE).write_bytes(b"no archive")
    monkeypatch.setattr(places, "shape_spaces", lambda: {"car": tmp_path})
    slide(car, model, height=LARGEST)
    assert "'car' are damaged, install them again" in session.status.error
    monkeypatch.undo()
    other = scene.build(bpy.context.scene, toy.parts_reconstruction(), set_up_scene=False).object
    other.unrender.shape[0] = 1.0
    assert "toy car was made with other weights" in session.status.error


def test_a_part_that_was_cut_up_is_left_alone_with_a_sentence(car, model):
    before = np.array([vertex.co for vertex in car.data.vertices])
    bpy.data.objects[FRONT[0]].data.vertices.add(1)
    slide(car, model, height=LARGEST)
    assert "car wheel front left has other vertices" in session.status.error
    np.testing.assert_array_equal([vertex.co for vertex in car.data.vertices], before)


def test_texture_sliders_say_why_they_do_nothing(car):
    car.unrender.texture[0] = 1.0
    assert session.status.error == handles.NO_TEXTURE_SLIDERS


def test_a_change_of_shape_follows_a_dragged_slider(car, model, found):
    assert len(found.vertices) == 4282
    seconds = []
    for position in np.linspace(0.1, 0.9, 40):
        began = time.perf_counter()
        car.unrender.proportions[1] = position
        seconds.append(time.perf_counter() - began)
    assert session.status.error == ""
    assert np.percentile(seconds, 95) < SLOWEST
