# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
r"""Runs inside a real Blender: StyleGAN-R's picture in the Image Editor and in the panel, following a slider and undo.

    blender --factory-startup -P neural_render.py -- OUT SCENE.blend [SECONDS]

A scene of `generate.py` whose weights have StyleGAN-R. Of one that is called toy.blend the toy worker draws pictures.
The add-on is this checkout's, and UNRENDER_PYTHON names the worker's interpreter. Writes OUT/panel.png, OUT/editor.png
and OUT/followed.png, screenshots of the window, and OUT/told.json.
"""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path

import bpy
import numpy as np
from mathutils import Euler, Vector

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.window import driver  # noqa: E402 - only now is the checkout on the path
from tests.window.driver import told  # noqa: E402

WORDS = driver.words()
OUT, SCENE = (Path(text).absolute() for text in WORDS[:2])
LONGEST_WAIT = float(WORDS[2]) if len(WORDS) > 2 else 240.0
STEPS = 24
"""Positions of a drag."""


def look_at(owner):
    """From the front left, in solid shading with the texture: EEVEE's shaders take minutes without a graphics card."""
    space = driver.viewport().spaces.active
    view = space.region_3d
    view.view_perspective = "PERSP"
    size = owner.unrender.real_size
    view.view_location = Vector((0.2 * size, 0.2 * size, 0.7))  # so that the sidebar hides nothing
    view.view_distance = 2.6 * size
    view.view_rotation = Euler((math.radians(76), 0, math.radians(48))).to_quaternion()
    driver.brighten(bpy.context.preferences.system)
    space.shading.color_type = "TEXTURE"
    space.overlay.show_cursor = space.overlay.show_extras = space.overlay.show_object_origins = False
    space.overlay.show_floor = space.overlay.show_axis_x = space.overlay.show_axis_y = False
    space.show_region_toolbar = space.show_gizmo = False


def make_room():
    """The panels above ours go, and ours is open from the start."""
    from addon.ui import handle_panels, neural_panel

    above = [cls for cls in handle_panels.CLASSES if getattr(cls, "bl_parent_id", "")]
    for cls in [*reversed(above), neural_panel.UNRENDER_PT_neural_render]:
        bpy.utils.unregister_class(cls)
    neural_panel.UNRENDER_PT_neural_render.bl_options = set()
    bpy.utils.register_class(neural_panel.UNRENDER_PT_neural_render)


def blocks():
    """Returns the names of all that the file holds but images."""
    kinds = ("objects", "meshes", "materials", "cameras", "worlds", "collections", "scenes", "node_groups")
    return {kind: sorted(block.name for block in getattr(bpy.data, kind)) for kind in kinds}


def shown(owner):
    """Returns the pixels of an object's neural render."""
    from addon import neural_render, pixels

    return pixels.read(neural_render.image_of(owner)).copy()


def story():
    """Presses the button, opens an Image Editor, drags with Follow on, undoes; each yield gives the window a turn."""
    from addon import neural_render, session

    owner = next(one for one in bpy.data.objects if one.unrender.is_unrender)
    name = owner.name
    yield from driver.leave_one_viewport()
    look_at(owner)
    for one in bpy.context.view_layer.objects:
        one.select_set(False)
    bpy.context.view_layer.objects.active = owner
    yield from driver.open_tab()
    yield from driver.draw()
    with driver.in_viewport():
        bpy.ops.ed.undo_push(message="before")
    before = blocks()
    driver.click(bpy.ops.unrender.neural_render)
    yield from driver.wait_until(lambda: not session.status.running, LONGEST_WAIT)
    told["error"] = session.status.error
    told["others_stay"] = blocks() == before
    told["in_panel"] = not neural_render.is_shown(neural_render.image_of(owner))
    yield from driver.draw()
    driver.screenshot(OUT / "panel.png")
    with driver.in_viewport():
        bpy.ops.screen.area_split(direction="VERTICAL", factor=0.62)
    yield
    editor = driver.viewports()[1]
    editor.ui_type = "IMAGE_EDITOR"
    driver.click(bpy.ops.unrender.neural_render)
    yield from driver.wait_until(lambda: not session.status.running, LONGEST_WAIT)
    told["in_editor"] = neural_render.is_shown(neural_render.image_of(owner))
    with bpy.context.temp_override(window=driver.window(), area=editor, region=driver.region_of(editor, "WINDOW")):
        bpy.ops.image.view_all(fit_view=True)
    yield from driver.draw()
    first = shown(owner)
    driver.screenshot(OUT / "editor.png")
    yield from followed(owner, first)
    with driver.in_viewport():
        bpy.ops.ed.undo()
    owner = bpy.data.objects[name]
    yield from settle()
    told["undone_azimuth_deg"] = round(math.degrees(owner.unrender.azimuth), 1)
    told["undone"] = float(np.abs(shown(owner) - first).max())
    told["still_in_editor"] = neural_render.is_shown(neural_render.image_of(owner))


def followed(owner, first):
    """Drags the camera around with Follow on."""
    from addon import neural_render

    bpy.context.window_manager.unrender_neural.follow = True
    with driver.in_viewport():
        bpy.ops.ed.undo_push(message="at first")
    began, pictures, last = time.monotonic(), 0, first
    told["first_azimuth_deg"] = round(math.degrees(owner.unrender.azimuth), 1)
    for azimuth in owner.unrender.azimuth + np.linspace(0, 2.4, STEPS):
        owner.unrender.azimuth = float(azimuth)
        yield
        now = shown(owner)
        pictures, last = pictures + bool(np.abs(now - last).max() > 0), now
    told["drag_seconds"], told["pictures_in_drag"] = round(time.monotonic() - began, 2), pictures
    yield from settle()
    told["followed"] = float(np.abs(shown(owner) - first).mean())
    told["follow_error"] = neural_render.following.error
    with driver.in_viewport():
        bpy.ops.ed.undo_push(message="dragged")
    yield from driver.draw()
    driver.screenshot(OUT / "followed.png")


def settle():
    """Waits until the pictures are those of the handles."""
    from addon import neural_render

    yield from driver.wait(0.5)
    yield from driver.wait_until(lambda: not neural_render.following.tasks, LONGEST_WAIT)


driver.register_checkout()
make_room()
if SCENE.stem == "toy":
    driver.use_toy_worker(OUT, package="")
bpy.ops.wm.open_mainfile(filepath=str(SCENE), load_ui=False)
driver.tell(story(), OUT, tick=0.05, longest_wait=LONGEST_WAIT)
