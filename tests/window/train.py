# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
r"""Runs inside a real Blender: a training by clicks, its plot and samples, stop, resume, and the guided list.

    blender --factory-startup -P train.py -- OUT PHOTOGRAPHS [SECONDS]

PHOTOGRAPHS is a folder of pictures with transparent grounds. The add-on is this checkout's, and UNRENDER_PYTHON names
the trainings' interpreter. Runs lie in OUT/runs. Writes OUT/runs.png, OUT/shown.png, OUT/category.png and
OUT/told.json.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.window import driver  # noqa: E402 - only now is the checkout on the path
from tests.window.driver import told  # noqa: E402

WORDS = driver.words()
OUT, PHOTOGRAPHS = (Path(text).absolute() for text in WORDS[:2])
LONGEST_WAIT = float(WORDS[2]) if len(WORDS) > 2 else 200.0


def make_room(panel):
    """A panel of Train alone, open from the start."""
    from addon.ui import handle_panels, neural_panel, panels, train_category_panel, train_panels, train_runs_panel

    for other in (handle_panels, neural_panel, panels):
        for cls in reversed(other.CLASSES):
            bpy.utils.unregister_class(cls)
    for cls in (train_panels.UNRENDER_PT_all_views, train_panels.UNRENDER_PT_views):
        bpy.utils.unregister_class(cls)
    for cls in (train_category_panel.UNRENDER_PT_category, train_runs_panel.UNRENDER_PT_runs):
        bpy.utils.unregister_class(cls)
    bpy.utils.unregister_class(train_panels.UNRENDER_PT_train)
    train_panels.UNRENDER_PT_train.bl_options = set()
    bpy.utils.register_class(train_panels.UNRENDER_PT_train)
    show_alone(panel, None)


def show_alone(panel, before):
    """Shows one sub-panel in another's place."""
    if before is not None:
        bpy.utils.unregister_class(before)
    panel.bl_options = set()
    bpy.utils.register_class(panel)


def state():
    from addon import training_watch

    run = training_watch.chosen()
    return run.state if run is not None else ""


def story():
    """Starts a training, looks, stops, resumes and finishes it; each yield gives the window a turn."""
    from addon import training_watch
    from addon.ui import train_category_panel, train_runs_panel

    settings = bpy.context.scene.unrender_training
    settings.runs_folder = str(OUT / "runs")
    settings.task, settings.data, settings.preset, settings.name = "stylegan2", str(PHOTOGRAPHS), "tiny", "pebbles"
    settings.settings = "kimg=40 log_kimg=0.04 evaluate_kimg=0.16 judge.samples=0 judge.grid=4 images.resolution=32"
    yield from driver.leave_one_viewport()
    yield from driver.open_tab()
    with driver.in_viewport():
        bpy.ops.screen.area_split(direction="VERTICAL", factor=0.55)
    yield
    editor = driver.viewports()[1]
    editor.ui_type = "IMAGE_EDITOR"
    yield from driver.draw()
    began = time.perf_counter()
    driver.click(bpy.ops.unrender.start_training)
    told["start_seconds"] = round(time.perf_counter() - began, 2)
    yield from driver.wait_until(lambda: state() == "running", LONGEST_WAIT)
    yield from driver.wait_until(lambda: training_watch.watch.sheet is not None, LONGEST_WAIT)
    yield from driver.wait_until(lambda: len(next(iter(training_watch.watch.series.values()))[0]) > 5, LONGEST_WAIT)
    times = []
    for _ in range(20):
        began = time.perf_counter()
        training_watch.look()
        times.append(time.perf_counter() - began)
        yield
    told["look_ms"] = [round(1000 * seconds, 2) for seconds in sorted(times)]
    yield from driver.draw()
    driver.screenshot(OUT / "runs.png")
    driver.click(bpy.ops.unrender.show_training, kind="samples")
    told["in_editor"] = training_watch.is_shown(training_watch.images()[0])
    with bpy.context.temp_override(window=driver.window(), area=editor, region=driver.region_of(editor, "WINDOW")):
        bpy.ops.image.view_all(fit_view=True)
    driver.click(bpy.ops.unrender.stop_training)
    yield from driver.wait_until(lambda: state() == "stopped", LONGEST_WAIT)
    told["stopped_at"] = training_watch.chosen().step
    yield from driver.draw()
    driver.screenshot(OUT / "shown.png")
    with driver.in_viewport():
        bpy.ops.ed.undo_push(message="settings")
        bpy.context.scene.frame_current = 7
        bpy.ops.ed.undo_push(message="frame")
        bpy.ops.ed.undo()
    yield from driver.wait(1.0)
    told["after_undo"] = [row.name for row in bpy.context.window_manager.unrender_runs.rows]
    driver.click(bpy.ops.unrender.resume_training)
    yield from driver.wait_until(lambda: state() == "running", LONGEST_WAIT)
    yield from driver.wait_until(lambda: training_watch.chosen().step > told["stopped_at"], LONGEST_WAIT)
    driver.click(bpy.ops.unrender.stop_training)
    yield from driver.wait_until(lambda: state() == "stopped", LONGEST_WAIT)
    told["resumed_to"] = training_watch.chosen().step
    yield from guided(train_category_panel.UNRENDER_PT_category, train_runs_panel.UNRENDER_PT_runs)


def guided(panel, before):
    """Begins a category and stops it after its first step."""
    from addon import training_watch

    show_alone(panel, before)
    settings = bpy.context.scene.unrender_training
    settings.photographs, settings.category = str(PHOTOGRAPHS), "pebble"
    yield from driver.draw()
    driver.click(bpy.ops.unrender.go_on_with_category)
    steps = training_watch.category_steps_of
    yield from driver.wait_until(lambda: steps(bpy.context.scene)[1].state == "running", LONGEST_WAIT)
    yield from driver.wait_until(lambda: training_watch.chosen().step > 3, LONGEST_WAIT)
    yield from driver.draw()
    driver.screenshot(OUT / "category.png")
    driver.click(bpy.ops.unrender.stop_training)
    yield from driver.wait_until(lambda: state() == "stopped", LONGEST_WAIT)
    told["steps"] = [step.state for step in steps(bpy.context.scene)]
    yield from driver.draw()


driver.register_checkout()
from addon.ui import train_runs_panel  # noqa: E402 - once the add-on is registered

make_room(train_runs_panel.UNRENDER_PT_runs)
driver.tell(story(), OUT, tick=0.05, longest_wait=LONGEST_WAIT)
