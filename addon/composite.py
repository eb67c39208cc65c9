# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The object back in its photo: a ground below the wheels that catches its shadow, and the render over the photo."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Vector

from . import parts, pixels, preview, scene
from .wire import records

GROUND_SIZE = 6.0
"""Side of the ground in lengths of the object."""
LONGEST_SIDE = 1600
"""Pixels of the longer side of a composite, at most."""


def add_ground(built: scene.Built) -> bpy.types.Object:
    """Returns a new ground below what was built, see :func:`ground_below`."""
    return ground_below(built.object)


def ground_below(owner: bpy.types.Object) -> bpy.types.Object:
    """Returns the ground below an object, a new one where it has none, invisible but for the shadows on it; it moves
    and turns with the object."""
    there = next((child for child in owner.children if child.is_shadow_catcher), None)
    if there is not None:
        return there
    low = min(corner.z for one in (owner, *parts.turning(owner)) for corner in _corners(one, owner))
    half = 0.5 * GROUND_SIZE * owner.unrender.real_size
    mesh = bpy.data.meshes.new(f"{owner.name} ground")
    mesh.from_pydata(
        [(-half, -half, low), (half, -half, low), (half, half, low), (-half, half, low)], [], [(0, 1, 2, 3)]
    )
    ground = bpy.data.objects.new(mesh.name, mesh)
    ground.parent = owner
    ground.is_shadow_catcher = True
    ground.hide_select = True
    ground.display_type = "BOUNDS"  # type: ignore[assignment] # a sheet would hide what stands below it while modelling
    owner.users_collection[0].objects.link(ground)
    return ground


def picture(
    target: bpy.types.Scene, built: scene.Built, result: records.Reconstruction, photo: np.ndarray
) -> np.ndarray:
    """Returns the photo (h, w, 3) uint8 with the render of the object, and of its shadow on the ground, laid over it.

    The scene has a ground of :func:`add_ground`. Its settings are as before afterwards.
    """
    scale = min(1.0, LONGEST_SIDE / max(result.image_width, result.image_height))
    width, height = (max(1, round(side * scale)) for side in (result.image_width, result.image_height))
    with preview.render_settings(target):
        drawn = preview.render(target, built.camera, width, height)
    behind = pixels.resized(photo.astype(np.float32) / 255, height, width)
    return pixels.to_bytes(drawn[..., :3] * drawn[..., 3:] + behind * (1 - drawn[..., 3:]))


def _corners(one: bpy.types.Object, owner: bpy.types.Object) -> list[Vector]:
    """Returns the corners of the box of the main object, or of one of its wheels, in the main object's frame."""
    corners = [Vector(tuple(corner)) for corner in one.bound_box]
    return corners if one is owner else [one.matrix_basis @ corner for corner in corners]
