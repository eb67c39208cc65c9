# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's preferences: with what the backend runs, and on what device."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty

from .. import choices, environment, places, preferences, session
from ..wire import records
from .layout import draw_text

CUT_OUT_TEXT = (
    "A network that cuts out whatever stands out, as an ONNX file of U2-Net, IS-Net or BiRefNet. Nothing is "
    "downloaded. Empty: such a file is looked for in the folder that U2NET_HOME names, else in ~/.u2net; without one "
    "the bundle's own segmenter cuts out."
)
"""What the preferences say of cut-out models."""

_bundle_items: list[choices.Choice] = []


def _bundles(_self: object, _context: object) -> list[choices.Choice]:
    items = choices.of_bundles(places.bundles()) or [(records.DEFAULT_BUNDLE, records.DEFAULT_BUNDLE.capitalize(), "")]
    _bundle_items[:] = choices.numbered(items, records.DEFAULT_BUNDLE)
    return _bundle_items


def _on_interpreter(_self: object, _context: object) -> None:
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
    device: EnumProperty(name="Device", description="Where the networks run", items=choices.DEVICES)
    bundle: EnumProperty(name="Weights", description="Bundle to use where a scene names none", items=_bundles)
    cutout_model: StringProperty(
        name="Cut-out Model",
        description="ONNX file of a network that finds what stands out; empty: one from the usual folders, if any",
        subtype="FILE_PATH",
    )
    own_cut_out: BoolProperty(
        name="Own Segmenter Only",
        description="Cut out with the bundle's own segmenter, whatever cut-out models are at hand",
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the preferences."""
        width = context.region.width
        self.layout.use_property_split = True
        self.layout.prop(self, "interpreter")
        draw_environment(self.layout, width)
        for name in ("package_index", "device", "bundle"):
            self.layout.prop(self, name)
        self.layout.separator()
        row = self.layout.row()
        row.enabled = not self.own_cut_out
        row.prop(self, "cutout_model")
        self.layout.prop(self, "own_cut_out")
        draw_text(self.layout, CUT_OUT_TEXT, "INFO", width)
        self.layout.separator()
        self.layout.operator("unrender.import_weights", icon="FILE_FOLDER")
        names = list(places.generators())
        if names:
            draw_text(self.layout, f"Image generators: {', '.join(names)}", "IMAGE_DATA", width)


def draw_environment(layout: bpy.types.UILayout, width: int) -> None:
    """Draws what the backend runs with, what looks at it or makes it, and what came of that.

    ``width`` is the region's, in pixels.
    """
    try:
        found = environment.find(preferences.interpreter())
    except environment.NoEnvironment as error:
        draw_text(layout, str(error), "ERROR", width)
    else:
        draw_text(layout, f"{found.path} ({found.source})", "CHECKMARK", width)
    row = layout.row(align=True)
    row.operator("unrender.check_environment", icon="VIEWZOOM")
    row.operator("unrender.create_environment", icon="IMPORT")
    status = session.status
    if status.running:
        layout.progress(text=status.stage, factor=status.fraction)
        layout.operator("unrender.cancel", icon="X")
    if status.check:
        draw_text(layout, status.check, "INFO", width)
    if status.error:
        draw_text(layout, status.error, "ERROR", width)


def register() -> None:
    """Registers the preferences."""
    bpy.utils.register_class(UnrenderPreferences)


def unregister() -> None:
    """Takes them back."""
    bpy.utils.unregister_class(UnrenderPreferences)
