# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panels of the handles show of an object: names, locks, arrows, reasons and tooltips."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from addon import palette, places, repaint, scene, session, shape_codes
from addon.ui import handle_panels
from backend.pipeline.generate import load_generator
from backend.pipeline.parts_object import object_from_code
from tests.helpers import toy

pytestmark = pytest.mark.usefixtures("emptied_file")


@pytest.fixture(scope="module")
def model():
    """The shipped car's template and shape space."""
    return load_generator("car")[0]


@pytest.fixture(scope="module")
def made(model):
    """Two cars."""
    codes = model.space.examples[[3, 44]].astype(np.float32)
    return [object_from_code(code, model, texture_size=64) for code in codes]


@pytest.fixture
def cars(made):
    """Both in the scene, where nobody has touched them; the first is active."""
    objects = [scene.build(bpy.context.scene, result, set_up_scene=False).object for result in made]
    bpy.context.view_layer.objects.active = objects[0]
    return objects


class Layout:
    """Stands for a panel's layout and remembers what was drawn."""

    def __init__(self, drawn=None):
        self.drawn = [] if drawn is None else drawn
        self.enabled = self.active = True

    def _part(self, *_given, **_named):
        return Layout(self.drawn)

    column = row = box = split = grid_flow = _part

    def prop(self, _data, name, index=-1, text=None, **_named):
        self.drawn.append(("prop", name, index, text))

    def operator(self, name, **_named):
        self.drawn.append(("operator", name))
        return SimpleNamespace()

    def label(self, text, icon="NONE"):
        self.drawn.append(("label", text))

    def template_icon(self, *_given, **_named):
        self.drawn.append(("icon",))


def drawn(panel):
    """Returns what a panel draws for the active object."""
    layout = Layout()
    context = SimpleNamespace(
        active_object=bpy.context.view_layer.objects.active, scene=bpy.context.scene, region=SimpleNamespace(width=4000)
    )
    self = SimpleNamespace(layout=layout)
    for name in ("_draw_palette", "_draw_texture"):
        if hasattr(panel, name):
            setattr(self, name, getattr(panel, name).__get__(self))
    panel.draw(self, context)
    return layout.drawn


def test_the_panel_shows_names_locks_and_an_arrow_beside_what_differs(cars, model):
    shown_rows = drawn(handle_panels.UNRENDER_PT_shape)
    names = [entry[3] for entry in shown_rows if entry[:2] == ("prop", "proportions")]
    assert names[:2] == ["Length", "Height"] and len(names) == len(model.space.proportions)
    assert sum(entry[:2] == ("prop", "lock_proportions") for entry in shown_rows) == len(names)
    assert ("operator", "unrender.reset_handle") not in shown_rows
    cars[0].unrender.proportions[1] = 0.7
    assert drawn(handle_panels.UNRENDER_PT_shape).count(("operator", "unrender.reset_handle")) == 1
    further = [entry[1] for entry in drawn(handle_panels.UNRENDER_PT_directions) if entry[0] == "label" and entry[1]]
    assert further == list(shape_codes.further_of(model.space).names)


def test_colours_of_the_object_are_fields_and_others_are_not_shown(cars):
    fields = {entry[1] for entry in drawn(handle_panels.UNRENDER_PT_colours) if entry[0] == "prop"}
    assert {"colour_paint", "colour_glass", "colour_rim", "background"} <= fields
    more = {entry[1] for entry in drawn(handle_panels.UNRENDER_PT_more_colours) if entry[0] == "prop"}
    assert "colour_rubber" in more and not more & fields - {"lock_colours"}
    every = {palette.field_of(region) for region in palette.regions_shown(cars[0]) & set(palette.COLOURS)}
    assert every <= fields | more


def test_an_object_of_one_surface_has_directions_and_no_palette(cars):
    box = scene.build(bpy.context.scene, toy.reconstruction("box"), set_up_scene=False).object
    bpy.context.view_layer.objects.active = box
    rows = drawn(handle_panels.UNRENDER_PT_shape)
    names = [entry[1] for entry in rows if entry[0] == "label" and entry[1]]
    assert names == ["Direction 1", "Direction 2"], "the others do not move this box"
    assert sum(entry[:2] == ("prop", "lock_shape") for entry in rows) == 2
    assert not handle_panels.UNRENDER_PT_directions.poll(bpy.context)
    assert not handle_panels.UNRENDER_PT_more_colours.poll(bpy.context)
    assert sum(entry[:2] == ("prop", "texture") for entry in drawn(handle_panels.UNRENDER_PT_colours)) == 6


def test_the_panel_says_why_something_is_missing_or_grey(cars, monkeypatch):
    assert ("label", "Choose another object") in drawn(handle_panels.UNRENDER_PT_tools)
    assert not bpy.ops.unrender.copy_from.poll()
    cars[0].unrender.other = cars[1]
    cars[1].unrender.bundle = "lorry"
    assert any("lorry" in entry[1] for entry in drawn(handle_panels.UNRENDER_PT_tools) if entry[0] == "label")
    monkeypatch.setattr(places, "shape_spaces", dict)
    assert any("not installed" in entry[1] for entry in drawn(handle_panels.UNRENDER_PT_shape) if entry[0] == "label")
    assert session.status.error == ""


def test_the_tools_offer_to_repaint_and_the_way_back_where_there_is_one(cars):
    rows = drawn(handle_panels.UNRENDER_PT_tools)
    assert ("operator", "unrender.repaint") in rows and ("operator", "unrender.unrepaint") not in rows
    cars[0][repaint.FOUND] = {"photo": 0.0}
    assert ("operator", "unrender.unrepaint") in drawn(handle_panels.UNRENDER_PT_tools)
    box = scene.build(bpy.context.scene, toy.reconstruction("box"), set_up_scene=False).object
    bpy.context.view_layer.objects.active = box
    assert ("operator", "unrender.repaint") not in drawn(handle_panels.UNRENDER_PT_tools)


def test_everything_in_the_panel_has_a_tooltip():
    group = bpy.types.PropertyGroup.bl_rna_get_subclass_py("UnrenderObject")
    for entry in group.bl_rna.properties:
        if entry.identifier.startswith(("colour_", "lock_", "random_")) or entry.identifier in (
            "blend", "other", "seed", "background", "two_tone", "shape", "proportions", "azimuth", "elevation", "zoom",
        ):  # fmt: skip
            assert len(entry.description) > 15 and not entry.description.endswith("."), entry.identifier
