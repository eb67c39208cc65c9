# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Live sliders: shape, colours and camera follow at once, the texture of a surface comes from the worker.

Its slider asks for an edit; while one is computed the next waits, and of several waiting only the latest is kept, so
dragging never falls behind. In background runs the edit is done when the assignment returns.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import bpy
import numpy as np
from bpy.app.handlers import persistent
from mathutils import Matrix, Vector

from . import (
    copies,
    followed,
    kept_shapes,
    palette,
    parts,
    preferences,
    proportions,
    repaint,
    scene,
    session,
    shape_codes,
    surface,
    textures,
)
from .camera import camera_from_numbers
from .environment import NoEnvironment
from .textures import texture_of
from .wire import client, records

POLL_SECONDS = 0.005
"""Time between two looks at the worker during an edit: little beside the 80 ms from slider to viewport."""

NO_TEXTURE_SLIDERS = "Objects with parts have colour fields in place of texture sliders: use those."
"""Sentence in place of the texture sliders."""


@dataclass(frozen=True)
class _Edit:
    """A texture that the worker was asked for."""

    task: session.RequestTask
    sliders: textures.Sliders


_edits: dict[int, _Edit] = {}
"""Edits under way, by the number of their object in this session."""
_asked: dict[int, list[float]] = {}
"""Slider positions that each object was last asked to follow, by its number in this session."""
_muted = False
_at_work = False
"""True while a handler changes objects, which makes Blender call it again."""


def active_object(context: bpy.types.Context) -> bpy.types.Object | None:
    """Returns the active object if it was made here, or the one whose wheel or camera is active."""
    owner = context.active_object
    if owner is None:
        return None
    if owner.parent is not None and owner in parts.turning(owner.parent):
        owner = owner.parent
    if owner.unrender.is_unrender:
        return owner
    if owner.type == "CAMERA":
        seen = [one for one in context.scene.objects if one.unrender.is_unrender and one.unrender.camera == owner]
        return copies.original(seen) if seen else None
    return None


@contextmanager
def muted() -> Iterator[None]:
    """While this is open, values can be assigned without their effect."""
    global _muted
    before, _muted = _muted, True
    try:
        yield
    finally:
        _muted = before


def is_muted() -> bool:
    """Says whether values are being assigned without their effect."""
    return _muted


def move_camera(owner: bpy.types.Object) -> None:
    """Puts the object's camera where its sliders say."""
    if not _muted and owner.unrender.is_unrender:
        place_camera(owner, owner)


def place_camera(owner: bpy.types.Object, source: bpy.types.Object, basis: Matrix | None = None) -> None:
    """Puts the object's own camera where the sliders of ``source`` say, itself or its evaluated self at ``basis``."""
    camera, found = copies.own_camera(owner), owner.get(scene.CAMERA)
    if camera is None or found is None:
        return
    pose, view = camera_from_numbers(list(found)), followed.view_of(source.unrender)
    azimuth, elevation, zoom = view
    # The lens and its shift stay as they are.
    pose = records.Camera(azimuth, elevation, pose.distance / zoom, pose.roll, pose.field_of_view)
    scene.place_camera(camera, owner, pose, owner.unrender.real_size, basis)
    owner[followed.VIEW] = view


def reset(owner: bpy.types.Object) -> None:
    """Puts all sliders back to what was found in the photo."""
    state = owner.unrender
    pose = camera_from_numbers(list(owner[scene.CAMERA]))
    with muted():
        state.azimuth, state.elevation, state.zoom = pose.azimuth, pose.elevation, 1.0
        state.shape = state.texture = (0.0,) * records.NUMBER_OF_SLIDERS
        state.proportions = (proportions.AS_FOUND,) * proportions.MAX_PROPORTIONS
        shape_codes.reset(owner)
        palette.reset(owner)
        state.property_unset("background")
    repaint.restore(owner)
    move_camera(owner)
    request_edit(owner)
    request_colours(owner)


def request_colours(owner: bpy.types.Object) -> None:
    """Gives an object the colours of its fields, at once."""
    if not _muted and owner.unrender.is_unrender:
        copies.own_look(owner)
        palette.apply(owner)
        followed.remember(owner, followed.COLOURS)


