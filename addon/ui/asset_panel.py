# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Handles ▸ Asset: the object for the Asset Browser. Draw only."""

from __future__ import annotations

import bpy

from .. import assets
from ..handles import active_object
from .handle_panels import HandlePanel
from .layout import draw_text

WHERE = "In the Asset Browser under Current File; other files find it once this file is saved in an asset library."


class UNRENDER_PT_asset(HandlePanel, bpy.types.Panel):
    """The object, with its wheels, for Blender's Asset Browser"""

    bl_idname = "UNRENDER_PT_asset"
    bl_label = "Asset"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only for objects that were made here."""
        return active_object(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the button, and where the asset is."""
        layout, asset = self.layout, assets.marked(active_object(context))
        text = "Mark as Asset" if asset is None else "Clear Asset"
        layout.operator("unrender.mark_asset", text=text, icon="ASSET_MANAGER", depress=asset is not None)
        if asset is None:
            return
        if asset.preview is not None and asset.preview.icon_id:
            layout.template_icon(asset.preview.icon_id, scale=5)
        draw_text(layout, WHERE, "INFO", context.region.width)


CLASSES = (UNRENDER_PT_asset,)


def register() -> None:
    """Registers the panel."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    """Takes it back."""
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
