# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's preferences: with what the backend runs, and on what device."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty

from .. import choices, device_builds, installation, places, session
from ..wire import records
from .install_panel import draw_environment
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


def _on_source(_self: object, _context: object) -> None:
    installation.dismiss()  # its sizes were those of something else


class UnrenderPreferences(bpy.types.AddonPreferences):
    """Kept by Blender between sessions."""

    bl_idname = places.EXTENSION

    interpreter: StringProperty(
        name="Interpreter",
        description="A Python, or a virtual environment, that has torch; empty: the environment made here",
        subtype="FILE_PATH",
        update=_on_interpreter,
    )
    build: EnumProperty(
        name="Install For",
        description="Device that the backend is installed for: it decides where torch comes from and how large it is",
        items=device_builds.choices(),
        update=_on_source,
    )
    package_index: StringProperty(
        name="Package Index",
        description="Address that all packages come from, such as a mirror's; empty: torch from its own index for the "
        "device, the others from the general one",
        update=_on_source,
    )
    wheels: StringProperty(
        name="Folder of Wheels",
        description="Folder with all packages as .whl files, which are installed without a network; empty: they come "
        "from the package index",
        subtype="DIR_PATH",
        update=_on_source,
    )
    making_python: StringProperty(
        name="Make With",
        description="Python that makes the environment, where torch has no packages for Blender's own; empty: "
        "Blender's. Either stays as it is",
        subtype="FILE_PATH",
        update=_on_source,
    )
    install_onnxruntime: BoolProperty(
        name="With onnxruntime",
        description="Also install what runs cut-out models of your own",
        update=_on_source,
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
        for name in ("wheels", "package_index", "making_python", "install_onnxruntime"):
            self.layout.prop(self, name)
        self.layout.separator()
        for name in ("device", "bundle"):
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


def register() -> None:
    """Registers the preferences."""
    bpy.utils.register_class(UnrenderPreferences)


def unregister() -> None:
    """Takes them back."""
    bpy.utils.unregister_class(UnrenderPreferences)
