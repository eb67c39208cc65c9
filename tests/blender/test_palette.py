# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours of the shipped car: fields for paint, glass and rims that its pixels follow, exactly back, and no worker."""

from __future__ import annotations

import dataclasses
import time

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

import addon
from addon import environment, palette, parts, pixels, scene
from backend.common.regions import Finish, Palette
from backend.pipeline.generate import load_generator
from backend.pipeline.parts_object import object_from_code
from tests.helpers import toy

TEXELS = 512
BLUE, GOLD = (0.1, 0.2, 0.6), (0.8, 0.6, 0.2)
SLOWEST = 0.2
"""Seconds that one change of a colour may take in 95 of 100: 0.08 are promised on an idle core."""
ONE_TONE = Palette(paint=Finish((0.6, 0.4, 0.3), 0.35), two_tone=Finish((0.6, 0.4, 0.3), 0.35))
TWO_TONE = dataclasses.replace(ONE_TONE, two_tone=Finish((0.9, 0.9, 0.88), 0.35))


@pytest.fixture(autouse=True)
def emptied_file(monkeypatch):
    """Every test begins with an empty file and the add-on registered; a worker cannot be started."""

    def none(chosen=""):
        raise AssertionError("colours need no worker")

    bpy.ops.wm.read_homefile(use_empty=True)
    addon.register()
    monkeypatch.setattr(environment, "worker_command", none)
    yield
    addon.unregister()


@pytest.fixture(scope="module")
def model():
    """The shipped car's template and shape space."""
    return load_generator("car")[0]


def painted(model, finishes=TWO_TONE, size=TEXELS):
    """Returns the car of a code with a second colour, in a palette."""
    numbers = [model.space.markings.index(name) for name in ("two_tone",)]
    codes = model.space.examples.astype(np.float32)
    covered = [(model.space.distances(code)[numbers] < 0).mean() for code in codes[:40]]
    return object_from_code(codes[int(np.argmax(covered))], model, finishes, texture_size=size)


@pytest.fixture(scope="module")
def found(model):
    """A car in two colours."""
    return painted(model)


@pytest.fixture
def car(found):
    """The car in the scene, where nobody has touched it."""
    return built(found)


def built(result, **options):
    return scene.build(bpy.context.scene, result, set_up_scene=False, **options).object


def shown(owner):
    """Returns the pixels (T, T, 3) uint8 of an object's texture."""
    return pixels.to_bytes(pixels.read(palette.texture_of(owner))[..., :3])


