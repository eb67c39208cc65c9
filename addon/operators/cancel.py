# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stop the job that runs."""

from __future__ import annotations

import bpy

from .. import session


class UNRENDER_OT_cancel(bpy.types.Operator):
    """Stop the running job"""

    bl_idname = "unrender.cancel"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only while a job runs."""
        if not session.status.running:
            cls.poll_message_set("Nothing is running")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Leaves a note for the job's own timer."""
        session.status.cancel_requested = True
        return {"FINISHED"}


CLASSES = (UNRENDER_OT_cancel,)
