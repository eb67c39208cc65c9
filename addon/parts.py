# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates with parts: one object for all that stays in place, and a child with its origin on the axle for each wheel.

The origin of the main object is on the ground, under the centre of the canonical frame. A child turns in place when its
``rotation_euler.x`` is changed. Every mesh remembers which of the template's vertices it has, and every child where its
axle lies in the box of its vertices: so an edit of the whole template reaches them all, and axles go with their wheels.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Euler, Vector

from . import shape_keys
from .wire import records

OFFSET_ATTRIBUTE = "unrender_offset"
"""Attribute of a mesh: what refinement added to each vertex, in the canonical frame."""
INDEX_ATTRIBUTE = "unrender_index"
"""Attribute of a mesh: the number of each vertex in the whole template."""
VERTEX_COUNTS = "unrender_vertex_counts"
"""Property of an object: how many vertices its mesh has, and how many the whole template."""
CENTRE_HEIGHT = "unrender_centre_height"
"""Property of an object, with or without parts: metres from its origin, on the ground, up to the canonical centre."""
AXLE, AXLE_POSITION = "unrender_axle", "unrender_axle_position"
"""Properties of a child: its axle (a point in the box of its vertices, each side from 0 to 1, and a direction), and
the place in the main object where the axle is now."""
SHARP_ANGLE = math.radians(40)
"""Angle between two faces from which their edge is hard, as where a tyre's tread meets its side; less is a curve."""


@dataclass(frozen=True)
class Piece:
    """The part of a template that becomes one object."""

    name: str
    arrays: records.Reconstruction
    """Arrays of the piece alone, its vertices in the frame of its object."""
    indices: np.ndarray
    """Number of each vertex in the whole template, (v,) int32, increasing."""
    faces: np.ndarray
    """Number of each face in the whole template, (f,)."""
    axle: np.ndarray | None = None
    """Axle (6,) as in :data:`AXLE`; None for the main object."""


def pieces(result: records.Reconstruction) -> list[Piece]:
    """Cuts a template up: the main object's piece first, then one for each axle. Raises ValueError if parts touch."""
    parts = result.parts
    part_of_vertex = np.full(len(result.vertices), -1, np.int32)
    part_of_vertex[result.quads] = parts.of_quad[:, None]
    if np.any(part_of_vertex[result.quads] != parts.of_quad[:, None]):
        raise ValueError("Two parts of the template share a vertex, so they cannot become objects of their own.")
    up = np.array([0, 0, centre_height(result.vertices)], np.float32)
    stays = ~np.isin(part_of_vertex, parts.axle_parts)
    found = [_piece(result, result.name, stays, result.vertices + up)]
    for part, position, direction in zip(
        parts.axle_parts.tolist(), parts.axle_positions, parts.axle_directions, strict=True
    ):
        turns = part_of_vertex == part
        name = f"{result.name} {parts.names[part].replace('_', ' ')}"
        low, size = _box(result.vertices[turns])
        axle = np.concatenate([(position - low) / size, direction])
        found.append(_piece(result, name, turns, into_frame(result.vertices, position, direction), axle))
    return found


def centre_height(vertices: np.ndarray) -> float:
    """Returns how high above the ground the canonical centre is when the lowest of the vertices touches it."""
    return -float(vertices[:, 2].min())


