# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Use Direction: an object is made again as seen from another side, in place of what it is."""

from __future__ import annotations

import dataclasses

import bpy
from bpy.props import IntProperty

from .. import directions, handles, job, parts, replacement, scene, session
from ..camera import camera_from_numbers
from ..wire import records
from . import image_to_3d


class UNRENDER_OT_use_direction(job.JobOperator, bpy.types.Operator):
    """Make the object again as if its photo was taken from here; it keeps its place, and undo brings it back"""

    bl_idname = "unrender.use_direction"
    bl_label = "Use This Direction"
    bl_options = {"UNDO"}

    number: IntProperty(name="Number", description="Place in the list of directions", min=0, options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs an object with other directions."""
        owner = handles.active_object(context)
        if owner is None or not owner.unrender.directions:
            cls.poll_message_set("Select an object whose photo may have been taken from another direction")
            return False
        return super().poll(context)

    def steps(self, context: bpy.types.Context) -> job.Steps:
        """Reconstructs with the direction given, and puts the result in the object's place."""
        target, owner = context.scene, handles.active_object(context)
        name, state = owner.name, owner.unrender
        if self.number >= len(state.directions):
            raise ValueError(f"{name} has only {len(state.directions)} other directions.")
        replacement.check(owner)
        before = camera_from_numbers(list(owner[scene.CAMERA])).azimuth
        result = yield session.request(request_of(target.unrender, owner, state.directions[self.number].azimuth))
        owner = bpy.data.objects.get(name)
        if owner is None or self.number >= len(owner.unrender.directions):
            raise ValueError(f"{name} is gone, so nothing was changed.")
        kept = directions.exchanged(owner.unrender, self.number, before)
        replacement.rebuild(target, owner, result, target.unrender.materials)
        if not result.alternatives:
            directions.restore(owner.unrender, kept)
        session.status.warnings = list(result.warnings)
        return f"{name} is seen from another direction now"


def request_of(
    settings: bpy.types.PropertyGroup, owner: bpy.types.Object, azimuth: float
) -> records.ReconstructRequest:
    """Returns the request for an object as seen from another direction; the settings are those of the scene."""
    state = owner.unrender
    if not state.photo_path:
        raise ValueError(f"The photo of {owner.name} is not known any more: make it again from its photo.")
    request = image_to_3d.request_of(settings, state.photo_path, azimuth)
    return dataclasses.replace(request, bundle=state.bundle, with_parts=parts.has_parts(owner))


CLASSES = (UNRENDER_OT_use_direction,)
