# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside a real Blender: presses *Image to 3D*, waits without blocking, moves sliders, and tells what happened.

    blender -P drive.py -- OUT PHOTO toy|real
    blender -P drive.py -- OUT VIEWS views      opens a view set and annotates it with the keys

Everything goes through timers, as a user's clicks do: a timer that blocked would freeze the window. Writes
OUT/told.json and screenshots of the window. In toy mode the worker has the toy handlers of the tests.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import traceback
from pathlib import Path

import bpy

OUT, PHOTO, MODE = sys.argv[sys.argv.index("--") + 1 :]
EXTENSION = "bl_ext.user_default.unrender"
ROOT = Path(__file__).resolve().parents[2]
TICK = 0.05
LONGEST_WAIT = 90.0
SHOT_EVERY = 0.3

told: dict = {"blender": bpy.app.version_string, "background": bpy.app.background, "stages": [], "longest_pause": 0.0}


def module(name):
    return sys.modules[f"{EXTENSION}.addon.{name}"]


def use_toy_worker():
    environment, client = module("environment"), module("wire").client
    interpreter = environment.find(os.environ["UNRENDER_PYTHON"]).path
    command = client.WorkerCommand([str(interpreter), "-m", "tests.helpers.toy_worker"], ROOT, Path(OUT) / "worker.log")
    environment.worker_command = lambda chosen="": command


def viewport():
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    region = next(region for region in area.regions if region.type == "WINDOW")
    return {"window": window, "area": area, "region": region}


def open_tab():
    """The sidebar, with our tab in front: it can be chosen once the sidebar was drawn."""
    area = viewport()["area"]
    area.spaces.active.show_region_ui = True
    sidebar = next(region for region in area.regions if region.type == "UI")
    for _ in range(100):
        try:
            sidebar.active_panel_category = "Unrender"
            return
        except AttributeError:
            area.tag_redraw()
            yield
    raise TimeoutError("the sidebar has no tab of ours")


def screenshot(name):
    """Of the whole virtual screen: Blender's own operator finds an empty frame when it is called from a timer."""
    subprocess.run(["import", "-window", "root", str(Path(OUT) / f"{name}.png")], check=True)


def click(operator, **arguments):
    with bpy.context.temp_override(**viewport()):
        return sorted(operator("INVOKE_DEFAULT", **arguments))


def wait_for_job(session, shot=""):
    """Waits for the running job; remembers its stages and takes a screenshot while it runs."""
    began = time.monotonic()
    while session.status.running:
        if time.monotonic() - began > LONGEST_WAIT:
            raise TimeoutError(f"the job is still at {session.status.stage}")
        if session.status.stage not in told["stages"]:
            told["stages"].append(session.status.stage)
        if shot and time.monotonic() - began > SHOT_EVERY:
            screenshot(shot)
            shot = ""
        yield


def wait_until(condition, seconds=30.0):
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise TimeoutError("waited too long")
        yield


def story():
    """What a user does; each yield gives the window a turn."""
    session = module("session")
    settings = bpy.context.scene.unrender
    yield from open_tab()
    if MODE == "toy":
        use_toy_worker()
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
    told["camera_is_the_scenes"] = bpy.context.scene.camera == made.unrender.camera
    yield from move_sliders(made)
    if MODE == "toy":
        yield from cancel_and_crash(session, settings)
    bpy.ops.wm.save_as_mainfile(filepath=str(Path(OUT) / "scene.blend"), copy=True)
    told["finished"] = True


def move_sliders(made):
    """Looks through the photo's camera and moves a slider of the shape and one of the texture."""
    space = viewport()["area"].spaces.active
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
    screenshot("done")
    yield


def cancel_and_crash(session, settings):
    """Cancels a job that takes long, then has the worker crash and starts another job."""
    slow = Path(OUT) / "slow.png"
    slow.write_bytes(Path(PHOTO).read_bytes())
    settings.image_path = str(slow)
    click(bpy.ops.unrender.image_to_3d)
    yield from wait_until(lambda: session.status.stage == "Refining")
    began = time.monotonic()
    click(bpy.ops.unrender.cancel)
    yield from wait_until(lambda: not session.status.running)
    told["cancel_took"] = time.monotonic() - began

    crash = Path(OUT) / "crash.png"
    crash.write_bytes(Path(PHOTO).read_bytes())
    settings.image_path = str(crash)
    click(bpy.ops.unrender.image_to_3d)
    yield from wait_for_job(session)
    told["crash_error"] = session.status.error
    for _ in range(6):
        yield
    screenshot("error")
    settings.image_path = PHOTO
    told["click_after_crash"] = click(bpy.ops.unrender.image_to_3d)
    yield from wait_for_job(session)
    told["error_after_crash"] = session.status.error


def press(key, changed):
    """Presses a key of the real keyboard's and waits for its effect."""
    subprocess.run(["xdotool", "key", key], check=True)
    yield from wait_until(changed, LONGEST_WAIT)


def views_story():
    """Annotates a set of four views; the second has no guess."""
    yield from open_tab()
    panels, views = module("ui.train_panels"), module("operators.views")
    panels.unregister()
    panels.UNRENDER_PT_train.bl_options = set()  # open, so that all of it is drawn
    panels.register()
    told["open"] = click(bpy.ops.unrender.open_views, directory=PHOTO)
    opened = views.current
    told["click"] = click(bpy.ops.unrender.annotate_views)
    area = viewport()["area"]
    height = bpy.context.window_manager.windows[0].height
    middle = (area.x + area.width // 3, height - area.y - area.height // 2)
    subprocess.run(["xdotool", "mousemove", *map(str, middle)], check=True)
    yield
    yield from press("Return", lambda: opened.decided == 1)
    yield from press("Right", lambda: opened.chosen == 0)
    yield from press("Right", lambda: opened.chosen == 11)
    yield from press("Return", lambda: opened.decided == 2)
    yield from press("x", lambda: opened.decided == 3)
    yield from press("ctrl+z", lambda: opened.decided == 2)
    yield from wait_until(lambda: opened.seconds > 1.0)
    screenshot("views")
    yield from press("4", lambda: opened.decided == 3)
    yield from press("BackSpace", lambda: opened.position == 2)
    yield from press("Escape", lambda: not opened.is_running)
    # The first decision starts the clock and the keys as well.
    told["choose"] = click(bpy.ops.unrender.choose_view_bin, number=9)
    told["runs_again"] = opened.is_running
    yield from press("equal", lambda: opened.is_finished)
    for _ in range(6):
        yield
    screenshot("finished")
    told["still_running"] = opened.is_running
    told["finished"] = True


bpy.context.preferences.view.show_splash = False
steps = views_story() if MODE == "views" else story()
last_tick = time.monotonic()


def tick():
    global last_tick
    now = time.monotonic()
    told["longest_pause"] = max(told["longest_pause"], now - last_tick)
    last_tick = now
    try:
        next(steps)
    except StopIteration:
        finish()
        return None
    except Exception:
        told["traceback"] = traceback.format_exc()
        screenshot("failed")
        finish()
        return None
    return TICK


def finish():
    (Path(OUT) / "told.json").write_text(json.dumps(told, indent=1))
    with bpy.context.temp_override(window=viewport()["window"]):
        bpy.ops.wm.quit_blender()


bpy.app.timers.register(tick, first_interval=1.0)
