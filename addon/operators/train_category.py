# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""New Category: goes through the steps from photographs to a bundle, up to where a person is needed."""

from __future__ import annotations

import os

import bpy

from .. import preferences, session, training_chain, training_watch
from ..wire import category_steps, records
from . import views
from .train_runs import TrainingOperator, start


def form_of(scene: bpy.types.Scene) -> training_chain.Form:
    """Returns what the panel says of the new category."""
    settings = scene.unrender_training
    model = preferences.cutout_model()
    paths = [os.path.abspath(bpy.path.abspath(path)) if path else "" for path in (settings.photographs, settings.masks)]
    return training_chain.Form(
        paths[0],
        settings.category,
        settings.category_preset,
        paths[1],
        "" if model == records.OWN_CUT_OUT else model,
        preferences.device(scene.unrender.device),
        settings.keep,
    )


class UNRENDER_OT_go_on_with_category(TrainingOperator, bpy.types.Operator):
    """Do the next steps, up to the end or to where you are needed"""

    bl_idname = "unrender.go_on_with_category"
    bl_label = "Go On"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs photographs, a name, and no process that is at it."""
        settings = context.scene.unrender_training
        run = training_watch.category_run(context.scene)
        reason = ""
        if not settings.photographs:
            reason = "Choose the folder of photographs first"
        elif not settings.category.strip():
            reason = "Give the category a name first"
        elif run is not None and run.is_under_way:
            reason = "The steps are under way"
        elif run is not None and run.state == "finished":
            reason = "Every step is done"
        if reason:
            cls.poll_message_set(reason)
        return not reason

    def act(self, context: bpy.types.Context) -> str:
        """Starts the command, which knows what is done."""
        form = form_of(context.scene)
        folder = training_chain.folder_of(training_watch.root(context.scene), form.category)
        if views.current is not None and views.current.views.folder == training_chain.views_folder(folder):
            views.current.stop()  # what was decided, and how long it took, is in the file
        steps = training_chain.steps_of(folder, training_watch.category_run(context.scene))
        start(training_chain.next_request(folder, form, steps))
        session.redraw()
        return ""


class UNRENDER_OT_open_category_views(TrainingOperator, bpy.types.Operator):
    """Open the category's views: say for each from which side it is seen"""

    bl_idname = "unrender.open_category_views"
    bl_label = "Views"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs views."""
        folder = training_watch.category_folder(context.scene)
        if folder is None or training_chain.views_folder(folder) is None:
            cls.poll_message_set("There are no views yet: Go On proposes them")
            return False
        return True

    def act(self, context: bpy.types.Context) -> str:
        """Opens them in the panel below."""
        folder = training_chain.views_folder(training_watch.category_folder(context.scene))
        context.scene.unrender.views_folder = str(folder)
        views.open_folder(folder, context)
        views.redraw()
        return f"{len(views.current.views.views)} views: see Train ▸ Views"


class UNRENDER_OT_use_category(TrainingOperator, bpy.types.Operator):
    """Use what has been learned so far as the weights of Image to 3D"""

    bl_idname = "unrender.use_category"
    bl_label = "Use Now"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs weights."""
        run = training_watch.category_run(context.scene)
        if run is None or not training_watch.is_usable(run):
            cls.poll_message_set(f"Comes with the step '{category_steps.TITLES[category_steps.SHAPES]}'")
            return False
        return True

    def act(self, context: bpy.types.Context) -> str:
        """Chooses the run, and uses it."""
        training_watch.choose(training_watch.category_folder(context.scene))
        bpy.ops.unrender.use_training()
        return f"Image to 3D uses {context.scene.unrender.bundle}"


CLASSES = (UNRENDER_OT_go_on_with_category, UNRENDER_OT_open_category_views, UNRENDER_OT_use_category)
