# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Image to 3D: the photo of the scene's settings, or those of the queue, become objects."""

from __future__ import annotations

import bpy
from bpy.props import StringProperty

from .. import choices, job, masks, matching, placing, preferences, scene, session
from ..attention import Attention
from ..wire import client, protocol, records

PLAIN_SHADING = {"MATERIAL", "OBJECT", "RANDOM", "SINGLE"}
"""Colours of a viewport's solid shading that show no texture; *Vertex* is somebody's choice."""


def request_of(
    settings: bpy.types.PropertyGroup, image_path: str, azimuth: float | None = None
) -> records.ReconstructRequest:
    """Returns the request that the scene's settings stand for. Raises ValueError for a mask without pixels.

    ``azimuth`` is the direction where it is known, in radians. The settings' mask is used if it was made for the photo.
    """
    refine_steps = {choices.DEFAULT: -1, "NONE": 0, "CUSTOM": settings.refine_steps}[settings.refinement]
    return records.ReconstructRequest(
        image_path=image_path,
        mask_path=str(masks.write(settings.mask_image)) if masks.is_for(settings, image_path) else "",
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
    """Make a textured mesh and the camera that took it from a photo, at the 3D cursor or beside what stands there"""

    bl_idname = "unrender.image_to_3d"
    bl_label = "Image to 3D"
    bl_options = {"UNDO"}

    filepath: StringProperty(name="Picture", subtype="FILE_PATH", options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Takes over a given file as the scene's picture, or what waits in the queue, then starts."""
        settings = context.scene.unrender
        if self.filepath:
            settings.image_path = self.filepath
        if not settings.image_path and not _waiting():
            self.report({"ERROR"}, "Choose a picture first.")
            return {"CANCELLED"}
        self._space = context.space_data if context.area is not None and context.area.type == "VIEW_3D" else None
        return super().execute(context)

    def steps(self, context: bpy.types.Context) -> job.Steps:
        """Makes the pictures of the queue one after the other, whether or not one of them fails; or the one named."""
        if self.filepath or not _waiting():
            return (yield from self._one(context, masks.photo_of(context.scene.unrender)))
        done = failed = 0
        while waiting := _waiting():
            session.status.begin_task()
            try:
                yield from self._one(context, waiting[0].path)
            except client.WorkerCancelled:
                raise
            except job.EXPECTED_ERRORS as error:
                waiting[0].error, failed = str(error), failed + 1
            else:
                session.status.queue.remove(waiting[0])
                done += 1
        return f"{done} of {done + failed} are done" + (": the panel says why the others are not" if failed else "")

    def _one(self, context: bpy.types.Context, image_path: str) -> job.Steps:
        """Reconstruct, fetch the photo's pixels, build the scene."""
        target = context.scene
        settings = target.unrender
        before = Attention.now(context)
        result = yield session.request(request_of(settings, image_path))
        picture = yield session.request(
            protocol.PictureRequest(image_path), progress=records.Progress("Building the scene", 0.95)
        )
        session.status.warnings = list(result.warnings)
        built = scene.build(
            target, result, picture.pixels, image_path, settings.real_size,
            set_up_scene=False, materials=settings.materials,
        )  # fmt: skip
        placing.put(target, built)
        if settings.set_up_scene:
            matching.match(target, built.object)
        before.turn_to(context, [built.object])
        self._show_textured(context)
        return f"{result.name} is done"

    def _show_textured(self, context: bpy.types.Context) -> None:
        """Has the viewport in which the job was started show textures, and no other."""
        if context.scene.unrender.show_textured and self._space in _viewports(context):
            shading = self._space.shading
            if shading.type == "SOLID" and shading.color_type in PLAIN_SHADING:
                shading.color_type = "TEXTURE"


def _waiting() -> list[session.Waiting]:
    return [one for one in session.status.queue if not one.error]


def _viewports(context: bpy.types.Context) -> list[bpy.types.Space]:
    """Returns what the viewports of all windows show; the one that was there at the start may be gone."""
    return [
        area.spaces.active
        for window in context.window_manager.windows
        for area in window.screen.areas
        if area.type == "VIEW_3D"
    ]


CLASSES = (UNRENDER_OT_image_to_3d,)
