# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Click the Object: the photo takes the viewport's place, a click in it says which object is cut out."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import bpy
from bpy.props import FloatVectorProperty

from .. import job, masks, photo_view, session
from ..wire import client, records
from . import cut_out

CLICK = "Click the object in the photo.   Wheel: zoom   Esc: leave"
CLICK_AGAIN = "Enter: keep this mask   Click: another object, or another place on it   Esc: leave"
CUTTING = "Cutting out …   Esc: leave"
ACCEPT_EVENTS = {"RET", "NUMPAD_ENTER", "SPACE"}
CANCEL_EVENTS = {"ESC", "RIGHTMOUSE"}
PASSED_EVENTS = {
    "NONE", "TIMER", "TIMER0", "TIMER1", "TIMER2", "TIMER_JOBS", "TIMER_AUTOSAVE", "TIMER_REPORT", "TIMERREGION",
    "WINDOW_DEACTIVATE", "MOUSEMOVE", "INBETWEEN_MOUSEMOVE", "MIDDLEMOUSE", "WHEELUPMOUSE", "WHEELDOWNMOUSE",
    "TRACKPADPAN", "TRACKPADZOOM", "NDOF_MOTION", "HOME", "NUMPAD_PLUS", "NUMPAD_MINUS",
}  # fmt: skip
"""Events that reach the editor: what moves the photo about in it, and what is no input."""


class Click:
    """The user's next click as a task: its outcome is a place in fractions of the photo, or None to keep the mask."""

    def __init__(self, view: photo_view.PhotoView, can_keep: bool):
        self.progress = records.Progress("Click the object in the photo", 0.0)
        self._view = view
        self._can_keep = can_keep
        self._place: tuple[float, float] | None = None
        self._is_cancelled = False
        self.done = False

    def take(self, event: bpy.types.Event) -> None:
        """Looks at an event of the mouse or the keyboard."""
        if event.value != "PRESS":
            return
        if event.type == "LEFTMOUSE":
            self._place = self._view.place_at(event.mouse_x, event.mouse_y)
            self.done = self._place is not None
        elif event.type in ACCEPT_EVENTS and self._can_keep:
            self.done = True

    def poll(self) -> bool:
        """Fits the photo into its editor, which took its size by now."""
        self._view.fit()
        return False

    def cancel(self) -> None:
        """Ends without a place."""
        self._is_cancelled = self.done = True

    def outcome(self) -> tuple[float, float] | None:
        """Returns the place, or raises that there is none."""
        if self._is_cancelled:
            raise client.WorkerCancelled("The mask is as it was.")
        return self._place


class UNRENDER_OT_click_object(job.JobOperator, bpy.types.Operator):
    """Show the photo, click the object in it and use its mask: for photos that show several objects"""

    bl_idname = "unrender.click_object"
    bl_label = "Click the Object"
    bl_options = {"UNDO"}

    point: FloatVectorProperty(
        name="Point",
        description="Place on the object in pixels of the upright photo from its upper left, for scripts: without it "
        "the photo is shown to be clicked in",
        size=2,
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a picture."""
        return cut_out.has_picture(cls, context) and super().poll(context)

    def steps(self, context: bpy.types.Context) -> job.Steps:
        """Asks for places and for masks in turn until a mask is kept, and makes it the scene's."""
        settings = context.scene.unrender
        image_path = masks.photo_of(settings)
        if self.properties.is_property_set("point"):
            found = yield session.request(cut_out.request_of(settings, image_path, self.point))
        else:
            found = yield from self._pick(context, image_path)
        session.status.warnings = list(found.warnings)
        settings.mask_image = masks.show(Path(image_path).stem, found.mask)
        settings.mask_photo = image_path
        return "The mask of the clicked object is used from now on"

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Turns clicks and keys into answers; nothing else in the window can be changed meanwhile."""
        if event.type in PASSED_EVENTS:
            return super().modal(context, event)
        if event.type in CANCEL_EVENTS and event.value == "PRESS":
            session.status.cancel_requested = True
        elif isinstance(self._task, Click):
            self._task.take(event)
        return {"RUNNING_MODAL"}

    def _pick(self, context: bpy.types.Context, image_path: str) -> Generator[job.Task, Any, records.CutOut]:
        """Shows the photo until a mask is kept; returns the :class:`records.CutOut`."""
        area = None if bpy.app.background else photo_view.area_for(context)
        if area is None:
            raise ValueError("There is no window to click in: give the place on the object as point.")
        settings, found = context.scene.unrender, None
        photo = photo_view.load(image_path)
        view = photo_view.PhotoView(context.window, area, photo)
        try:
            view.say(CLICK)
            while (place := (yield Click(view, found is not None))) is not None:
                view.say(CUTTING)
                try:
                    found = yield session.request(cut_out.request_of(settings, image_path, photo.point(*place)))
                except client.WorkerCancelled:
                    raise
                except client.WorkerError as error:
                    view.say(f"{error}   {CLICK_AGAIN if found is not None else CLICK}")
                else:
                    view.show(photo.cut_out(found.mask))
                    view.say(CLICK_AGAIN)
        finally:
            view.close()
        return found


CLASSES = (UNRENDER_OT_click_object,)
