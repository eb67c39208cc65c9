# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar tab but for the handles. Draw only: nothing is computed or changed here."""

from __future__ import annotations

import os
from typing import Any

import bpy

from .. import masks, session, thumbnails
from .install_panel import draw_missing, lacks_backend
from .layout import UnrenderPanel, draw_text

SHOWN_IN_QUEUE = 8


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
            layout.progress(text=status.text(), factor=status.fraction)
            row = layout.row()
            row.enabled = not status.cancel_requested
            row.operator("unrender.cancel", text="Cancelling" if status.cancel_requested else "Cancel", icon="X")
        elif lacks_backend():
            draw_missing(layout, context.region.width)
        else:
            layout.row().prop(settings, "quality", expand=True)
            row = layout.row()
            row.scale_y = 1.6
            waiting = [one for one in status.queue if not one.error]
            row.enabled = bool(settings.image_path or waiting)
            text = f"Go On with {len(waiting)} Pictures" if waiting else "Image to 3D"
            row.operator("unrender.image_to_3d", text=text, icon="MESH_MONKEY")
            if not settings.image_path:
                draw_text(layout, "Choose a picture, or drop some onto the view", "INFO", context.region.width)
        if status.queue:
            draw_queue(layout, status)
        if status.error:
            draw_text(layout.box(), status.error, "ERROR", context.region.width)
        for warning in status.warnings:
            draw_text(layout.box(), warning, "INFO", context.region.width)


def draw_queue(layout: bpy.types.UILayout, status: session.Status) -> None:
    """Draws which pictures wait, which one is in work, and why nothing came of others."""
    box = layout.box().column(align=True)
    head = box.row()
    waiting = sum(not one.error for one in status.queue)
    head.label(text=f"{waiting} in the queue" if waiting else f"{len(status.queue)} failed")
    head.operator("unrender.forget_pictures", text="", icon="TRASH", emboss=False)
    first = next((one for one in status.queue if not one.error), None)
    for one in status.queue[:SHOWN_IN_QUEUE]:
        icon: Any = "ERROR" if one.error else "PLAY" if one is first and status.running else "TIME"
        box.label(text=os.path.basename(one.path), icon=icon)
        if one.error:
            draw_text(box, one.error, "BLANK1", bpy.context.region.width)
    if len(status.queue) > SHOWN_IN_QUEUE:
        box.label(text=f"and {len(status.queue) - SHOWN_IN_QUEUE} more", icon="BLANK1")


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
            if not masks.is_for(settings, masks.photo_of(settings)):
                text = f"Not used: it was made for {os.path.basename(settings.mask_photo)}"
                draw_text(self.layout, text, "INFO", context.region.width)
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
        layout.prop(settings, "show_textured")
        layout.prop(settings, "set_up_scene")


class UNRENDER_PT_generate(UnrenderPanel, bpy.types.Panel):
    """New objects from seeds"""

    bl_idname = "UNRENDER_PT_generate"
    bl_parent_id = "UNRENDER_PT_main"
    bl_label = "New Objects without a Photo"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the panel."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        settings = context.scene.unrender
        layout.prop(settings, "new_bundle")
        for name in ("new_seed", "new_count"):
            layout.prop(settings, name)
        layout.prop(settings, "new_variety", slider=True)
        layout.operator("unrender.generate", icon="ADD")
        layout.prop(settings, "new_second_seed")
        layout.operator("unrender.interpolate", icon="IPO_EASE_IN_OUT")


CLASSES = (
    UNRENDER_PT_main,
    UNRENDER_PT_mask,
    UNRENDER_PT_options,
    UNRENDER_PT_generate,
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
