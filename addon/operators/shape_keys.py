# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shapes of handles as shape keys, which anything of Blender's can blend and animate."""

from __future__ import annotations

import bpy
from bpy.props import StringProperty

from .. import handles, kept_shapes, parts
from .handles import HandleOperator


class UNRENDER_OT_keep_shape_key(HandleOperator, bpy.types.Operator):
    """Keep the shape that the sliders give now as a shape key of the object and its wheels; sliders move the others"""

    bl_idname = "unrender.keep_shape_key"
    bl_label = "Keep as Shape Key"
    bl_options = {"REGISTER", "UNDO"}

    name: StringProperty(name="Name", description="Name of the new shape key", default="Shape")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Adds the key and makes it the active one."""
        owner = handles.active_object(context)
        return _keep(self, owner, owner, self.name)


class UNRENDER_OT_join_shape_key(HandleOperator, bpy.types.Operator):
    """Add the shape of the other selected object as a shape key, so that one value blends from this shape to that"""

    bl_idname = "unrender.join_shape_key"
    bl_label = "Add Other Object as Shape Key"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs an active object that was made here, and one more that is selected."""
        if not super().poll(context):
            return False
        if len(_others(context)) != 1:
            cls.poll_message_set("Select one more object made by Image to 3D")  # type: ignore[attr-defined]
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Adds the key and makes it the active one."""
        (other,) = _others(context)
        return _keep(self, handles.active_object(context), other, other.name)


def _others(context: bpy.types.Context) -> list[bpy.types.Object]:
    """Returns the selected objects made here, or whose wheels are selected, beside the active one."""
    owner, found = handles.active_object(context), []
    for one in context.selected_objects:
        main = one.parent if one.parent is not None and one in parts.turning(one.parent) else one
        if main.unrender.is_unrender and main != owner and main not in found:
            found.append(main)
    return found


def _keep(operator: bpy.types.Operator, owner: bpy.types.Object, other: bpy.types.Object, name: str) -> set[str]:
    try:
        key = kept_shapes.keep(owner, kept_shapes.shape_of(other), name)
    except ValueError as error:
        operator.report({"ERROR"}, str(error))
        return {"CANCELLED"}
    owner.active_shape_key_index = owner.data.shape_keys.key_blocks.find(key.name)
    operator.report({"INFO"}, f"{key.name} is a shape key of {owner.name}")
    return {"FINISHED"}


CLASSES = (UNRENDER_OT_keep_shape_key, UNRENDER_OT_join_shape_key)
