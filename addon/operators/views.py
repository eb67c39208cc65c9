# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Annotate Views: a person says from what side each view of an image generator shows its object, or drops it.

What is open lives here as long as Blender runs. The decisions are in the set's own file, so Blender's undo has no part
in them: *Undo* here takes back one decision.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, StringProperty

from .. import view_pictures
from ..annotation import ARROWS, Annotation
from ..wire import view_set


@dataclass
class Notes:
    """What the panel says about the set that is open."""

    error: str = ""
    warning: str = ""


current: Annotation | None = None
"""The set that is open."""
notes = Notes()


def close() -> None:
    """Closes the set that is open and frees its pictures."""
    global current
    current = None
    notes.error = notes.warning = ""
    view_pictures.free()


def redraw() -> None:
    """Has every sidebar drawn again, and not the viewports beside them: a step must be shown at once."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            for region in area.regions:
                if area.type == "VIEW_3D" and region.type == "UI":
                    region.tag_redraw()


def attempt(action: Callable[[Annotation], None]) -> str:
    """Does something with the open set; returns what went wrong in one sentence, which the panel shows too."""
    notes.error = ""
    try:
        if current is not None:
            action(current)
    except view_set.ViewSetError as error:
        notes.error = str(error)
    redraw()
    return notes.error


class ViewsOperator:
    """Mix-in: needs an open set and turns errors into a sentence."""

    is_decision = False
    """Whether the step is a decision: in a window, the first one starts the clock and the keys."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs an open set."""
        if current is None:
            cls.poll_message_set("Open a view set first")  # type: ignore[attr-defined]
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Does the step."""
        error = attempt(self.act)
        if error:
            self.report({"ERROR"}, error)  # type: ignore[attr-defined]
            return {"CANCELLED"}
        if self.is_decision and not bpy.app.background and not (current.is_running or current.is_finished):
            bpy.ops.unrender.annotate_views("INVOKE_DEFAULT")
        return {"FINISHED"}

    def act(self, annotation: Annotation) -> None:
        """Does the step on the open set. Raises :class:`view_set.ViewSetError`."""
        raise NotImplementedError


class UNRENDER_OT_open_views(bpy.types.Operator):
    """Open a folder with the views of an image generator"""

    bl_idname = "unrender.open_views"
    bl_label = "Open Views…"

    directory: StringProperty(name="Folder", subtype="DIR_PATH", options={"SKIP_SAVE"})
    filter_folder: BoolProperty(default=True, options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Asks for the folder where neither the caller nor the scene names one."""
        if self.directory or context.scene.unrender.views_folder:
            return self.execute(context)
        context.window_manager.fileselect_add(self)  # type: ignore[arg-type]
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Opens the chosen folder, or else the scene's."""
        settings = context.scene.unrender
        if self.directory:
            settings.views_folder = self.directory
        notes.error = notes.warning = ""
        if not settings.views_folder:
            return self._fail("Choose the folder of a view set first.")
        try:
            missing = open_folder(Path(bpy.path.abspath(settings.views_folder)), context)
        except view_set.ViewSetError as error:
            return self._fail(str(error))
        finally:
            redraw()
        assert current is not None
        if missing:
            notes.warning = f"{missing} of {len(current.views.views)} views have no picture."
        self.report({"INFO"}, f"{len(current.views.views)} views, {current.decided} of them decided")
        return {"FINISHED"}

    def _fail(self, sentence: str) -> set[str]:
        notes.error = sentence
        self.report({"ERROR"}, sentence)
        return {"CANCELLED"}


def open_folder(folder: Path, context: bpy.types.Context) -> int:
    """Opens a set in place of the one before; returns how many of its views have no picture.

    Raises :class:`view_set.ViewSetError`, also for a set without any picture; then the one before stays open.
    """
    global current
    if current is not None:
        # A list that was changed by hand is opened again because of that.
        with contextlib.suppress(view_set.ViewSetError):
            current.stop()
    opened = Annotation(folder)
    views = opened.views
    if not any(views.candidate_path(view).is_file() for view in views.views):
        raise view_set.ViewSetError(
            f"{folder} has no pictures of its views (such as {views.candidate_path(views.views[0]).name} in the folder "
            "candidates), so nobody can say what they show."
        )
    manager = context.window_manager
    manager.progress_begin(0, 100)
    try:
        missing = view_pictures.load(views, lambda fraction: manager.progress_update(int(100 * fraction)))
    finally:
        manager.progress_end()
    current = opened
    return missing


