# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Vertices of meshes that may have shape keys: sliders move the basis, and the keys go along or stay.

A shape that was kept stays what it was, wherever sliders take the basis: so a key's value goes over from one shape to
another. Keys of the user's own, such as a dent, go along: they are what they add. Blender does not look at the
interpolation of relative keys, so it is the mark of kept ones, which a new name does not take off.
"""

from __future__ import annotations

from typing import Literal

import bpy
import numpy as np

KEPT: Literal["KEY_BSPLINE"] = "KEY_BSPLINE"
"""Interpolation of the keys that keep a shape; Blender's own keys are linear or cardinal."""


def check(one: bpy.types.Object, owner: bpy.types.Object) -> None:
    """Raises ValueError where the sliders of ``owner`` cannot move the mesh of ``one``, itself or one of its wheels."""
    mesh = one.data
    if mesh.is_editmode:
        raise ValueError(f"Leave the edit mode of {one.name} to use the sliders of {owner.name}.")
    if mesh.shape_keys is not None and not mesh.shape_keys.use_relative:
        raise ValueError(f"Make the shape keys of {one.name} relative to use the sliders of {owner.name}.")


def move(one: bpy.types.Object, vertices: np.ndarray) -> None:
    """Gives the mesh of an object vertices (V, 3) in metres; its shape keys go along or stay as this module says."""
    flat = np.ascontiguousarray(vertices, np.float32).reshape(-1)
    mesh = one.data
    keys = mesh.shape_keys
    if keys is not None:
        basis = keys.reference_key
        change = flat - _read(basis)
        for key in keys.key_blocks:
            if key != basis and _goes_along(key, basis):
                key.points.foreach_set("co", _read(key) + change)
        basis.points.foreach_set("co", flat)
        keys.update_tag()
    mesh.vertices.foreach_set("co", flat)
    mesh.update()


def places_of(one: bpy.types.Object) -> np.ndarray:
    """Returns the vertices (V, 3) float32 that sliders gave the mesh of an object, in metres: those of the basis."""
    flat = np.empty(len(one.data.vertices) * 3, np.float32)
    one.data.vertices.foreach_get("co", flat)
    return flat.reshape(-1, 3)


def kept(one: bpy.types.Object) -> list[bpy.types.ShapeKey]:
    """Returns the keys of an object's mesh that keep a shape."""
    keys = one.data.shape_keys
    return [key for key in keys.key_blocks if key.interpolation == KEPT] if keys is not None else []


def _goes_along(key: bpy.types.ShapeKey, basis: bpy.types.ShapeKey) -> bool:
    """Says whether a key is, through the keys that it is relative to, relative to the basis."""
    passed = []
    while key not in passed and key != basis:
        if key.interpolation == KEPT:
            return False
        passed.append(key)
        key = key.relative_key
    return True


def _read(key: bpy.types.ShapeKey) -> np.ndarray:
    flat = np.empty(len(key.points) * 3, np.float32)
    key.points.foreach_get("co", flat)
    return flat
