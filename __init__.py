# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unrender: image to 3D for Blender. Everything is imported on registration, so that nothing else needs Blender."""


def register() -> None:
    """Called by Blender when the extension is enabled."""
    from .addon import register

    register()


def unregister() -> None:
    """Called by Blender when the extension is disabled."""
    from .addon import unregister

    unregister()
