# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repaint: windows, doors and lamps of the present shape, undone, saved, copied and put back."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

import addon
from addon import (
    batch_edit,
    environment,
    handle_tools,
    looks,
    palette,
    pixels,
    preview,
    proportions,
    repaint,
    scene,
)
from backend.common import records
from backend.common.regions import Palette, random_palette
from backend.pipeline.generate import generate, load_generator
from backend.pipeline.parts_object import object_from_code
from tests.blender.test_palette import shown
from tests.helpers.backend_here import answer_here

SIDE = 64


@pytest.fixture(scope="module")
def model():
    """The shipped car's template and shape space."""
    return load_generator("car")[0]


@pytest.fixture
def asked(monkeypatch, model):
    """An empty file with the add-on, and a backend in this process; returns the requests that it got."""
    bpy.ops.wm.read_homefile(use_empty=True)
    addon.register()
    yield answer_here(monkeypatch, model)
    addon.unregister()


@pytest.fixture(scope="module")
def results(model):
    """Two cars of different shapes, as two photographs give them: with a look Photo."""
    found = []
    for number in (3, 44):
        drawn = random_palette(np.random.default_rng(number))
        code = model.space.examples[number].astype(np.float32)
        result = object_from_code(code, model, drawn, name=f"car {number}", texture_size=SIDE)
        photo = np.full((SIDE, SIDE, 3), 40 * number % 256, np.uint8)
        found.append(dataclasses.replace(result, parts=dataclasses.replace(result.parts, photo=photo)))
    return found


@pytest.fixture
def cars(asked, results):
    """Both in the scene; the first is active."""
    objects = [scene.build(bpy.context.scene, one, set_up_scene=False, look="photo").object for one in results]
    bpy.context.view_layer.objects.active = objects[0]
    return objects


def regions_of(owner):
    """Returns the region of each texel (T, T)."""
    return pixels.to_bytes(pixels.read(owner.unrender.region_map)[..., 0])


def far_from_painted(model, owner, code):
    """Returns by how much a texture differs at most from that of a code in the colours of the object's fields.

    Away from the borders of regions: texels on them are mixtures, which are made once and recoloured.
    """
    colours = Palette().array()
    colours[:, :3] = list(palette.colours_of(owner).values())
    made = object_from_code(np.asarray(code, np.float32), model, Palette.of_array(colours), texture_size=SIDE)
    inside = made.parts.region_map[..., 1] == 255
    assert inside.mean() > 0.05
    return np.abs(shown(owner).astype(int) - made.texture)[inside].max()


def test_a_drawn_car_gets_the_markings_and_maps_of_its_own_shape(cars, model, asked):
    car = cars[0]
    before = regions_of(car)
    assert bpy.ops.unrender.randomise(seed=5) == {"FINISHED"}
    code = proportions.code_of(car)[0]
    expected = generate(records.GenerateRequest(code=code, texture_size=SIDE), model).parts
    np.testing.assert_array_equal(regions_of(car), expected.region_map[..., 0])
    assert (regions_of(car) != before).mean() > 0.01
    normals = pixels.to_bytes(pixels.read(looks.normals_of(car))[..., :3])
    np.testing.assert_array_equal(normals, expected.normal)
    assert far_from_painted(model, car, code) <= 2  # in the colours that were drawn
    assert car[looks.PHOTO] == 0.0 and len(asked) == 1 and not repaint.is_stale(car)


def test_colours_go_on_after_repainting(cars, model):
    car = cars[0]
    bpy.ops.unrender.randomise(seed=5, colours=False)
    car.unrender.colour_paint = (0.1, 0.2, 0.6)
    assert far_from_painted(model, car, proportions.code_of(car)[0]) <= 2


def test_reset_brings_the_photos_paint_back(cars, results):
    car = cars[0]
    before = {image.name for image in bpy.data.images}
    bpy.ops.unrender.randomise(seed=5)
    assert repaint.is_repainted(car)
    bpy.ops.unrender.reset_handles()
    np.testing.assert_array_equal(shown(car), results[0].texture)
    np.testing.assert_array_equal(regions_of(car), results[0].parts.region_map[..., 0])
    assert not repaint.is_repainted(car) and not repaint.is_stale(car)
    assert car[looks.PHOTO] == 1.0 and palette.texture_of(car).name in before


def test_the_photos_paint_comes_back_alone_too(cars, results):
    car = cars[0]
    bpy.ops.unrender.randomise(seed=5)
    code = proportions.code_of(car)[0]
    assert bpy.ops.unrender.unrepaint() == {"FINISHED"}
    np.testing.assert_array_equal(regions_of(car), results[0].parts.region_map[..., 0])
    np.testing.assert_array_equal(proportions.code_of(car)[0], code)
    assert repaint.is_stale(car)


