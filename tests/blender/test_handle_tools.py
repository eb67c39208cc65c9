# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Handles one by one and many at once: resets, locks, Randomise, Copy, Blend, and the directions that have no name."""

from __future__ import annotations

import colorsys
import dataclasses

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

import addon
from addon import environment, handle_tools, palette, places, proportions, scene, shape_codes
from backend.common.paints import PAINTS
from backend.common.regions import random_palette
from backend.pipeline.generate import load_generator
from backend.pipeline.parts_object import object_from_code
from tests.blender.test_palette import shown
from tests.blender.test_proportions import everywhere, on_the_ground
from tests.helpers import toy

BLUE = (0.1, 0.2, 0.6)


@pytest.fixture(autouse=True)
def emptied_file(monkeypatch):
    """Every test begins with an empty file and the add-on registered; a worker cannot be started."""

    def none(chosen=""):
        raise environment.NoEnvironment("There is no backend here.")

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
def made(model):
    """Two cars as two photographs may give them, with what refinement leaves."""
    found = []
    for number in (3, 44):
        drawn = random_palette(np.random.default_rng(number))
        code = model.space.examples[number].astype(np.float32)
        result = object_from_code(code, model, drawn, name=f"car {number}", texture_size=64)
        result.offsets[:] = np.random.default_rng(number).normal(scale=0.001, size=result.offsets.shape)
        result.vertices += result.offsets
        found.append(result)
    return found


@pytest.fixture
def cars(made):
    """Both in the scene, where nobody has touched them; the first is active."""
    objects = [scene.build(bpy.context.scene, result, set_up_scene=False).object for result in made]
    bpy.context.view_layer.objects.active = objects[0]
    return objects


def shape(owner):
    """Returns where an object's vertices (V, 3) are, as if it stood at the origin."""
    return everywhere(owner) - np.array(owner.location)


def decoded(model, code, offsets, length):
    """Returns the vertices (V, 3) in metres of a code on the ground, with offsets."""
    return on_the_ground(model.space.decode(code).vertices + offsets, length)


# ---- Further directions ----


def peaks(moves):
    """Returns how much of each movement (J, N) is in few places: 1 where all move alike."""
    return np.power(moves, 4).mean(axis=1) / np.square(np.square(moves).mean(axis=1))


def test_further_directions_change_no_proportion_and_show_about_as_much_as_one_another(model):
    further = shape_codes.further_of(model.space)
    assert further.directions.shape == (model.space.size, 6)
    np.testing.assert_allclose(model.space.proportion_map @ further.directions, 0, atol=1e-9)
    np.testing.assert_allclose(further.directions.T @ further.directions, np.eye(6), atol=1e-9)
    assert (np.diff(further.visible) <= 0).all() and further.visible[-1] > 0.7 * further.visible[0]
    basis = model.space.unfolded(model.space.basis).astype(np.float64)
    moves = np.tensordot(further.directions.T, basis - basis.mean(axis=1, keepdims=True), axes=1)
    middle = np.ptp(np.percentile(model.space.examples @ further.directions, (1, 99), axis=0), axis=0)[:, None] / 2
    seen = middle * np.linalg.norm(moves, axis=2)
    np.testing.assert_allclose(further.visible, seen.mean(axis=1), rtol=1e-5)
    main = np.linalg.svd(moves.reshape(6, -1), full_matrices=False)[2]
    assert peaks(moves.reshape(6, -1)).mean() > 1.15 * peaks(main).mean(), "they move fewer places than main directions"
    assert len(set(further.names)) == 6


def test_ends_of_a_further_direction_are_the_datas(cars, made, model):
    further = shape_codes.further_of(model.space)
    along = model.space.examples.astype(float) @ further.directions
    before = further.directions.T @ made[0].shape_code
    for number in range(6):
        for end, percentile in ((-3.0, 1), (3.0, 99)):
            cars[0].unrender.shape = [end if n == number else 0.0 for n in range(6)]
            reached = further.directions.T @ proportions.code_of(cars[0])[0]
            expected = np.percentile(along[:, number], percentile)
            if abs(expected - before[number]) > 0.5:  # an extreme object's sliders go beyond
                assert reached[number] == pytest.approx(expected, abs=0.02)


