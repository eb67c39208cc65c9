# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Train ▸ Runs: what starts a training, the list of runs, and the one that is chosen. Draw only."""

from __future__ import annotations

from typing import Any

import bpy

from .. import training_figures, training_runs, training_watch
from .layout import UnrenderPanel, draw_text

BUTTON_HEIGHT = 1.3
PICTURE_SCALE = 6.4
STATE_ICONS: dict[str, Any] = {
    "starting": "SORTTIME",
    "running": "PLAY",
    "stopping": "SORTTIME",
    "waiting": "USER",
    "finished": "CHECKMARK",
    "stopped": "PAUSE",
    "failed": "ERROR",
    "died": "CANCEL",
}


class UNRENDER_UL_runs(bpy.types.UIList):
    """Name, state and time left of each run"""

    bl_idname = "UNRENDER_UL_runs"

    def draw_item(self, context, layout, data, item, icon, active_data, active_property, index=0, flt_flag=0) -> None:
        """Draws a row."""
        row = layout.split(factor=0.55, align=True)
        row.label(text=item.name, icon=STATE_ICONS.get(item.state, "BLANK1"))
        row.label(text=item.title)


class UNRENDER_PT_runs(UnrenderPanel, bpy.types.Panel):
    """Trainings that run beside Blender, and those that have"""

    bl_idname = "UNRENDER_PT_runs"
    bl_parent_id = "UNRENDER_PT_train"
    bl_label = "Runs"
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 2

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the form, the list and the chosen run."""
        layout = self.layout
        draw_form(layout, context.scene.unrender_training)
        if training_watch.watch.error:
            draw_text(layout.box(), training_watch.watch.error, "ERROR", context.region.width)
        rows = context.window_manager.unrender_runs
        layout.template_list(UNRENDER_UL_runs.bl_idname, "", rows, "rows", rows, "index", rows=3)
        run = training_watch.chosen()
        if run is not None:
            draw_run(layout, run, context.region.width)


def draw_form(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup) -> None:
    """Draws what a new run is made of."""
    column = layout.column()
    column.use_property_split = True
    column.use_property_decorate = False
    for name in ("task", "data", "preset", "settings", "name", "runs_folder"):
        column.prop(settings, name)
    layout.prop(settings, "keep")
    row = layout.row()
    row.scale_y = BUTTON_HEIGHT
    row.operator("unrender.start_training", icon="PLAY")


def draw_run(layout: bpy.types.UILayout, run: training_runs.Run, width: int) -> None:
    """Draws state, buttons, figures and pictures of a run."""
    box = layout.box()
    if run.is_under_way:
        text = run.stage or training_runs.STATE_NAMES[run.state].capitalize()
        box.progress(text=f"{text}  {run.step}/{run.steps}" if run.steps else text, factor=run.fraction)
    if run.sentence:
        draw_text(box, run.sentence, "USER" if run.state == "waiting" else "ERROR", width)
    column = box.column(align=True)
    row = column.row(align=True)
    if run.state == "stopping":
        row.operator("unrender.kill_training", icon="CANCEL")
    elif run.is_under_way:
        row.operator("unrender.stop_training", icon="PAUSE")
    else:
        row.operator("unrender.resume_training", icon="PLAY")
    row = column.row(align=True)
    row.operator("unrender.use_training", icon="CHECKMARK")
    row.operator("unrender.open_training_folder", icon="FILE_FOLDER")
    draw_figures(box)
    draw_samples(box)


def draw_figures(layout: bpy.types.UILayout) -> None:
    """Draws the plot, and the name and last value of each of its strips, from the top."""
    icon, series = training_watch.plot_icon(), training_watch.watch.series
    if not icon:
        return
    layout.template_icon(icon, scale=PICTURE_SCALE)
    column = layout.column(align=True)
    column.scale_y = 0.8
    marks: Any = training_figures.ICONS
    for mark, (name, (_steps, values)) in zip(marks, series.items(), strict=False):
        row = column.split(factor=0.7)
        row.label(text=name.replace("validation/", "unseen: ").replace("_", " "), icon=mark)
        row.label(text=f"{values[-1]:.4g}")
    layout.operator("unrender.show_training", text="Show Losses", icon="IMAGE_DATA").kind = training_watch.PLOT


def draw_samples(layout: bpy.types.UILayout) -> None:
    """Draws the newest picture."""
    icon = training_watch.sheet_icon()
    if not icon:
        return
    layout.template_icon(icon, scale=PICTURE_SCALE)
    layout.operator("unrender.show_training", text="Show Samples", icon="IMAGE_DATA").kind = training_watch.SHEET


CLASSES = (UNRENDER_UL_runs, UNRENDER_PT_runs)


def register() -> None:
    """Registers the panel."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    """Takes it back."""
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
