# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install and repair the backend, and look what is there.

From the network this takes two presses: the first asks how large it is, the second downloads. From a folder of wheels
it takes one.
"""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty

from .. import environment, installation, job, preferences, session
from ..wire import protocol, records

OFFLINE = (
    "Packages come from the network: allow Online Access in the System preferences, or name a folder of wheels in the "
    "add-on's preferences"
)


class UNRENDER_OT_install_backend(job.JobOperator, bpy.types.Operator):
    """Install what the backend needs, into a folder of its own. Says how large it is before anything is downloaded"""

    bl_idname = "unrender.install_backend"
    bl_label = "Install Backend"
    needs_backend = False

    repair: BoolProperty(
        name="Repair",
        description="Make the environment that is there anew, of what it was made of",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Blender has to be allowed to go online, unless packages come from a folder."""
        if preferences.source().wheels is None and not bpy.app.online_access:
            cls.poll_message_set(OFFLINE)
            return False
        return super().poll(context)

    def steps(self, context: bpy.types.Context) -> job.Steps:
        """Installs from a folder; of an index it asks the sizes, which the panels then show."""
        installation.dismiss()
        source = (installation.remembered() if self.repair else None) or preferences.source()
        installation.refuse_where_offline(source, bpy.app.online_access)
        if source.wheels is not None:
            return (yield from install(installation.Installation(source)))
        question = installation.Question(source)
        question.start()
        installation.offer = yield question
        if has_window(context):
            return "Say whether to download it"
        return (yield from install(installation.Installation(source, installation.offer)))


class UNRENDER_OT_download_backend(job.JobOperator, bpy.types.Operator):
    """Download and install what was asked for"""

    bl_idname = "unrender.download_backend"
    bl_label = "Download"
    needs_backend = False

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """After the sizes were asked for."""
        if not bpy.app.online_access:
            cls.poll_message_set(OFFLINE)
            return False
        if installation.offer is None:
            cls.poll_message_set("Press Install Backend first, which tells the size")
            return False
        return super().poll(context)

    def steps(self, context: bpy.types.Context) -> job.Steps:
        """Installs, and looks that it works."""
        offer = installation.offer
        installation.dismiss()
        if offer is None or not environment.interpreter_in(installation.partial_folder()).exists():
            raise environment.NoEnvironment("What was begun is gone: press Install Backend once more.")
        return (yield from install(installation.Installation(offer.source, offer)))


class UNRENDER_OT_dismiss_backend(bpy.types.Operator):
    """Download nothing"""

    bl_idname = "unrender.dismiss_backend"
    bl_label = "Not Now"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Forgets the offer and removes what was prepared for it."""
        installation.dismiss()
        installation.discard(installation.partial_folder())
        return {"FINISHED"}


class UNRENDER_OT_check_environment(job.JobOperator, bpy.types.Operator):
    """Start the backend, have it make a small object, and show what it runs with"""

    bl_idname = "unrender.check_environment"
    bl_label = "Check"
    needs_backend = False

    def steps(self, context: bpy.types.Context) -> job.Steps:
        """Starts the worker anew, so that a change outside is noticed."""
        session.status.check = ""
        session.end_worker()
        return (yield from verify())


def has_window(context: bpy.types.Context) -> bool:
    """Says whether there is somebody who could be asked."""
    return context.window is not None and not bpy.app.background


def install(task: installation.Installation) -> job.Steps:
    """Installs; then the backend has to work."""
    session.end_worker()
    task.start()
    yield task
    return "The backend is installed. " + (yield from verify())


def verify() -> job.Steps:
    """Starts the worker and has it make a small object; keeps and returns what it runs with."""
    ready = yield session.ReadyTask(session.worker())
    request = records.GenerateRequest(texture_size=64, device=preferences.device())
    yield session.request(request, progress=records.Progress("Making a small object", 0.0))
    session.status.check = describe(ready)
    return session.status.check


def describe(ready: protocol.Ready) -> str:
    """Returns the handshake of a worker in words."""
    devices = ", ".join(ready.devices)
    bundles = ", ".join(ready.bundles) or "none"
    return f"Python {ready.python}, torch {ready.torch}, devices: {devices}, categories: {bundles}"


CLASSES = (
    UNRENDER_OT_install_backend,
    UNRENDER_OT_download_backend,
    UNRENDER_OT_dismiss_backend,
    UNRENDER_OT_check_environment,
)
