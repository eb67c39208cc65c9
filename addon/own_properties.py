# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what an object of a file says of itself can be what this add-on wrote there: kinds, lengths, finite numbers.

A scene file may come from anybody, and Blender checks none of an object's own properties.
"""

from __future__ import annotations

import math
from typing import Any

import bpy
import numpy as np

from . import generated, palette, parts, scene, shape_codes, surface, textures

LARGEST = 1e6
"""Beyond every number of ours, such as metres, radians and positions of sliders."""
FARTHEST = 20.0
"""Beyond every position of a slider, whose own ends are 1 and 3: far beyond them shapes are no longer finite."""
LONGEST = 4096
"""Numbers of a code at most."""
LARGEST_SIDE = 65_536
"""Pixels of a photo's side at most."""
LARGEST_SIZE = 1e5
"""Metres of an object's longest side at most."""
_LENGTHS = {
    shape_codes.SHAPE_CODE: None,
    textures.TEXTURE_CODE: None,
    shape_codes.CHANGE: None,
    scene.CAMERA: 7,
    scene.PHOTO_SIZE: 2,
    parts.VERTEX_COUNTS: 2,
    parts.CENTRE_HEIGHT: 0,
    parts.AXLE: 6,
    parts.AXLE_POSITION: 3,
    surface.VERTICES: 0,
}
"""Properties of numbers, with how many there are: 0 for a plain number, None for any."""
_VECTORS = (parts.OFFSET_ATTRIBUTE, surface.FOUND_ATTRIBUTE, *surface.DIRECTION_ATTRIBUTES)
"""Attributes of meshes: a vector a vertex."""
_NEEDED = (shape_codes.SHAPE_CODE, textures.TEXTURE_CODE, scene.CAMERA)


def check(owner: bpy.types.Object) -> None:
    """Raises ValueError with one sentence where something that an object keeps cannot be ours."""
    try:
        for name in _NEEDED:
            if owner.get(name) is None:
                raise _Wrong(f"has no {name}")
        for one in (owner, *parts.turning(owner)):
            _check_numbers(one)
            _check_mesh(one)
        _check_camera(owner)
        _check_palette(owner.get(palette.PALETTE))
        _check_handles(owner.unrender)
        if not isinstance(owner.get(generated.BACKGROUND), bpy.types.Image | None):
            raise _Wrong("has a background that is no image")
    except _Wrong as error:
        raise ValueError(f"{owner.name} {error}, so it is damaged or was not made here: make it again.") from None


class _Wrong(Exception):
    """What is wrong, as the end of a sentence that begins with the object's name."""


def _numbers(value: Any, what: str, most: float = LARGEST) -> np.ndarray:
    """A property's numbers. Raises _Wrong where it has others or none."""
    try:
        found = np.array(value.to_list() if hasattr(value, "to_list") else value)
    except (TypeError, ValueError):
        found = np.array(None)
    if found.dtype.kind not in "iuf" and found.size:
        raise _Wrong(f"has no numbers in {what}")
    if found.ndim > 1 or found.size > LONGEST or not (np.abs(found.astype(np.float64)) <= most).all():
        raise _Wrong(f"has numbers in {what} that cannot be")
    return found.astype(np.float64)


def _check_numbers(one: bpy.types.Object) -> None:
    for name, length in _LENGTHS.items():
        value = one.get(name)
        if value is None:
            continue
        found = _numbers(value, name)
        if (found.ndim == 0) != (length == 0) or length and len(found) != length:
            raise _Wrong(f"has another number of numbers in {name}")
    if one.get(parts.AXLE) is not None:
        if one.get(parts.AXLE_POSITION) is None or one.get(parts.VERTEX_COUNTS) is None:
            raise _Wrong("has a wheel without its place")
        if not 0.5 < np.linalg.norm(_numbers(one[parts.AXLE], parts.AXLE)[3:]) < 2:
            raise _Wrong("has a wheel whose axle has no direction")
    if parts.has_parts(one) and one.get(parts.CENTRE_HEIGHT) is None:
        raise _Wrong("does not say how high it stands")
    size = one.get(scene.PHOTO_SIZE)
    if size is not None and not all(0 < side <= LARGEST_SIDE for side in size):
        raise _Wrong("has a photo of an impossible size")


def _check_mesh(one: bpy.types.Object) -> None:
    """Raises _Wrong where an object with handles has no mesh, or numbers of vertices that the template has not."""
    if not isinstance(one.data, bpy.types.Mesh):
        raise _Wrong("has no mesh")
    count = len(one.data.vertices)
    for name in _VECTORS:
        attribute: bpy.types.Attribute | None = one.data.attributes.get(name)
        if attribute is None:
            continue
        if (attribute.data_type, attribute.domain) != ("FLOAT_VECTOR", "POINT"):
            raise _Wrong(f"has another kind of {name}")
        vectors = np.empty(count * 3, np.float32)
        attribute.data.foreach_get("vector", vectors)
        if not (np.abs(vectors) <= LARGEST).all():
            raise _Wrong(f"has numbers in {name} that cannot be")
    indices: bpy.types.Attribute | None = one.data.attributes.get(parts.INDEX_ATTRIBUTE)
    if indices is not None and one.get(parts.VERTEX_COUNTS) is not None:
        if (indices.data_type, indices.domain) != ("INT", "POINT"):
            raise _Wrong(f"has another kind of {parts.INDEX_ATTRIBUTE}")
        index = np.empty(count, np.int32)
        indices.data.foreach_get("value", index)
        if count and not 0 <= index.min() <= index.max() < one[parts.VERTEX_COUNTS][1]:
            raise _Wrong("has numbers of vertices that cannot be")


def _check_camera(owner: bpy.types.Object) -> None:
    numbers = _numbers(owner[scene.CAMERA], scene.CAMERA)
    distance, field_of_view = float(numbers[2]), float(numbers[4])
    if not (distance > 0 and 0 < field_of_view < math.pi):
        raise _Wrong("has a camera that cannot be")
    camera = owner.unrender.camera
    if camera is not None and not isinstance(camera.data, bpy.types.Camera):
        raise _Wrong("has something else in place of its camera")


def _check_palette(kept: Any) -> None:
    if kept is None:
        return
    values = kept.to_dict() if hasattr(kept, "to_dict") else {}
    names, shown = values.get("names"), values.get("shown", "")
    if not isinstance(names, str) or not isinstance(shown, str):
        raise _Wrong("has a palette without names")
    colours = _numbers(values.get("colours"), palette.PALETTE, 1e3)
    if colours.ndim != 1 or len(colours) != 3 * len(names.split(",")):
        raise _Wrong("has a palette of another length")
    if palette.SECOND in names.split(",") and "paint" not in names.split(","):
        raise _Wrong("has a palette without a paint")


def _check_handles(state: Any) -> None:
    for kind in state.bl_rna.properties:
        value = getattr(state, kind.identifier)
        if kind.type == "FLOAT":
            most = FARTHEST if kind.identifier in ("shape", "proportions", "texture") else LARGEST
            _numbers(list(value) if kind.is_array else value, f"the handle {kind.name}", most)
        elif kind.type == "STRING" and any(ord(sign) < 32 or ord(sign) == 127 for sign in value):
            raise _Wrong(f"has a text in {kind.identifier} that cannot be")
    if not 0 < state.real_size <= LARGEST_SIZE:
        raise _Wrong("has no size in metres")
    if not state.zoom > 0:
        raise _Wrong("has no zoom")
