# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
r"""Runs inside a real Blender: *Randomise* in the window, the paint that follows, undo and redo by keys, the way back.

    blender --factory-startup -P repaint.py -- OUT SCENE.blend [SECONDS]

A scene of `generate.py` or of a photo, with parts. The add-on is this checkout's, and UNRENDER_PYTHON names the
worker's interpreter. Writes OUT/found.png, OUT/repainted.png and OUT/back.png, screenshots, and OUT/told.json.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.window import driver  # noqa: E402 - only now is the checkout on the path
from tests.window.driver import told  # noqa: E402

WORDS = driver.words()
OUT, SCENE = (Path(text).absolute() for text in WORDS[:2])
LONGEST_WAIT = float(WORDS[2]) if len(WORDS) > 2 else 240.0


def state():
    """Returns what an object shows: its mesh, its texture and its map of regions."""
    from addon import palette, pixels

    owner = next(one for one in bpy.data.objects if one.unrender.is_unrender)
    places = np.array([vertex.co for vertex in owner.data.vertices])
    texture = pixels.to_bytes(pixels.read(palette.texture_of(owner)))
    return places, texture, pixels.to_bytes(pixels.read(owner.unrender.region_map))


def far(one, other):
    """Returns by how much two states differ at most, in mesh, texture and regions."""
    return [float(np.abs(a.astype(float) - b).max()) for a, b in zip(one, other, strict=True)]


def look_at(owner):
    """From the front left, with the texture in solid shading."""
    space = driver.viewport().spaces.active
    space.shading.color_type = "TEXTURE"
    space.overlay.show_floor = space.overlay.show_extras = space.overlay.show_cursor = False
    driver.brighten(bpy.context.preferences.system)
    for one in bpy.context.view_layer.objects:
        one.select_set(False)
    bpy.context.view_layer.objects.active = owner
    with driver.in_viewport():
        bpy.ops.view3d.view_axis(type="FRONT")
        bpy.ops.view3d.view_orbit(angle=-0.9, type="ORBITLEFT")
        bpy.ops.view3d.view_orbit(angle=0.25, type="ORBITUP")
    view = space.region_3d
    view.view_location = (0.2 * owner.unrender.real_size, 0, 0.6)
    view.view_distance = 2.2 * owner.unrender.real_size


def make_room():
    """Only the panel of the tools is left of those of the handles."""
    from addon.ui import handle_panels

    kept = handle_panels.UNRENDER_PT_tools
    for cls in reversed(handle_panels.CLASSES):
        if getattr(cls, "bl_parent_id", "") and cls is not kept:
            bpy.utils.unregister_class(cls)


def button(operator):
    """Calls an operator as its button does, with a step of undo of its own."""
    with driver.in_viewport():
        operator("INVOKE_DEFAULT", True)


def pressed(key, wanted):
    """Presses a key of the real keyboard over the viewport and waits until an object shows what is wanted."""
    area = driver.viewport()
    driver.move_mouse(area.x + area.width // 3, driver.window().height - area.y - area.height // 2)
    yield
    driver.press(key)
    yield from driver.wait_until(lambda: max(far(state(), wanted)) < 1e-4, LONGEST_WAIT)
    yield from driver.draw()


def story():
    """Randomise, two steps of undo and of redo, the arrow back; each yield gives the window a turn."""
    from addon import repaint, session

    owner = next(one for one in bpy.data.objects if one.unrender.is_unrender)
    yield from driver.leave_one_viewport()
    look_at(owner)
    yield from driver.open_tab()
    yield from driver.draw()
    with driver.in_viewport():
        bpy.ops.ed.undo_push(message="before")
    found = state()
    driver.screenshot(OUT / "found.png")
    began = time.monotonic()
    button(bpy.ops.unrender.randomise)
    told["returned_in"] = round(time.monotonic() - began, 3)
    drawn = state()
    told["drawn"] = far(drawn, found)
    yield from driver.wait_until(lambda: not session.status.running, LONGEST_WAIT)
    told["painted_in"], told["error"] = round(time.monotonic() - began, 2), session.status.error
    yield from driver.draw()
    repainted = state()
    told["repainted"] = far(repainted, drawn)
    told["fits"] = repaint.is_repainted(owner) and not repaint.is_stale(owner)
    driver.screenshot(OUT / "repainted.png")
    yield from pressed("ctrl+z", drawn)
    yield from pressed("ctrl+z", found)
    yield from pressed("ctrl+shift+z", drawn)
    yield from pressed("ctrl+shift+z", repainted)
    told["undone_and_redone"] = True
    button(bpy.ops.unrender.unrepaint)
    yield from driver.draw()
    told["back"] = far(state(), (drawn[0], state()[1], found[2]))
    driver.screenshot(OUT / "back.png")


driver.register_checkout()
make_room()
bpy.ops.wm.open_mainfile(filepath=str(SCENE), load_ui=False)
driver.tell(story(), OUT, tick=0.05, longest_wait=LONGEST_WAIT)
