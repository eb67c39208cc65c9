# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sub-panel of StyleGAN-R's picture, and its toggles, which belong to the window and are never saved."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, PointerProperty

from .. import neural_render
from ..handles import active_object
from .layout import UnrenderPanel, draw_text


def _on_follow(self: UnrenderNeural, _context: bpy.types.Context) -> None:
    neural_render.follow(self.follow)


def _on_dual(self: UnrenderNeural, context: bpy.types.Context) -> None:
    neural_render.following.dual = self.dual
    owner = active_object(context)
    answer = neural_render.following.answers.get(owner.name) if owner is not None else None
    if answer is not None:
        neural_render.show(owner, answer)
        neural_render.redraw()


class UnrenderNeural(bpy.types.PropertyGroup):
    """Toggles of the panel."""

    follow: BoolProperty(
        name="Follow",
        description="Draw the active object anew whenever its camera, shape, texture or background changes",
        options={"SKIP_SAVE"},
        update=_on_follow,
    )
    dual: BoolProperty(
        name="Drawn Beside",
        description="Show the same shape and texture as the plain renderer draws them, to the left of StyleGAN-R's",
        options={"SKIP_SAVE"},
        update=_on_dual,
    )


class UNRENDER_PT_neural_render(UnrenderPanel, bpy.types.Panel):
    """StyleGAN-R's picture of the active object"""

    bl_idname = "UNRENDER_PT_neural_render"
    bl_parent_id = "UNRENDER_PT_handles"
    bl_label = "Neural Render"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the buttons, grey with the reason where there can be no picture, and the picture if no editor does."""
        layout, owner = self.layout, active_object(context)
        toggles = context.window_manager.unrender_neural
        reason = neural_render.refusal(owner)
        if reason:
            draw_text(layout, reason, "INFO", context.region.width)
        column = layout.column()
        column.enabled = not reason
        row = column.row(align=True)
        row.operator("unrender.neural_render", icon="RESTRICT_RENDER_OFF")
        row.prop(toggles, "follow", text="", icon="LINKED" if toggles.follow else "UNLINKED")
        column.prop(toggles, "dual")
        image = neural_render.image_of(owner)
        if image is not None:
            if not neural_render.is_shown(image) and image.preview is not None:
                layout.template_icon(image.preview.icon_id, scale=10)
            layout.operator("unrender.save_neural_render", icon="FILE_TICK")
        if neural_render.following.error:
            draw_text(layout.box(), neural_render.following.error, "ERROR", context.region.width)


CLASSES = (UnrenderNeural, UNRENDER_PT_neural_render)


def register() -> None:
    """Registers the panel, and hangs the toggles on the window manager."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.WindowManager.unrender_neural = PointerProperty(type=UnrenderNeural)


def unregister() -> None:
    """Takes them back."""
    del bpy.types.WindowManager.unrender_neural
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
