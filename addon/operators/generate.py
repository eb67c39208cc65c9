# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generate: new objects with parts from seeds, in a row at the 3D cursor."""

from __future__ import annotations

import bpy
from bpy.props import FloatProperty, IntProperty
from mathutils import Vector

from .. import handles, job, parts, preferences, scene, session
from ..wire import records

GAP = 0.3
"""Room between two objects, in widths of the wider one."""
TEXTURE_SIZE = 1024
"""Side of a texture where the settings leave it to the photo, of which there is none here."""
AS_PANEL = "Below 0: what the panel says"


class UNRENDER_OT_generate(job.JobOperator, bpy.types.Operator):
    """Make new objects with parts, which no photo shows, in a row at the 3D cursor; a seed is always the same object"""

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
        variety = settings.new_variety if self.variety < 0 else self.variety
        results: list[records.Reconstruction] = []
        for number in range(count):
            stage = "Making an object" if count == 1 else f"Making object {number + 1} of {count}"
            request = records.GenerateRequest(
                seed=seed + number,
                truncation=variety,
                texture_size=int(settings.texture_size) or TEXTURE_SIZE,
                bundle=preferences.bundle(settings.bundle),
                device=preferences.device(settings.device),
            )
            results.append((yield session.request(request, progress=records.Progress(stage, number / count))))
        objects = [_built(target, result) for result in results]
        _line_up(objects, target.cursor.location.copy())
        for selected in context.selected_objects:
            selected.select_set(False)
        for owner in objects:
            owner.select_set(True)
        context.view_layer.objects.active = objects[0]
        settings.new_seed = seed + count
        return f"{objects[0].name} is done" if count == 1 else f"{count} objects are done"


def _built(target: bpy.types.Scene, result: records.Reconstruction) -> bpy.types.Object:
    """Adds an object to a scene, whose camera, light and size stay as they are."""
    settings = target.unrender
    built = scene.build(target, result, real_size=settings.real_size, set_up_scene=False, materials=settings.materials)
    images = [node.image for node in built.world.node_tree.nodes if getattr(node, "image", None) is not None]
    bpy.data.worlds.remove(built.world)
    for image in images:
        bpy.data.images.remove(image)
    return built.object


def _line_up(objects: list[bpy.types.Object], place: Vector) -> None:
    """Puts objects side by side from a place on, to the right as their fronts look at us; their cameras go along."""
    before = 0.0
    for number, owner in enumerate(objects):
        width = _width(owner)
        if number:
            place = place + Vector((before / 2 + width / 2 + GAP * max(before, width), 0, 0))
        owner.location, before = place, width
        handles.place_camera(owner, owner)


def _width(owner: bpy.types.Object) -> float:
    """Returns the metres that an object takes along X, with its wheels."""
    corners = [corner[0] for corner in owner.bound_box]
    corners += [child.location.x + corner[0] for child in parts.turning(owner) for corner in child.bound_box]
    return max(corners) - min(corners)


CLASSES = (UNRENDER_OT_generate,)
