# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scene renders like an object's photo, over it if wanted, and goes back to how it was."""

from __future__ import annotations

import bpy

from .. import composite, compositor, handles, matching
from .handles import HandleOperator


class UNRENDER_OT_match_photo(HandleOperator, bpy.types.Operator):
    """Render like the photo: its camera, size, light, plain colours; what the scene had before can be brought back"""

    bl_idname = "unrender.match_photo"
    bl_label = "Match Photo"
    bl_options = {"UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Matches the scene and looks through the camera."""
        try:
            matching.match(context.scene, handles.active_object(context))
        except ValueError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        look_through(context)
        return {"FINISHED"}


class UNRENDER_OT_unmatch_photo(bpy.types.Operator):
    """Give the scene the camera, world, size, colours and compositor back that it had before it matched a photo"""

    bl_idname = "unrender.unmatch_photo"
    bl_label = "As Before"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only where the scene matches a photo."""
        if not matching.is_matched(context.scene):
            cls.poll_message_set("The scene is as it was")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Brings it back."""
        matching.take_back(context.scene)
        return {"FINISHED"}


class UNRENDER_OT_composite(HandleOperator, bpy.types.Operator):
    """Render the object and its shadow over the photo: matches the scene, lays a ground that catches shadows below the
    object and the photo behind it, and renders with Cycles"""

    bl_idname = "unrender.composite"
    bl_label = "Composite on Photo"
    bl_options = {"UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Sets the scene up; F12 renders it."""
        target, owner = context.scene, handles.active_object(context)
        try:
            photo = photo_behind(owner)
            if compositor.in_use(target) and not compositor.is_ours(target):
                compositor.put_behind(target, photo)  # says why not
            matching.match(target, owner)
            matching.render_with_cycles(target)
            compositor.put_behind(target, photo)
            composite.ground_below(owner)
        except ValueError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        look_through(context)
        self.report({"INFO"}, "Render (F12) lays the object and its shadow over the photo")
        return {"FINISHED"}


def photo_behind(owner: bpy.types.Object) -> bpy.types.Image:
    """Returns the photo that the object's camera has behind it. Raises ValueError where it is not there any more, or
    there never was one."""
    if not owner.unrender.photo_path:
        raise ValueError(f"{owner.name} was made without a photo: there is none to lay it over.")
    camera = owner.unrender.camera
    images = camera.data.background_images if camera is not None else ()
    found = next((one.image for one in images if one.image is not None), None)
    if found is None:
        raise ValueError(f"The photo of {owner.name} is not in the file any more: make the object again from it.")
    return found


def look_through(context: bpy.types.Context) -> None:
    """Has the viewport in which an operator was called look through the scene's camera."""
    if context.area is not None and context.area.type == "VIEW_3D":
        context.space_data.region_3d.view_perspective = "CAMERA"


CLASSES = (UNRENDER_OT_match_photo, UNRENDER_OT_unmatch_photo, UNRENDER_OT_composite)
