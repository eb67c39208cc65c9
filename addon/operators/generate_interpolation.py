# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interpolate: one object that a slider takes from one seed's to another's."""

from __future__ import annotations

from dataclasses import replace

import bpy
from bpy.props import FloatProperty, IntProperty

from .. import interpolation, job, session
from ..attention import Attention
from ..wire import records
from .generate import AS_PANEL, built_alone, request_of


class UNRENDER_OT_interpolate(job.JobOperator, bpy.types.Operator):
    """Make one object at the 3D cursor that goes from one seed's to another's by one value: that of a shape key"""

    bl_idname = "unrender.interpolate"
    bl_label = "Interpolate"
    bl_options = {"UNDO"}

    seed: IntProperty(name="Seed", description=AS_PANEL, default=-1, options={"SKIP_SAVE"})
    to_seed: IntProperty(name="To Seed", description=AS_PANEL, default=-1, options={"SKIP_SAVE"})
    variety: FloatProperty(name="Variety", description=AS_PANEL, default=-1.0, options={"SKIP_SAVE"})

    def steps(self, context: bpy.types.Context) -> job.Steps:
        """Asks for both objects, then puts them together: a cancel leaves nothing."""
        target, before = context.scene, Attention.now(context)
        settings = target.unrender
        seeds = (
            settings.new_seed if self.seed < 0 else self.seed,
            settings.new_second_seed if self.to_seed < 0 else self.to_seed,
        )
        if seeds[0] == seeds[1]:
            raise ValueError(f"Interpolate goes from one seed to another, and both are {seeds[0]}: change one.")
        results = []
        for number, seed in enumerate(seeds):
            progress = records.Progress(f"Making object {number + 1} of 2", number / 2)
            results.append((yield session.request(request_of(settings, seed, self.variety), progress=progress)))
        first = built_alone(target, replace(results[0], name=name_of(*results)))
        interpolation.join(first, built_alone(target, results[1]))
        before.turn_to(context, [first.object])
        return f"{first.object.name} is done"


def name_of(first: records.Reconstruction, second: records.Reconstruction) -> str:
    """Returns the name of what goes from one seed's object to another's, such as car-000001-000002."""
    return f"{first.name}-{second.name.rpartition('-')[2]}"


CLASSES = (UNRENDER_OT_interpolate,)