def forget(owner: bpy.types.Object) -> None:
    """Drops the edit of an object that is under way, and what is remembered of its texture."""
    _drop(owner)
    image = texture_of(owner)
    if image is not None:
        textures.forget(image)


def follow_sliders(owner: bpy.types.Object) -> None:
    """Does what :func:`request_edit` does after a slider has moved; Blender tells of some moves twice."""
    if _asked.get(owner.session_uid) != _positions(owner):
        request_edit(owner)


def request_edit(owner: bpy.types.Object) -> None:
    """Brings about the object's shape and texture at the present position of its sliders.

    The shape is there at once; for a texture that is not at hand the worker is asked.
    """
    if _muted or not owner.unrender.is_unrender:
        return
    session.status.error = ""
    _asked[owner.session_uid] = _positions(owner)
    for follow in (follow_shape, _follow_texture):
        try:
            follow(owner)
        except ValueError as error:
            _say(error)


def follow_shape(owner: bpy.types.Object, source: bpy.types.Object | None = None) -> None:
    """Gives an object the shape that its sliders say, or those of its evaluated ``source``, on a mesh of its own.

    Raises ValueError, before anything is changed, where that cannot be.
    """
    state = (source or owner).unrender
    if source is not None:
        _asked.pop(owner.session_uid, None)
    if parts.has_parts(owner):
        apply_to_parts(owner, *proportions.shape_of(source or owner))
    else:
        _lift(owner, surface.reshape(owner, state.shape))
    kept_shapes.tidy(owner)
    owner[followed.SHAPE] = followed.shape_of(state)


def _positions(owner: bpy.types.Object) -> list[float]:
    return [*followed.shape_of(owner.unrender), *owner.unrender.texture]


def apply_to_parts(owner: bpy.types.Object, canonical: np.ndarray, size: float) -> None:
    """Gives an object with parts the vertices (V, 3) of a shape, and ``size`` in metres of its longest side.

    Raises ValueError, before anything is changed, if a mesh was cut up meanwhile.
    """
    _lift(owner, parts.reshape(owner, canonical, size))


def _lift(owner: bpy.types.Object, rise: float) -> None:
    """Moves an object's own camera with the canonical centre: the object stays on the ground."""
    before = owner.unrender.camera
    camera = copies.own_camera(owner)
    if camera is None or camera != before:
        place_camera(owner, owner)  # a camera that has just become a duplicate's still stands around the original
        return
    if rise == 0:
        return
    basis = owner.matrix_basis if owner.parent is None else owner.matrix_world
    move = basis.to_3x3() @ Vector((0, 0, rise))
    if camera.parent is not None:
        move = (camera.parent.matrix_world @ camera.matrix_parent_inverse).to_3x3().inverted() @ move
    camera.location += move


def _follow_texture(owner: bpy.types.Object) -> None:
    """Gives a surface the texture of its sliders, or asks the worker for it.

    Raises ValueError where there cannot be one.
    """
    state, sliders = owner.unrender, textures.positions(owner.unrender.texture)
    if parts.has_parts(owner):
        if any(sliders):
            raise ValueError(NO_TEXTURE_SLIDERS)
        return
    image = texture_of(owner)
    if image is None or state.base_texture is None or textures.shown(image) == sliders:
        _drop(owner)
        return
    change = textures.known_change(owner, sliders)
    if change is None:
        _ask_for_texture(owner, sliders)
        return
    _drop(owner)
    _paint(owner, sliders, change)


def _paint(owner: bpy.types.Object, sliders: textures.Sliders, change: np.ndarray) -> None:
    copies.own_look(owner)
    image = texture_of(owner)
    if image is not None:
        textures.paint(owner, image, sliders, change)


