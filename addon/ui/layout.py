# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all panels share: where they are, the interface's scale, and text over several lines."""

from __future__ import annotations

import textwrap
from typing import Any

import bpy

CHARACTER_WIDTH = 7.5
"""Pixels of an average letter in Blender's interface font at scale 1; labels do not wrap by themselves."""


def interface_scale() -> float:
    """Returns the size of the interface beside its usual one."""
    return bpy.context.preferences.system.ui_scale or 1.0  # 0 without a window


def draw_text(layout: bpy.types.UILayout, text: str, icon: Any, width: int) -> None:
    """Draws a sentence over as many lines as the region's width in pixels asks for."""
    scale = interface_scale()
    lines = textwrap.wrap(text, max(20, int((width / scale - 50) / CHARACTER_WIDTH)), break_on_hyphens=False)
    column = layout.column(align=True)
    column.scale_y = 0.85
    for number, line in enumerate(lines):
        column.label(text=line, icon=icon if number == 0 else "BLANK1")


class UnrenderPanel:
    """Mix-in: where the panels are."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Unrender"
