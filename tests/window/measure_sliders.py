# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
r"""Runs inside a real Blender: how long a slider takes from its value to mesh and texture, and to the picture of them.

    blender --factory-startup -P measure_sliders.py -- OUT PHOTO real|toy [VALUES [surface]]

The photo becomes an object with parts, then one of a single surface, as by the button; with the last word that alone.
Sliders get VALUES values one after the other, as a drag gives them. Two durations are taken of each: until mesh or
texture have changed, and until the viewport has been drawn with them, whose picture is waited for. The second is that
of the graphics card, or of the processor that stands in for it: beside it stands how long the same picture takes where
nothing has changed. Of textures it is told as well how long the worker's answer takes and how long the painting.
UNRENDER_PYTHON names the worker's interpreter. Prints a table; writes OUT/told.json, and OUT/parts.png and
OUT/surface.png, screenshots of the window.
"""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path

import bpy
import gpu
import numpy as np
from mathutils import Euler, Vector

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.window import driver  # noqa: E402 - only now is the checkout on the path
from tests.window.driver import told  # noqa: E402

OUT, PHOTO = (Path(text).absolute() for text in driver.words()[:2])
MODE = driver.words()[2]
VALUES = int(driver.words()[3]) if len(driver.words()) > 3 else 40
TICK = 0.002
LONGEST_WAIT = 240.0
LONGEST_STORY = 900.0
QUIET = 0.05
"""Seconds between two values: what one began shall not be counted with the next."""

told["sliders"], told["sizes"] = {}, {}
drawn: list[float] = []
"""When the viewport's picture was complete."""
changed: dict[str, list[float]] = {"shape": [], "colours": [], "texture": []}
"""When the mesh, or the texture, was."""
answered: list[float] = []
"""When the worker's answer was there."""
painting: list[float] = []
"""Seconds that painting the texture took."""


def note_drawing():
    """After the viewport was drawn: waits for the graphics card by asking for a pixel."""
    gpu.state.active_framebuffer_get().read_color(0, 0, 1, 1, 4, 0, "UBYTE")
    drawn.append(time.perf_counter())


def make(shape):
    """Makes an object of the photo, alone in the file but for what comes with it; shows it and the panel."""
    from addon import session

    for one in list(bpy.data.objects):
        bpy.data.objects.remove(one)
    settings = bpy.context.scene.unrender
    settings.image_path, settings.shape, settings.set_up_scene = str(PHOTO), shape, False
    driver.click(bpy.ops.unrender.image_to_3d)
    yield from driver.wait_until(lambda: not session.status.running, LONGEST_WAIT)
    if session.status.error:
        raise RuntimeError(session.status.error)
    owner = bpy.context.view_layer.objects.active
    for one in bpy.context.scene.objects:
        one.select_set(False)
    told["sizes"][shape] = {
        "vertices": sum(len(one.data.vertices) for one in (owner, *owner.children) if one.type == "MESH"),
        "texture": list(owner.unrender.base_texture.size),
    }
    view, size = driver.viewport().spaces.active.region_3d, owner.unrender.real_size
    view.view_perspective, view.view_distance = "PERSP", 2.2 * size
    view.view_location = owner.matrix_world.translation + Vector((0.2 * size, 0.2 * size, 0.7))
    view.view_rotation = Euler((math.radians(76), 0, math.radians(48))).to_quaternion()
    yield from driver.open_tab()
    yield from driver.draw()
    driver.screenshot(OUT / f"{shape}.png")
    return owner


