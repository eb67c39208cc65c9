# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Create the backend's environment, and look what is there."""

from __future__ import annotations

import bpy

from .. import environment, job, preferences, session
from ..wire import protocol


class UNRENDER_OT_create_environment(job.JobOperator, bpy.types.Operator):
    """Make an environment with torch in the extension's folder. Downloads a few hundred megabytes or more"""

    bl_idname = "unrender.create_environment"
    bl_label = "Create Environment"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Blender has to be allowed to go online."""
        if not bpy.app.online_access:
            cls.poll_message_set("Allow Online Access in the System preferences, or choose an interpreter with torch")
            return False
        return super().poll(context)

    def steps(self, context: bpy.types.Context) -> job.Steps:
        """Installs, then starts the worker to see that it works."""
        session.end_worker()
        installation = environment.Installation(preferences.package_index())
        installation.start()
        yield installation
        ready = yield session.ReadyTask(session.worker())
        session.status.check = describe(ready)
        return "The environment works"


class UNRENDER_OT_check_environment(job.JobOperator, bpy.types.Operator):
    """Start the backend and show what it runs with"""

    bl_idname = "unrender.check_environment"
    bl_label = "Check"

    def steps(self, context: bpy.types.Context) -> job.Steps:
        """Starts the worker anew, so that a change outside is noticed."""
        session.status.check = ""
        session.end_worker()
        ready = yield session.ReadyTask(session.worker())
        session.status.check = describe(ready)
        return session.status.check


def describe(ready: protocol.Ready) -> str:
    """Returns the handshake of a worker in words."""
    devices = ", ".join(ready.devices)
    bundles = ", ".join(ready.bundles) or "none"
    return f"Python {ready.python}, torch {ready.torch}, devices: {devices}, categories: {bundles}"


CLASSES = (UNRENDER_OT_create_environment, UNRENDER_OT_check_environment)
