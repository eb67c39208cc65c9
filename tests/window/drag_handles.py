# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
r"""Runs inside a real Blender: drags sliders with the mouse, undoes, duplicates, animates, renders, kills the worker.

    blender --factory-startup -P drag_handles.py -- OUT [PART...]

A part is a function below, such as duplicate; without any, all of them run. After every step mesh and texture of a
surface are compared with those of its sliders, a car beside it with what it was. The worker is the tests' toy, whose
interpreter UNRENDER_PYTHON names. The sliders lie in a panel of their own, large enough to be hit. Writes
OUT/dragged.png, a screenshot of the window, the rendered frames 1 and 11, and OUT/told.json.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.helpers import toy  # noqa: E402 - only now is the checkout on the path
from tests.window import driver  # noqa: E402
from tests.window.driver import told  # noqa: E402

OUT = Path(driver.words()[0]).absolute()
NAME, CAR, SIZE = "box", "toy car", 4.5
LAST = 11
SLIDERS = (("shape", 0), ("texture", 0), ("azimuth", -1))
ROW, HEADER = 68, 33
"""Pixels from one slider of the panel to the next, and of what is above the first."""
STEPS = 6
"""Positions that the mouse stops at in one drag."""
LONGEST_STORY = 800.0
"""Seconds: software OpenGL draws a frame a second on a busy machine."""

told["steps"], told["wrong"] = [], []


class TEST_PT_sliders(bpy.types.Panel):
    """Sliders of the active object"""

    bl_label, bl_category, bl_space_type, bl_region_type = "Sliders", "Test", "VIEW_3D", "UI"

    def draw(self, context):
        """Draws each slider in a row of its own."""
        for path, index in SLIDERS:
            row = self.layout.row()
            row.scale_y = 3
            row.prop(context.active_object.unrender, path, index=index, slider=True, text=path)


def owner():
    return bpy.data.objects[NAME]


def shape(one):
    local = np.empty(len(one.data.vertices) * 3, np.float32)
    one.data.vertices.foreach_get("co", local)
    return local.reshape(-1, 3)


def shape_of_sliders(one):
    """Vertices (V, 3) that the sliders of a box stand for, on the ground."""
    result = toy.reconstruction()
    vertices = result.vertices + np.tensordot(np.array(one.unrender.shape), result.shape_directions, axes=1)
    vertices[:, 2] -= vertices[:, 2].min()
    return vertices * SIZE


def texture(one):
    from addon import handles, pixels

    return pixels.to_bytes(pixels.read(handles.texture_of(one))[..., :3]).astype(int)


def is_right(one):
    """Whether a box shows what its sliders say."""
    wanted = np.clip(np.round(toy.texture() + 25.5 * one.unrender.texture[0]), 0, 255)
    return bool(
        np.abs(shape(one) - shape_of_sliders(one)).max() < 1e-4 and np.abs(texture(one) - wanted).max() <= 1
    )  # fmt: skip


def check(step, *names, seconds=10.0):
    """Waits until boxes show what their sliders say; tells which step it was that they do not after."""
    began = time.monotonic()
    while not all(is_right(bpy.data.objects[name]) for name in names or (NAME,)):
        if time.monotonic() - began > seconds:
            told["wrong"].append(step)
            break
        yield
    told["steps"].append(step)


def on_screen(x, y):
    """A place of the window, from its lower left, on the virtual screen, from its upper left."""
    size = subprocess.run(["xdotool", "getdisplaygeometry"], check=True, capture_output=True, text=True).stdout.split()
    return driver.window().x + x, int(size[1]) - driver.window().y - y


def drag(number, far):
    """Drags a slider of the panel to the right with the mouse, or to the left for a negative way."""
    region = driver.region_of(driver.viewport(), "UI")
    x, y = on_screen(region.x + 0.45 * region.width, region.y + region.height - HEADER - ROW * (number + 0.5))
    before = positions()
    driver.move_mouse(x, y)
    yield from driver.wait(0.3)
    subprocess.run(["xdotool", "mousedown", "1"], check=True)
    yield from driver.wait(0.2)
    for step in range(1, STEPS + 1):
        driver.move_mouse(x + far * step / STEPS, y)
        yield
    yield from driver.wait(0.2)
    subprocess.run(["xdotool", "mouseup", "1"], check=True)
    yield from until_changed(before)


def positions():
    """What the sliders of all boxes say."""
    boxes = [one for one in bpy.data.objects if one.name.startswith(NAME) and one.unrender.is_unrender]
    return [(one.name, *one.unrender.shape, *one.unrender.texture, one.unrender.azimuth) for one in boxes]


def until_changed(before):
    """Waits for a click or key to take effect; one that does not shows in what is told."""
    began = time.monotonic()
    while positions() == before and time.monotonic() - began < 15.0:
        yield
    yield from driver.wait(0.5)


def press(key):
    """Presses a key over the viewport."""
    before = positions()
    area = driver.viewport()
    driver.move_mouse(*on_screen(area.x + area.width // 3, area.y + area.height // 2))
    yield from driver.wait(0.2)
    driver.press(key)
    yield from until_changed(before)


def make():
    """A box of one surface and a car with wheels beside it; Blender's own cube and lights are gone."""
    from addon import scene

    for one in list(bpy.data.objects):
        bpy.data.objects.remove(one)
    car = scene.build(bpy.context.scene, toy.parts_reconstruction(CAR), real_size=SIZE, set_up_scene=False).object
    car.location.x = 4
    box = scene.build(bpy.context.scene, toy.reconstruction(NAME), real_size=SIZE, set_up_scene=False).object
    bpy.context.view_layer.objects.active = box
    box.select_set(True)
    bpy.context.scene.camera = box.unrender.camera
    driver.brighten(bpy.context.preferences.system)
    bpy.context.preferences.inputs.use_mouse_continuous = False  # the mouse is where it was moved to
    space = driver.viewport().spaces.active
    space.shading.color_type = "TEXTURE"
    space.overlay.show_overlays = space.show_gizmo = False  # the less there is to draw, the better
    told["window"] = [driver.window().x, driver.window().y, driver.window().width, driver.window().height]
    bpy.ops.ed.undo_push(message="made")


