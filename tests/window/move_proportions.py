# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
r"""Runs inside a real Blender: shows an object with parts and its panel, moves a named slider, undoes it.

    blender --factory-startup -P move_proportions.py -- OUT SCENE.blend

Any scene of `generate.py` will do. The add-on is this checkout's, so that its weights are found. Writes OUT/before.png,
OUT/after.png and OUT/all.png, screenshots of the window, and OUT/told.json.
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

OUT, SCENE = (Path(text).absolute() for text in driver.words()[:2])
NAMED = {"height": 0.95, "bonnet": 0.1, "wheels": 1.0}


def look_at(owner):
    """From the front left, in solid shading with the texture: EEVEE's shaders take minutes without a graphics card."""
    space = driver.viewport().spaces.active
    view = space.region_3d
    view.view_perspective = "PERSP"
    size = owner.unrender.real_size
    view.view_location = Vector((0.2 * size, 0.2 * size, 0.7))  # so that the sidebar hides nothing
    view.view_distance = 2.2 * size
    view.view_rotation = Euler((math.radians(76), 0, math.radians(48))).to_quaternion()
    driver.brighten(bpy.context.preferences.system)
    space.shading.color_type = "TEXTURE"
    space.overlay.show_cursor = space.overlay.show_extras = space.overlay.show_object_origins = False
    space.show_region_toolbar = space.show_gizmo = False


def lowest(owner):
    """Returns the height of the lowest vertex in the world."""
    bpy.context.view_layer.update()
    return min(
        float((one.matrix_world @ vertex.co).z)
        for one in (owner, *(child for child in owner.children if child.type == "MESH"))
        for vertex in one.data.vertices
    )


def shape(owner):
    """Returns the vertices (v, 3) of the main object, and the places of its wheels."""
    local = np.empty(len(owner.data.vertices) * 3, np.float32)
    owner.data.vertices.foreach_get("co", local)
    return local, [tuple(child.location) for child in owner.children if child.type == "MESH"]


def story():
    """Looks, moves a slider, undoes and redoes, moves more of them; each yield gives the window a turn."""
    from addon import proportions

    owner = next(one for one in bpy.data.objects if one.unrender.is_unrender)
    name = owner.name
    yield from driver.leave_one_viewport()
    look_at(owner)
    for one in bpy.context.view_layer.objects:
        one.select_set(False)
    bpy.context.view_layer.objects.active = owner
    yield from driver.open_tab()
    yield from driver.draw()
    names = [title.lower() for title in proportions.names_of(owner)]
    told["names"] = names
    first = shape(owner)
    driver.screenshot(OUT / "before.png")
    with driver.in_viewport():
        bpy.ops.ed.undo_push(message="before the slider")
        seconds = []
        for position in np.linspace(0.5, NAMED["height"], 30):  # as a drag does
            began = time.perf_counter()
            owner.unrender.proportions[names.index("height")] = position
            seconds.append(time.perf_counter() - began)
        told["milliseconds"] = round(1000 * float(np.percentile(seconds, 95)), 1)
        bpy.ops.ed.undo_push(message="the slider")
    high = shape(owner)
    told["moved"] = float(np.abs(high[0] - first[0]).max())
    told["lowest"] = lowest(owner)
    yield from driver.draw()
    driver.screenshot(OUT / "after.png")
    with driver.in_viewport():
        bpy.ops.ed.undo()
    owner = bpy.data.objects[name]
    yield from driver.draw()
    told["undone"] = bool(np.array_equal(shape(owner)[0], first[0]) and shape(owner)[1] == first[1])
    told["slider_undone"] = float(owner.unrender.proportions[names.index("height")])
    with driver.in_viewport():
        bpy.ops.ed.redo()
    owner = bpy.data.objects[name]
    yield from driver.draw()
    told["redone"] = bool(np.array_equal(shape(owner)[0], high[0]) and shape(owner)[1] == high[1])
    for word, position in NAMED.items():
        owner.unrender.proportions[names.index(word)] = position
    yield from driver.draw()
    driver.screenshot(OUT / "all.png")


driver.register_checkout()
bpy.ops.wm.open_mainfile(filepath=str(SCENE), load_ui=False)
driver.tell(story(), OUT)
