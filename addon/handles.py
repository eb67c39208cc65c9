# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Live sliders: the camera and the shape of an object with parts follow at once, other codes go through the worker.

A slider of these asks for an edit; while one is computed the next waits, and of several waiting only the latest is
kept, so dragging never falls behind. In background runs the edit is done when the assignment returns.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import bpy
import numpy as np
from bpy.app.handlers import persistent
from mathutils import Vector

from . import palette, parts, pixels, preferences, proportions, scene, session, shape_codes
from .camera import camera_from_numbers
from .environment import NoEnvironment
from .wire import client, records

POLL_SECONDS = 0.01
"""Time between two looks at the worker during an edit: little beside the 80 ms from slider to viewport."""

NO_TEXTURE_SLIDERS = "Paints colour objects with parts, not sliders: change their materials."
"""Sentence in place of the texture sliders."""

_tasks: dict[str, session.RequestTask] = {}
"""Edits under way, by the name of their object."""
_unpacked: set[str] = set()
"""Names of images that were changed since they were packed; packing is too slow to do while a slider moves."""
_shown_change: dict[str, np.ndarray] = {}
"""The texture change that each image shows, by the image's name: a shape slider need not write the texture again."""
_muted = False


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
        for candidate in context.scene.objects:
            if candidate.unrender.is_unrender and candidate.unrender.camera == owner:
                return candidate
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
    state = owner.unrender
    if _muted or not state.is_unrender or state.camera is None or owner.get(scene.CAMERA) is None:
        return
    pose = camera_from_numbers(list(owner[scene.CAMERA]))
    pose = records.Camera(
        state.azimuth, state.elevation, pose.distance / state.zoom, pose.roll, pose.field_of_view
    )  # the lens and its shift stay as they are
    scene.place_camera(state.camera, owner, pose, state.real_size)


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
    move_camera(owner)
    request_edit(owner)
    request_colours(owner)


def request_colours(owner: bpy.types.Object) -> None:
    """Gives an object the colours of its fields, at once."""
    if not _muted and owner.unrender.is_unrender:
        palette.apply(owner)


def forget(owner: bpy.types.Object) -> None:
    """Drops the edit of an object that is under way, and what is remembered of its texture."""
    task = _tasks.pop(owner.name, None)
    if task is not None:
        task.cancel()
    image = texture_of(owner)
    if image is not None:
        _unpacked.discard(image.name)
        _shown_change.pop(image.name, None)


def request_edit(owner: bpy.types.Object) -> None:
    """Brings about the object's shape and texture at the present position of its sliders.

    An object with parts gets its shape at once; for any other the worker is asked.
    """
    state = owner.unrender
    if _muted or not state.is_unrender:
        return
    session.status.error = ""
    if parts.has_parts(owner):
        _follow_sliders(owner)
        return
    edit = records.EditRequest(
        shape_code=np.array(owner[scene.SHAPE_CODE], np.float32),
        texture_code=np.array(owner[scene.TEXTURE_CODE], np.float32),
        shape_sliders=np.array(state.shape, np.float32),
        texture_sliders=np.array(state.texture, np.float32),
        bundle=state.bundle,
        device=preferences.device(),
    )
    try:
        task = session.request(edit, key=owner.name)
    except NoEnvironment as error:
        session.status.error = str(error)
        return
    _tasks[owner.name] = task
    if bpy.app.background:
        while not task.done:
            task.poll()
        _look()
    elif not bpy.app.timers.is_registered(_look):
        bpy.app.timers.register(_look, first_interval=POLL_SECONDS)


def _look() -> float | None:
    """Timer: applies the edits that have come; ends itself when none is left."""
    for name, task in list(_tasks.items()):
        task.poll()
        if not task.done:
            continue
        del _tasks[name]
        try:
            edit = task.outcome()
            owner: bpy.types.Object | None = bpy.data.objects.get(name)
            if owner is not None:
                apply(owner, edit)
        except client.WorkerCancelled:
            continue
        except (client.WorkerError, ValueError) as error:
            session.status.error = str(error)
            session.redraw()
    return POLL_SECONDS if _tasks else None


def _follow_sliders(owner: bpy.types.Object) -> None:
    """Gives an object with parts the shape that its sliders ask for; the panel says why where that cannot be."""
    try:
        apply_to_parts(owner, *proportions.shape_of(owner))
        if any(owner.unrender.texture):
            raise ValueError(NO_TEXTURE_SLIDERS)
    except ValueError as error:
        session.status.error = str(error)
        session.redraw()