def show_panel():
    """The sidebar with the panel in front."""
    area = driver.viewport()
    area.spaces.active.show_region_ui = True
    for _ in range(driver.TRIES):
        try:
            driver.region_of(area, "UI").active_panel_category = "Test"
            break
        except AttributeError:
            area.tag_redraw()
            yield
    yield from driver.draw()


def drag_and_undo():
    """Two drags, of shape and texture; each is one step of undo."""
    first = texture(owner())
    yield from drag(0, 40)
    told["dragged_shape"] = owner().unrender.shape[0]
    yield from check("shape dragged")
    yield from drag(1, 40)
    told["dragged_texture"] = owner().unrender.texture[0]
    yield from check("texture dragged")
    driver.screenshot(OUT / "dragged.png")
    yield from press("ctrl+z")
    told["texture_after_undo"], told["shape_after_one_undo"] = owner().unrender.texture[0], owner().unrender.shape[0]
    yield from check("texture undone")
    told["photo_is_back"] = bool(np.array_equal(texture(owner()), first))
    yield from press("ctrl+z")
    told["shape_after_undo"] = owner().unrender.shape[0]
    yield from check("shape undone")
    for step in ("shape redone", "texture redone"):
        yield from press("ctrl+shift+z")
        yield from check(step)
    told["redone"] = [owner().unrender.shape[0], owner().unrender.texture[0]]


def duplicate():
    """A duplicate, then the copy's sliders: the original stays what it was."""
    camera = owner().unrender.camera
    place = tuple(camera.location)
    before = shape(owner()).copy(), texture(owner())
    with driver.in_viewport():
        bpy.ops.object.duplicate("EXEC_DEFAULT", True)  # with its step of undo
    yield from driver.draw()
    copy = bpy.context.view_layer.objects.active
    told["copy"] = copy.name
    for number, far in ((0, -60), (1, -60), (2, 60)):
        yield from drag(number, far)
        told.setdefault("copy_sliders", []).append(positions()[1])
    yield from check("copy dragged", NAME, copy.name)
    told["copy_moved"] = float(np.abs(shape(copy) - before[0]).max())
    told["original_kept"] = bool(
        np.array_equal(shape(owner()), before[0])
        and np.array_equal(texture(owner()), before[1])
        and tuple(camera.location) == place
        and owner().unrender.camera == camera != copy.unrender.camera
    )
    for _ in range(3):
        yield from press("ctrl+z")
    yield from check("copy undone", NAME, told["copy"])
    yield from press("ctrl+z")
    told["copies_left"] = told["copy"] in bpy.data.objects
    yield from check("duplicate undone")
    bpy.context.view_layer.objects.active = owner()


