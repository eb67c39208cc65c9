# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The handles of the active object in the sidebar: one row a handle, with its lock, and an arrow where it differs.

The arrow stands only beside what is elsewhere than where the photo put it, and brings it back.
"""

from __future__ import annotations

import functools
import math
import zlib

import bpy

from .. import (
    direction_pictures,
    directions,
    generated,
    handle_tools,
    interpolation,
    looks,
    matching,
    palette,
    parts,
    proportions,
    repaint,
    session,
    shape_codes,
    surface,
    thumbnails,
)
from ..handles import active_object
from ..wire import records, view_set
from .layout import UnrenderPanel, draw_text

SURE = 0.8
"""Confidence from which on a direction of view needs no second look."""
MAIN_COLOURS = ("paint", palette.SECOND, "glass", "rim")
"""Regions whose colours are shown first."""


def draw_handle(
    layout: bpy.types.UILayout,
    owner: bpy.types.Object,
    where: str,
    index: int = -1,
    text: str = "",
    slider: bool = True,
) -> None:
    """Draws one handle: its field, an arrow that resets it where it differs from the photo's, and its lock."""
    row = split_row(layout)
    if index < 0:
        row.prop(owner.unrender, where, text=text, slider=slider)
    else:
        row.prop(owner.unrender, where, index=index, text=text, slider=slider)
    draw_ends(row, owner, where, index)


def split_row(layout: bpy.types.UILayout) -> bpy.types.UILayout:
    """Returns a row whose names stand to the left of their fields, as everywhere in Blender."""
    row = layout.row(align=True)
    row.use_property_split, row.use_property_decorate = True, False
    return row


def draw_ends(row: bpy.types.UILayout, owner: bpy.types.Object, where: str, index: int = -1) -> None:
    """Draws what stands at the end of a handle's row."""
    row = row.row(align=True)
    row.use_property_split = False
    if handle_tools.differs(owner, where, index):
        button = row.operator("unrender.reset_handle", text="", icon="LOOP_BACK", emboss=False)
        button.where, button.index = where, index
    else:
        row.label(text="", icon="BLANK1")
    name, number = handle_tools.lock_of(where, index)
    locked = handle_tools.is_locked(owner, where, index)
    row.prop(owner.unrender, name, index=number, text="", icon="LOCKED" if locked else "UNLOCKED", emboss=False)


class UNRENDER_PT_handles(UnrenderPanel, bpy.types.Panel):
    """Handles of the active object"""

    bl_idname = "UNRENDER_PT_handles"
    bl_label = "Handles"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only for objects that were made here."""
        return active_object(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        """Draws which object it is; its handles are in sub-panels."""
        layout, owner = self.layout, active_object(context)
        row = layout.row(align=True)
        row.label(text=owner.name, icon="MESH_DATA")
        row.operator("unrender.reset_handles", text="Reset All", icon="LOOP_BACK")
        sure = directions.sentence_of(owner.unrender.confidence)
        if sure:
            layout.label(text=sure, icon="CHECKMARK" if owner.unrender.confidence >= SURE else "QUESTION")


class HandlePanel(UnrenderPanel):
    """Mix-in: a sub-panel of the handles."""

    bl_parent_id = "UNRENDER_PT_handles"


class UNRENDER_PT_camera(HandlePanel, bpy.types.Panel):
    """Camera of the active object"""

    bl_idname = "UNRENDER_PT_camera"
    bl_label = "Camera"

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the camera's handles."""
        layout, owner = self.layout, active_object(context)
        column = layout.column(align=True)
        column.enabled = owner.unrender.camera is not None
        for where in handle_tools.CAMERA:
            name = owner.unrender.bl_rna.properties[where].name
            draw_handle(column, owner, where, text=name, slider=where != "azimuth")
        if owner.unrender.camera is None:
            layout.label(text="Its camera was deleted", icon="INFO")
        layout.operator("unrender.look_through", icon="VIEW_CAMERA")
        column = layout.column(align=True)
        row = column.row(align=True)
        row.operator("unrender.match_photo", icon="SCENE")
        if matching.is_matched(context.scene):
            row.operator("unrender.unmatch_photo", icon="LOOP_BACK")
        column.operator("unrender.composite", icon="NODE_COMPOSITING")