def test_a_direction_that_is_named_does_what_its_name_says(model):
    further = shape_codes.further_of(model.space)
    vertices = [model.space.vertices(np.zeros(model.space.size, np.float32))]
    vertices += [model.space.vertices(way.astype(np.float32)) for way in further.directions.T]
    place = (vertices[0][:, 1] - vertices[0][:, 1].min()) / np.ptp(vertices[0][:, 1])
    named = [(name.split(), moved - vertices[0]) for name, moved in zip(further.names, vertices[1:], strict=True)]
    named = [(words, moved) for words, moved in named if words[0] != "Direction"]
    assert named
    for (where, axis), moved in named:
        moved = np.square(moved - moved.mean(axis=0))
        assert moved.mean(axis=0).argmax() == ["Width", "Length", "Height"].index(axis)
        inside = place < 0.3 if where == "Front" else place > 0.7 if where == "Rear" else (place > 0.3) & (place < 0.7)
        assert moved[inside].mean() > 1.3 * moved[~inside].mean()


# ---- Marks, resets and locks ----


def test_only_what_was_moved_differs_and_each_goes_back_alone(cars):
    car = cars[0]
    every = [(name, -1) for name in ("azimuth", "elevation", "zoom", "two_tone", "background")]
    every += [(palette.field_of(region), -1) for region in palette.COLOURS]
    every += [("proportions", n) for n in range(10)] + [("shape", n) for n in range(6)]
    assert not [one for one in every if handle_tools.differs(car, *one)]
    before, pixels_before = shape(car), shown(car)
    moved = {("azimuth", -1): 1.0, ("proportions", 1): 0.9, ("shape", 2): -2.0, ("colour_paint", -1): BLUE}
    for (where, index), value in moved.items():
        if index < 0:
            setattr(car.unrender, where, value)
        else:
            getattr(car.unrender, where)[index] = value
    assert {one for one in every if handle_tools.differs(car, *one)} == set(moved)
    for number, (where, index) in enumerate(moved):
        assert bpy.ops.unrender.reset_handle(where=where, index=index) == {"FINISHED"}
        assert {one for one in every if handle_tools.differs(car, *one)} == set(list(moved)[number + 1 :])
    np.testing.assert_allclose(shape(car), before, atol=1e-4)
    np.testing.assert_array_equal(shown(car), pixels_before)


def test_every_handle_has_a_lock_of_its_own(cars):
    every = (
        [("proportions", n) for n in range(16)] + [("shape", n) for n in range(6)] + [("texture", n) for n in (0, 5)]
    )
    every += [(name, -1) for name in (*handle_tools.CAMERA, "background")]
    every += [(palette.field_of(region), -1) for region in palette.COLOURS]
    locks = [handle_tools.lock_of(*one) for one in every]
    assert len(set(locks)) == len(every)
    for where, index in every:
        name, number = handle_tools.lock_of(where, index)
        getattr(cars[0].unrender, name)[number] = True
        assert handle_tools.is_locked(cars[0], where, index)


# ---- Randomise ----


def test_the_same_seed_is_the_same_car_whatever_it_was_before(cars, model):
    codes, colours = [], []
    for car, touch in zip(cars, (0.5, 0.9), strict=True):
        bpy.context.view_layer.objects.active = car
        car.unrender.proportions[1] = touch
        assert bpy.ops.unrender.randomise(seed=7) == {"FINISHED"}
        codes.append(proportions.code_of(car)[0])
        colours.append(np.array(list(palette.colours_of(car).values())))
        assert car.unrender.seed == 7
    expected = model.space.sample(np.random.default_rng(7))
    for code in codes:
        np.testing.assert_allclose(code, expected, atol=1e-4)
    drawn = random_palette(np.random.default_rng([7, 1])).array()[:, :3]
    for name in ("paint", "two_tone", "rim", "plate"):
        number = list(palette.found_of(cars[0])).index(name)
        for found in colours:
            np.testing.assert_allclose(found[number], drawn[number], atol=1e-5)
    assert bpy.ops.unrender.randomise(seed=8) == {"FINISHED"}
    assert np.abs(proportions.code_of(cars[1])[0] - expected).max() > 0.3


def test_the_mesh_is_that_of_the_drawn_code_on_the_ground(cars, made, model):
    handle_tools.randomise(cars[0], 11)
    code, length = proportions.code_of(cars[0])
    expected = decoded(model, code, made[0].offsets, length)
    np.testing.assert_allclose(shape(cars[0]), expected, atol=2e-4)
    said = model.space.decode(code).length / model.space.decode(made[0].shape_code).length
    assert length == pytest.approx(made[0].real_size * said, rel=1e-3)


def test_random_cars_keep_the_proportions_and_paints_of_the_street(cars, model):
    ranges = model.space.proportion_range
    span = np.ptp(ranges, axis=1)
    for seed in range(12):
        handle_tools.randomise(cars[0], seed)
        values = np.array(list(model.space.proportions_of(proportions.code_of(cars[0])[0]).values()))
        assert (values > ranges[:, 0] - 0.25 * span).all() and (values < ranges[:, 1] + 0.25 * span).all()
        hue, saturation, value = colorsys.rgb_to_hsv(*cars[0].unrender.colour_paint)
        fits = [
            (p.saturation[0] - 0.01 <= saturation <= p.saturation[1] + 0.01)
            and (p.value[0] - 0.01 <= value <= p.value[1] + 0.01)
            for p in PAINTS.values()
        ]
        assert any(fits), (hue, saturation, value)


