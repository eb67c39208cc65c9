# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An object is made again from its photo and stays the same object: its place, its collections, what refers to it.

What was just built gives its meshes, numbers and lens to the objects that are there, and goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

import bpy
import numpy as np
from mathutils import Vector

from . import copies, followed, handles, looks, palette, parts, proportions, repaint, scene, shape_codes
from .wire import records

OWN_PROPERTIES = "unrender_"
"""How the names of the properties begin that an object keeps for its sliders."""

Pair = tuple[bpy.types.ID | None, bpy.types.ID | None]
"""Something of an object, and what comes in its place; None: nothing."""


def check(owner: bpy.types.Object) -> None:
    """Raises ValueError with a sentence where an object cannot be made again now."""
    if owner.mode == "EDIT":
        raise ValueError(f"Leave the edit mode of {owner.name} to choose another direction.")


def rebuild(
    target: bpy.types.Scene, owner: bpy.types.Object, result: records.Reconstruction, materials: scene.Materials
) -> None:
    """Gives an object that was made here the shape, the look and the camera of another result of its photo.

    Its transform stays, and that of its wheels; its sliders go back to the middle. The scene's world follows only if it
    is still the one that came with the object. Raises ValueError, before anything is changed, if that cannot be.
    """
    check(owner)
    state = owner.unrender
    if parts.has_parts(owner) != (result.parts is not None):
        raise ValueError(f"{owner.name} was made with other weights than today's '{state.bundle}': make it again.")
    handles.forget(owner)
    copies.own_camera(owner)
    shown = owner.get(looks.PHOTO, 0.0)
    made = scene.build(target, result, None, state.photo_path, state.real_size, False, materials)
    if result.parts is None:
        _keep_on_ground(owner, made.object)
    by_part = {_part_of(wheel): wheel for wheel in made.turning}
    matched = [(wheel, by_part.get(_part_of(wheel))) for wheel in parts.turning(owner)]
    meshes = [(owner.data, made.object.data), *((wheel.data, new.data) for wheel, new in matched if new is not None)]
    _take_over(owner, made.object)
    _take_over_look(owner, shown)
    for wheel, new in matched:
        if new is not None:
            _take_over_wheel(wheel, new)
    its = made.object.unrender
    pairs = [*meshes, *_looks(meshes), (state.base_texture, its.base_texture), (state.region_map, its.region_map)]
    with handles.muted():
        scene.remember(owner, result, state.camera, state.photo_path, state.real_size)
        state.zoom = 1.0
        palette.take_over(owner, made.object)
        shape_codes.reset(owner)
        repaint.forget(owner)
        state.shape = state.texture = (0.0,) * records.NUMBER_OF_SLIDERS
        state.proportions = (proportions.AS_FOUND,) * proportions.MAX_PROPORTIONS
    followed.remember(owner)
    if state.camera is not None:
        _take_over_lens(state.camera, made.camera)
        scene.place_camera(state.camera, owner, result.camera, state.real_size)
    pairs += _worlds(target, state, made.world)
    _remove_built(made)
    _succeed(pairs)


def _take_over(owner: bpy.types.Object, new: bpy.types.Object) -> None:
    """Gives an object the mesh and the properties of another."""
    owner.data = new.data
    for name in [name for name in new.keys() if name.startswith(OWN_PROPERTIES)]:
        owner[name] = new[name]


def _take_over_look(owner: bpy.types.Object, shown: float) -> None:
    """Lets the slider of an object, which stays where it was, move the look of the material that it got."""
    if looks.photo_of(owner) is not None:
        looks.add_slider(owner, shown)
        looks.drive(owner.active_material, owner)
    elif owner.get(looks.PHOTO) is not None:
        del owner[looks.PHOTO]


def _take_over_wheel(wheel: bpy.types.Object, new: bpy.types.Object) -> None:
    """As :func:`_take_over`; what the user moved and turned the wheel by remains."""
    place, turn = Vector(wheel[parts.AXLE_POSITION]), parts.axle_rotation(np.array(wheel[parts.AXLE])[3:])
    _take_over(wheel, new)
    wheel.location += Vector(wheel[parts.AXLE_POSITION]) - place
    now = parts.axle_rotation(np.array(wheel[parts.AXLE])[3:])
    wheel.rotation_euler = [wheel.rotation_euler[axis] + now[axis] - turn[axis] for axis in range(3)]


def _take_over_lens(camera: bpy.types.Object, new: bpy.types.Object) -> None:
    for name in ("sensor_fit", "sensor_width", "lens", "shift_x", "shift_y"):
        setattr(camera.data, name, getattr(new.data, name))
    camera.data.clip_end = max(camera.data.clip_end, new.data.clip_end)


def _keep_on_ground(owner: bpy.types.Object, new: bpy.types.Object) -> None:
    """Lifts an object whose origin is its canonical centre, so that its lowest vertex stays as high as it is."""
    rise = _lowest(owner) - _lowest(new)
    owner.location += owner.matrix_basis.to_3x3() @ Vector((0, 0, rise))


def _lowest(one: bpy.types.Object) -> float:
    return min((vertex.co.z for vertex in one.data.vertices), default=0.0)


def _part_of(wheel: bpy.types.Object) -> tuple[int, ...]:
    """Returns which vertices of the template a wheel has: how many, and the first; empty where an edit lost them."""
    indices = wheel.data.attributes.get(parts.INDEX_ATTRIBUTE)
    if indices is None or len(indices.data) == 0:
        return ()
    return len(indices.data), indices.data[0].value


def _looks(meshes: Sequence[tuple[bpy.types.ID, bpy.types.ID]]) -> list[Pair]:
    """Returns the materials of pairs of meshes, each once, and then the images in them."""
    materials = [_once(material for mesh in side for material in mesh.materials) for side in zip(*meshes, strict=True)]
    images = [_once(image for material in side for image in _images_in(material)) for side in materials]
    return [*zip_longest(*materials), *zip_longest(*images)]


def _images_in(owner: bpy.types.Material | bpy.types.World) -> list[bpy.types.Image]:
    nodes = owner.node_tree.nodes if owner.node_tree is not None else ()
    return [image for node in nodes if (image := getattr(node, "image", None)) is not None]


def _once(blocks) -> list:
    return list(dict.fromkeys(block for block in blocks if block is not None))


def _worlds(target: bpy.types.Scene, state: bpy.types.PropertyGroup, new: bpy.types.World) -> list[Pair]:
    """Gives the object the light of the new result, and the scene too if it has that of the old one; returns what
    goes, and its images. A duplicate has no light of its own, and gets none."""
    old = state.world
    if old is None:
        return [(new, None), *((image, None) for image in _images_in(new))]
    state.world = new
    if target.world == old:
        target.world = new
    return [(old, new), *zip_longest(_images_in(old), _images_in(new))]


def _remove_built(made: scene.Built) -> None:
    """Removes the objects and the collection of what was built, and the data that nobody took over."""
    objects = [made.object, *made.turning, made.camera]
    data = [one.data for one in objects]
    bpy.data.batch_remove([*objects, made.collection])
    bpy.data.batch_remove([block for block in data if block.users == 0])


def _succeed(pairs: list[Pair]) -> None:
    """Removes what nobody uses any more, and gives its name to what came in its place."""
    for old, new in pairs:
        if old is None or old == new or old.users > 0:
            continue
        name = old.name
        bpy.data.batch_remove([old])
        if new is not None:
            new.name = name