def test_undo_and_redo_bring_back_maps_and_colours(cars, results):
    name = cars[0].name
    bpy.ops.ed.undo_push(message="made")
    bpy.ops.unrender.randomise(seed=5)
    bpy.ops.ed.undo_push(message="randomise")
    now, regions = shown(bpy.data.objects[name]), regions_of(bpy.data.objects[name])
    bpy.ops.ed.undo()
    np.testing.assert_array_equal(shown(bpy.data.objects[name]), results[0].texture)
    np.testing.assert_array_equal(regions_of(bpy.data.objects[name]), results[0].parts.region_map[..., 0])
    assert not repaint.is_repainted(bpy.data.objects[name])
    bpy.ops.ed.redo()
    np.testing.assert_array_equal(shown(bpy.data.objects[name]), now)
    np.testing.assert_array_equal(regions_of(bpy.data.objects[name]), regions)


def test_a_saved_file_keeps_both_paints(cars, results, tmp_path):
    name = cars[0].name
    bpy.ops.unrender.randomise(seed=5)
    now = shown(cars[0])
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "repainted.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "repainted.blend"))
    car = bpy.data.objects[name]
    np.testing.assert_array_equal(shown(car), now)
    bpy.context.view_layer.objects.active = car
    bpy.ops.unrender.reset_handles()
    np.testing.assert_array_equal(shown(car), results[0].texture)


def test_a_copied_shape_comes_with_its_windows_and_a_duplicate_keeps_its_own(cars, results):
    first, second = cars
    twin = first.copy()
    bpy.context.scene.collection.objects.link(twin)
    first.unrender.other = second
    assert bpy.ops.unrender.copy_from(what="SHAPE") == {"FINISHED"}
    overlap = (regions_of(first) == results[1].parts.region_map[..., 0]).mean()
    assert overlap > 0.995
    np.testing.assert_array_equal(shown(twin), results[0].texture)
    np.testing.assert_array_equal(regions_of(twin), results[0].parts.region_map[..., 0])


def test_nothing_is_painted_where_nobody_wants_it_or_no_backend_is_there(cars, asked, monkeypatch):
    car = cars[0]
    car.unrender.repaint = False
    assert bpy.ops.unrender.randomise(seed=5) == {"FINISHED"}
    car.unrender.repaint = True

    def none(chosen=""):
        raise environment.NoEnvironment("There is no backend here.")

    monkeypatch.setattr(environment, "worker_command", none)
    assert bpy.ops.unrender.randomise(seed=6) == {"FINISHED"}
    assert not asked and not repaint.is_repainted(car) and repaint.is_stale(car)


def test_small_moves_ask_for_nothing_and_colours_alone_neither(cars, asked):
    bpy.ops.unrender.randomise(seed=5, shape=False)
    cars[0].unrender.proportions[1] = 0.6
    assert not asked and repaint.is_stale(cars[0])
    assert bpy.ops.unrender.repaint() == {"FINISHED"}
    assert len(asked) == 1 and not repaint.is_stale(cars[0])


def test_the_photos_paint_stays_after_repainting_twice(cars, results):
    for seed in (5, 6):
        bpy.ops.unrender.randomise(seed=seed)
    bpy.ops.unrender.reset_handles()
    np.testing.assert_array_equal(shown(cars[0]), results[0].texture)


def test_who_cannot_be_repainted_is_told_why(asked, results):
    plain = scene.build(bpy.context.scene, results[0], set_up_scene=False, materials="parts").object
    bpy.context.view_layer.objects.active = plain
    assert "no texture" in repaint.refusal(plain)
    assert bpy.ops.unrender.randomise(seed=5) == {"FINISHED"} and not asked
    assert not bpy.ops.unrender.repaint.poll()
    assert repaint.refusal(None)


def test_a_taken_texture_counts_as_painted_for_its_own_shape(cars):
    from addon import edit_swaps

    first, second = cars
    edit_swaps.take_texture(first, second)
    assert repaint.is_stale(first)
    handle_tools.copy(first, second, "SHAPE")
    assert not repaint.is_stale(first)


def test_the_command_repaints_drawn_shapes_and_others_on_demand(asked, results, model, tmp_path, monkeypatch):
    picture = SimpleNamespace(picture=np.zeros((2, 2, 3), np.uint8))  # nobody looks at it here, and it takes long
    monkeypatch.setattr(preview, "make", lambda *arguments: picture)
    owner = scene.build(bpy.context.scene, results[0], set_up_scene=False).object
    name, path = owner.name, tmp_path / "found.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    for number, (words, repainted) in enumerate(
        {("--randomise", "--seed", "5"): True, ("height=0.9",): False, ("height=0.9", "--repaint"): True}.items()
    ):
        out = tmp_path / str(number)
        assert batch_edit.run([str(path), *words, "--out", str(out), "--formats", "blend"]) == 0
        bpy.ops.wm.open_mainfile(filepath=str(next(out.glob("*/scene.blend"))))
        car = bpy.data.objects[name]
        assert repaint.is_repainted(car) == repainted == (not repaint.is_stale(car))
        code = proportions.code_of(car)[0] if repainted else results[0].shape_code
        expected = generate(records.GenerateRequest(code=code, texture_size=SIDE), model).parts.region_map[..., 0]
        np.testing.assert_array_equal(regions_of(car), expected)
