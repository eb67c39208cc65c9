# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Train: starts runs of trainings, stops them, goes on with them, shows them and makes bundles of them."""

from __future__ import annotations

import os

import bpy
from bpy.props import EnumProperty

from .. import (
    choices,
    environment,
    places,
    preferences,
    session,
    training_runs,
    training_use,
    training_watch,
)
from ..training_runs import Request, Run
from ..wire import run_files

ERRORS = (environment.NoEnvironment, OSError, ValueError)
"""What may go wrong for reasons that the user can mend."""


def absolute(path: str) -> str:
    """Returns a path as the child process needs it; other words, such as a bundle's name, as they are."""
    whole = os.path.abspath(bpy.path.abspath(path))
    return whole if os.path.exists(whole) or path.startswith("//") else path


def start(request: Request) -> None:
    """Starts a run and chooses it in the list. Raises one of :data:`ERRORS`."""
    known = training_watch.runs()
    known.start(environment.worker_command(preferences.interpreter()), request)
    training_watch.choose(request.out)
    training_watch.follow()


class TrainingOperator:
    """Mix-in: turns what the user can mend into a sentence, in the report and in the panel."""

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Does it."""
        training_watch.watch.error = ""
        try:
            sentence = self.act(context)
        except ERRORS as error:
            training_watch.watch.error = str(error)
            training_watch.redraw()
            self.report({"ERROR"}, str(error))  # type: ignore[attr-defined]
            return {"CANCELLED"}
        training_watch.redraw()
        if sentence:
            self.report({"INFO"}, sentence)  # type: ignore[attr-defined]
        return {"FINISHED"}

    def act(self, context: bpy.types.Context) -> str:
        """Does it; returns a sentence for the report, or nothing. Raises one of :data:`ERRORS`."""
        raise NotImplementedError


class OfRun(TrainingOperator):
    """Mix-in: about the run that is chosen in the list."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a run of which the operator can do something."""
        run = training_watch.chosen()
        reason = "Choose a run in the list first" if run is None else cls.refusal(run)
        if reason:
            cls.poll_message_set(reason)  # type: ignore[attr-defined]
        return not reason

    @classmethod
    def refusal(cls, run: Run) -> str:
        """Returns why it cannot be done with a run; empty where it can."""
        return ""

    def act(self, context: bpy.types.Context) -> str:
        """Does it with the chosen run."""
        sentence = self.act_on(training_watch.chosen(), context)
        training_watch.look()
        return sentence

    def act_on(self, run: Run, context: bpy.types.Context) -> str:
        """Does it; as :meth:`act`."""
        raise NotImplementedError


class UNRENDER_OT_start_training(TrainingOperator, bpy.types.Operator):
    """Start a training as a process of its own, beside Blender"""

    bl_idname = "unrender.start_training"
    bl_label = "Train"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs data."""
        if not context.scene.unrender_training.data:
            cls.poll_message_set("Choose the data to learn from first")
            return False
        return True

    def act(self, context: bpy.types.Context) -> str:
        """Starts it in a folder that is new."""
        settings = context.scene.unrender_training
        out = training_runs.free_folder(training_watch.root(context.scene), settings.name or settings.task)
        start(
            Request(
                settings.task,
                absolute(settings.data),
                settings.preset,
                out,
                training_runs.parse_settings(settings.settings),
                device=preferences.device(context.scene.unrender.device),
                keep=settings.keep,
            )
        )
        return f"Training in {out}"


class UNRENDER_OT_stop_training(OfRun, bpy.types.Operator):
    """Have the run save what it has learned, and stop; it can be resumed"""

    bl_idname = "unrender.stop_training"
    bl_label = "Stop and Save"

    @classmethod
    def refusal(cls, run: Run) -> str:
        """Needs a run that is under way."""
        return "" if run.state in ("starting", "running") else "The run is not under way"

    def act_on(self, run: Run, context: bpy.types.Context) -> str:
        """Asks the run to."""
        run_files.ask_to_stop(run.folder)
        return f"{run.name} saves and stops after its present step"


class UNRENDER_OT_kill_training(OfRun, bpy.types.Operator):
    """End the run at once: what it learned since its last checkpoint is lost"""

    bl_idname = "unrender.kill_training"
    bl_label = "Stop without Saving"

    @classmethod
    def refusal(cls, run: Run) -> str:
        """Needs a run that is asked to stop, and has not."""
        return "" if run.state == "stopping" else "Stop and Save comes first"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Asks once more."""
        return context.window_manager.invoke_confirm(self, event)  # type: ignore[return-value]

    def act_on(self, run: Run, context: bpy.types.Context) -> str:
        """Ends it."""
        training_watch.runs().kill(run)
        return ""


