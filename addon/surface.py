# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of one surface: their shape is what was found plus a sum of directions, which lie beside the mesh.

Each shape slider has a direction: what one standard deviation adds to every vertex. All are attributes of the mesh, so
that no slider waits for the worker. The origin is on the ground, under the centre of the canonical frame, as that of
objects with parts.
"""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np

from . import parts, shape_keys
from .wire import records

FOUND_ATTRIBUTE = "unrender_found"
"""Attribute of a mesh: its canonical vertices with all sliders in the middle."""
DIRECTION_ATTRIBUTES = tuple(f"unrender_direction_{number}" for number in range(1, records.NUMBER_OF_SLIDERS + 1))
"""Attributes of a mesh: what one standard deviation of each slider adds to them."""
SEEN = 0.002
"""Mean movement of the vertices, in lengths of the object, that can be seen: a centimetre of a car."""
VERTICES = "unrender_vertices"
"""Property of an object: how many vertices its mesh was made with."""


def finish(one: bpy.types.Object, result: records.Reconstruction, size: float) -> None:
    """Gives an object with the mesh of a surface what its sliders need."""
    one[VERTICES] = len(result.vertices)
    one[parts.CENTRE_HEIGHT] = parts.centre_height(result.vertices) * size
    directions = result.shape_directions
    if directions.shape != (records.NUMBER_OF_SLIDERS, *result.vertices.shape):
        return  # what was made by other means has no directions to go
    for name, values in zip((FOUND_ATTRIBUTE, *DIRECTION_ATTRIBUTES), (result.vertices, *directions), strict=True):
        attribute = one.data.attributes.new(name, "FLOAT_VECTOR", "POINT")
        attribute.data.foreach_set("vector", np.ascontiguousarray(values, np.float32).reshape(-1))


def reshape(owner: bpy.types.Object, sliders: Sequence[float]) -> float:
    """Gives an object the shape of slider positions, in standard deviations; its lowest vertex is on the ground.

    Returns by how many metres the canonical centre rose above the object's origin. Raises ValueError, before anything
    is changed, if the mesh was cut up meanwhile or has no directions.
    """
    shape_keys.check(owner, owner)
    mesh = owner.data
    if len(mesh.vertices) != owner.get(VERTICES, len(mesh.vertices)):
        raise ValueError(f"The mesh of {owner.name} has other vertices than before, so its sliders cannot move them.")
    found = _vectors(owner, FOUND_ATTRIBUTE)
    if found is None:
        if any(sliders):
            raise ValueError(f"{owner.name} keeps no directions for its shape sliders: make it from its photo again.")
        return 0.0
    parts.own_mesh(owner)
    for name, amount in zip(DIRECTION_ATTRIBUTES, sliders, strict=True):
        if amount != 0 and (direction := _vectors(owner, name)) is not None:
            found += np.float32(amount) * direction
    size = owner.unrender.real_size
    height = parts.centre_height(found) * size
    shape_keys.move(owner, found * np.float32(size) + np.array([0, 0, height], np.float32))
    rise = height - float(owner.get(parts.CENTRE_HEIGHT, 0.0))
    owner[parts.CENTRE_HEIGHT] = height
    return rise


def shapes_of(owner: bpy.types.Object, index: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Returns an object's canonical vertices as they were found and what one standard deviation of a slider adds.

    Both (V, 3) float32; None where the object keeps no directions.
    """
    found, direction = _vectors(owner, FOUND_ATTRIBUTE), _vectors(owner, DIRECTION_ATTRIBUTES[index])
    return None if found is None or direction is None else (found, direction)


def shows(owner: bpy.types.Object, index: int, amount: float) -> bool:
    """Says whether one could see it if a shape slider went to ``amount`` standard deviations."""
    shapes = shapes_of(owner, index)
    if shapes is None:
        return True
    # An object that moves as a whole looks the same: it stands on the ground.
    moved = amount * (shapes[1] - shapes[1].mean(axis=0))
    return bool(np.linalg.norm(moved, axis=1).mean() > SEEN * max(float(np.ptp(shapes[0], axis=0).max()), 1e-9))


def _vectors(one: bpy.types.Object, name: str) -> np.ndarray | None:
    """Returns an attribute (V, 3) float32 of an object's mesh, None where it has none of that name."""
    mesh = one.data
    attribute: bpy.types.Attribute | None = mesh.attributes.get(name)
    if attribute is None:
        return None
    flat = np.empty(len(mesh.vertices) * 3, np.float32)
    attribute.data.foreach_get("vector", flat)
    return flat.reshape(-1, 3)
