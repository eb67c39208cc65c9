# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside a real Blender: presses *Image to 3D*, waits without blocking, moves sliders, and tells what happened.

    blender -P drive.py -- OUT PHOTO toy|real
    blender -P drive.py -- OUT VIEWS views      opens a view set and annotates it with the keys

Everything goes through timers, as a user's clicks do: a timer that blocked would freeze the window. Writes
OUT/told.json and screenshots of the window. In toy mode the worker has the toy handlers of the tests.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.window import driver  # noqa: E402 - only now is the checkout on the path
from tests.window.driver import click, module, told, wait_until  # noqa: E402

PHOTO, MODE = driver.words()[1:]
OUT = Path(driver.words()[0])
TICK = 0.05
LONGEST_WAIT = 90.0
SHOT_EVERY = 0.3

told["stages"] = []


def wait_for_job(session, shot=""):
    """Waits for the running job; remembers its stages and takes a screenshot while it runs."""
    began = time.monotonic()
    while session.status.running:
        if time.monotonic() - began > LONGEST_WAIT:
            raise TimeoutError(f"the job is still at {session.status.stage}")
        if session.status.stage not in told["stages"]:
            told["stages"].append(session.status.stage)
        if shot and time.monotonic() - began > SHOT_EVERY:
            driver.screenshot(OUT / f"{shot}.png", whole_screen=True)
            shot = ""
        yield


def story():
    """What a user does; each yield gives the window a turn."""
    session = module("session")
    settings = bpy.context.scene.unrender
    yield from driver.open_tab()
    if MODE == "toy":
        driver.use_toy_worker(OUT)
    settings.image_path = PHOTO
    settings.shape = "surface"  # its sliders go through the worker; those of parts have a test of their own
    yield
    told["click"] = click(bpy.ops.unrender.image_to_3d)
    yield from wait_for_job(session, shot="running")
    told["error"] = session.status.error
    made = bpy.context.view_layer.objects.active
    told["object"] = made.name
    told["is_unrender"] = made.unrender.is_unrender
    told["vertices"] = len(made.data.vertices)
    told["dimensions"] = list(made.dimensions)
    click(bpy.ops.unrender.match_photo)
    told["camera_is_the_scenes"] = bpy.context.scene.camera == made.unrender.camera
    yield from move_sliders(made)
    if MODE == "toy":
        yield from cancel_and_crash(session, settings)
    bpy.ops.wm.save_as_mainfile(filepath=str(OUT / "scene.blend"), copy=True)


def move_sliders(made):
    """Looks through the photo's camera and moves a slider of the shape and one of the texture."""
    space = driver.viewport().spaces.active
    space.region_3d.view_perspective = "CAMERA"
    space.shading.color_type = "TEXTURE"  # solid shading: EEVEE's shaders take minutes without a graphics card
    before = [tuple(vertex.co) for vertex in made.data.vertices]
    began = time.monotonic()
    made.unrender.shape[0] = 2.0
    told["slider_returned_in"] = time.monotonic() - began
    yield from wait_until(lambda: [tuple(vertex.co) for vertex in made.data.vertices] != before)
    told["slider_took"] = time.monotonic() - began
    made.unrender.texture[0] = 1.0
    yield from wait_until(lambda: made.unrender.base_texture is not None)
    for _ in range(20):
        yield
    driver.screenshot(OUT / "done.png", whole_screen=True)
    yield


def cancel_and_crash(session, settings):
    """Cancels a job that takes long, then has the worker crash and starts another job."""
    slow = OUT / "slow.png"
    slow.write_bytes(Path(PHOTO).read_bytes())
    settings.image_path = str(slow)
    click(bpy.ops.unrender.image_to_3d)
    yield from wait_until(lambda: session.status.stage == "Refining")
    began = time.monotonic()
    click(bpy.ops.unrender.cancel)
    yield from wait_until(lambda: not session.status.running)
    told["cancel_took"] = time.monotonic() - began

    crash = OUT / "crash.png"
    crash.write_bytes(Path(PHOTO).read_bytes())
    settings.image_path = str(crash)
    click(bpy.ops.unrender.image_to_3d)
    yield from wait_for_job(session)
    told["crash_error"] = session.status.error
    for _ in range(6):
        yield
    driver.screenshot(OUT / "error.png", whole_screen=True)
    settings.image_path = PHOTO
    told["click_after_crash"] = click(bpy.ops.unrender.image_to_3d)
    yield from wait_for_job(session)
    told["error_after_crash"] = session.status.error


def press(key, changed):
    """Presses a key of the real keyboard's and waits for its effect."""
    driver.press(key)
    yield from wait_until(changed, LONGEST_WAIT)


def views_story():
    """Annotates a set of four views; the second has no guess."""
    yield from driver.open_tab()
    panels, views = module("ui.train_panels"), module("operators.views")
    panels.unregister()
    panels.UNRENDER_PT_train.bl_options = set()  # open, so that all of it is drawn
    panels.register()
    told["open"] = click(bpy.ops.unrender.open_views, directory=PHOTO)
    opened = views.current
    told["click"] = click(bpy.ops.unrender.annotate_views)
    area = driver.viewport()
    height = driver.window().height
    driver.move_mouse(area.x + area.width // 3, height - area.y - area.height // 2)
    yield
    yield from press("Return", lambda: opened.decided == 1)
    yield from press("Right", lambda: opened.chosen == 0)
    yield from press("Right", lambda: opened.chosen == 11)
    yield from press("Return", lambda: opened.decided == 2)
    yield from press("x", lambda: opened.decided == 3)
    yield from press("ctrl+z", lambda: opened.decided == 2)
    yield from wait_until(lambda: opened.seconds > 1.0)
    driver.screenshot(OUT / "views.png", whole_screen=True)
    yield from press("4", lambda: opened.decided == 3)
    yield from press("BackSpace", lambda: opened.position == 2)
    yield from press("Escape", lambda: not opened.is_running)
    # The first decision starts the clock and the keys as well.
    told["choose"] = click(bpy.ops.unrender.choose_view_bin, number=9)
    told["runs_again"] = opened.is_running
    yield from press("equal", lambda: opened.is_finished)
    for _ in range(6):
        yield
    driver.screenshot(OUT / "finished.png", whole_screen=True)
    told["still_running"] = opened.is_running


driver.tell(views_story() if MODE == "views" else story(), OUT, TICK)
