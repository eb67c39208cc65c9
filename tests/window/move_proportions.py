# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
r"""Runs inside a real Blender: shows an object with parts and its panel, moves a named slider, undoes it.

    blender --factory-startup -P move_proportions.py -- OUT SCENE.blend

Any scene of `generate.py` will do. The add-on is this checkout's, so that its weights are found. Writes OUT/before.png,
OUT/after.png and OUT/all.png, screenshots of the window, and OUT/told.json.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
import traceback
from pathlib import Path

import bpy
import numpy as np
from mathutils import Euler, Vector

OUT, SCENE = (Path(text).absolute() for text in sys.argv[sys.argv.index("--") + 1 :][:2])
ROOT = Path(__file__).resolve().parents[2]
TICK = 0.1
TICKS_TO_DRAW = 6
LONGEST_WAIT = 90.0
NAMED = {"height": 0.95, "bonnet": 0.1, "wheels": 1.0}

told: dict = {"blender": bpy.app.version_string}


def window():
    return bpy.context.window_manager.windows[0]


def viewport():
    return next(area for area in window().screen.areas if area.type == "VIEW_3D")


def region_of(kind):
    return next(region for region in viewport().regions if region.type == kind)


def open_tab():
    """The sidebar, with our tab in front: it can be chosen once the sidebar was drawn."""
    viewport().spaces.active.show_region_ui = True
    for _ in range(100):
        try:
            region_of("UI").active_panel_category = "Unrender"
            return
        except AttributeError:
            viewport().tag_redraw()
            yield
    raise TimeoutError("the sidebar has no tab of ours")


def arrange():
    """One viewport that fills the window; the other areas make room for it."""
    for kind in ("DOPESHEET_EDITOR", "PROPERTIES", "OUTLINER"):
        area = next(area for area in window().screen.areas if area.type == kind)
        with bpy.context.temp_override(window=window(), area=area):
            bpy.ops.screen.area_close()
        yield


def look_at(owner):
    """From the front left, in solid shading with the texture: EEVEE's shaders take minutes without a graphics card."""
    space = viewport().spaces.active
    view = space.region_3d
    view.view_perspective = "PERSP"
    size = owner.unrender.real_size
    view.view_location = Vector((0.2 * size, 0.2 * size, 0.7))  # so that the sidebar hides nothing
    view.view_distance = 2.2 * size
    view.view_rotation = Euler((math.radians(76), 0, math.radians(48))).to_quaternion()
    brighten(bpy.context.preferences.system)
    space.shading.color_type = "TEXTURE"
    space.overlay.show_cursor = space.overlay.show_extras = space.overlay.show_object_origins = False
    space.show_region_toolbar = space.show_gizmo = False


def brighten(system):
    """Lights solid shading by one white lamp above us and from all around, so that paint has its own colour."""
    system.use_studio_light_edit = True
    system.light_ambient = (0.5, 0.5, 0.5)
    for number, lamp in enumerate(system.solid_lights):
        lamp.use = number == 0
        lamp.direction, lamp.smooth = Vector((-0.25, 0.65, 0.72)), 0.2
        lamp.diffuse_color, lamp.specular_color = (0.95, 0.95, 0.95), (0.15, 0.15, 0.15)


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


def screenshot(name):
    """Of the virtual screen where the window is: from a timer, Blender's own operator finds an empty frame."""
    part = f"{window().width}x{window().height}+{window().x}+{window().y}"
    cut = ["-gravity", "SouthWest", "-crop", part, "+repage"]
    subprocess.run(["import", "-window", "root", *cut, str(OUT / f"{name}.png")], check=True)


def draw():
    for _ in range(TICKS_TO_DRAW):
        viewport().tag_redraw()
        yield


def story():
    """Looks, moves a slider, undoes and redoes, moves more of them; each yield gives the window a turn."""
    from addon import proportions

    owner = next(one for one in bpy.data.objects if one.unrender.is_unrender)
    name = owner.name
    yield from arrange()
    look_at(owner)
    for one in bpy.context.view_layer.objects:
        one.select_set(False)
    bpy.context.view_layer.objects.active = owner
    yield from open_tab()
    yield from draw()
    names = [title.lower() for title in proportions.names_of(owner)]
    told["names"] = names
    first = shape(owner)
    screenshot("before")
    with bpy.context.temp_override(window=window(), area=viewport(), region=region_of("WINDOW")):
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
    yield from draw()
    screenshot("after")
    with bpy.context.temp_override(window=window(), area=viewport(), region=region_of("WINDOW")):
        bpy.ops.ed.undo()
    owner = bpy.data.objects[name]
    yield from draw()
    told["undone"] = bool(np.array_equal(shape(owner)[0], first[0]) and shape(owner)[1] == first[1])
    told["slider_undone"] = float(owner.unrender.proportions[names.index("height")])
    with bpy.context.temp_override(window=window(), area=viewport(), region=region_of("WINDOW")):
        bpy.ops.ed.redo()
    owner = bpy.data.objects[name]
    yield from draw()
    told["redone"] = bool(np.array_equal(shape(owner)[0], high[0]) and shape(owner)[1] == high[1])
    for word, position in NAMED.items():
        owner.unrender.proportions[names.index(word)] = position
    yield from draw()
    screenshot("all")
    told["finished"] = True


def tick():
    try:
        next(steps)
        if time.monotonic() - began < LONGEST_WAIT:
            return TICK
        told["traceback"] = "waited too long"
    except StopIteration:
        pass
    except Exception:
        told["traceback"] = traceback.format_exc()
    (OUT / "told.json").write_text(json.dumps(told, indent=1))
    with bpy.context.temp_override(window=window()):
        bpy.ops.wm.quit_blender()
    return None


OUT.mkdir(parents=True, exist_ok=True)
sys.path.insert(0, str(ROOT))
import addon  # noqa: E402 - only now is the checkout on the path

addon.register()
bpy.context.preferences.view.show_splash = False
bpy.ops.wm.open_mainfile(filepath=str(SCENE), load_ui=False)
steps = story()
began = time.monotonic()
bpy.app.timers.register(tick, first_interval=1.0)
