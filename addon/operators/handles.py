# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators on an object's handles."""

from __future__ import annotations

import bpy

from .. import handles, parts, session


def active_object(context: bpy.types.Context) -> bpy.types.Object | None:
    """Returns the active object if it was made here, or the one whose wheel or camera is active."""
    owner = context.active_object
    if owner is None:
        return None
    if owner.parent is not None and owner in parts.turning(owner.parent):
        owner = owner.parent
    if owner.unrender.is_unrender:
        return owner
    if owner.type == "CAMERA":
        for candidate in context.scene.objects:
            if candidate.unrender.is_unrender and candidate.unrender.camera == owner:
                return candidate
    return None


class HandleOperator:
    """Mix-in: needs an object with handles."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs an active object that was made here."""
        if active_object(context) is None:
            cls.poll_message_set("Select an object made by Image to 3D")  # type: ignore[attr-defined]
            return False
        return True


class UNRENDER_OT_reset_handles(HandleOperator, bpy.types.Operator):
    """Put all sliders back to what was found in the photo"""

    bl_idname = "unrender.reset_handles"
    bl_label = "Reset"
    bl_options = {"UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Resets."""
        handles.reset(active_object(context))
        return {"CANCELLED"} if session.status.error else {"FINISHED"}


class UNRENDER_OT_look_through(HandleOperator, bpy.types.Operator):
    """Look through the camera that took the photo"""

    bl_idname = "unrender.look_through"
    bl_label = "View from the Photo's Camera"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Makes the object's camera the scene's and switches the viewport to it."""
        owner = active_object(context)
        if owner.unrender.camera is None:
            self.report({"ERROR"}, "The camera of this object was deleted.")
            return {"CANCELLED"}
        context.scene.camera = owner.unrender.camera
        if context.area is not None and context.area.type == "VIEW_3D":
            context.space_data.region_3d.view_perspective = "CAMERA"
        return {"FINISHED"}


CLASSES = (UNRENDER_OT_reset_handles, UNRENDER_OT_look_through)
