# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar tab. Draw only: nothing is computed or changed here."""

from __future__ import annotations

import functools
import math
import zlib

import bpy

from .. import directions, looks, parts, proportions, session, thumbnails
from ..handles import NO_TEXTURE_SLIDERS, active_object
from ..wire import records, view_set
from .layout import UnrenderPanel, draw_text

SURE = 0.8
"""Confidence from which on a direction of view needs no second look."""


class UNRENDER_PT_main(UnrenderPanel, bpy.types.Panel):
    """Picture, button, progress and messages"""

    bl_idname = "UNRENDER_PT_main"
    bl_label = "Image to 3D"

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the panel."""
        layout = self.layout
        settings = context.scene.unrender
        status = session.status
        layout.prop(settings, "image_path", text="")
        icon = thumbnails.icon_of(bpy.path.abspath(settings.image_path)) if settings.image_path else 0
        if icon:
            layout.template_icon(icon, scale=8)
        if status.running:
            layout.progress(text=status.stage, factor=status.fraction)
            row = layout.row()
            row.enabled = not status.cancel_requested
            row.operator("unrender.cancel", text="Cancelling" if status.cancel_requested else "Cancel", icon="X")
        else:
            layout.row().prop(settings, "quality", expand=True)
            row = layout.row()
            row.scale_y = 1.6
            row.enabled = bool(settings.image_path)
            row.operator("unrender.image_to_3d", icon="MESH_MONKEY")
            if not settings.image_path:
                layout.label(text="Choose a picture, or drop one here", icon="INFO")
        if status.error:
            draw_text(layout.box(), status.error, "ERROR", context.region.width)
        for warning in status.warnings:
            draw_text(layout.box(), warning, "INFO", context.region.width)


class UNRENDER_PT_mask(UnrenderPanel, bpy.types.Panel):
    """See the mask and replace it"""

    bl_idname = "UNRENDER_PT_mask"
    bl_parent_id = "UNRENDER_PT_main"
    bl_label = "Mask"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the panel."""
        settings = context.scene.unrender
        self.layout.template_ID(settings, "mask_image", open="image.open")
        if settings.mask_image is not None:
            settings.mask_image.preview_ensure()
            self.layout.template_icon(settings.mask_image.preview.icon_id, scale=6)
        column = self.layout.column(align=True)
        column.operator("unrender.cut_out", icon="MOD_MASK")
        column.operator("unrender.click_object", icon="RESTRICT_SELECT_OFF")


class UNRENDER_PT_options(UnrenderPanel, bpy.types.Panel):
    """Settings of the next object"""

    bl_idname = "UNRENDER_PT_options"
    bl_parent_id = "UNRENDER_PT_main"
    bl_label = "Options"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the panel."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        settings = context.scene.unrender
        layout.prop(settings, "bundle")
        layout.prop(settings, "real_size")
        layout.prop(settings, "texture_size")
        layout.prop(settings, "shape")
        layout.prop(settings, "materials")
        layout.prop(settings, "refinement")
        if settings.refinement == "CUSTOM":
            layout.prop(settings, "refine_steps")
        layout.prop(settings, "device")
        layout.prop(settings, "set_up_scene")


class UNRENDER_PT_handles(UnrenderPanel, bpy.types.Panel):
    """Sliders of the active object"""

    bl_idname = "UNRENDER_PT_handles"
    bl_label = "Handles"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only for objects that were made here."""
        return active_object(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the camera's sliders; those of the codes are in sub-panels."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        owner = active_object(context)
        layout.label(text=owner.name, icon="MESH_DATA")
        sure = directions.sentence_of(owner.unrender.confidence)
        if sure:
            layout.label(text=sure, icon="CHECKMARK" if owner.unrender.confidence >= SURE else "QUESTION")
        column = layout.column(align=True)
        for name in ("azimuth", "elevation", "zoom"):
            column.prop(owner.unrender, name)
        layout.operator("unrender.look_through", icon="VIEW_CAMERA")
        layout.operator("unrender.reset_handles", icon="LOOP_BACK")


class UNRENDER_PT_other_directions(UnrenderPanel, bpy.types.Panel):
    """The object as seen from where its photo may have been taken as well"""

    bl_idname = "UNRENDER_PT_other_directions"
    bl_parent_id = "UNRENDER_PT_handles"
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


class CodePanel(UnrenderPanel):
    """Mix-in: the six sliders of a code."""

    bl_parent_id = "UNRENDER_PT_handles"
    code = ""

    def draw(self, context: bpy.types.Context) -> None:
        """Draws one slider a direction."""
        layout = self.layout  # type: ignore[attr-defined]
        layout.use_property_split = True
        layout.use_property_decorate = False
        state = active_object(context).unrender
        column = layout.column(align=True)
        for index in range(records.NUMBER_OF_SLIDERS):
            column.prop(state, self.code, index=index, text=f"Direction {index + 1}", slider=True)


class UNRENDER_PT_shape(CodePanel, bpy.types.Panel):
    """Sliders of the shape: named proportions where the object has parts"""

    bl_idname = "UNRENDER_PT_shape"
    bl_label = "Shape"
    code = "shape"

    def draw(self, context: bpy.types.Context) -> None:
        """Draws one slider a proportion, or a direction where the object has no parts."""
        owner = active_object(context)
        if not parts.has_parts(owner):
            super().draw(context)
            return
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        try:
            names = proportions.names_of(owner)
        except ValueError as error:
            draw_text(layout.box(), str(error), "ERROR", context.region.width)
            return
        column = layout.column(align=True)
        for index, name in enumerate(names):
            column.prop(owner.unrender, "proportions", index=index, text=name, slider=True)


class UNRENDER_PT_directions(CodePanel, bpy.types.Panel):
    """Sliders of the shape code of an object with parts, beside its named proportions"""

    bl_idname = "UNRENDER_PT_directions"
    bl_parent_id = "UNRENDER_PT_shape"
    bl_label = "Main Directions"
    bl_options = {"DEFAULT_CLOSED"}
    code = "shape"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only for objects with parts: others have these sliders in the panel above."""
        owner = active_object(context)
        return owner is not None and parts.has_parts(owner)


class UNRENDER_PT_texture(CodePanel, bpy.types.Panel):
    """Sliders of the texture code, and of the photo's own look"""

    bl_idname = "UNRENDER_PT_texture"
    bl_label = "Texture"
    code = "texture"

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the sliders; of an object with parts that of its look, or why there is none."""
        owner = active_object(context)
        if owner.get(looks.PHOTO) is not None:
            self.layout.use_property_split = True
            self.layout.prop(owner, looks.PHOTO_PATH, text="Photo", slider=True)
        elif parts.has_parts(owner):
            draw_text(self.layout, NO_TEXTURE_SLIDERS, "INFO", context.region.width)
        else:
            super().draw(context)


CLASSES = (
    UNRENDER_PT_main,
    UNRENDER_PT_mask,
    UNRENDER_PT_options,
    UNRENDER_PT_handles,
    UNRENDER_PT_other_directions,
    UNRENDER_PT_shape,
    UNRENDER_PT_directions,
    UNRENDER_PT_texture,
)


def register() -> None:
    """Registers the panels."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    """Takes them back."""
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
    thumbnails.free()