def apply_to_parts(owner: bpy.types.Object, canonical: np.ndarray, size: float) -> None:
    """Gives an object with parts the vertices (V, 3) of a shape, and ``size`` in metres of its longest side.

    Raises ValueError, before anything is changed, if a mesh was cut up meanwhile.
    """
    rise = parts.reshape(owner, canonical, size)
    if owner.unrender.camera is not None and rise != 0:
        _lift(owner.unrender.camera, owner, rise)


def apply(owner: bpy.types.Object, edit: records.Edit) -> None:
    """Gives an object without parts the vertices and the texture of an edit.

    Raises ValueError if its mesh was cut up meanwhile.
    """
    _apply_shape(owner, edit.vertices)
    apply_texture(owner, edit.texture_change)


def _apply_shape(owner: bpy.types.Object, canonical: np.ndarray) -> None:
    mesh = owner.data
    offsets = mesh.attributes.get(parts.OFFSET_ATTRIBUTE)
    if offsets is None or len(mesh.vertices) != len(canonical):
        raise ValueError(f"The mesh of {owner.name} has other vertices than before, so its sliders cannot move them.")
    if mesh.is_editmode:
        raise ValueError(f"Leave the edit mode of {owner.name} to use its sliders.")
    offset = np.empty(len(mesh.vertices) * 3, np.float32)
    offsets.data.foreach_get("vector", offset)
    vertices = (canonical.reshape(-1) + offset) * np.float32(owner.unrender.real_size)
    mesh.vertices.foreach_set("co", vertices)
    mesh.update()


def _lift(camera: bpy.types.Object, owner: bpy.types.Object, rise: float) -> None:
    """Moves a camera with the canonical centre: the wheels stay on the ground, and the camera looks at the centre."""
    basis = owner.matrix_basis if owner.parent is None else owner.matrix_world
    move = basis.to_3x3() @ Vector((0, 0, rise))
    if camera.parent is not None:
        move = (camera.parent.matrix_world @ camera.matrix_parent_inverse).to_3x3().inverted() @ move
    camera.location += move


def apply_texture(owner: bpy.types.Object, change: np.ndarray) -> None:
    """Adds a change (t, t, 3) to the texture as it was before any slider moved."""
    image = texture_of(owner)
    state = owner.unrender
    if image is None or (state.base_texture is None and not change.any()):
        return  # no slider has moved the texture yet, so there is nothing to bring back either
    if state.base_texture is None:
        state.base_texture = pixels.new_image(
            f"{owner.name} texture without changes", pixels.to_bytes(pixels.read(image))
        )
    if np.array_equal(_shown_change.get(image.name, np.empty(0)), change):
        return
    base = pixels.read(state.base_texture)
    changed = base.copy()
    changed[..., :3] += pixels.resized(change, *base.shape[:2])
    pixels.write(image, np.clip(changed, 0, 1))
    _unpacked.add(image.name)
    _shown_change[image.name] = change


def texture_of(owner: bpy.types.Object) -> bpy.types.Image | None:
    """Returns the image that colours an object, None where its material has none any more."""
    material = owner.active_material
    if material is None or material.node_tree is None:
        return None
    for node in material.node_tree.nodes:
        if node.bl_idname != "ShaderNodeTexImage" or node.image is None:
            continue
        if node.image.colorspace_settings.name != "Non-Color":  # such are maps of roughness and the like
            return node.image
    return None


@persistent
def _pack_changed(_path: object, _depsgraph: object = None) -> None:
    """Before a file is saved: the textures that sliders changed go into it."""
    for name in list(_unpacked):
        image: bpy.types.Image | None = bpy.data.images.get(name)
        if image is not None and image.is_dirty:
            image.pack()
    _unpacked.clear()


@persistent
def _forget(_path: object, _depsgraph: object = None) -> None:
    """After another file is opened: the edits under way belong to objects that are gone."""
    _tasks.clear()
    _unpacked.clear()
    _shown_change.clear()


@persistent
def _follow_undo(_scene: object, _depsgraph: object = None) -> None:
    """Undo brings back slider positions and vertices, but not pixels: ask for the texture of those positions."""
    owner = bpy.context.view_layer.objects.active if bpy.context.view_layer is not None else None
    if owner is not None and owner.unrender.is_unrender and owner.unrender.base_texture is not None:
        _shown_change.clear()
        request_edit(owner)


HANDLERS = (
    ("save_pre", _pack_changed),
    ("load_post", _forget),
    ("undo_post", _follow_undo),
    ("redo_post", _follow_undo),
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
    _forget(None)
