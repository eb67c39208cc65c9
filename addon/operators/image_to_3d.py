# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Image to 3D: the photo of the scene's settings, or one that is dropped onto the viewport, becomes an object."""

from __future__ import annotations

import os

import bpy
from bpy.props import StringProperty

from .. import choices, job, masks, preferences, scene, session
from ..wire import pictures, protocol, records


def request_of(
    settings: bpy.types.PropertyGroup,
    image_path: str,
    azimuth: float | None = None,
    with_mask: bool = True,
) -> records.ReconstructRequest:
    """Returns the request that the scene's settings stand for. Raises ValueError for a mask without pixels.

    ``azimuth`` is the direction where it is known, in radians; ``with_mask``: whether the settings' mask is used.
    """
    has_mask = with_mask and settings.mask_image is not None
    refine_steps = {choices.DEFAULT: -1, "NONE": 0, "CUSTOM": settings.refine_steps}[settings.refinement]
    return records.ReconstructRequest(
        image_path=image_path,
        mask_path=str(masks.write(settings.mask_image)) if has_mask else "",
        bundle=preferences.bundle(settings.bundle),
        device=preferences.device(settings.device),
        quality=settings.quality,
        refine_steps=refine_steps,
        cutout_model=preferences.cutout_model(),
        azimuth=azimuth,
        texture_size=int(settings.texture_size),
        with_parts=settings.shape == "parts",
    )


class UNRENDER_OT_image_to_3d(job.JobOperator, bpy.types.Operator):
    """Make a textured mesh and the camera that took it from a photo"""

    bl_idname = "unrender.image_to_3d"
    bl_label = "Image to 3D"
    bl_options = {"UNDO"}

    filepath: StringProperty(name="Picture", subtype="FILE_PATH", options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Takes over a dropped file as the scene's picture, then starts."""
        settings = context.scene.unrender
        if self.filepath:
            settings.image_path = self.filepath
            settings.mask_image = None
        if not settings.image_path:
            self.report({"ERROR"}, "Choose a picture first.")
            return {"CANCELLED"}
        return super().execute(context)

    def steps(self, context: bpy.types.Context) -> job.Steps:
        """Reconstruct, fetch the photo's pixels, build the scene."""
        target = context.scene
        settings = target.unrender
        image_path = os.path.normpath(bpy.path.abspath(settings.image_path))
        result = yield session.request(request_of(settings, image_path))
        picture = yield session.request(
            protocol.PictureRequest(image_path), progress=records.Progress("Building the scene", 0.95)
        )
        session.status.warnings = list(result.warnings)
        built = scene.build(
            target,
            result,
            picture.pixels,
            image_path,
            settings.real_size,
            set_up_scene=settings.set_up_scene,
            materials=settings.materials,
        )
        for selected in context.selected_objects:
            selected.select_set(False)
        built.object.select_set(True)
        context.view_layer.objects.active = built.object
        return f"{result.name} is done"


class UNRENDER_FH_picture(bpy.types.FileHandler):
    """Pictures dropped onto the viewport"""

    bl_idname = "UNRENDER_FH_picture"
    bl_label = "Image to 3D"
    bl_import_operator = "unrender.image_to_3d"
    bl_file_extensions = ";".join(pictures.ENDINGS)

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        """Only over a viewport, and only one job at a time."""
        return context.area is not None and context.area.type == "VIEW_3D" and not session.status.running


CLASSES = (UNRENDER_OT_image_to_3d, UNRENDER_FH_picture)
