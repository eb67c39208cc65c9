# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
r"""Runs inside a real Blender: makes README's picture of the window, the panel and a result beside its photo.

    blender -P show_window.py -- OUT PHOTO [SECONDS]

The extension is installed and enabled beforehand, and UNRENDER_PYTHON names the worker's interpreter. The left viewport
looks through the recovered camera with the photo behind it, the right one at the object from another side. Both are
rendered by Cycles: EEVEE's shaders take minutes without a graphics card. Writes OUT/window.png and OUT/told.json.

README's picture is made by

    export HOME=$PWD/out/window/home BLENDER_USER_RESOURCES=$PWD/out/window/resources
    export UNRENDER_PYTHON=$PWD/.venv/bin/python
    python scripts/build_extension.py --out out/window
    alias blender="../shared/tools/real-blender run 5.2"
    blender --command extension install-file out/window/unrender-0.1.0.zip -r user_default -e
    blender --factory-startup --addons bl_ext.user_default.unrender \
        --window-geometry 0 0 1400 800 -P tests/window/show_window.py -- out/window examples/car.jpg
    cp out/window/window.png .github/readme/window.png
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
import traceback
from pathlib import Path

import bpy
from mathutils import Euler, Vector

WORDS = sys.argv[sys.argv.index("--") + 1 :]
OUT, PHOTO = (Path(text).absolute() for text in WORDS[:2])
EXTENSION = "bl_ext.user_default.unrender"
TICK = 0.1
LONGEST_WAIT = 200.0
SECONDS_TO_RENDER = float(WORDS[2]) if len(WORDS) > 2 else 75.0
SAMPLES = 64
TURN = math.radians(80)
"""Angle by which the right viewport looks from further around the object than the photo's camera."""
BACKDROP = (0.24, 0.24, 0.24)
"""sRGB colour behind a transparent render in place of the chequers."""
LARGEST_WIDTH = 1400
"""Width of the picture in pixels."""

told: dict = {"blender": bpy.app.version_string}


def module(name):
    return sys.modules[f"{EXTENSION}.addon.{name}"]


def window():
    return bpy.context.window_manager.windows[0]


def viewports():
    """Returns the 3D viewports from left to right."""
    return sorted((area for area in window().screen.areas if area.type == "VIEW_3D"), key=lambda area: area.x)


def region_of(area, kind):
    return next(region for region in area.regions if region.type == kind)


def wait(seconds):
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        yield


def wait_for_job(session):
    began = time.monotonic()
    while session.status.running:
        if time.monotonic() - began > LONGEST_WAIT:
            raise TimeoutError(f"the job is still at {session.status.stage}")
        yield


def open_tab(area):
    """The sidebar, with our tab in front: it can be chosen once the sidebar was drawn."""
    area.spaces.active.show_region_ui = True
    for _ in range(100):
        try:
            region_of(area, "UI").active_panel_category = "Unrender"
            return
        except AttributeError:
            area.tag_redraw()
            yield
    raise TimeoutError("the sidebar has no tab of ours")


def arrange():
    """Two viewports side by side; the other areas make room for them."""
    for kind in ("DOPESHEET_EDITOR", "PROPERTIES", "OUTLINER"):
        area = next(area for area in window().screen.areas if area.type == kind)
        with bpy.context.temp_override(window=window(), area=area):
            bpy.ops.screen.area_close()
        yield
    (area,) = viewports()
    with bpy.context.temp_override(window=window(), area=area, region=region_of(area, "WINDOW")):
        bpy.ops.screen.area_split(direction="VERTICAL", factor=0.41)
    yield
    for area in viewports():
        space = area.spaces.active
        space.show_region_toolbar = False
        space.show_gizmo = False
        space.overlay.show_cursor = space.overlay.show_extras = space.overlay.show_text = False
        space.overlay.show_object_origins = False


def show(owner):
    """Left through the recovered camera, right from the other side, both rendered."""
    left, right = (area.spaces.active for area in viewports())
    left.region_3d.view_perspective = "CAMERA"
    left.region_3d.view_camera_zoom = 12
    left.overlay.show_floor = left.overlay.show_axis_x = left.overlay.show_axis_y = False
    left.overlay.show_outline_selected = False
    view = right.region_3d
    view.view_perspective = "PERSP"
    view.view_location = Vector((0, 0, 0.45 * owner.dimensions.z))
    view.view_distance = 1.32 * max(owner.dimensions)
    view.view_rotation = Euler((math.radians(74), 0, owner.unrender.azimuth + TURN)).to_quaternion()
    settings = bpy.context.scene
    settings.render.engine = "CYCLES"
    settings.cycles.preview_samples = SAMPLES
    settings.cycles.use_preview_denoising = False
    for space in (left, right):
        space.shading.type = "RENDERED"
        space.shading.use_scene_world_render = space.shading.use_scene_lights_render = True


def screenshot(name):
    """Of the virtual screen where the window is: from a timer, Blender's own operator finds an empty frame."""
    # Blender counts from the screen's lower left corner.
    part = f"{window().width}x{window().height}+{window().x}+{window().y}"
    cut = ["-gravity", "SouthWest", "-crop", part, "+repage", "-resize", f"{LARGEST_WIDTH}x>", "+dither", "-strip"]
    subprocess.run(["import", "-window", "root", *cut, f"PNG8:{OUT / name}.png"], check=True)


def story():
    """What a user does; each yield gives the window a turn."""
    session = module("session")
    for one in [*bpy.data.objects, *bpy.data.collections]:
        bpy.data.batch_remove([one])
    colours = bpy.context.preferences.themes[0].user_interface
    colours.transparent_checker_primary = colours.transparent_checker_secondary = BACKDROP
    bpy.context.preferences.system.use_region_overlap = False
    yield from arrange()
    right = viewports()[1]
    yield from open_tab(right)
    bpy.context.scene.unrender.image_path = str(PHOTO)
    with bpy.context.temp_override(window=window(), area=right, region=region_of(right, "WINDOW")):
        bpy.ops.unrender.image_to_3d("INVOKE_DEFAULT")
    yield from wait_for_job(session)
    told["error"] = session.status.error
    owner = bpy.context.view_layer.objects.active
    told["vertices"] = len(owner.data.vertices)
    # The panel names the picture without the folders of the machine that the screenshot is taken on.
    os.chdir(PHOTO.parent)
    bpy.context.scene.unrender.image_path = PHOTO.name
    show(owner)
    yield from wait(SECONDS_TO_RENDER)
    screenshot("window")
    told["finished"] = True


def tick():
    try:
        next(steps)
        return TICK
    except StopIteration:
        pass
    except Exception:
        told["traceback"] = traceback.format_exc()
        screenshot("failed")
    (OUT / "told.json").write_text(json.dumps(told, indent=1))
    with bpy.context.temp_override(window=window()):
        bpy.ops.wm.quit_blender()
    return None


OUT.mkdir(parents=True, exist_ok=True)
bpy.context.preferences.view.show_splash = False
steps = story()
bpy.app.timers.register(tick, first_interval=1.0)
