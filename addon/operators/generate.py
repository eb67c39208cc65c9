# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generate: new objects from seeds, in a row at the 3D cursor."""

from __future__ import annotations

import bpy
from bpy.props import FloatProperty, IntProperty
from mathutils import Vector

from .. import choices, generated, handles, job, parts, preferences, scene, session
from ..wire import records

GAP = 0.3
"""Room between two objects, in widths of the wider one."""
AS_PANEL = "Below 0: what the panel says"


class UNRENDER_OT_generate(job.JobOperator, bpy.types.Operator):
    """Make new objects, which no photo shows, in a row at the 3D cursor; a seed is always the same object"""

    bl_idname = "unrender.generate"
    bl_label = "Generate"
    bl_options = {"UNDO"}

    seed: IntProperty(name="Seed", description=AS_PANEL, default=-1, options={"SKIP_SAVE"})
    count: IntProperty(name="Number", description=AS_PANEL, default=-1, options={"SKIP_SAVE"})
    variety: FloatProperty(name="Variety", description=AS_PANEL, default=-1.0, options={"SKIP_SAVE"})

    def steps(self, context: bpy.types.Context) -> job.Steps:
        """Asks for one object after the other, then puts them all into the scene: a cancel leaves none."""
        target = context.scene
        settings = target.unrender
        seed = settings.new_seed if self.seed < 0 else self.seed
        count = settings.new_count if self.count < 1 else self.count
        results: list[records.Reconstruction] = []
        for number in range(count):
            stage = "Making an object" if count == 1 else f"Making object {number + 1} of {count}"
            request = request_of(settings, seed + number, self.variety)
            results.append((yield session.request(request, progress=records.Progress(stage, number / count))))
        objects = [built_alone(target, result).object for result in results]
        line_up(objects, target.cursor.location.copy())
        select(context, objects)
        settings.new_seed = seed + count
        return f"{objects[0].name} is done" if count == 1 else f"{count} objects are done"


def request_of(settings: bpy.types.PropertyGroup, seed: int, variety: float = -1.0) -> records.GenerateRequest:
    """Returns what the panel's settings ask for of a seed. Raises ValueError where their weights are gone."""
    chosen = settings.bundle if settings.new_bundle == choices.DEFAULT else settings.new_bundle
    return records.GenerateRequest(
        seed=seed,
        truncation=settings.new_variety if variety < 0 else variety,
        texture_size=int(settings.texture_size),
        bundle=preferences.bundle(chosen),
        device=preferences.device(settings.device),
        with_parts=settings.shape == choices.SHAPES[0][0],
    )


def built_alone(target: bpy.types.Scene, result: records.Reconstruction) -> scene.Built:
    """Adds an object to a scene, whose camera, light and size stay as they are."""
    settings = target.unrender
    built = scene.build(target, result, real_size=settings.real_size, set_up_scene=False, materials=settings.materials)
    return generated.without_light(built)


def select(context: bpy.types.Context, objects: list[bpy.types.Object]) -> None:
    """Selects objects alone and makes the first one active."""
    for selected in context.selected_objects:
        selected.select_set(False)
    for owner in objects:
        owner.select_set(True)
    context.view_layer.objects.active = objects[0]


def line_up(objects: list[bpy.types.Object], place: Vector) -> None:
    """Puts objects side by side from a place on, to the right as their fronts look at us; their cameras go along."""
    before: tuple[float, float] | None = None
    for owner in objects:
        left, right = _reach(owner)
        if before is not None:
            room = GAP * max(before[1] - before[0], right - left)
            place = place + Vector((before[1] - left + room, 0, 0))
        owner.location, before = place, (left, right)
        handles.place_camera(owner, owner)


def _reach(owner: bpy.types.Object) -> tuple[float, float]:
    """Returns how far an object with its wheels reaches along X from its origin, in metres."""
    corners = [corner[0] for corner in owner.bound_box]
    corners += [child.location.x + corner[0] for child in parts.turning(owner) for corner in child.bound_box]
    return min(corners), max(corners)


CLASSES = (UNRENDER_OT_generate,)
