# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
r"""Runs inside a real Blender: shows an object with wheels, turns and steers them, and says what else moved.

    blender --factory-startup -P turn_wheels.py -- OUT [maps|parts]     the toy car of the tests, with these materials
    blender --factory-startup -P turn_wheels.py -- OUT SCENE.blend      any scene that Unrender made

Writes OUT/before.png, OUT/after.png (turned) and OUT/steered.png, screenshots of the window, and OUT/told.json. A scene
is opened without its windows and is never saved; it needs no add-on, for a wheel is known by the property that
:mod:`addon.parts` gives it.

README's picture of the parts is made by

    python scripts/generate.py -- --bundle car --seeds 48 --out out/cars
    ../shared/tools/real-blender run 5.2 --factory-startup --window-geometry 0 0 1500 950 \
        -P tests/window/turn_wheels.py -- out/turned out/cars/car-000048/scene.blend
    cp out/turned/steered.png .github/readme/parts-in-blender.png
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import bpy
import numpy as np
from mathutils import Euler, Vector

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.window import driver  # noqa: E402 - only now is the checkout on the path
from tests.window.driver import told  # noqa: E402

OUT = Path(driver.words()[0])
CHOICE = (driver.words()[1:] or ["maps"])[0]
AXLE = "unrender_axle"
TURN, STEER = math.radians(50), math.radians(30)
LARGEST_WIDTH = 1200
"""Of a screenshot, in pixels."""


def build_toy():
    driver.register_checkout()
    from addon import scene
    from tests.helpers import toy

    for one in list(bpy.data.objects):
        bpy.data.objects.remove(one)
    scene.build(bpy.context.scene, toy.parts_reconstruction(), materials=CHOICE)


def world(one):
    """Returns the vertices (v, 3) of an object where they are in the world."""
    bpy.context.view_layer.update()
    local = np.empty(len(one.data.vertices) * 3, np.float32)
    one.data.vertices.foreach_get("co", local)
    matrix = np.array(one.matrix_world)
    return local.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]


def look_at(owner, places, wheels):
    """Shows the object from the front left, in solid shading, with the origin of every object."""
    space = driver.viewport().spaces.active
    low, high = places.min(axis=0), places.max(axis=0)
    view = space.region_3d
    view.view_perspective = "PERSP"
    view.view_location = Vector(((low + high) / 2).tolist())
    view.view_distance = 0.95 * float(np.linalg.norm(high - low))
    view.view_rotation = Euler((math.radians(72), 0, math.radians(52))).to_quaternion()
    # EEVEE's shaders take minutes without a graphics card.
    is_textured = any(
        node.bl_idname == "ShaderNodeTexImage" for material in owner.data.materials for node in material.node_tree.nodes
    )
    space.shading.color_type = "TEXTURE" if is_textured else "MATERIAL"
    space.shading.show_cavity = True
    driver.brighten(bpy.context.preferences.system)
    space.overlay.show_object_origins_all, space.overlay.show_cursor = True, False
    for one in bpy.context.view_layer.objects:
        one.select_set(one in wheels)
    bpy.context.view_layer.objects.active = wheels[0]
    window = driver.window()
    outliner = next(area for area in window.screen.areas if area.type == "OUTLINER")
    listed = outliner.spaces.active
    listed.use_filter_object_content = False  # the wheels without meshes and materials between them
    listed.show_restrict_column_enable = listed.show_restrict_column_hide = listed.show_restrict_column_render = False
    listed.show_region_header = False
    with bpy.context.temp_override(window=window, area=outliner, region=outliner.regions[-1]):
        for _ in range(2):
            bpy.ops.outliner.show_one_level()


def radii(wheel, places):
    """Returns how far points are from a wheel's axle, and where along it."""
    axle = np.array(wheel.matrix_world)[:3, 0]
    arms = places - np.array(wheel.matrix_world)[:3, 3]
    along = arms @ axle
    return np.linalg.norm(arms - along[:, None] * axle, axis=1), along


def story():
    """Looks, turns, looks again; each yield gives the window a turn."""
    wheels = [one for one in bpy.data.objects if one.get(AXLE) is not None]
    owner = wheels[0].parent
    parts = [owner, *wheels]
    before = {one.name: world(one) for one in parts}
    look_at(owner, np.concatenate(list(before.values())), wheels)
    yield from driver.draw()
    driver.screenshot(OUT / "before.png", largest_width=LARGEST_WIDTH)
    told["wheels"] = [one.name for one in wheels]
    told["origin"] = list(owner.matrix_world.translation)
    told["lowest"] = float(min(places[:, 2].min() for places in before.values()))
    told["lowest_of_wheels"] = {one.name: float(before[one.name][:, 2].min()) for one in wheels}
    told["materials"] = sorted({material.name for one in parts for material in one.data.materials})
    for wheel in wheels:
        wheel.rotation_euler.x += TURN
    after = {one.name: world(one) for one in parts}
    told["others_moved"] = float(np.abs(after[owner.name] - before[owner.name]).max())
    told["wheels_moved"] = [float(np.abs(after[one.name] - before[one.name]).max()) for one in wheels]
    told["out_of_the_circle"] = max(
        float(np.abs(one - other).max())
        for wheel in wheels
        for one, other in zip(radii(wheel, before[wheel.name]), radii(wheel, after[wheel.name]), strict=True)
    )
    yield from driver.draw()
    driver.screenshot(OUT / "after.png", largest_width=LARGEST_WIDTH)
    middle = sum(wheel.location.y for wheel in wheels) / len(wheels)
    for wheel in wheels:
        if wheel.location.y < middle:  # the front looks towards -Y
            wheel.rotation_euler.z += STEER
    driver.viewport().spaces.active.overlay.show_object_origins_all = False
    # The wheel nearest to us alone is chosen: the properties show its numbers.
    chosen = min(wheels, key=lambda one: (round(one.location.y, 2), -one.location.x))
    for one in wheels:
        one.select_set(one == chosen)
    bpy.context.view_layer.objects.active = chosen
    steered = {one.name: world(one) for one in parts}
    told["steered"] = [one.name for one in wheels if np.abs(steered[one.name] - after[one.name]).max() > 1e-3]
    told["others_moved"] = max(told["others_moved"], float(np.abs(steered[owner.name] - before[owner.name]).max()))
    yield from driver.draw()
    driver.screenshot(OUT / "steered.png", largest_width=LARGEST_WIDTH)


if CHOICE.endswith(".blend"):
    bpy.ops.wm.open_mainfile(filepath=str(Path(CHOICE).absolute()), load_ui=False)
else:
    build_toy()
driver.tell(story(), OUT)
