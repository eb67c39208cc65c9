# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Annotate: the clock runs and keys decide about the view that is shown, until every view is decided or Esc."""

from __future__ import annotations

import bpy

from ..annotation import ARROWS, Annotation
from ..wire import view_set
from . import views

TICK_SECONDS = 1.0
"""Time between two looks at the clock while it is shown."""
BIN_KEYS = ("1", "2", "3", "4", "5", "6", "7", "8", "9", "0", "-", "=")
"""Keys of the bins from 0 to 11, which the panel shows: the upper row of the keyboard."""
BIN_OF_EVENT = {
    **{name: number for number, name in enumerate(("ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT",
        "NINE", "ZERO", "MINUS", "EQUAL"))},
    **{f"NUMPAD_{(number + 1) % 10}": number for number in range(10)},
    "NUMPAD_MINUS": 10,
    # Keyboards that have no equals sign on a key of its own have a plus.
    "PLUS": 11,
    "NUMPAD_PLUS": 11,
}  # fmt: skip
DROP_EVENTS = {"X", "DEL"}
ACCEPT_EVENTS = {"RET", "NUMPAD_ENTER", "SPACE"}
KEY_EVENTS = {*BIN_OF_EVENT, *DROP_EVENTS, *ACCEPT_EVENTS, *ARROWS, "BACK_SPACE", "ESC", "Z"}


class UNRENDER_OT_annotate_views(views.ViewsOperator, bpy.types.Operator):
    """Start the clock and the keys; Esc stops them. Every decision is saved at once"""

    bl_idname = "unrender.annotate_views"
    bl_label = "Annotate"

    _timer: bpy.types.Timer | None = None
    _annotation: Annotation

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Once at a time."""
        if views.current is not None and views.current.is_running:
            cls.poll_message_set("The clock runs already")
            return False
        return super().poll(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Starts the clock; without a window that is all, for there are no keys."""
        assert views.current is not None
        self._annotation = views.current
        views.current.start()
        views.redraw()
        if bpy.app.background or context.window is None:
            return {"FINISHED"}
        self._timer = context.window_manager.event_timer_add(TICK_SECONDS, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Turns keys into decisions; the mouse stays free."""
        if views.current is not self._annotation or not views.current.is_running:
            # Finished, or closed by its button.
            return self._end(context)
        if event.type == "TIMER":
            views.redraw()
        if event.type not in KEY_EVENTS or event.alt or event.oskey:
            return {"PASS_THROUGH"}
        if event.value == "PRESS":
            if event.type == "ESC":
                return self._end(context)
            if not press(event.type, event.ctrl):
                return {"PASS_THROUGH"}
            if not views.current.is_running:
                return self._end(context)
        return {"RUNNING_MODAL"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Called by Blender when it drops the operator, as when another file is opened."""
        self._end(context)

    def _end(self, context: bpy.types.Context) -> set[str]:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None
        try:
            if self._annotation.is_running:
                self._annotation.stop()
        except view_set.ViewSetError as error:
            views.notes.error = str(error)
        views.redraw()
        count = len(self._annotation.views.views)
        self.report({"INFO"}, f"{self._annotation.decided} of {count} views in {clock_text(self._annotation.seconds)}")
        return {"FINISHED"}


class UNRENDER_OT_stop_annotating(views.ViewsOperator, bpy.types.Operator):
    """Stop the clock and the keys; everything is saved, and Annotate goes on later"""

    bl_idname = "unrender.stop_annotating"
    bl_label = "Stop"

    def act(self, annotation: Annotation) -> None:
        """Stops; the modal operator notices at the next event."""
        annotation.stop()


def press(key: str, with_ctrl: bool) -> bool:
    """Does what a key stands for while annotating; says whether it stands for anything."""
    if with_ctrl != (key == "Z"):
        return False
    if key == "Z":
        views.attempt(Annotation.undo)
    elif key in BIN_OF_EVENT:
        views.attempt(lambda annotation: annotation.decide(BIN_OF_EVENT[key]))
    elif key in DROP_EVENTS:
        views.attempt(Annotation.drop)
    elif key in ACCEPT_EVENTS:
        views.attempt(Annotation.accept)
    elif key in ARROWS:
        views.attempt(lambda annotation: annotation.turn(key))
    elif key == "BACK_SPACE":
        views.attempt(lambda annotation: annotation.show(annotation.position - 1))
    return True


def clock_text(seconds: float) -> str:
    """Returns a time as minutes and seconds."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"


CLASSES = (UNRENDER_OT_annotate_views, UNRENDER_OT_stop_annotating)
