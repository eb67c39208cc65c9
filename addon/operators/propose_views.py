# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Propose Views: an image generator's view codes are looked for, to be annotated."""

from __future__ import annotations

import os
from pathlib import Path

import bpy

from .. import choices, job, preferences, training
from ..wire import view_set
from . import views


class UNRENDER_OT_propose_views(job.JobOperator, bpy.types.Operator):
    """Look for views of an image generator in which objects stay alike, and guess from what side they are"""

    bl_idname = "unrender.propose_views"
    bl_label = "Propose Views"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a folder to write to, and a generator."""
        settings = context.scene.unrender
        if not settings.views_folder:
            cls.poll_message_set("Choose a folder for the views first")
            return False
        if settings.views_generator == choices.FILE and not settings.views_generator_file:
            cls.poll_message_set("Choose the generator's file or folder first")
            return False
        return super().poll(context)

    def steps(self, context: bpy.types.Context) -> job.Steps:
        """Has a child process look for the views, then opens them."""
        settings = context.scene.unrender
        folder = Path(os.path.abspath(bpy.path.abspath(settings.views_folder)))
        if (folder / view_set.FILE_NAME).exists():
            raise ValueError(f"A view set lies in {folder} already: open it, or choose another folder.")
        arguments = ["views", "--data", generator_of(settings), "--out", str(folder)]
        arguments += ["--device", preferences.device(settings.device), f"proposals.views={settings.views_count}"]
        yield training.TrainingRun(arguments, "Starting the search for views")
        views.open_folder(folder, context)
        return f"{len(views.current.views.views)} views are proposed"


def generator_of(settings: bpy.types.PropertyGroup) -> str:
    """Returns the chosen bundle's name, or the path of the generator's file or folder."""
    if settings.views_generator != choices.FILE:
        return settings.views_generator
    return os.path.abspath(bpy.path.abspath(settings.views_generator_file))


CLASSES = (UNRENDER_OT_propose_views,)
