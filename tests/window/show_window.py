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

import math
import os
import sys
from pathlib import Path

import bpy
from mathutils import Euler, Vector

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.window import driver  # noqa: E402 - only now is the checkout on the path
from tests.window.driver import told  # noqa: E402

WORDS = driver.words()
OUT, PHOTO = (Path(text).absolute() for text in WORDS[:2])
LONGEST_WAIT = 200.0
SECONDS_TO_RENDER = float(WORDS[2]) if len(WORDS) > 2 else 75.0
SAMPLES = 64
TURN = math.radians(80)
"""Angle by which the right viewport looks from further around the object than the photo's camera."""
BACKDROP = (0.24, 0.24, 0.24)
"""sRGB colour behind a transparent render in place of the chequers."""
LARGEST_WIDTH = 1400
"""Width of the picture in pixels."""


def arrange():
    """Two viewports side by side; the other areas make room for them."""
    yield from driver.leave_one_viewport()
    with driver.in_viewport():
        bpy.ops.screen.area_split(direction="VERTICAL", factor=0.41)
    yield
    for area in driver.viewports():
        space = area.spaces.active
        space.show_region_toolbar = False
        space.show_gizmo = False
        space.overlay.show_cursor = space.overlay.show_extras = space.overlay.show_text = False
        space.overlay.show_object_origins = False


def show(owner):
    """Left through the recovered camera, right from the other side, both rendered."""
    left, right = (area.spaces.active for area in driver.viewports())
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


def story():
    """What a user does; each yield gives the window a turn."""
    session = driver.module("session")
    for one in [*bpy.data.objects, *bpy.data.collections]:
        bpy.data.batch_remove([one])
    colours = bpy.context.preferences.themes[0].user_interface
    colours.transparent_checker_primary = colours.transparent_checker_secondary = BACKDROP
    bpy.context.preferences.system.use_region_overlap = False
    yield from arrange()
    right = driver.viewports()[1]
    yield from driver.open_tab(right)
    bpy.context.scene.unrender.image_path = str(PHOTO)
    with driver.in_viewport(right):
        bpy.ops.unrender.image_to_3d("INVOKE_DEFAULT")
    yield from driver.wait_until(lambda: not session.status.running, LONGEST_WAIT)
    told["error"] = session.status.error
    owner = bpy.context.view_layer.objects.active
    told["vertices"] = len(owner.data.vertices)
    with driver.in_viewport(right):
        bpy.ops.unrender.match_photo()
    # The panel names the picture without the folders of the machine that the screenshot is taken on.
    os.chdir(PHOTO.parent)
    bpy.context.scene.unrender.image_path = PHOTO.name
    show(owner)
    yield from driver.wait(SECONDS_TO_RENDER)
    driver.screenshot(OUT / "window.png", largest_width=LARGEST_WIDTH)


driver.tell(story(), OUT, longest_wait=LONGEST_WAIT + SECONDS_TO_RENDER)
