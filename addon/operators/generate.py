# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generate: new objects from seeds, in a row from the 3D cursor on, beside what stands there."""

from __future__ import annotations

import bpy
from bpy.props import FloatProperty, IntProperty

from .. import choices, generated, job, placing, preferences, scene, session
from ..attention import Attention
from ..wire import records

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
        target, before = context.scene, Attention.now(context)
        settings = target.unrender
        seed = settings.new_seed if self.seed < 0 else self.seed
        count = settings.new_count if self.count < 1 else self.count
        results: list[records.Reconstruction] = []
        for number in range(count):
            stage = "Making an object" if count == 1 else f"Making object {number + 1} of {count}"
            request = request_of(settings, seed + number, self.variety)
            results.append((yield session.request(request, progress=records.Progress(stage, number / count))))
        objects = [built_alone(target, result).object for result in results]
        before.turn_to(context, objects)
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
    """Adds an object to a scene where it is in nobody's way; camera, light and size of the scene stay as they are."""
    settings = target.unrender
    built = scene.build(target, result, real_size=settings.real_size, set_up_scene=False, materials=settings.materials)
    placing.put(target, built)
    return generated.without_light(built)


CLASSES = (UNRENDER_OT_generate,)
