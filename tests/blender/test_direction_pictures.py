# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of both ends of a surface's shape sliders: outlines, what is in front, colours, and which are shown."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial import ConvexHull

bpy = pytest.importorskip("bpy")

import addon
from addon import direction_pictures, proportions, scene, session, surface, thumbnails
from addon.ui import handle_panels
from backend.pipeline.generate import load_generator
from backend.pipeline.parts_object import object_from_code
from tests.blender.test_handle_panels import drawn
from tests.helpers import toy

SIDE = direction_pictures.SIDE


@pytest.fixture
def box():
    """A box whose first two sliders move it, up and sideways, alone in the file."""
    bpy.ops.wm.read_homefile(use_empty=True)
    addon.register()
    one = scene.build(bpy.context.scene, toy.reconstruction("box"), set_up_scene=False).object
    bpy.context.view_layer.objects.active = one
    yield one
    addon.unregister()


def picture(direction, amount):
    result = toy.reconstruction("box")
    return direction_pictures.picture(result.vertices, amount * result.shape_directions[direction], result.quads)


def area(vertices):
    """The area of a convex object's outline from where the pictures look, by geometry alone, in square lengths."""
    azimuth, elevation = np.radians(40), np.radians(18)
    right = vertices @ [np.cos(azimuth), np.sin(azimuth), 0]
    back = vertices @ [-np.sin(azimuth), np.cos(azimuth), 0]
    return ConvexHull(np.stack([right, vertices[:, 2] * np.cos(elevation) + back * np.sin(elevation)], axis=1)).volume


def covered(drawing):
    return drawing[..., 3].astype(float).sum() / 255


def is_orange(drawing):
    red, _, blue, alpha = np.moveaxis(drawing.astype(int), 2, 0)
    return (red > blue + 40) & (alpha > 250)


def is_blue(drawing):
    return is_orange(drawing[..., [2, 1, 0, 3]])


@pytest.mark.parametrize("direction", [0, 1])
def test_the_outline_is_that_of_the_moved_shape_in_the_frame_of_the_found_one(direction):
    result = toy.reconstruction("box")
    found = covered(picture(direction, 0.0))
    for amount in (-2.0, 1.0):
        moved = result.vertices + amount * result.shape_directions[direction]
        expected = area(moved) / area(result.vertices)
        assert covered(picture(direction, amount)) / found == pytest.approx(expected, rel=0.05)


def test_a_shape_that_grows_upwards_stays_on_the_ground():
    lowest = [np.flatnonzero(picture(0, amount)[..., 3].any(axis=1)).max() for amount in (-2.0, 0.0, 1.0)]
    assert max(lowest) - min(lowest) <= 1


def test_what_moves_outwards_is_orange_and_what_moves_inwards_blue():
    higher, lower, narrower = picture(0, 2.0), picture(0, -2.0), picture(1, -2.0)
    assert is_orange(higher).sum() > 300 > 20 * is_blue(higher).sum()
    assert is_blue(lower).sum() > 300 > 20 * is_orange(lower).sum()
    rows, _ = np.nonzero(is_orange(higher))
    assert rows.mean() < np.nonzero(higher[..., 3])[0].mean(), "its top"
    _, columns = np.nonzero(is_blue(narrower))
    assert columns.mean() > np.nonzero(narrower[..., 3])[1].mean(), "its left side, which is on the right of its front"
    assert not is_orange(picture(0, 0.0)).any() and not is_blue(picture(0, 0.0)).any()


@pytest.mark.parametrize("turned", [False, True])
def test_the_nearer_of_two_faces_is_seen_whatever_their_order(turned):
    square = np.array([[-1, 0, -1], [1, 0, -1], [1, 0, 1], [-1, 0, 1]], float)
    found = np.concatenate([square, square * 0.5 + [0, -1, 0]])  # the small one is nearer to the front
    move = np.repeat([[0, 1.0, 0], [0, -1.0, 0]], 4, axis=0)  # the far one moves back, the near one forth
    quads = np.arange(8).reshape(2, 4)
    drawing = direction_pictures.picture(found, move, quads[::-1] if turned else quads)
    assert is_orange(drawing).sum() > 50 and is_blue(drawing).sum() > 50
    rows, columns = np.nonzero(is_orange(drawing))
    inside = is_blue(drawing)[rows.min() + 2 : rows.max() - 1, columns.min() + 2 : columns.max() - 1]
    assert not inside.any(), "nothing of the far face is seen through the near one"


