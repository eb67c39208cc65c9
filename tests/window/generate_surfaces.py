# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
r"""Runs inside a real Blender: *Generate* and *Interpolate* with a generator of shapes, undone and redone by keys.

    blender --factory-startup -P generate_surfaces.py -- OUT BUNDLE [SECONDS]

BUNDLE is a folder of weights. The add-on is this checkout's, and UNRENDER_PYTHON names the worker's interpreter. Writes
OUT/generated.png, OUT/through_camera.png and OUT/interpolated.png, screenshots, and OUT/told.json.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.window import driver  # noqa: E402 - only now is the checkout on the path
from tests.window.driver import told  # noqa: E402

WORDS = driver.words()
OUT, BUNDLE = (Path(text).absolute() for text in WORDS[:2])
LONGEST_WAIT = float(WORDS[2]) if len(WORDS) > 2 else 240.0
PANELS = ("UNRENDER_PT_mask", "UNRENDER_PT_options")
"""Above the one of new objects: they give way, so that it can be seen open."""


def make_room():
    """The panel of new objects is open, and those above it are gone."""
    from addon.ui import panels

    for name in PANELS:
        bpy.utils.unregister_class(getattr(panels, name))
    bpy.utils.unregister_class(panels.UNRENDER_PT_generate)
    panels.UNRENDER_PT_generate.bl_options = set()
    bpy.utils.register_class(panels.UNRENDER_PT_generate)


def made():
    """Returns the objects that were made, by name."""
    return sorted((one for one in bpy.data.objects if one.unrender.is_unrender), key=lambda one: one.name)


def job(operator, **arguments):
    """Clicks a button and waits for what it makes."""
    from addon import session

    driver.click(operator, **arguments)
    yield from driver.wait_until(lambda: not session.status.running, LONGEST_WAIT)
    told.setdefault("errors", []).append(session.status.error)
    yield from driver.draw()


def pressed(key, condition):
    """Presses a key of the real keyboard over the viewport and waits until it has done what is wanted."""
    area = driver.viewport()
    driver.move_mouse(area.x + area.width // 3, driver.window().height - area.y - area.height // 2)
    yield
    driver.press(key)
    yield from driver.wait_until(condition, LONGEST_WAIT)
    yield from driver.draw()


def story():
    """Two objects in a row, one of them through its camera, then one that a slider takes from seed to seed."""
    from addon import interpolation

    for one in list(bpy.data.objects):
        bpy.data.objects.remove(one)
    yield from driver.leave_one_viewport()
    space = driver.viewport().spaces.active
    space.shading.color_type = "TEXTURE"
    driver.brighten(bpy.context.preferences.system)
    yield from driver.open_tab()
    settings = bpy.context.scene.unrender
    settings.new_bundle, settings.new_count, settings.new_second_seed = BUNDLE.name, 2, 8
    settings.new_variety = 0.8
    scene = bpy.context.scene
    told["before"] = [scene.world.name, scene.render.resolution_x, str(scene.camera)]
    yield from job(bpy.ops.unrender.generate)
    told["after"] = [scene.world.name, scene.render.resolution_x, str(scene.camera)]
    told["made"] = [one.name for one in made()]
    with driver.in_viewport():
        bpy.ops.view3d.view_axis(type="FRONT")
        bpy.ops.view3d.view_orbit(angle=-0.5, type="ORBITLEFT")
        bpy.ops.view3d.view_all()
    yield from driver.draw()
    driver.screenshot(OUT / "generated.png")
    driver.click(bpy.ops.unrender.look_through)
    yield from driver.draw()
    driver.screenshot(OUT / "through_camera.png")
    with driver.in_viewport():
        bpy.ops.view3d.view_axis(type="FRONT")
    settings.new_seed = 1
    scene.cursor.location = (0, 0, 3)
    yield from job(bpy.ops.unrender.interpolate)
    owner = made()[-1]
    told["interpolated"] = owner.name
    key = interpolation.key_of(owner)
    key.value = 0.5
    yield from driver.draw()
    told["factor"] = owner.active_material.node_tree.nodes[interpolation.MIX].inputs[0].default_value
    with driver.in_viewport():
        bpy.ops.view3d.view_all()
    yield from driver.draw()
    driver.screenshot(OUT / "interpolated.png")
    count = len(made())
    yield from pressed("ctrl+z", lambda: len(made()) == count - 1)
    yield from pressed("ctrl+shift+z", lambda: len(made()) == count)
    told["undone_and_redone"] = interpolation.key_of(bpy.data.objects[told["interpolated"]]) is not None


os.environ["UNRENDER_BUNDLES"] = str(BUNDLE.parent)
driver.register_checkout()
make_room()
driver.tell(story(), OUT, tick=0.05, longest_wait=LONGEST_WAIT)
