# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside a real Blender: a new category by clicks, from photographs to an object made with its weights.

    blender --factory-startup -P category.py -- OUT PHOTOGRAPHS [SECONDS]

PHOTOGRAPHS is a folder of pictures with transparent grounds; each wait lasts SECONDS at most. The add-on is this
checkout's, and UNRENDER_PYTHON names the interpreter of trainings and worker. The sides of the views are said with the
keys of the real keyboard. Whatever goes towards a network is noted. Runs lie in OUT/runs. Writes OUT/told.json and a
screenshot for each stage.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.helpers import panel_jobs  # noqa: E402 - only now is the checkout on the path
from tests.window import driver  # noqa: E402
from tests.window.driver import click, told  # noqa: E402

WORDS = driver.words()
OUT, PHOTOGRAPHS = (Path(text).absolute() for text in WORDS[:2])
SECONDS = float(WORDS[2]) if len(WORDS) > 2 else 1200.0
NAME = "painted solid"
SHOT_EVERY = 5.0
"""Seconds between two looks at the steps."""


def show_panels(*wanted):
    """Leaves these panels alone in the sidebar, open."""
    from addon import ui

    names = ("panels", "handle_panels", "asset_panel", "neural_panel", "train_panels", "train_category_panel")
    modules = [getattr(ui, name) for name in (*names, "train_runs_panel")]
    for cls in (cls for module in reversed(modules) for cls in reversed(module.CLASSES)):
        if cls.is_registered:
            bpy.utils.unregister_class(cls)
    for cls in wanted:
        cls.bl_options = set()
        bpy.utils.register_class(cls)


def run():
    from addon import training_watch

    return training_watch.category_run(bpy.context.scene)


def steps():
    from addon import training_watch

    return training_watch.category_steps_of(bpy.context.scene)


def go_on(until):
    """Presses Go On and waits for a state of the run; remembers how long each step took."""
    began = time.monotonic()
    told.setdefault("go_on", []).append(click(bpy.ops.unrender.go_on_with_category))
    shot = 0
    while run() is None or run().state != until:
        if run() is not None and run().state in ("failed", "died", "stopped"):
            raise RuntimeError(f"{run().state}: {run().sentence}")
        if time.monotonic() - began > SECONDS:
            raise TimeoutError(f"the steps are still {[step.state for step in steps()]}")
        if time.monotonic() - began > SHOT_EVERY * 2**shot:
            driver.screenshot(OUT / f"under-way-{until}.png")
            shot += 1
        yield
    told[f"seconds_until_{until}"] = round(time.monotonic() - began, 1)


def say_sides():
    """Opens the views and says each one's side: the guess where there is one, turned by a key now and then."""
    from addon.operators import views
    from addon.ui import train_panels

    click(bpy.ops.unrender.open_category_views)
    show_panels(train_panels.UNRENDER_PT_train, train_panels.UNRENDER_PT_views)
    yield from driver.open_tab()
    yield from driver.draw()
    opened = views.current
    told["views"], told["guessed"] = (
        len(opened.views.views),
        sum(one.guess_deg is not None for one in opened.views.views),
    )
    area = driver.viewport()
    driver.move_mouse(area.x + area.width // 3, driver.window().height - area.y - area.height // 2)
    yield
    told["annotate"] = click(bpy.ops.unrender.annotate_views)
    yield from driver.wait_until(lambda: opened.is_running, SECONDS)
    for number in range(told["views"]):
        if number == told["views"] // 2:
            yield from driver.draw()
            driver.screenshot(OUT / "views.png")
        key = "Return" if opened.chosen is not None else "1"
        before = opened.decided
        driver.press(key)
        yield from driver.wait_until(lambda before=before: opened.decided > before, 60.0)
    told["decided"], told["annotation_ended"] = opened.decided, not opened.is_running


def use():
    """Takes the weights, and has Image to 3D make an object of one of the photographs."""
    from addon import scene, session
    from addon.ui import panels

    told["use"] = click(bpy.ops.unrender.use_category)
    settings = bpy.context.scene.unrender
    told["bundle"] = settings.bundle
    show_panels(panels.UNRENDER_PT_main, panels.UNRENDER_PT_options)
    yield from driver.open_tab()
    settings.image_path = str(sorted(PHOTOGRAPHS.glob("*.png"))[-1])
    yield from driver.draw()
    told["click"] = click(bpy.ops.unrender.image_to_3d)
    yield from driver.wait_until(lambda: not session.status.running, SECONDS)
    told["error"], told["warnings"] = session.status.error, list(session.status.warnings)
    made = bpy.context.view_layer.objects.active
    told["object"], told["its_bundle"] = made.name, made.unrender.bundle
    told["dimensions"], told["faces"] = [round(side, 3) for side in made.dimensions], len(made.data.polygons)
    told["provenance"] = scene.PROVENANCE in made
    click(bpy.ops.unrender.match_photo)
    driver.viewport().spaces.active.shading.color_type = "TEXTURE"
    yield from driver.draw()
    driver.screenshot(OUT / "made.png")
    driver.viewport().spaces.active.region_3d.view_perspective = "PERSP"
    with driver.in_viewport():
        bpy.ops.view3d.view_selected()
    yield from driver.wait(1.0)
    driver.screenshot(OUT / "around.png")
    yield from mark_as_asset(made)
    told["network"] = panel_jobs.events


def mark_as_asset(made):
    """Presses the button that offers the object in the Asset Browser, and waits for its picture."""
    from addon import assets
    from addon.ui import asset_panel, handle_panels

    show_panels(handle_panels.UNRENDER_PT_handles, asset_panel.UNRENDER_PT_asset)
    yield from driver.open_tab()
    told["asset"] = click(bpy.ops.unrender.mark_asset)
    yield from driver.wait_until(lambda: any(assets.marked(made).preview.image_pixels_float), 60.0)
    yield from driver.draw()
    driver.screenshot(OUT / "asset.png")


def story():
    """From an empty form to an object; each yield gives the window a turn."""
    from addon.ui import train_category_panel, train_panels

    category = (train_panels.UNRENDER_PT_train, train_category_panel.UNRENDER_PT_category)
    settings = bpy.context.scene.unrender_training
    settings.runs_folder = str(OUT / "runs")
    yield from driver.leave_one_viewport()
    yield from driver.open_tab()
    told["poll_before"] = bpy.ops.unrender.go_on_with_category.poll()
    settings.photographs, settings.category, settings.category_preset = str(PHOTOGRAPHS), NAME, "tiny"
    settings.keep = False  # whatever happens here, no training stays behind
    yield from driver.draw()
    driver.screenshot(OUT / "form.png")
    yield from go_on("waiting")
    told["waits"] = {step.name: step.sentence for step in steps() if step.state == "person"}
    told["usable_early"] = bpy.ops.unrender.use_category.poll()
    yield from driver.draw()
    driver.screenshot(OUT / "waiting.png")
    yield from say_sides()
    show_panels(*category)
    yield from driver.open_tab()
    yield from go_on("finished")
    told["steps"] = {step.name: step.state for step in steps()}
    told["step_seconds"] = {step.name: step.seconds for step in steps()}
    yield from driver.draw()
    driver.screenshot(OUT / "finished.png")
    yield from use()


sys.addaudithook(panel_jobs.note)
driver.register_checkout()
from addon.ui import train_category_panel, train_panels  # noqa: E402 - once the add-on is registered

show_panels(train_panels.UNRENDER_PT_train, train_category_panel.UNRENDER_PT_category)
driver.tell(story(), OUT, longest_wait=3 * SECONDS)
