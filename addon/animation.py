# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Animated sliders: with every frame that is played or rendered, meshes, cameras and colours follow them.

An animation moves handles without a word. So each frame asks the objects that are animated in any way what their
handles say now, in the state that Blender has evaluated for the frame; where that is what they show, nothing is done.

Renders of a window run in a thread of their own while the window draws. What they need is done on the main thread in
the meantime, at a door that a timer opens: no two threads change one mesh. Where the window is locked, or there is
none, nobody else is at work.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

import bpy
from bpy.app.handlers import persistent

from . import copies, followed, handles, palette, session

DOOR_SECONDS = 0.02
"""Time between two looks for work of another thread, while the file has animated objects."""
PATIENCE = 2.0
"""Seconds after which a render goes on by itself: the main thread waits for it, as where it was cancelled."""

VIEW_PATHS = ("unrender.azimuth", "unrender.elevation", "unrender.zoom")


class _Work:
    """Something that one thread wants to be done by another."""

    def __init__(self, action: Callable[[], None]):
        self._action = action
        self._taken = threading.Lock()
        self._done = threading.Event()

    def do(self) -> None:
        """Does it, unless another thread has begun."""
        if self._taken.acquire(blocking=False):
            try:
                self._action()
            finally:
                self._done.set()

    def wait(self) -> None:
        """Returns when it is done; does it where nobody came."""
        if not self._done.wait(PATIENCE):
            self.do()
            self._done.wait()


_waiting: queue.SimpleQueue[_Work] = queue.SimpleQueue()
_main_thread = threading.get_ident()


@persistent
def follow_frame(_scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    """After a frame was evaluated: animated handles take effect; what they change is evaluated once more."""
    found = [(owner, source) for owner in _animated() if (source := owner.evaluated_get(depsgraph)).is_evaluated]
    changed = [pair for pair in found if _is_changed(*pair)]
    if changed:
        _on_main_thread(lambda: _follow_all(changed), depsgraph.scene.render.use_lock_interface)


@persistent
def follow_again(_scene: object, _depsgraph: object = None) -> None:
    """After a render: objects show the frame of the window again."""

    def work() -> None:
        _follow_all([(owner, owner) for owner in _animated()])

    if bpy.app.background or threading.get_ident() == _main_thread:
        work()
    else:
        _waiting.put(_Work(work))


@persistent
def keep_door(_path: object, _depsgraph: object = None) -> None:
    """Keeps the door open as long as the file has animated objects; a thread could not."""
    if (
        not bpy.app.background
        and threading.get_ident() == _main_thread
        and not bpy.app.timers.is_registered(_open_door)
        and _animated()
    ):
        bpy.app.timers.register(_open_door, first_interval=DOOR_SECONDS)


def _animated() -> list[bpy.types.Object]:
    """Returns the objects made here that have an animation of any kind."""
    return [one for one in copies.objects() if one.animation_data is not None]


def _is_changed(owner: bpy.types.Object, source: bpy.types.Object) -> bool:
    return any(followed.differs(owner, source, kind) for kind in followed.READERS) or _is_view_animated(owner)


def _is_view_animated(owner: bpy.types.Object) -> bool:
    """Says whether an object's camera is animated by its sliders, so that it goes along where the object is moved."""
    animation = owner.animation_data
    curves = [*animation.drivers, *_curves_of(animation.action)]
    return any(curve.data_path in VIEW_PATHS for curve in curves)


def _curves_of(action: bpy.types.Action | None) -> list[bpy.types.FCurve]:
    """Returns the curves of an action, which lie in layers since Blender 5."""
    if action is None:
        return []
    if hasattr(action, "fcurves"):
        return list(action.fcurves)
    strips = (strip for layer in action.layers for strip in layer.strips)
    return [curve for strip in strips for bag in strip.channelbags for curve in bag.fcurves]


def _follow_all(pairs: list[tuple[bpy.types.Object, bpy.types.Object]]) -> None:
    """Gives objects what the handles of their evaluated selves say, where they show something else."""
    for owner, source in pairs:
        try:
            if followed.differs(owner, source, followed.SHAPE):
                handles.follow_shape(owner, source)
            if followed.differs(owner, source, followed.VIEW) or _is_view_animated(owner):
                handles.place_camera(owner, source, source.matrix_world)
            if followed.differs(owner, source, followed.COLOURS):
                copies.own_look(owner)
                palette.apply(owner, source)
                owner[followed.COLOURS] = followed.colours_of(source.unrender)
        except ValueError as error:
            session.status.error = str(error)


def _on_main_thread(action: Callable[[], None], is_locked: bool) -> None:
    if bpy.app.background or is_locked or threading.get_ident() == _main_thread:
        action()
        return
    work = _Work(action)
    _waiting.put(work)
    work.wait()


def _open_door() -> float | None:
    """Timer: does what another thread asked for; ends itself when nothing is animated any more."""
    while True:
        try:
            _waiting.get_nowait().do()
        except queue.Empty:
            break
    return DOOR_SECONDS if _animated() else None


HANDLERS = (
    ("frame_change_post", follow_frame),
    ("render_complete", follow_again),
    ("render_cancel", follow_again),
    ("load_post", keep_door),
    ("undo_post", keep_door),
    ("redo_post", keep_door),
    ("depsgraph_update_post", keep_door),
)


def register() -> None:
    """Adds the handlers."""
    global _main_thread
    _main_thread = threading.get_ident()
    for name, handler in HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    """Removes the handlers and the timer."""
    for name, handler in HANDLERS:
        getattr(bpy.app.handlers, name).remove(handler)
    if bpy.app.timers.is_registered(_open_door):
        bpy.app.timers.unregister(_open_door)
