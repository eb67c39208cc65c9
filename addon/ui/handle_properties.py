# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Handles of an object beside its sliders: colours, background, locks, and what its tools remember."""

from __future__ import annotations

from typing import cast

import bpy
from bpy.props import (
    BoolProperty,
    BoolVectorProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    PointerProperty,
)

from .. import handle_tools, handles, palette, proportions, repaint, session
from ..wire import records

BACKGROUND = (0.75, 0.75, 0.75)
"""sRGB colour of the background where nobody chose another."""
LOCK = "Randomise, Copy and Blend leave this handle as it is"


def _on_colour(self: bpy.types.PropertyGroup, _context: bpy.types.Context) -> None:
    handles.request_colours(cast(bpy.types.Object, self.id_data))


def _on_blend(self: bpy.types.PropertyGroup, _context: bpy.types.Context) -> None:
    owner = cast(bpy.types.Object, self.id_data)
    handles.request_edit(owner)
    handles.request_colours(owner)


def _on_lock(self: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
    if self.blend > 0:
        _on_blend(self, context)


def _on_seed(self: bpy.types.PropertyGroup, _context: bpy.types.Context) -> None:
    owner = cast(bpy.types.Object, self.id_data)
    if handles.is_muted() or not self.is_unrender:
        return
    session.status.error = ""
    try:
        handle_tools.randomise(owner, self.seed, self.random_shape, self.random_colours)
    except ValueError as error:
        session.status.error = str(error)
        session.redraw()
        return
    repaint.follow_tools(owner)


def _is_another(self: bpy.types.PropertyGroup, value: bpy.types.Object) -> bool:
    return value != self.id_data and value.unrender.is_unrender


def _colour(region: str, description: str) -> object:
    return FloatVectorProperty(
        name=palette.COLOURS[region],
        description=description,
        subtype="COLOR_GAMMA",
        size=3,
        min=0.0,
        max=1.0,
        update=_on_colour,
    )


class HandleProperties:
    """Mix-in of the group of an object's handles."""

    region_map: PointerProperty(
        type=bpy.types.Image, name="Regions", description="Which colour of the palette each texel of the texture has"
    )
    colour_paint: _colour("paint", "Colour of the paint")
    colour_two_tone: _colour("two_tone", "Colour of the parts that are painted apart, such as a roof or sills")
    colour_glass: _colour("glass", "Colour of the windows")
    colour_rim: _colour("rim", "Colour of the rims of the wheels")
    colour_trim: _colour("trim", "Colour of bumpers, mouldings and other parts without paint")
    colour_dark: _colour("dark", "Colour of grilles and air intakes")
    colour_chrome: _colour("chrome", "Colour of bright metal")
    colour_head_lamp: _colour("head_lamp", "Colour of the lamps in front")
    colour_tail_lamp: _colour("tail_lamp", "Colour of the lamps behind")
    colour_plate: _colour("plate", "Colour of the number plates")
    colour_rubber: _colour("rubber", "Colour of the tyres")
    two_tone: BoolProperty(
        name="Second Colour",
        description="Paint some parts, such as a roof or sills, in a colour of their own; off: in that of the paint",
        update=_on_colour,
    )
    background: FloatVectorProperty(
        name="Background",
        description="Colour behind the object in neural renders; the scene keeps its world",
        subtype="COLOR_GAMMA",
        size=3,
        min=0.0,
        max=1.0,
        default=BACKGROUND,
    )
    lock_camera: BoolVectorProperty(name="Lock", description=LOCK, size=3)
    lock_proportions: BoolVectorProperty(
        name="Lock", description=LOCK, update=_on_lock, size=proportions.MAX_PROPORTIONS
    )
    lock_shape: BoolVectorProperty(name="Lock", description=LOCK, update=_on_lock, size=records.NUMBER_OF_SLIDERS)
    lock_texture: BoolVectorProperty(name="Lock", description=LOCK, size=records.NUMBER_OF_SLIDERS)
    lock_colours: BoolVectorProperty(name="Lock", description=LOCK, update=_on_lock, size=len(palette.COLOURS))
    lock_background: BoolVectorProperty(name="Lock", description=LOCK, size=1)
    seed: IntProperty(
        name="Seed",
        description="Number that a shape and colours are drawn from: the same seed gives the same object",
        min=0,
        options=set(),
        update=_on_seed,
    )
    random_shape: BoolProperty(
        name="Shape", description="Randomise draws a new shape", default=True, options={"SKIP_SAVE"}
    )
    random_colours: BoolProperty(
        name="Colours", description="Randomise draws new colours", default=True, options={"SKIP_SAVE"}
    )
    repaint: BoolProperty(
        name="Repaint",
        description="After Randomise and Copy Shape, windows, doors and lamps are painted anew for the new shape",
        default=True,
        options={"SKIP_SAVE"},
    )
    other: PointerProperty(
        type=bpy.types.Object,
        name="Other Object",
        description="Object made by Image to 3D that shape, colours or background are taken from",
        poll=_is_another,
        update=_on_blend,
    )
    blend: FloatProperty(
        name="Blend",
        description="Goes over from this object's shape and colours, at 0, to the other object's, at 1",
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        update=_on_blend,
    )


assert all(palette.field_of(region) in HandleProperties.__annotations__ for region in palette.COLOURS)