def measure(title, kind, owner, where, index, low, high):
    """Moves a slider; tells the milliseconds within which 50 and 95 of 100 changes and pictures came."""
    state, changes, seconds = (
        owner.unrender,
        changed[kind],
        {"changed": [], "drawn": [], "unchanged": [], "answered": [], "painted": []},
    )
    for value in np.linspace(low, high, VALUES):
        yield from driver.wait(QUIET)
        seconds["unchanged"].append((yield from redraw()))
        drawn.clear()
        changes.clear()
        answered.clear()
        began = time.perf_counter()
        if index < 0:
            setattr(state, where, (float(value), 0.3, 0.2))
        else:
            getattr(state, where)[index] = float(value)
        yield from driver.wait_until(lambda: bool(changes and drawn and drawn[-1] > changes[-1]))
        seconds["changed"].append(changes[-1] - began)
        seconds["drawn"].append(next(one for one in drawn if one > changes[-1]) - began)
        if answered:
            seconds["answered"].append(answered[-1] - began)
            seconds["painted"].append(painting[-1])
    told["sliders"][title] = {
        name: [round(1000 * float(np.percentile(values[1:], part)), 1) for part in (50, 95)]
        for name, values in seconds.items()
        if values
    }
    # The first value of a slider reads what the others find in memory.
    told["sliders"][title]["first"] = round(1000 * seconds["changed"][0], 1)


def redraw():
    """Has the viewport drawn as it is; returns the seconds that its picture took."""
    drawn.clear()
    began = time.perf_counter()
    driver.viewport().tag_redraw()
    yield from driver.wait_until(lambda: bool(drawn))
    return drawn[0] - began


def listen():
    """Takes note of changes where they end: shapes and colours in one call, textures when the worker has answered."""
    from addon import handles, palette, textures
    from addon.wire import client

    for module, name, kind in (
        (handles, "follow_shape", "shape"), (palette, "apply", "colours"), (textures, "paint", "texture")
    ):  # fmt: skip
        setattr(module, name, noted(getattr(module, name), changed[kind]))
    read = client.protocol.read

    def heard(stream):
        message = read(stream)
        answered.append(time.perf_counter())
        return message

    client.protocol.read = heard


def noted(function, changes):
    """Returns a function that does the same and takes note of when it ended."""

    def noting(*arguments, **named):
        began = time.perf_counter()
        function(*arguments, **named)
        changes.append(time.perf_counter())
        painting.append(changes[-1] - began)

    return noting


def story():
    """Both objects and their sliders; each yield gives the window a turn."""
    from addon import proportions

    yield from driver.leave_one_viewport()
    space = driver.viewport().spaces.active
    space.shading.color_type = "TEXTURE"  # solid shading: EEVEE's shaders take minutes without a graphics card
    driver.brighten(bpy.context.preferences.system)
    bpy.types.SpaceView3D.draw_handler_add(note_drawing, (), "WINDOW", "POST_PIXEL")
    listen()
    if MODE == "real" and "surface" not in driver.words():
        owner = yield from make("parts")
        height = [name.lower() for name in proportions.names_of(owner)].index("height")
        yield from measure("parts: height", "shape", owner, "proportions", height, 0.1, 0.9)
        yield from measure("parts: further direction", "shape", owner, "shape", 0, -2, 2)
        yield from measure("parts: paint", "colours", owner, "colour_paint", -1, 0.1, 0.9)
    owner = yield from make("surface")
    yield from measure("surface: shape", "shape", owner, "shape", 0, -2, 2)
    yield from measure("surface: texture", "texture", owner, "texture", 0, -2, 2)


def finished(lines):
    """Goes on with a story and prints its table at the end."""
    yield from lines
    print(f"{'milliseconds, 50 and 95 of 100':32}{'changed':>16}{'drawn':>16}{'drawn unchanged':>18}{'first':>9}")
    for title, times in told["sliders"].items():
        cells = ["{:.1f}, {:.1f}".format(*times[name]) for name in ("changed", "drawn", "unchanged")]
        print(f"{title:32}{cells[0]:>16}{cells[1]:>16}{cells[2]:>18}{times['first']:>9.1f}", flush=True)
        if "answered" in times:
            cells = ["{:.1f}, {:.1f}".format(*times[name]) for name in ("answered", "painted")]
            print(f"    of these until the worker's answer {cells[0]}; painting {cells[1]}", flush=True)


driver.register_checkout()
if MODE == "toy":
    driver.use_toy_worker(OUT, package="")
driver.tell(finished(story()), OUT, tick=TICK, longest_wait=LONGEST_STORY)
