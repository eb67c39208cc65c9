# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mark an object as an asset, and take that back."""

from __future__ import annotations

import bpy

from .. import assets, handles
from .handles import HandleOperator


class UNRENDER_OT_mark_asset(HandleOperator, bpy.types.Operator):
    """Offer the object, with its wheels, in the Asset Browser; once more takes that back"""

    bl_idname = "unrender.mark_asset"
    bl_label = "Mark as Asset"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs an object of this file."""
        if not super().poll(context):
            return False
        reason = assets.refusal(handles.active_object(context))
        if reason:
            cls.poll_message_set(reason)
        return not reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Marks it, or takes the mark away."""
        owner = handles.active_object(context)
        if assets.marked(owner) is not None:
            assets.clear(owner)
            self.report({"INFO"}, f"{owner.name} is no asset any more")
        else:
            assets.mark(owner)
            self.report({"INFO"}, f"{owner.name} is an asset of this file: save it")
        return {"FINISHED"}


CLASSES = (UNRENDER_OT_mark_asset,)