def test_sliders_say_what_was_drawn_and_one_of_them_can_be_brought_back(cars, model):
    car, names = cars[0], list(model.space.proportions)
    found = model.space.proportions_of(np.array(car[scene.SHAPE_CODE], np.float32))
    handle_tools.randomise(car, 5)
    drawn = model.space.proportions_of(proportions.code_of(car)[0])
    for name in ("height", "wheelbase", "wheels"):
        slider = car.unrender.proportions[names.index(name)]
        assert np.sign(slider - 0.5) == np.sign(drawn[name] - found[name])
    handle_tools.reset(car, "proportions", names.index("height"))
    assert model.space.proportions_of(proportions.code_of(car)[0])["height"] == pytest.approx(
        found["height"], abs=0.004
    )
    before = on_the_ground(model.space.vertices(np.array(car[scene.SHAPE_CODE], np.float32)), car.unrender.real_size)
    bpy.ops.unrender.reset_handles()
    assert np.abs(shape(car) - before).max() < 0.05 and car.get(shape_codes.CHANGE) is None


def test_locked_handles_stay_while_others_are_drawn(cars, model):
    car, names = cars[0], list(model.space.proportions)
    state, height = car.unrender, names.index("height")
    state.proportions[height] = 0.8
    state.shape[0], state.colour_paint = 1.5, BLUE
    before = proportions.code_of(car)[0]
    state.lock_proportions[height] = state.lock_shape[0] = True
    state.lock_colours[list(palette.COLOURS).index("paint")] = True
    handle_tools.randomise(car, 21)
    now = proportions.code_of(car)[0]
    assert state.proportions[height] == pytest.approx(0.8) and state.shape[0] == pytest.approx(1.5)
    assert state.colour_paint[:] == pytest.approx(BLUE)
    old, new = (model.space.proportions_of(code) for code in (before, now))
    assert new["height"] == pytest.approx(old["height"], abs=1e-5) and new["wheelbase"] != pytest.approx(
        old["wheelbase"], abs=1e-3
    )
    way = shape_codes.further_of(model.space).directions[:, 0]
    assert way @ now == pytest.approx(way @ before, abs=1e-4)
    assert state.colour_rim[:] == pytest.approx(random_palette(np.random.default_rng([21, 1])).rim.colour)


def test_shape_and_colours_are_drawn_apart(cars):
    car = cars[0]
    before, code = shown(car), proportions.code_of(car)[0]
    bpy.ops.unrender.randomise(seed=3, shape=True, colours=False)
    np.testing.assert_array_equal(shown(car), before)
    moved = proportions.code_of(car)[0]
    assert np.abs(moved - code).max() > 0.3
    bpy.ops.unrender.randomise(seed=3, shape=False, colours=True)
    np.testing.assert_allclose(proportions.code_of(car)[0], moved, atol=1e-5)
    assert np.abs(shown(car).astype(int) - before).max() > 30


def test_a_seed_in_the_panel_draws_at_once(cars, model):
    cars[0].unrender.seed = 9
    np.testing.assert_allclose(proportions.code_of(cars[0])[0], model.space.sample(np.random.default_rng(9)), atol=1e-4)


def test_undo_of_randomise_brings_everything_back(cars):
    name = cars[0].name
    bpy.ops.ed.undo_push(message="made")
    before, colours = shape(cars[0]), shown(cars[0])
    bpy.ops.unrender.randomise(seed=4)
    bpy.ops.ed.undo_push(message="randomise")
    drawn, drawn_colours = shape(bpy.data.objects[name]), shown(bpy.data.objects[name])
    assert np.abs(drawn - before).max() > 0.05
    bpy.ops.ed.undo()
    np.testing.assert_allclose(shape(bpy.data.objects[name]), before, atol=1e-5)
    np.testing.assert_array_equal(shown(bpy.data.objects[name]), colours)
    bpy.ops.ed.redo()
    np.testing.assert_allclose(shape(bpy.data.objects[name]), drawn, atol=1e-5)
    np.testing.assert_array_equal(shown(bpy.data.objects[name]), drawn_colours)


# ---- Copy and Blend ----