def into_frame(vertices: np.ndarray, position: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Returns vertices (V, 3) in the frame of an axle: its origin on the axle, its X along it."""
    return (vertices - position) @ np.array(axle_rotation(direction).to_matrix(), np.float32)


def axle_rotation(direction: np.ndarray) -> Euler:
    """Returns the rotation that turns X into an axle's direction; its own X is free: the wheel's turn."""
    x, y, z = (float(value) for value in direction)
    return Euler((0.0, -math.asin(max(-1.0, min(1.0, z))), math.atan2(y, x)), "XYZ")


def finish(one: bpy.types.Object, piece: Piece, result: records.Reconstruction, size: float) -> None:
    """Gives an object with the mesh of a piece what edits need; the main object also its vertex groups."""
    indices = one.data.attributes.new(INDEX_ATTRIBUTE, "INT", "POINT")
    indices.data.foreach_set("value", piece.indices)
    one[VERTEX_COUNTS] = [len(piece.indices), len(result.vertices)]
    one.data.set_sharp_from_angle(angle=SHARP_ANGLE)
    if piece.axle is None:
        one[CENTRE_HEIGHT] = centre_height(result.vertices) * size
        for part in np.unique(result.parts.of_quad[piece.faces]).tolist():
            its_faces = piece.arrays.quads[result.parts.of_quad[piece.faces] == part]
            one.vertex_groups.new(name=result.parts.names[part]).add(np.unique(its_faces).tolist(), 1.0, "REPLACE")
    else:
        one[AXLE] = piece.axle.astype(float).tolist()


def mount(child: bpy.types.Object, main: bpy.types.Object, vertices: np.ndarray, size: float) -> None:
    """Puts a wheel, whose canonical vertices are given, where its axle is in the main object."""
    position, direction = _axle(child, vertices)
    child.parent = main
    child.matrix_parent_inverse.identity()
    child.rotation_euler = axle_rotation(direction)
    place = (position * size + [0, 0, main[CENTRE_HEIGHT]]).tolist()
    child.location = place
    child[AXLE_POSITION] = place


def has_parts(owner: bpy.types.Object) -> bool:
    """Says whether an object is the main one of a template with parts."""
    return owner.get(VERTEX_COUNTS) is not None and owner.get(AXLE) is None


def turning(owner: bpy.types.Object) -> list[bpy.types.Object]:
    """Returns the children of an object that turn about their axles."""
    return [child for child in owner.children if child.get(AXLE) is not None]


def reshape(owner: bpy.types.Object, vertices: np.ndarray, size: float) -> float:
    """Distributes an edit's vertices (V, 3) to the main object and its wheels; they stay on the ground.

    Returns by how many metres the canonical centre rose above the main object's origin. Raises ValueError, before
    anything is changed, if a mesh was cut up meanwhile.
    """
    wheels = turning(owner)
    edited = [_edited(one, owner, vertices) for one in (owner, *wheels)]
    shapes = [shape for _, shape in edited]
    for one in (owner, *wheels):
        own_mesh(one)
    height = float(owner[CENTRE_HEIGHT])
    if len(np.unique(np.concatenate([index for index, _ in edited]))) == len(vertices):
        # Without all of its wheels, an object would otherwise drop down to what is left of it.
        height = centre_height(np.concatenate(shapes)) * size
    up = np.array([0, 0, height], np.float32)
    shape_keys.move(owner, shapes[0] * np.float32(size) + up)
    for wheel, shape in zip(wheels, shapes[1:], strict=True):
        position, direction = _axle(wheel, shape)
        shape_keys.move(wheel, into_frame(shape, position, direction) * np.float32(size))
        place = (position * size + up).tolist()
        wheel.location += Vector(place) - Vector(wheel[AXLE_POSITION])  # what the user moved it by remains
        wheel[AXLE_POSITION] = place
        wheel.update_tag()  # drivers of kept shapes look at it
    rise = height - float(owner[CENTRE_HEIGHT])
    owner[CENTRE_HEIGHT] = height
    return rise


def _piece(
    result: records.Reconstruction, name: str, chosen: np.ndarray, placed: np.ndarray, axle: np.ndarray | None = None
) -> Piece:
    """Returns the piece of the chosen vertices (V,) bool, whose places (V, 3) are in the frame of its object."""
    indices = np.flatnonzero(chosen).astype(np.int32)
    faces = np.flatnonzero(chosen[result.quads[:, 0]])
    number_in_piece = np.cumsum(chosen) - 1
    arrays = dataclasses.replace(
        result,
        name=name,
        vertices=placed[chosen],
        quads=number_in_piece[result.quads[faces]],
        uv=result.uv[faces],
        offsets=result.offsets[chosen],
        parts=None,
    )
    return Piece(name, arrays, indices, faces, axle)


def _box(vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the lowest corner and the size of the vertices' box; a flat box still has a size to divide by."""
    low = vertices.min(axis=0)
    return low, np.maximum(vertices.max(axis=0) - low, np.float32(1e-6))


def _axle(wheel: bpy.types.Object, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns a point on a wheel's axle and its direction, in the frame of the wheel's vertices."""
    part_of_box, direction = np.split(np.array(wheel[AXLE], np.float32), 2)
    low, size = _box(vertices)
    return low + part_of_box * size, direction


def _edited(one: bpy.types.Object, owner: bpy.types.Object, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the numbers (v,) of the vertices of one object's mesh, and their places after an edit, (v, 3), canonical.

    The offsets of the refinement are in them.
    """
    shape_keys.check(one, owner)
    mesh = one.data
    indices, offsets = mesh.attributes.get(INDEX_ATTRIBUTE), mesh.attributes.get(OFFSET_ATTRIBUTE)
    count = len(mesh.vertices)
    if indices is None or offsets is None or [count, len(vertices)] != list(one[VERTEX_COUNTS]):
        raise ValueError(
            f"The mesh of {one.name} has other vertices than before, so the sliders of {owner.name} cannot move them."
        )
    index, offset = np.empty(count, np.int32), np.empty(count * 3, np.float32)
    indices.data.foreach_get("value", index)
    offsets.data.foreach_get("vector", offset)
    return index, vertices[index].astype(np.float32) + offset.reshape(-1, 3)


def own_mesh(one: bpy.types.Object) -> None:
    """Gives an object a mesh of its own where it shares one with a linked duplicate, whose sliders are others."""
    if one.data.users - one.data.use_fake_user > 1:
        one.data = one.data.copy()