class UNRENDER_OT_resume_training(OfRun, bpy.types.Operator):
    """Go on with the run from its last checkpoint, with the settings that it was started with"""

    bl_idname = "unrender.resume_training"
    bl_label = "Resume"

    @classmethod
    def refusal(cls, run: Run) -> str:
        """Needs a run that stands still, and says how it was started."""
        if run.is_under_way:
            return "The run is under way"
        if run.state == "finished":
            return "The run is finished"
        return "" if run.can_resume else "The run does not say how it was started: resume it from a terminal"

    def act_on(self, run: Run, context: bpy.types.Context) -> str:
        """Starts it again."""
        start(Request.again(run, context.scene.unrender_training.keep))
        return ""


class UNRENDER_OT_use_training(OfRun, bpy.types.Operator):
    """Use what the run has learned so far: as the weights of Image to 3D, or as the generator of Views"""

    bl_idname = "unrender.use_training"
    bl_label = "Use Now"

    @classmethod
    def refusal(cls, run: Run) -> str:
        """Needs weights that something in the panel can use, and a worker that can be ended for them."""
        if session.status.running:
            return "Another job is running"
        if training_use.weights_of(run) is not None or training_use.is_generator(run):
            return ""
        return "The run has saved nothing yet that Image to 3D or Views can use"

    def act_on(self, run: Run, context: bpy.types.Context) -> str:
        """Makes a bundle of it and chooses that, or chooses the generator."""
        settings = context.scene.unrender
        if training_use.weights_of(run) is None:
            settings.views_generator, settings.views_generator_file = choices.FILE, str(run.folder)
            return f"Views takes its pictures from {run.name}"
        name = training_use.make_bundle(run, places.user_folder() / "bundles")
        session.end_worker()  # it may hold what the bundle was before
        settings.bundle = name
        return f"Image to 3D uses {name}"


class UNRENDER_OT_show_training(OfRun, bpy.types.Operator):
    """Show this picture of the run in an Image Editor that is open"""

    bl_idname = "unrender.show_training"
    bl_label = "Show"

    kind: EnumProperty(
        name="Picture",
        items=[
            (training_watch.PLOT, "Losses", "Each figure from its lowest to its highest value"),
            (training_watch.SHEET, "Samples", "The newest picture of the run"),
        ],
        options={"SKIP_SAVE"},
    )

    def act_on(self, run: Run, context: bpy.types.Context) -> str:
        """Shows it."""
        image, shown = training_watch.show(self.kind)
        return "" if shown else f"Open an Image Editor: it can show the image {image.name}"


class UNRENDER_OT_open_training_folder(OfRun, bpy.types.Operator):
    """Open the run's folder in the file manager"""

    bl_idname = "unrender.open_training_folder"
    bl_label = "Open Folder"

    def act_on(self, run: Run, context: bpy.types.Context) -> str:
        """Opens it."""
        bpy.ops.wm.path_open(filepath=str(run.folder))
        return ""


CLASSES = (
    UNRENDER_OT_start_training,
    UNRENDER_OT_stop_training,
    UNRENDER_OT_kill_training,
    UNRENDER_OT_resume_training,
    UNRENDER_OT_use_training,
    UNRENDER_OT_show_training,
    UNRENDER_OT_open_training_folder,
)
