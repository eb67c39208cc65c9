# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Import StyleGAN2 Weights: a checkpoint becomes a bundle in the user's folder."""

from __future__ import annotations

import os

import bpy
from bpy.props import BoolProperty, IntProperty, StringProperty

from .. import job, places, session
from ..wire import records


class UNRENDER_OT_import_weights(job.JobOperator, bpy.types.Operator):
    """Make a bundle of a StyleGAN2 checkpoint of NVIDIA or of a PyTorch port. Nothing in the file is run"""

    bl_idname = "unrender.import_weights"
    bl_label = "Import StyleGAN2 Weights…"

    filepath: StringProperty(name="Checkpoint", subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(default="*.pkl;*.pt;*.pth;*.safetensors", options={"HIDDEN"})
    bundle_name: StringProperty(name="Name", description="Of the bundle; empty: the file's", options={"SKIP_SAVE"})
    licence: StringProperty(
        name="Licence", description="Terms of the weights; empty: what is known of the file", options={"SKIP_SAVE"}
    )
    picture_width: IntProperty(
        name="Picture Width",
        description="Pixels of the picture in the middle of the generator's square; 0: what is known of the file",
        min=0,
        options={"SKIP_SAVE"},
    )
    picture_height: IntProperty(
        name="Picture Height",
        description="Pixels of the picture in the middle of the generator's square; 0: what is known of the file",
        min=0,
        options={"SKIP_SAVE"},
    )
    replace: BoolProperty(
        name="Replace", description="Replace an imported generator of the same name", options={"SKIP_SAVE"}
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Asks for the file."""
        context.window_manager.fileselect_add(self)  # type: ignore[arg-type]
        return {"RUNNING_MODAL"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the options beside the files."""
        self.layout.use_property_split = True
        for name in ("bundle_name", "licence", "picture_width", "picture_height", "replace"):
            self.layout.prop(self, name)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Starts where a file was chosen."""
        if not self.filepath:
            self.report({"ERROR"}, "Choose a checkpoint first.")
            return {"CANCELLED"}
        if bool(self.picture_width) != bool(self.picture_height):
            self.report({"ERROR"}, "Give both width and height of the picture, or neither.")
            return {"CANCELLED"}
        return super().execute(context)

    def steps(self, context: bpy.types.Context) -> job.Steps:
        """Has the worker read, convert and write."""
        request = records.ImportWeightsRequest(
            path=os.path.abspath(bpy.path.abspath(self.filepath)),
            folder=str(places.user_folder() / "bundles"),
            name=self.bundle_name,
            licence=self.licence,
            picture_height=self.picture_height,
            picture_width=self.picture_width,
            replace=self.replace,
        )
        made = yield session.request(request)
        session.status.warnings = list(made.notes)
        size = f"{made.width} × {made.height}"
        return f"{made.name} makes pictures of {size} pixels; licence: {made.licence}"


CLASSES = (UNRENDER_OT_import_weights,)
