# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small pictures of files for the panels."""

from __future__ import annotations

import os
from collections.abc import Callable

import bpy.utils.previews
import numpy as np

from . import exif

KEPT = 40
"""Number of pictures from which on they are all read again."""

_collection: bpy.utils.previews.ImagePreviewCollection | None = None


def icon_of(path: str) -> int:
    """Returns the number of an icon of a picture file, 0 if there is no such file. A changed file is read again."""
    global _collection
    try:
        key = f"{path}\n{os.stat(path).st_mtime_ns}"
    except OSError:
        return 0
    if _collection is None:
        _collection = bpy.utils.previews.new()
    if key not in _collection:
        if len(_collection) > KEPT:
            _collection.clear()
        _turn(_collection.load(key, path, "IMAGE"), exif.orientation(path))
    return _collection[key].icon_id


def icon_of_picture(name: str, read: Callable[[], np.ndarray | None]) -> int:
    """Returns the number of an icon of a square picture (side, side, 4) uint8, 0 if there is none.

    ``read`` is asked for it once for each ``name``.
    """
    global _collection
    if _collection is None:
        _collection = bpy.utils.previews.new()
    if name not in _collection:
        picture = read()
        if picture is None:
            return 0
        _write(_collection.new(name), picture.astype(np.float32) / 255)
    return _collection[name].icon_id


def _turn(preview: bpy.types.ImagePreview, orientation: int) -> None:
    """Turns a picture upright, which Blender read as its file stores it."""
    width, height = preview.image_size
    if orientation == exif.AS_STORED or width * height == 0:
        return
    stored = np.empty(4 * width * height, np.float32)
    preview.image_pixels_float.foreach_get(stored)
    _write(preview, exif.upright(stored.reshape(height, width, 4)[::-1], orientation))


def _write(preview: bpy.types.ImagePreview, picture: np.ndarray) -> None:
    """Shows a picture (h, w, 4) float in [0, 1], row 0 at the top."""
    preview.image_size = picture.shape[1::-1]
    preview.image_pixels_float.foreach_set(np.ascontiguousarray(picture[::-1], np.float32).reshape(-1))


def free() -> None:
    """Frees the pictures."""
    global _collection
    if _collection is not None:
        bpy.utils.previews.remove(_collection)
        _collection = None