class UNRENDER_PT_other_directions(HandlePanel, bpy.types.Panel):
    """The object as seen from where its photo may have been taken as well"""

    bl_idname = "UNRENDER_PT_other_directions"
    bl_label = "Other Directions"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only for objects whose direction was nearly a tie."""
        owner = active_object(context)
        return owner is not None and len(owner.unrender.directions) > 0

    def draw(self, context: bpy.types.Context) -> None:
        """Draws each direction's picture above the button that takes it."""
        grid = self.layout.grid_flow(row_major=True, columns=2, even_columns=True)
        for number, direction in enumerate(active_object(context).unrender.directions):
            cell = grid.column(align=True)
            icon = thumbnails.icon_of_picture(
                f"direction/{zlib.crc32(direction.picture.encode())}",
                functools.partial(directions.from_text, direction.picture),
            )
            if icon:
                cell.template_icon(icon, scale=5)
            seen_from = view_set.BIN_NAMES[view_set.bin_of(math.degrees(direction.azimuth))]
            cell.label(text=f"{seen_from}: {100 * direction.probability:.0f} %")
            cell.operator("unrender.use_direction", text="Use").number = number


def draw_direction(
    column: bpy.types.UILayout, owner: bpy.types.Object, index: int, name: str, ends: tuple[int, int]
) -> None:
    """Draws a shape slider below icons of its ends."""
    cells = column.grid_flow(row_major=True, columns=3, even_columns=True)  # a row would leave pictures less room
    for end, text in ((ends[0], name), (ends[1], "")):
        if end:
            cells.template_icon(end, scale=3)
        else:
            cells.label(text="")
        if text:
            cells.label(text=text)
    field = column.row(align=True)
    field.use_property_split = False
    field.prop(owner.unrender, "shape", index=index, text="", slider=True)
    draw_ends(field, owner, "shape", index)


class UNRENDER_PT_shape(HandlePanel, bpy.types.Panel):
    """Shape of the active object: named proportions where it has parts"""

    bl_idname = "UNRENDER_PT_shape"
    bl_label = "Shape"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only for objects that have such a slider."""
        owner = active_object(context)
        return owner is not None and (generated.has_sliders(owner) or interpolation.key_of(owner) is not None)

    def draw(self, context: bpy.types.Context) -> None:
        """Draws one slider a proportion, or a direction where the object has no parts."""
        layout, owner = self.layout, active_object(context)
        key = interpolation.key_of(owner)
        if key is not None:
            split_row(layout).prop(key, "value", text="Interpolation", slider=True)
        if not generated.has_sliders(owner):
            return
        column = layout.column(align=True)
        if not parts.has_parts(owner):
            for index in range(records.NUMBER_OF_SLIDERS):
                if owner.unrender.shape[index] != 0 or surface.shows(owner, index, direction_pictures.END):
                    ends = direction_pictures.icons_of(owner, index)
                    draw_direction(column, owner, index, f"Direction {index + 1}", ends)
            return
        try:
            names = proportions.names_of(owner)
        except ValueError as error:
            draw_text(layout.box(), str(error), "ERROR", context.region.width)
            return
        for index, name in enumerate(names):
            draw_handle(column, owner, "proportions", index, name)


class UNRENDER_PT_directions(HandlePanel, bpy.types.Panel):
    """What the named proportions of an object with parts do not cover"""

    bl_idname = "UNRENDER_PT_directions"
    bl_parent_id = "UNRENDER_PT_shape"
    bl_label = "Further Directions"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only for objects with parts: others have these sliders in the panel above."""
        owner = active_object(context)
        return owner is not None and parts.has_parts(owner)

    def draw(self, context: bpy.types.Context) -> None:
        """Draws one slider a direction, and what tools added beyond."""
        owner = active_object(context)
        column = self.layout.column(align=True)
        try:
            names = shape_codes.further_of(proportions.space_of(owner)).names
        except ValueError:
            return  # the panel above says why
        for index, name in enumerate(names):
            draw_direction(column, owner, index, name, direction_pictures.icons_of_further(owner, index))
        if handle_tools.differs(owner, handle_tools.REST):
            row = self.layout.row(align=True)
            row.label(text="More was drawn or copied", icon="INFO")
            row.operator("unrender.reset_handle", text="", icon="LOOP_BACK", emboss=False).where = handle_tools.REST


