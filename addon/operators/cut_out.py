# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cut Out: the mask alone, as an image to look at, to paint on and to use."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import bpy

from .. import job, masks, preferences, session
from ..wire import records


def request_of(
    settings: bpy.types.PropertyGroup, image_path: str, point: Sequence[float] = ()
) -> records.CutOutRequest:
    """Returns the request that the scene's settings stand for; ``point`` is a place on the object, empty: none."""
    return records.CutOutRequest(
        image_path,
        preferences.bundle(settings.bundle),
        preferences.device(settings.device),
        preferences.cutout_model(),
        [float(value) for value in point],
    )


def has_picture(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """Says whether a picture is chosen; the greyed-out button of an operator says why not."""
    if not context.scene.unrender.image_path:
        operator.poll_message_set("Choose a picture first")
        return False
    return True


class UNRENDER_OT_cut_out(job.JobOperator, bpy.types.Operator):
    """Find the object in the photo and show its mask as an image, which can be painted on and is then used"""

    bl_idname = "unrender.cut_out"
    bl_label = "Cut Out"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a picture."""
        return has_picture(cls, context) and super().poll(context)

    def steps(self, context: bpy.types.Context) -> job.Steps:
        """Asks for the mask and makes it the scene's."""
        settings = context.scene.unrender
        image_path = masks.photo_of(settings)
        found = yield session.request(request_of(settings, image_path))
        session.status.warnings = list(found.warnings)
        settings.mask_image = masks.show(Path(image_path).stem, found.mask)
        settings.mask_photo = image_path
        return "The mask is in the Image Editor's list"


CLASSES = (UNRENDER_OT_cut_out,)