def _ask_for_texture(owner: bpy.types.Object, sliders: textures.Sliders) -> None:
    edit = records.EditRequest(
        shape_code=np.array(owner[scene.SHAPE_CODE], np.float32),
        texture_code=np.array(owner[scene.TEXTURE_CODE], np.float32),
        shape_sliders=np.zeros(records.NUMBER_OF_SLIDERS, np.float32),
        texture_sliders=np.array(sliders, np.float32),
        bundle=owner.unrender.bundle,
        device=preferences.device(),
    )
    try:
        task = session.request(edit, key=f"texture {owner.session_uid}")
    except NoEnvironment as error:
        raise ValueError(str(error)) from error
    _edits[owner.session_uid] = _Edit(task, sliders)
    if bpy.app.background:
        while not task.done:
            task.poll()
        _look()
    elif task.comes_soon():
        _look()
    elif not bpy.app.timers.is_registered(_look):
        bpy.app.timers.register(_look, first_interval=POLL_SECONDS)


def _look() -> float | None:
    """Timer: applies the edits that have come; ends itself when none is left."""
    for identity, edit in list(_edits.items()):
        edit.task.poll()
        if not edit.task.done:
            continue
        del _edits[identity]
        owner = copies.by_identity(identity)
        try:
            change = edit.task.outcome().texture_change
            if owner is not None:
                textures.keep_change(owner, edit.sliders, change)
                _paint(owner, edit.sliders, change)
        except client.WorkerCancelled:
            continue
        except (client.WorkerError, ValueError) as error:
            _say(error)
    return POLL_SECONDS if _edits else None


def _drop(owner: bpy.types.Object) -> None:
    """Gives up the edit of an object that is under way: its texture is wanted otherwise by now."""
    edit = _edits.pop(owner.session_uid, None)
    if edit is not None:
        edit.task.cancel()


def _say(error: Exception) -> None:
    session.status.error = str(error)
    session.redraw()


def bring_back(owner: bpy.types.Object) -> None:
    """Gives an object the shape and the texture that its sliders say where it shows others."""
    try:
        if followed.differs(owner, owner, followed.SHAPE):
            follow_shape(owner)
        _follow_texture(owner)
    except ValueError as error:
        _say(error)


@persistent
def _follow_undo(_scene: object, _depsgraph: object = None) -> None:
    """Undo brings back slider positions and vertices, but not pixels: every object gets those of its sliders."""
    copies.forget()
    copies.mark()
    _asked.clear()
    for owner in copies.objects():
        bring_back(owner)
    copies.separate_looks()


@persistent
def _forget_objects(_path: object, _depsgraph: object = None) -> None:
    """Before undo, redo or another file: what is known of objects ends here."""
    copies.forget()


@persistent
def _after_load(_path: object, _depsgraph: object = None) -> None:
    """After a file is opened: edits under way belong to objects that are gone.

    One that Blender saved by itself while a slider moved may hold older pixels than its sliders say.
    """
    _forget()
    copies.mark()
    for owner in copies.objects():
        bring_back(owner)


@persistent
def _after_update(_scene: object, depsgraph: bpy.types.Depsgraph) -> None:
    """After objects were changed: notices duplicates, and whose slider *Photo* says something of its own."""
    global _at_work
    if _at_work or not depsgraph.id_type_updated("OBJECT"):
        return
    _at_work = True
    try:
        changed = [update.id.original for update in depsgraph.updates if isinstance(update.id, bpy.types.Object)]
        if copies.seen(changed):
            copies.separate_looks()
        for one in changed:
            if one.library is None:
                kept_shapes.tidy(one)
    finally:
        _at_work = False


def _forget() -> None:
    for edit in _edits.values():
        edit.task.cancel()
    _edits.clear()
    _asked.clear()
    copies.forget()
    textures.forget_all()


HANDLERS = (
    ("save_pre", textures.pack_changed),
    ("load_pre", _forget_objects),
    ("load_post", _after_load),
    ("undo_pre", _forget_objects),
    ("undo_post", _follow_undo),
    ("redo_pre", _forget_objects),
    ("redo_post", _follow_undo),
    ("depsgraph_update_post", _after_update),
)


def register() -> None:
    """Adds the handlers."""
    for name, handler in HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    """Removes the handlers and the timer."""
    for name, handler in HANDLERS:
        getattr(bpy.app.handlers, name).remove(handler)
    if bpy.app.timers.is_registered(_look):
        bpy.app.timers.unregister(_look)
    _forget()