class UNRENDER_PT_colours(HandlePanel, bpy.types.Panel):
    """Colours of an object with parts, and of what is behind it"""

    bl_idname = "UNRENDER_PT_colours"
    bl_label = "Colours"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Not for what a generator of shapes made: nothing but its texture says what colours it has."""
        owner = active_object(context)
        return owner is not None and generated.has_sliders(owner)

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the colours that an artist reaches for first, or those of a surface's texture."""
        layout, owner = self.layout, active_object(context)
        if owner.get(looks.PHOTO) is not None:
            split_row(layout).prop(owner, looks.PHOTO_PATH, text="Photo", slider=True)
            if owner[looks.PHOTO] > 0:
                draw_text(layout, "The photo hides the colours: move Photo to 0.", "INFO", context.region.width)
        if not parts.has_parts(owner):
            self._draw_texture(layout, owner)
        else:
            reason = palette.why_fixed(owner)
            if reason:
                draw_text(layout, reason, "INFO", context.region.width)
            else:
                self._draw_palette(layout.column(align=True), owner)
        draw_handle(layout.column(align=True), owner, "background", text="Background")

    def _draw_texture(self, layout: bpy.types.UILayout, owner: bpy.types.Object) -> None:
        column = layout.column(align=True)
        for index in range(records.NUMBER_OF_SLIDERS):
            draw_handle(column, owner, "texture", index, f"Direction {index + 1}")

    def _draw_palette(self, column: bpy.types.UILayout, owner: bpy.types.Object) -> None:
        shown = palette.regions_shown(owner)
        for region in (one for one in MAIN_COLOURS if one in shown):
            if region != palette.SECOND:
                draw_handle(column, owner, palette.field_of(region), text=palette.COLOURS[region])
                continue
            row = column.row(align=True, heading=palette.COLOURS[region])
            row.use_property_split, row.use_property_decorate = True, False
            row.prop(owner.unrender, "two_tone", text="")
            field = row.row(align=True)
            field.use_property_split, field.active = False, owner.unrender.two_tone
            field.prop(owner.unrender, palette.field_of(region), text="")
            draw_ends(row, owner, "two_tone" if handle_tools.differs(owner, "two_tone") else palette.field_of(region))


class UNRENDER_PT_more_colours(HandlePanel, bpy.types.Panel):
    """Colours of lamps, plates, tyres and the like"""

    bl_idname = "UNRENDER_PT_more_colours"
    bl_parent_id = "UNRENDER_PT_colours"
    bl_label = "More Colours"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only for objects whose colours can be changed."""
        owner = active_object(context)
        return owner is not None and palette.has_palette(owner)

    def draw(self, context: bpy.types.Context) -> None:
        """Draws one field a colour."""
        owner = active_object(context)
        column, shown = self.layout.column(align=True), palette.regions_shown(owner)
        for region, name in palette.COLOURS.items():
            if region in shown and region not in MAIN_COLOURS:
                draw_handle(column, owner, palette.field_of(region), text=name)


class UNRENDER_PT_tools(HandlePanel, bpy.types.Panel):
    """Draw, copy and blend many handles at once"""

    bl_idname = "UNRENDER_PT_tools"
    bl_label = "Tools"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only for objects with sliders to move."""
        owner = active_object(context)
        return owner is not None and generated.has_sliders(owner)

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the tools, and why another object cannot be copied from."""
        layout, owner = self.layout, active_object(context)
        state = owner.unrender
        column = layout.column(align=True)
        row = column.row(align=True)
        row.operator("unrender.randomise", icon="FILE_REFRESH")
        row.prop(state, "seed")
        row = column.row(align=True)
        row.prop(state, "random_shape", toggle=True)
        row.prop(state, "random_colours", toggle=True)
        draw_repaint(column.row(align=True), owner)
        column = layout.column(align=True)
        column.label(text="From another object:")
        column.prop(state, "other", text="")
        row = column.row(align=True)
        for what in ("SHAPE", "COLOURS", "BACKGROUND"):
            name = "Copy " + what.title() if what == "SHAPE" else what.title()
            row.operator("unrender.copy_from", text=name).what = what
        reason = shape_codes.why_apart(owner, state.other) if state.other is not None else ""
        row = column.row(align=True)
        row.enabled = state.other is not None and not reason
        row.prop(state, "blend", slider=True)
        if reason:
            draw_text(layout, reason, "INFO", context.region.width)
        elif state.other is None:
            layout.label(text="Choose another object", icon="INFO")
        if session.status.error:
            draw_text(layout.box(), session.status.error, "ERROR", context.region.width)


def draw_repaint(row: bpy.types.UILayout, owner: bpy.types.Object) -> None:
    """Draws whether tools repaint, the button for now, and the arrow back to what the photo gave."""
    if repaint.refusal(owner):
        return
    try:
        stale = repaint.is_stale(owner)
    except ValueError:
        return  # the panel of the shape says why
    row.prop(owner.unrender, "repaint", text="", icon="AUTO")
    button = row.row(align=True)
    button.active = stale
    button.operator("unrender.repaint", text="Repaint" if stale else "Paint Fits the Shape", icon="BRUSH_DATA")
    if repaint.is_repainted(owner):
        row.operator("unrender.unrepaint", text="", icon="LOOP_BACK")


CLASSES = (
    UNRENDER_PT_handles,
    UNRENDER_PT_camera,
    UNRENDER_PT_other_directions,
    UNRENDER_PT_shape,
    UNRENDER_PT_directions,
    UNRENDER_PT_colours,
    UNRENDER_PT_more_colours,
    UNRENDER_PT_tools,
)


def register() -> None:
    """Registers the panels."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    """Takes them back."""
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
