# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators on an object's handles."""

from __future__ import annotations

import bpy

from .. import handles, session


class HandleOperator:
    """Mix-in: needs an object with handles."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs an active object that was made here."""
        if handles.active_object(context) is None:
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
        handles.reset(handles.active_object(context))
        return {"CANCELLED"} if session.status.error else {"FINISHED"}


class UNRENDER_OT_look_through(HandleOperator, bpy.types.Operator):
    """Look through the camera that took the photo"""

    bl_idname = "unrender.look_through"
    bl_label = "View from the Photo's Camera"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Makes the object's camera the scene's and switches the viewport to it."""
        owner = handles.active_object(context)
        if owner.unrender.camera is None:
            self.report({"ERROR"}, "The camera of this object was deleted.")
            return {"CANCELLED"}
        context.scene.camera = owner.unrender.camera
        if context.area is not None and context.area.type == "VIEW_3D":
            context.space_data.region_3d.view_perspective = "CAMERA"
        return {"FINISHED"}


CLASSES = (UNRENDER_OT_reset_handles, UNRENDER_OT_look_through)