@pytest.fixture
def icons(monkeypatch):
    """The pictures that icons were made of, by name; without a window Blender itself has no icons."""
    made = {}

    def icon_of_picture(name, read):
        if name not in made:
            made[name] = read()
        return 1 + list(made).index(name)

    monkeypatch.setattr(thumbnails, "icon_of_picture", icon_of_picture)
    return made


def test_icons_of_an_object_are_those_of_both_ends_and_made_once(box, icons):
    assert direction_pictures.icons_of(box, 0) == (1, 2)
    assert direction_pictures.icons_of(box, 1) == (3, 4)
    assert direction_pictures.icons_of(box, 0) == (1, 2)
    expected = [picture(direction, end) for direction in (0, 1) for end in (-3.0, 3.0)]
    assert all(np.array_equal(*pair) for pair in zip(icons.values(), expected, strict=True))
    box.unrender.shape[0] = 1.0
    assert direction_pictures.icons_of(box, 0) == (1, 2), "the ends stay where they are"
    box.data.attributes.remove(box.data.attributes[surface.FOUND_ATTRIBUTE])
    assert direction_pictures.icons_of(box, 0) == (0, 0)


def test_icons_of_further_directions_are_the_shapes_at_the_ends_of_their_sliders(box, icons):
    model = load_generator("car")[0]
    made = object_from_code(model.space.examples[3].astype(np.float32), model, texture_size=64)
    car = scene.build(bpy.context.scene, made, set_up_scene=False).object
    assert direction_pictures.icons_of_further(car, 2) == (1, 2) == direction_pictures.icons_of_further(car, 2)
    found = proportions.shape_of(car)[0]
    for value, shown in zip((-3.0, 3.0), icons.values(), strict=True):
        car.unrender.shape[2] = value
        expected = direction_pictures.picture(found, proportions.shape_of(car)[0] - found, made.quads)
        different = np.abs(shown.astype(int) - expected).max(axis=2) > 8
        assert different.mean() < 0.01, "but for faces that are as near as one another"
    assert direction_pictures.icons_of_further(car, 2) == (1, 2), "the ends stay where they are"


def test_pictures_are_drawn_one_after_the_other_in_a_window(box, monkeypatch):
    drawn_ends = []
    monkeypatch.setattr(direction_pictures, "_next", 0.0)
    monkeypatch.setattr(
        direction_pictures, "bpy", SimpleNamespace(app=SimpleNamespace(background=False, timers=Timers))
    )
    for end in (-3.0, 3.0):
        direction_pictures._in_turn(lambda value: drawn_ends.append(value), end)
    assert drawn_ends == [-3.0] and Timers.asked == [session.redraw], "the panel asks again"


class Timers:
    """Stands for Blender's timers."""

    asked = []

    @staticmethod
    def is_registered(function):
        return function in Timers.asked

    @staticmethod
    def register(function, first_interval):
        Timers.asked.append(function)


def test_the_panel_shows_sliders_that_can_be_seen_to_move_between_pictures_and_those_that_were_moved(box, icons):
    rows = drawn(handle_panels.UNRENDER_PT_shape)
    assert [entry[2] for entry in rows if entry[:2] == ("prop", "shape")] == [0, 1]
    assert rows.count(("icon",)) == 4
    box.unrender.shape[4] = 1.0
    assert [entry[2] for entry in drawn(handle_panels.UNRENDER_PT_shape) if entry[:2] == ("prop", "shape")] == [0, 1, 4]


def test_triangles_are_faces_too():
    mesh = bpy.data.meshes.new("mixed")
    mesh.from_pydata([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (2, 0, 0)], [], [(0, 1, 2, 3), (1, 4, 2)])
    assert direction_pictures.quads_of(mesh).tolist() == [[0, 1, 2, 3], [1, 4, 2, 2]]