def plain(result, region):
    """Returns which texels (T, T) are of one region alone and have its colour."""
    index = result.parts.regions.index(region)
    colour = np.round(result.parts.palette[index, :3] * 255)
    of_it = (result.parts.region_map[..., 0] // 16 == index) & (result.parts.region_map[..., 1] == 255)
    return of_it & (result.texture == colour).all(axis=2)


def test_fields_begin_with_what_was_found(car, found):
    for region, colour in zip(found.parts.regions, found.parts.palette[:, :3], strict=True):
        if region in palette.COLOURS:
            np.testing.assert_allclose(getattr(car.unrender, palette.field_of(region)), colour, atol=1e-6)
    assert car.unrender.two_tone and palette.regions_shown(car) >= {"paint", "two_tone", "glass", "rim", "rubber"}
    assert car.unrender.background[:] == pytest.approx((0.75, 0.75, 0.75))
    for image in (car.unrender.region_map, car.unrender.base_texture):
        assert image.packed_file is not None and image.users > 0
    assert car.unrender.region_map.colorspace_settings.name == "Non-Color"
    np.testing.assert_array_equal(shown(car), found.texture)


@pytest.mark.parametrize("region", ["paint", "two_tone", "glass", "rim", "tail_lamp", "rubber"])
def test_a_colour_changes_its_region_and_no_other(car, found, region):
    setattr(car.unrender, palette.field_of(region), BLUE)
    now, mine = shown(car), plain(found, region)
    assert mine.sum() > 20
    np.testing.assert_array_equal(now[mine], np.broadcast_to(np.round(np.multiply(BLUE, 255)), (mine.sum(), 3)))
    index = found.parts.regions.index(region)
    first, second = np.divmod(found.parts.region_map[..., 0], 16)
    apart = (first != index) & ((second != index) | (found.parts.region_map[..., 2] == 0))
    np.testing.assert_array_equal(now[apart], found.texture[apart])


def test_the_texture_is_as_if_the_car_had_been_made_in_these_colours(car, model):
    car.unrender.colour_paint, car.unrender.colour_glass = BLUE, GOLD
    wanted = dataclasses.replace(TWO_TONE, paint=Finish(BLUE, 0.35), glass=Finish(GOLD, 0.05))
    expected = painted(model, wanted).texture
    off = np.abs(shown(car).astype(int) - expected).max(axis=2)
    assert (off <= 3).mean() > 0.97 and np.percentile(off, 99.5) < 30


def test_back_at_what_was_found_every_pixel_is_what_it_was(car, found):
    state = car.unrender
    state.colour_paint, state.colour_rim, state.two_tone = BLUE, GOLD, False
    assert np.abs(shown(car).astype(int) - found.texture).max() > 100
    bpy.context.view_layer.objects.active = car
    assert bpy.ops.unrender.reset_handles() == {"FINISHED"}
    np.testing.assert_array_equal(shown(car), found.texture)
    assert state.two_tone


def test_without_a_second_colour_its_parts_follow_the_paint(model):
    result = painted(model, ONE_TONE)
    car = built(result)
    assert not car.unrender.two_tone
    car.unrender.colour_paint = BLUE
    both = plain(result, "paint") | plain(result, "two_tone")
    assert plain(result, "two_tone").sum() > 20
    assert (shown(car)[both] == np.round(np.multiply(BLUE, 255))).all()
    car.unrender.colour_two_tone = GOLD
    car.unrender.two_tone = True
    assert (shown(car)[plain(result, "two_tone")] == np.round(np.multiply(GOLD, 255))).all()
    assert (shown(car)[plain(result, "paint")] == np.round(np.multiply(BLUE, 255))).all()


def test_with_a_material_a_region_the_materials_follow(found):
    car = built(found, materials="parts")
    before = {slot.material.name: tuple(slot.material.diffuse_color) for slot in car.material_slots}
    car.unrender.colour_paint = BLUE
    (paint,) = [slot.material for slot in car.material_slots if slot.material[palette.REGION] == "paint"]
    shader = paint.node_tree.nodes["Principled BSDF"]
    linear = [((c + 0.055) / 1.055) ** 2.4 for c in BLUE]
    np.testing.assert_allclose(shader.inputs["Base Color"].default_value[:3], linear, atol=1e-5)
    np.testing.assert_allclose(paint.diffuse_color[:3], linear, atol=1e-5)
    car.unrender.colour_paint = found.parts.palette[0, :3]
    after = {slot.material.name: tuple(slot.material.diffuse_color) for slot in car.material_slots}
    for name, colour in before.items():
        np.testing.assert_allclose(after[name], colour, atol=1e-5)
    car.unrender.colour_rim = GOLD
    (wheel, *_) = parts.turning(car)
    (rim,) = [slot.material for slot in wheel.material_slots if slot.material[palette.REGION] == "rim"]
    np.testing.assert_allclose(rim.diffuse_color[0], ((0.8 + 0.055) / 1.055) ** 2.4, atol=1e-5)


def test_undo_and_redo_bring_back_the_pixels_of_the_fields(car, found):
    name = car.name
    bpy.ops.ed.undo_push(message="made")
    for colour in (BLUE, GOLD):
        bpy.data.objects[name].unrender.colour_paint = colour
        bpy.ops.ed.undo_push(message="colour")
    gold = shown(bpy.data.objects[name])
    bpy.ops.ed.undo()
    car = bpy.data.objects[name]
    assert car.unrender.colour_paint[:] == pytest.approx(BLUE)
    assert (shown(car)[plain(found, "paint")] == np.round(np.multiply(BLUE, 255))).all()
    bpy.ops.ed.undo()
    np.testing.assert_array_equal(shown(bpy.data.objects[name]), found.texture)
    bpy.ops.ed.redo()
    bpy.ops.ed.redo()
    np.testing.assert_array_equal(shown(bpy.data.objects[name]), gold)


def test_colours_are_saved_and_go_back_exactly_after_reopening(car, found, tmp_path):
    car.unrender.colour_paint = BLUE
    blue, name, path = shown(car), car.name, str(tmp_path / "scene.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    again = bpy.data.objects[name]
    np.testing.assert_array_equal(shown(again), blue)
    again.unrender.colour_paint = found.parts.palette[0, :3]
    np.testing.assert_array_equal(shown(again), found.texture)


def test_a_texture_that_was_saved_with_older_pixels_follows_its_fields_when_opened(car, tmp_path):
    """As in a file that Blender saved by itself, which packs no pixels."""
    name, path = car.name, str(tmp_path / "scene.blend")
    car.unrender.colour_paint = BLUE
    blue = shown(car)
    bpy.app.handlers.save_pre.remove(palette._pack_changed)
    try:
        bpy.ops.wm.save_as_mainfile(filepath=path, copy=True)
    finally:
        bpy.app.handlers.save_pre.append(palette._pack_changed)
    bpy.ops.wm.open_mainfile(filepath=path)
    np.testing.assert_array_equal(shown(bpy.data.objects[name]), blue)


def test_playing_back_shows_each_frames_colour_and_writes_only_where_it_changes(car, found, monkeypatch):
    car.unrender.colour_paint = BLUE
    blue = shown(car)
    written = []
    original = palette.region_map.Recolouring.colours
    monkeypatch.setattr(palette.region_map.Recolouring, "colours", lambda *given: written.append(1) or original(*given))
    for _ in range(3):
        palette.apply(car)
    assert not written
    car.unrender.colour_paint = GOLD
    palette.apply(car)
    assert len(written) == 1 and np.abs(shown(car).astype(int) - blue).max() > 50


def test_an_object_without_a_map_says_why_its_colours_are_fixed():
    car = built(toy.parts_reconstruction())
    before = shown(car)
    assert not palette.has_palette(car) and "make it again" in palette.why_fixed(car)
    car.unrender.colour_paint = BLUE
    np.testing.assert_array_equal(shown(car), before)


def test_a_texture_of_the_users_own_is_left_alone(car):
    mine = pixels.new_image("mine", np.full((32, 32, 3), 99, np.uint8))
    car.active_material.node_tree.nodes["Image Texture"].image = mine
    car.unrender.colour_paint = BLUE
    assert (shown(car) == 99).all()


def test_glb_has_the_colours_of_the_fields(car, tmp_path):
    car.unrender.colour_paint = BLUE
    blue, path = shown(car), str(tmp_path / "car.glb")
    bpy.ops.export_scene.gltf(filepath=path, export_format="GLB")
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.import_scene.gltf(filepath=path)
    body = next(one for one in bpy.data.objects if one.type == "MESH" and len(one.data.vertices) > 2000)
    np.testing.assert_array_equal(shown(body), blue)


def test_a_colour_follows_the_hand(model):
    car = built(painted(model, size=1024))
    durations = []
    for step in range(25):
        began = time.perf_counter()
        car.unrender.colour_paint = (0.3, 0.02 * step, 0.5)
        durations.append(time.perf_counter() - began)
    print(f"colour to pixels of 1024: {np.percentile(durations, [50, 95])}")
    assert np.percentile(durations[1:], 95) < SLOWEST
