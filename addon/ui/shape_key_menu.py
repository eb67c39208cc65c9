# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our entries in the menu beside Blender's list of shape keys."""

from __future__ import annotations

import bpy

from .. import handles


def draw(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    """Draws them where the active object was made here."""
    if handles.active_object(context) is None:
        return
    self.layout.separator()
    self.layout.operator("unrender.keep_shape_key", icon="SHAPEKEY_DATA")
    self.layout.operator("unrender.join_shape_key")


def register() -> None:
    """Adds the entries."""
    bpy.types.MESH_MT_shape_key_context_menu.append(draw)


def unregister() -> None:
    """Takes them back."""
    bpy.types.MESH_MT_shape_key_context_menu.remove(draw)
