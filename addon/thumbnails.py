# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small pictures of files for the panels."""

from __future__ import annotations

import os

import bpy.utils.previews

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
        if len(_collection) > 20:
            _collection.clear()
        _collection.load(key, path, "IMAGE")
    return _collection[key].icon_id


def free() -> None:
    """Frees the pictures."""
    global _collection
    if _collection is not None:
        bpy.utils.previews.remove(_collection)
        _collection = None
