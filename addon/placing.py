# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a new object stands: at the 3D cursor, or beside what stands there already."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import bpy
import numpy as np
from mathutils import Matrix, Vector

from . import handles, scene

GAP = 0.15
"""Room between a new object and what stands there, in lengths of the new one."""
SURROUNDINGS = 4.0
"""Lengths of a new object from which on another one is no neighbour but a room, a street or a backdrop."""
MOST_STEPS = 200
"""Objects that are walked past, at most; then the new one stands where it is."""
KINDS = {"MESH", "CURVE", "SURFACE", "META", "FONT"}
"""Types of objects that have a body."""

Box: TypeAlias = "tuple[np.ndarray, np.ndarray]"
"""Least and largest corner (3,) in the world, in metres."""


def put(target: bpy.types.Scene, built: scene.Built) -> None:
    """Moves an object that was just built, with its cameras, to the 3D cursor, or from there along X to a free place.

    What is hidden, flat, or so large that it is rather the surroundings stands in nobody's way.
    """
    target.view_layers[0].update()
    own = {built.object, *built.turning}
    low, high = _box(own)
    length = float((high - low).max())
    boxes = [_box([one]) for one in _standing(target) if one not in own]
    others = [box for box in boxes if float((box[1] - box[0]).max()) < SURROUNDINGS * length]
    place = target.cursor.location.copy()
    for _ in range(MOST_STEPS):
        at = low + np.array(place), high + np.array(place)
        inside = [box for box in others if _overlap(at, box)]
        if not inside:
            break
        place.x += max(float(box[1][0]) for box in inside) + GAP * length - float(at[0][0])
    built.object.location = place
    for camera in built.further_cameras:
        camera.matrix_world = Matrix.Translation(place) @ camera.matrix_world
    handles.place_camera(built.object, built.object)


def _standing(target: bpy.types.Scene) -> list[bpy.types.Object]:
    """Returns the visible objects of a scene that have a body."""
    layer = target.view_layers[0]
    return [
        one for one in target.objects
        if one.type in KINDS and one.visible_get(view_layer=layer) and min(*one.dimensions) > 0
    ]  # fmt: skip


def _box(objects: Iterable[bpy.types.Object]) -> Box:
    corners = [one.matrix_world @ Vector(corner) for one in objects for corner in one.bound_box]
    points = np.array([(corner.x, corner.y, corner.z) for corner in corners])
    return points.min(axis=0), points.max(axis=0)


def _overlap(one: Box, other: Box) -> bool:
    return bool((one[0] < other[1]).all() and (other[0] < one[1]).all())
