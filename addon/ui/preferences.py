# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's preferences: with what the backend runs, and on what device."""

from __future__ import annotations

from typing import cast

import bpy
from bpy.props import EnumProperty, StringProperty

from .. import choices, places
from ..wire import records
from . import properties

_bundle_items: list[choices.Choice] = []


def _bundles(_self: object, _context: object) -> list[choices.Choice]:
    items = choices.of_bundles(places.bundles()) or [(records.DEFAULT_BUNDLE, records.DEFAULT_BUNDLE.capitalize(), "")]
    _bundle_items[:] = choices.numbered(items, records.DEFAULT_BUNDLE)
    return _bundle_items


def _on_interpreter(_self: object, _context: object) -> None:
    from .. import session

    session.end_worker()


class UnrenderPreferences(bpy.types.AddonPreferences):
    """Kept by Blender between sessions."""

    bl_idname = places.EXTENSION

    interpreter: StringProperty(
        name="Interpreter",
        description="A Python, or a virtual environment, that has torch; empty: the environment made here",
        subtype="FILE_PATH",
        update=_on_interpreter,
    )
    package_index: StringProperty(
        name="Package Index",
        description="Address to install from, such as PyTorch's own for a certain graphics card; empty: the usual one",
    )
    device: EnumProperty(name="Device", description="Where the networks run", items=properties.DEVICES)
    bundle: EnumProperty(name="Weights", description="Bundle to use where a scene names none", items=_bundles)

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the preferences."""
        from . import panels

        panels.draw_preferences(self, self.layout)
        self.layout.separator()
        self.layout.operator("unrender.import_weights", icon="FILE_FOLDER")
        names = list(places.generators())
        if names:
            width = context.region.width
            panels.draw_text(self.layout, f"Image generators: {', '.join(names)}", "IMAGE_DATA", width)


def get() -> UnrenderPreferences | None:
    """Returns the preferences; None in a run where the extension is not enabled."""
    addon: bpy.types.Addon | None = bpy.context.preferences.addons.get(places.EXTENSION)
    return cast(UnrenderPreferences, addon.preferences) if addon is not None else None


def interpreter() -> str:
    """Returns the path that the user chose, or an empty text."""
    preferences = get()
    return bpy.path.abspath(preferences.interpreter) if preferences is not None else ""


def package_index() -> str:
    """Returns the address to install from, or an empty text."""
    preferences = get()
    return preferences.package_index if preferences is not None else ""


def device(chosen: str = properties.DEFAULT) -> str:
    """Returns the device that a setting stands for."""
    preferences = get()
    if chosen != properties.DEFAULT:
        return chosen
    return preferences.device if preferences is not None else "auto"


def bundle(chosen: str = properties.DEFAULT) -> str:
    """Returns the name of the bundle that a setting stands for. Raises ValueError where it is no longer installed."""
    if not chosen:  # what Blender says of a number in the file that belongs to no choice
        raise ValueError("The weights that this scene asks for are not installed: choose others in the options.")
    preferences = get()
    if chosen != properties.DEFAULT:
        return chosen
    return preferences.bundle if preferences is not None and preferences.bundle else records.DEFAULT_BUNDLE


def register() -> None:
    """Registers the preferences."""
    bpy.utils.register_class(UnrenderPreferences)


def unregister() -> None:
    """Takes them back."""
    bpy.utils.unregister_class(UnrenderPreferences)
