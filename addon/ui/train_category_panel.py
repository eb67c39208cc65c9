# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Train ▸ New Category: photographs, a name, and the steps from there to a bundle. Draw only."""

from __future__ import annotations

from typing import Any

import bpy

from .. import training_runs, training_watch
from .layout import UnrenderPanel, draw_text
from .train_runs_panel import BUTTON_HEIGHT

STEP_ICONS: dict[str, Any] = {
    "open": "RADIOBUT_OFF",
    "running": "PLAY",
    "done": "CHECKMARK",
    "person": "USER",
    "failed": "ERROR",
    "left out": "REMOVE",
}


class UNRENDER_PT_category(UnrenderPanel, bpy.types.Panel):
    """From a folder of photographs of one kind of thing to weights for Image to 3D"""

    bl_idname = "UNRENDER_PT_category"
    bl_parent_id = "UNRENDER_PT_train"
    bl_label = "New Category"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the form, the steps and what can be done next."""
        layout, scene = self.layout, context.scene
        settings = scene.unrender_training
        column = layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        for name in ("photographs", "masks", "category", "category_preset"):
            column.prop(settings, name)
        layout.prop(settings, "keep")
        run = training_watch.category_run(scene)
        draw_steps(layout, training_watch.category_steps_of(scene), context.region.width)
        if run is not None:
            draw_run(layout, run, context.region.width)
        row = layout.row()
        row.scale_y = BUTTON_HEIGHT
        row.operator("unrender.go_on_with_category", icon="PLAY")
        row.operator("unrender.open_category_views", icon="USER")
        layout.operator("unrender.use_category", icon="CHECKMARK")
        if training_watch.watch.error:
            draw_text(layout.box(), training_watch.watch.error, "ERROR", context.region.width)


def draw_steps(layout: bpy.types.UILayout, steps: list, width: int) -> None:
    """Draws a line a step, and below the one that waits or failed what it says."""
    column = layout.box().column(align=True)
    for number, step in enumerate(steps, 1):
        row = column.row()
        row.active = step.state not in ("open", "left out")
        row.label(text=f"{number}  {step.title}", icon=STEP_ICONS[step.state])
        if step.state in ("person", "failed") and step.sentence:
            draw_text(column, step.sentence, "BLANK1", width)


def draw_run(layout: bpy.types.UILayout, run: training_runs.Run, width: int) -> None:
    """Draws the progress of the process that is at it, or why there is none."""
    if run.is_under_way:
        layout.progress(text=f"{run.stage or 'Starting'}  {training_watch.title_of(run)}", factor=run.fraction)
        if training_watch.chosen() == run:
            name = "unrender.kill_training" if run.state == "stopping" else "unrender.stop_training"
            layout.operator(name, icon="PAUSE")
    elif run.state in ("failed", "died") and run.sentence:
        draw_text(layout.box(), run.sentence, "ERROR", width)


CLASSES = (UNRENDER_PT_category,)


def register() -> None:
    """Registers the panel."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    """Takes it back."""
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
