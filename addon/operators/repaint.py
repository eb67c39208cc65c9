# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repaint: the markings of the present shape, and those of the photo again."""

from __future__ import annotations

import bpy

from .. import copies, handles, job, repaint, session
from ..wire import records
from .handles import HandleOperator

STAGE = "Painting windows, doors and lamps"


class UNRENDER_OT_repaint(job.JobOperator, bpy.types.Operator):
    """Paint windows, doors and lamps anew for the present shape; the arrow beside brings the photo's back"""

    bl_idname = "unrender.repaint"
    bl_label = "Repaint"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs an object with parts and a texture."""
        reason = repaint.refusal(handles.active_object(context))
        if reason:
            cls.poll_message_set(reason.rstrip("."))
            return False
        return super().poll(context)

    def steps(self, context: bpy.types.Context) -> job.Steps:
        """Asks for the maps, again where a slider moved meanwhile, and shows them."""
        owner = handles.active_object(context)
        name, identity = owner.name, owner.session_uid
        while True:
            request = repaint.request_of(owner)
            result = yield session.request(request, progress=records.Progress(STAGE, 0.0))
            owner = copies.by_identity(identity)
            if owner is None or repaint.refusal(owner):
                raise ValueError(f"{name} is gone, so it was not repainted.")
            if bpy.app.background or (repaint.request_of(owner).code == request.code).all():
                break
        repaint.apply(owner, request.code, result)
        return ""


class UNRENDER_OT_unrepaint(HandleOperator, bpy.types.Operator):
    """Put back what the photo gave: its texture with windows, doors and lamps where they were found"""

    bl_idname = "unrender.unrepaint"
    bl_label = "Photo's Paint"
    bl_options = {"UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Puts back."""
        repaint.restore(handles.active_object(context))
        return {"FINISHED"}


CLASSES = (UNRENDER_OT_repaint, UNRENDER_OT_unrepaint)
