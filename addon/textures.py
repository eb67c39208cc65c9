# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The texture of a surface: what was found, which lies in the file from the import on, plus a change by the sliders.

Blender's undo brings sliders back but no pixels. So it is known of every image which sliders its pixels are of: of one
that was changed since it was packed by a record here, of any other by a property, which is saved and undone with it.
"""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np
from bpy.app.handlers import persistent

from . import pixels
from .wire import records

Sliders = tuple[float, ...]
"""Positions of the texture's sliders."""

TEXTURE_CODE = "unrender_texture_code"
"""Property of an object: the code that its texture was decoded from."""
PACKED = "unrender_sliders"
"""Property of an image: the sliders that its packed pixels are of; none: all in the middle."""
MIDDLE: Sliders = (0.0,) * records.NUMBER_OF_SLIDERS
KEPT_CHANGES = 64
"""Changes that need no worker when undo, redo or a slider comes back to them; 200 kB each at 128 texels a side."""
_ROWS = 64
"""Rows that are painted at a time: they stay in the processor's cache."""

_painted: dict[int, Sliders] = {}
"""The sliders that the pixels of images are of which were painted in this session, by image."""
_unpacked: set[int] = set()
"""Images that were painted since they were packed; packing is too slow to do while a slider moves."""
_changes: dict[tuple[bytes, Sliders], np.ndarray] = {}
"""What the worker found (t, t, 3), by texture code and sliders; the oldest first."""
_base: tuple[int, np.ndarray, np.ndarray] | None = None
"""The texture without changes that was needed last: its image, its pixels (H, W, 4) from the bottom row up, and as many
for what is made of them: memory that is at hand is several times faster than new memory."""


def remember(owner: bpy.types.Object, texture: np.ndarray) -> None:
    """Stores with a new object what its texture sliders start from, (T, T, 3) uint8."""
    owner.unrender.base_texture = pixels.new_map(f"{owner.name} texture as found", texture)


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


def shown(image: bpy.types.Image) -> Sliders | None:
    """Returns the sliders that an image's pixels are of, None where that is not known."""
    packed = tuple(float(value) for value in image.get(PACKED, MIDDLE))
    painted = _painted.get(image.session_uid)
    if painted is None or painted == packed or image.is_dirty:
        return packed if painted is None else painted
    return None  # it was saved or read again by the user, or went and came back with undo


def known_change(owner: bpy.types.Object, sliders: Sliders) -> np.ndarray | None:
    """Returns the change (t, t, 3) of an object's texture at slider positions where it is at hand."""
    if sliders == MIDDLE:
        return np.zeros((1, 1, 3), np.float32)
    return _changes.get((_code_of(owner), sliders))


def keep_change(owner: bpy.types.Object, sliders: Sliders, change: np.ndarray) -> None:
    """Keeps what the worker found, so that nobody has to ask for it again."""
    _changes[_code_of(owner), sliders] = change
    while len(_changes) > KEPT_CHANGES:
        del _changes[next(iter(_changes))]


def paint(owner: bpy.types.Object, image: bpy.types.Image, sliders: Sliders, change: np.ndarray) -> None:
    """Gives an image the texture as it was found plus a change (t, t, 3); the sliders are what that is of."""
    base, result = _pixels_of(owner.unrender.base_texture)
    if list(image.size) != [base.shape[1], base.shape[0]]:
        raise ValueError(f"The texture of {owner.name} has another size than it was made with: its sliders stay still.")
    if change.any():
        _add(base, change, result)
    image.pixels.foreach_set((result if change.any() else base).reshape(-1))
    image.update()
    _painted[image.session_uid] = sliders
    _unpacked.add(image.session_uid)


def copied(image: bpy.types.Image) -> bpy.types.Image:
    """Returns a copy of an image with the pixels that it shows; Blender itself would copy those that are packed."""
    copy = image.copy()
    pixels.name_file(copy)
    if image.is_dirty:
        flat = np.empty(image.size[0] * image.size[1] * image.channels, np.float32)
        image.pixels.foreach_get(flat)
        copy.pixels.foreach_set(flat)
        copy.update()
        _unpacked.add(copy.session_uid)
        if image.session_uid in _painted:
            _painted[copy.session_uid] = _painted[image.session_uid]
    return copy


def forget(image: bpy.types.Image) -> None:
    """Drops what is known of an image that gives way to another."""
    _painted.pop(image.session_uid, None)
    _unpacked.discard(image.session_uid)


def _code_of(owner: bpy.types.Object) -> bytes:
    return owner.unrender.bundle.encode() + np.array(owner[TEXTURE_CODE], np.float32).tobytes()


def _pixels_of(image: bpy.types.Image) -> tuple[np.ndarray, np.ndarray]:
    """Returns an image's pixels (H, W, 4) float32 in Blender's own order, and room for as many; the latest are kept."""
    global _base
    if _base is None or _base[0] != image.session_uid:
        base = np.ascontiguousarray(pixels.read(image)[::-1])
        _base = image.session_uid, base, np.empty_like(base)
    return _base[1:]


def _add(base: np.ndarray, change: np.ndarray, result: np.ndarray) -> None:
    """Writes pixels (H, W, 4) from the bottom row up plus a change (t, t, 3) from the top row down, resized to them.

    What is beyond 0 and 1 is cut off by Blender.
    """
    height, width = base.shape[:2]
    small = np.zeros((*change.shape[:2], 4), np.float32)
    small[..., :3] = change[::-1]
    if height < len(small):
        np.add(base, pixels.resized(small, height, width), out=result)
        return
    small = pixels.resized(small, len(small), width)
    place = np.clip((np.arange(height) + 0.5) * len(small) / height - 0.5, 0, len(small) - 1)
    lower = np.minimum(place.astype(int), max(len(small) - 2, 0))
    part = (place - lower).astype(np.float32)[:, None, None]
    step = np.diff(small, axis=0, append=small[-1:])
    for start in range(0, height, _ROWS):
        rows = slice(start, start + _ROWS)
        moved = step[lower[rows]]
        moved *= part[rows]
        moved += small[lower[rows]]
        np.add(moved, base[rows], out=result[rows])


@persistent
def pack_changed(_path: object, _depsgraph: object = None) -> None:
    """Before a file is saved: the textures that sliders changed go into it."""
    for image in bpy.data.images:
        painted = _painted.get(image.session_uid)
        if image.session_uid in _unpacked and image.is_dirty:
            image.pack()
        if painted is not None:
            image[PACKED] = painted
    _unpacked.clear()


def forget_all() -> None:
    """Drops everything that belongs to a file: another one is open."""
    global _base
    _base = None
    _painted.clear()
    _unpacked.clear()
    _changes.clear()


def positions(values: Sequence[float]) -> Sliders:
    """Returns slider positions as they are compared here."""
    return tuple(float(value) for value in values)
