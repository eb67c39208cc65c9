# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our entries in Blender's own menus: Add, File > Import, and Image of the Image Editor."""

from __future__ import annotations

import bpy


def draw_add(self: bpy.types.Menu, _context: bpy.types.Context) -> None:
    """Adds what makes an object from photos, or from nothing."""
    self.layout.separator()
    self.layout.operator("unrender.add_pictures", icon="IMAGE_DATA")
    self.layout.operator("unrender.generate", text="Generated Object", icon="ADD")


def draw_import(self: bpy.types.Menu, _context: bpy.types.Context) -> None:
    """Photos are files to import as well."""
    self.layout.operator("unrender.add_pictures", text="Photo as 3D Object (.jpg, .png, ...)")


def draw_image(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    """The picture that is shown becomes an object."""
    self.layout.separator()
    self.layout.operator_context = "EXEC_DEFAULT"
    self.layout.operator("unrender.use_shown_image", icon="MESH_MONKEY")


ENTRIES = (("VIEW3D_MT_add", draw_add), ("TOPBAR_MT_file_import", draw_import), ("IMAGE_MT_image", draw_image))


def register() -> None:
    """Adds the entries."""
    for menu, draw in ENTRIES:
        getattr(bpy.types, menu).append(draw)


def unregister() -> None:
    """Takes them back."""
    for menu, draw in ENTRIES:
        getattr(bpy.types, menu).remove(draw)
