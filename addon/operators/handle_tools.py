# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators on single handles, and those that draw or copy many."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, StringProperty

from .. import handle_tools, handles, repaint, session
from .handles import HandleOperator

COPIES = (
    ("SHAPE", "Shape", "Give this object the shape of the other one; what is locked stays"),
    ("COLOURS", "Colours", "Give this object the colours of the other one; what is locked stays"),
    ("BACKGROUND", "Background", "Give this object the background of the other one"),
)


class UNRENDER_OT_reset_handle(HandleOperator, bpy.types.Operator):
    """Put this handle back to what was found in the photo"""

    bl_idname = "unrender.reset_handle"
    bl_label = "Reset Handle"
    bl_options = {"UNDO", "INTERNAL"}

    where: StringProperty(name="Handle", description="Property of the object's handles")
    index: IntProperty(name="Index", description="Number in the property; -1: all of it", default=-1)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Resets one handle."""
        try:
            handle_tools.reset(handles.active_object(context), self.where, self.index)
        except ValueError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class UNRENDER_OT_randomise(HandleOperator, bpy.types.Operator):
    """Draw a new shape and new colours, such as a car of the street has; what is locked stays"""

    bl_idname = "unrender.randomise"
    bl_label = "Randomise"
    bl_options = {"REGISTER", "UNDO"}

    seed: IntProperty(name="Seed", description="The same seed gives the same object", min=0, options={"SKIP_SAVE"})
    shape: BoolProperty(name="Shape", description="Draw a new shape", default=True, options={"SKIP_SAVE"})
    colours: BoolProperty(name="Colours", description="Draw new colours", default=True, options={"SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Draws with the seed after that of the panel, and what is chosen there."""
        state = handles.active_object(context).unrender
        self.seed = state.seed + 1
        self.shape, self.colours = state.random_shape, state.random_colours
        return self.execute(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Draws."""
        owner = handles.active_object(context)
        session.status.error = ""
        try:
            handle_tools.randomise(owner, self.seed, self.shape, self.colours)
        except ValueError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        with handles.muted():
            owner.unrender.seed = self.seed
        return _finished(owner)


class UNRENDER_OT_copy_from(HandleOperator, bpy.types.Operator):
    """Take something over from another object"""

    bl_idname = "unrender.copy_from"
    bl_label = "Copy from Other Object"
    bl_options = {"REGISTER", "UNDO"}

    what: EnumProperty(name="What", description="What is taken over", items=COPIES)

    @classmethod
    def description(cls, _context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        """Returns the tooltip of a button."""
        return next(text for name, _, text in COPIES if name == properties.what)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs another object."""
        if not super().poll(context):
            return False
        reason = handle_tools.why_not_copied(
            handles.active_object(context), handles.active_object(context).unrender.other, "BACKGROUND"
        )
        if reason:
            cls.poll_message_set(reason.rstrip("."))
        return not reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Copies."""
        owner = handles.active_object(context)
        session.status.error = ""
        try:
            handle_tools.copy(owner, owner.unrender.other, self.what)
        except ValueError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return _finished(owner)


def _finished(owner: bpy.types.Object) -> set[str]:
    """Says how a tool ended, and has an object repainted whose shape it changed."""
    if session.status.error:
        return {"CANCELLED"}
    repaint.follow_tools(owner)
    return {"FINISHED"}


CLASSES = (UNRENDER_OT_reset_handle, UNRENDER_OT_randomise, UNRENDER_OT_copy_from)