def animate():
    """Keyframes on the shape, played and rendered in the window's own render job."""
    settings = bpy.context.scene
    for frame, value in ((1, -2.0), (LAST, 2.0)):
        owner().unrender.shape[0] = value
        owner().keyframe_insert("unrender.shape", index=0, frame=frame)
    settings.frame_start, settings.frame_end = 1, LAST
    settings.frame_set(1)
    yield from check("first frame")
    low = float(np.ptp(shape(owner())[:, 2]))
    with driver.in_viewport():
        bpy.ops.screen.animation_play()
        yield from driver.wait(1.5)
        bpy.ops.screen.animation_cancel(restore_frame=False)
    yield from check("played")
    settings.frame_set(LAST)
    yield from check("last frame")
    told["grown"] = float(np.ptp(shape(owner())[:, 2])) / low
    yield from render(settings)
    settings.frame_set(6)
    owner().animation_data_clear()
    yield from check("rendered")


def render(settings):
    """Both ends of the animation, small, while the window shows the frame between them."""
    settings.frame_set(6)
    settings.world, settings.render.film_transparent = None, True
    settings.render.engine, settings.cycles.samples, settings.cycles.use_denoising = "CYCLES", 1, False
    settings.render.resolution_x, settings.render.resolution_y = 48, 48
    settings.render.filepath, settings.frame_step = str(OUT / "frame "), LAST - 1
    bpy.context.preferences.view.render_display_type = "NONE"
    began = time.monotonic()
    with driver.in_viewport():
        bpy.ops.render.render("INVOKE_DEFAULT", animation=True)
    yield from driver.wait(0.5)
    yield from driver.wait_until(lambda: not bpy.app.is_job_running("RENDER"), 60.0)
    yield from driver.wait(0.5)
    told["render_seconds"] = time.monotonic() - began
    yield from check("back at the window's frame")


def reopen():
    """Saves, opens, drags."""
    path = str(OUT / "scene.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path, load_ui=False)
    yield from driver.draw()
    yield from check("reopened")
    bpy.context.view_layer.objects.active = owner()
    yield from show_panel()
    yield from drag(0, 30)
    yield from drag(1, 30)
    yield from check("dragged after reopening")


def kill():
    """The worker is killed: shapes go on; a texture says one sentence, and the next drag works."""
    from addon import session

    os.kill(session.worker().process_id, signal.SIGKILL)
    yield from driver.wait(0.5)
    yield from drag(0, -30)
    told["error_of_shape"] = session.status.error
    yield from check("shape without a worker")
    owner().unrender.texture[0] = 0.123
    yield from driver.wait_until(lambda: session.status.error != "", 20.0)
    told["error_of_texture"] = session.status.error
    yield from drag(1, -20)
    yield from check("texture with a new worker", seconds=30.0)
    told["error_afterwards"] = session.status.error


def measure():
    """Milliseconds from a slider's value to mesh and texture, 95 of 100 within."""
    from addon import textures

    shown = []
    paint = textures.paint
    textures.paint = lambda *arguments: (paint(*arguments), shown.append(time.perf_counter()))
    seconds = {"shape": [], "texture": []}
    for value in np.linspace(-2, 2, 40):
        began = time.perf_counter()
        owner().unrender.shape[0] = value
        seconds["shape"].append(time.perf_counter() - began)
    for value in np.linspace(0.05, 0.95, 12):
        shown.clear()
        began = time.perf_counter()
        owner().unrender.texture[0] = value
        yield from driver.wait_until(lambda: bool(shown))
        seconds["texture"].append(shown[-1] - began)
    textures.paint = paint
    told["milliseconds"] = {kind: round(1000 * float(np.percentile(all_of, 95)), 1) for kind, all_of in seconds.items()}
    yield from check("measured")


def story():
    """All of it; each yield gives the window a turn."""
    make()
    yield from driver.leave_one_viewport()
    yield from show_panel()
    others = shape(bpy.data.objects[CAR]).copy()
    yield from check("made")
    for part in (drag_and_undo, duplicate, animate, reopen, kill, measure):
        if len(driver.words()) == 1 or part.__name__ in driver.words()[1:]:
            yield from part()
    told["car_kept"] = bool(np.array_equal(shape(bpy.data.objects[CAR]), others))


driver.register_checkout()
driver.use_toy_worker(OUT, package="")
bpy.utils.register_class(TEST_PT_sliders)
driver.tell(story(), OUT, tick=0.03, longest_wait=LONGEST_STORY)