class UNRENDER_OT_close_views(ViewsOperator, bpy.types.Operator):
    """Close the view set; everything is saved"""

    bl_idname = "unrender.close_views"
    bl_label = "Close"

    def act(self, annotation: Annotation) -> None:
        """Saves the time and closes."""
        try:
            annotation.stop()
        finally:
            close()


class UNRENDER_OT_choose_view_bin(ViewsOperator, bpy.types.Operator):
    """Say that this view shows the object from here, save, and go to the next view"""

    bl_idname = "unrender.choose_view_bin"
    bl_label = "Choose Side"
    bl_options = {"INTERNAL"}
    is_decision = True

    number: IntProperty(name="Bin", min=0, max=view_set.NUMBER_OF_BINS - 1, options={"SKIP_SAVE"})

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        """Says what the bin means."""
        name, middle = view_set.BIN_NAMES[properties.number], view_set.azimuth_deg_of(properties.number)
        return f"The object is seen from: {name} (azimuth {middle:.0f}° ± 15°). The arrow is where it faces, from above"

    def act(self, annotation: Annotation) -> None:
        """Decides."""
        annotation.decide(self.number)


class UNRENDER_OT_drop_view(ViewsOperator, bpy.types.Operator):
    """Leave this view out, save, and go to the next view"""

    bl_idname = "unrender.drop_view"
    bl_label = "Drop"
    is_decision = True

    def act(self, annotation: Annotation) -> None:
        """Drops."""
        annotation.drop()


class UNRENDER_OT_accept_view(ViewsOperator, bpy.types.Operator):
    """Take what is chosen for this view, at first the automatic guess, save, and go to the next view"""

    bl_idname = "unrender.accept_view"
    bl_label = "Accept"
    is_decision = True

    def act(self, annotation: Annotation) -> None:
        """Accepts."""
        annotation.accept()


class UNRENDER_OT_turn_view_bin(ViewsOperator, bpy.types.Operator):
    """Move the choice along the ring without saving it"""

    bl_idname = "unrender.turn_view_bin"
    bl_label = "Turn Choice"
    bl_options = {"INTERNAL"}

    arrow: EnumProperty(name="To", items=[(name, name, "") for name in ARROWS], options={"SKIP_SAVE"})

    def act(self, annotation: Annotation) -> None:
        """Turns."""
        annotation.turn(self.arrow)


class UNRENDER_OT_show_view(ViewsOperator, bpy.types.Operator):
    """Go to this view; nothing is changed"""

    bl_idname = "unrender.show_view"
    bl_label = "Show View"
    bl_options = {"INTERNAL"}

    position: IntProperty(name="Position", description="Of the view in the list, from 0", options={"SKIP_SAVE"})

    def act(self, annotation: Annotation) -> None:
        """Goes there."""
        annotation.show(self.position)


class UNRENDER_OT_undo_view(ViewsOperator, bpy.types.Operator):
    """Take the last decision back, save, and show its view again"""

    bl_idname = "unrender.undo_view"
    bl_label = "Undo"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a decision made since the set was opened."""
        if current is not None and not current.can_undo:
            cls.poll_message_set("There is nothing to take back")
            return False
        return super().poll(context)

    def act(self, annotation: Annotation) -> None:
        """Takes it back."""
        annotation.undo()


class UNRENDER_OT_accept_view_guesses(ViewsOperator, bpy.types.Operator):
    """Take the automatic guess for every view that has no side yet, without looking at them"""

    bl_idname = "unrender.accept_view_guesses"
    bl_label = "Use All Guesses"

    def act(self, annotation: Annotation) -> None:
        """Takes them."""
        left = annotation.accept_guesses()
        taken = "The guesses are taken: front may be back, and the way around the other."
        notes.warning = f"{left} views have neither a side nor a guess." if left else taken


CLASSES = (
    UNRENDER_OT_open_views,
    UNRENDER_OT_close_views,
    UNRENDER_OT_choose_view_bin,
    UNRENDER_OT_drop_view,
    UNRENDER_OT_accept_view,
    UNRENDER_OT_turn_view_bin,
    UNRENDER_OT_show_view,
    UNRENDER_OT_undo_view,
    UNRENDER_OT_accept_view_guesses,
)