def test_a_copied_shape_is_the_others_with_ones_own_offsets(cars, made, model):
    first, second = cars
    second.unrender.proportions[1] = 0.8
    first.unrender.other = second
    assert bpy.ops.unrender.copy_from(what="SHAPE") == {"FINISHED"}
    code = proportions.code_of(second)[0]
    np.testing.assert_allclose(proportions.code_of(first)[0], code, atol=1e-4)
    length = proportions.code_of(first)[1]
    np.testing.assert_allclose(shape(first), decoded(model, code, made[0].offsets, length), atol=3e-4)
    assert length == pytest.approx(proportions.code_of(second)[1], rel=1e-3)


def test_copied_colours_and_background_are_the_others(cars):
    first, second = cars
    second.unrender.colour_paint, second.unrender.background = BLUE, (0.2, 0.9, 0.1)
    second.unrender.two_tone = True
    first.unrender.lock_colours[list(palette.COLOURS).index("glass")] = True
    first.unrender.colour_glass = (0.9, 0.1, 0.1)
    first.unrender.other = second
    for what in ("COLOURS", "BACKGROUND"):
        assert bpy.ops.unrender.copy_from(what=what) == {"FINISHED"}
    wanted, now = palette.colours_of(second), palette.colours_of(first)
    for region in palette.COLOURS:
        expected = (0.9, 0.1, 0.1) if region == "glass" else wanted[region]
        np.testing.assert_allclose(now[region], expected, atol=1e-5)
    assert first.unrender.background[:] == pytest.approx((0.2, 0.9, 0.1)) and first.unrender.two_tone


def test_blend_is_linear_between_both_in_shape_and_colours(cars, made, model):
    first, second = cars
    codes = [np.array(car[scene.SHAPE_CODE]) for car in cars]
    colours = [np.array(list(palette.colours_of(car).values())) for car in cars]
    first.unrender.other = second
    for part in (0.25, 1.0):
        first.unrender.blend = part
        between = ((1 - part) * codes[0] + part * codes[1]).astype(np.float32)
        code, length = proportions.code_of(first)
        np.testing.assert_allclose(code, between, atol=1e-4)
        np.testing.assert_allclose(shape(first), decoded(model, between, made[0].offsets, length), atol=3e-4)
        now = np.array(list(palette.colours_of(first).values()))
        np.testing.assert_allclose(now, (1 - part) * colours[0] + part * colours[1], atol=1e-5)
    assert length == pytest.approx(made[1].real_size, rel=1e-3)
    first.unrender.blend = 0.0
    np.testing.assert_allclose(proportions.code_of(first)[0], codes[0], atol=1e-5)
    np.testing.assert_array_equal(shown(first), made[0].texture)


def test_blend_leaves_locked_handles_alone(cars, model):
    first, second = cars
    height = list(model.space.proportions).index("height")
    first.unrender.lock_proportions[height] = True
    before = model.space.proportions_of(proportions.code_of(first)[0])
    first.unrender.other, first.unrender.blend = second, 0.7
    held = shape(first)
    first.unrender.lock_proportions[height] = False
    assert np.abs(shape(first) - held).max() > 1e-4, "a lock counts at once"
    first.unrender.lock_proportions[height] = True
    np.testing.assert_allclose(shape(first), held, atol=1e-5)
    now = model.space.proportions_of(proportions.code_of(first)[0])
    assert now["height"] == pytest.approx(before["height"], abs=1e-5)
    assert now["wheelbase"] != pytest.approx(before["wheelbase"], abs=1e-3)


def test_an_object_of_other_weights_is_refused_with_a_sentence(cars):
    first, second = cars
    first.unrender.other = second
    second.unrender.bundle = "lorry"
    before = shape(first)
    with pytest.raises(RuntimeError, match="car 44 was made with the weights 'lorry'"):
        bpy.ops.unrender.copy_from(what="SHAPE")
    first.unrender.blend = 0.5
    np.testing.assert_allclose(shape(first), before, atol=1e-5)
    assert bpy.ops.unrender.copy_from(what="BACKGROUND") == {"FINISHED"}, "any object has one"
    box = scene.build(bpy.context.scene, dataclasses.replace(toy.reconstruction("box"), bundle="car")).object
    first.unrender.other = box
    with pytest.raises(RuntimeError, match="box is one surface"):
        bpy.ops.unrender.copy_from(what="COLOURS")


def test_without_its_weights_randomise_says_so(cars, monkeypatch):
    monkeypatch.setattr(places, "shape_spaces", dict)
    with pytest.raises(RuntimeError, match="not installed: install them"):
        bpy.ops.unrender.randomise(seed=1)


def test_a_deleted_other_object_is_as_none(cars):
    first, second = cars
    first.unrender.other, first.unrender.blend = second, 0.5
    bpy.data.objects.remove(second)
    first.unrender.proportions[1] = 0.5
    np.testing.assert_allclose(proportions.code_of(first)[0], np.array(first[scene.SHAPE_CODE]), atol=1e-5)
