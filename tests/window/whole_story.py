# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside a real Blender without Unrender: from the zip to a rendered composite, by mouse and keyboard alone.

    blender --factory-startup -P whole_story.py -- OUT ZIP WHEELS PYTHON PHOTO SECOND_PHOTO

Install from Disk, the backend from a folder of wheels with PYTHON as the one that makes the environment, a photo whose
direction is doubtful, the other direction, a slider, undo, save, open, the slider again, a cancelled run, the pictures
of OUT/queue at once, composite and render. The scene has a world, a camera and settings of the user's own. Writes
OUT/told.json and a screenshot a step.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.window import driver, hands  # noqa: E402 - only now is the checkout on the path
from tests.window.driver import told  # noqa: E402
from tests.window.hands import SIDEBAR, Region  # noqa: E402

OUT, ZIP, WHEELS, PYTHON, PHOTO, SECOND = (Path(word).absolute() for word in driver.words())
EDIT_MENU, RENDER_MENU = 79, 125
INSTALL_SECONDS, PHOTO_SECONDS, RENDER_SECONDS = 400.0, 240.0, 240.0
LONGEST_STORY = 1700.0
PREFERENCES = Region("PREFERENCES", "WINDOW", -1)
SLIDER = ".proportions[0]"


def session():
    return driver.module("session")


def shot(name):
    """A screenshot once everything was drawn."""
    yield from driver.draw()
    driver.screenshot(OUT / f"{name}.png", whole_screen=True)
    print("step", name, round(time.monotonic()), flush=True)


def made():
    """Returns the objects that were made, by name."""
    return sorted((one for one in bpy.data.objects if one.unrender.is_unrender), key=lambda one: one.name)


def shape(one):
    local = np.empty(len(one.data.vertices) * 3, np.float32)
    one.data.vertices.foreach_get("co", local)
    return local


def users_own():
    """What of the scene is the user's, in plain values."""
    scene = bpy.context.scene
    render, colours = scene.render, scene.view_settings
    return [
        scene.world.name, "mine" in scene.world.node_tree.nodes, scene.camera.name, bpy.context.mode,
        render.resolution_x, render.resolution_y, render.film_transparent, render.engine,
        colours.view_transform, colours.exposure,
        [round(value, 4) for row in scene.camera.matrix_world for value in row],
    ]  # fmt: skip


def make_it_the_users():
    """A scene as somebody has it: a picture as world, a camera, an exposure."""
    scene = bpy.context.scene
    scene.world.name, scene.camera.name = "my sky", "my camera"
    scene.world.use_nodes = True
    nodes = scene.world.node_tree.nodes
    node = nodes.new("ShaderNodeTexEnvironment")
    node.name = "mine"
    node.image = bpy.data.images.new("my hdri", 8, 4, float_buffer=True)
    node.image.pack()
    scene.world.node_tree.links.new(node.outputs[0], nodes["Background"].inputs[0])
    scene.view_settings.exposure = 0.25
    scene.cycles.samples, scene.cycles.device = 8, "CPU"
    bpy.context.preferences.inputs.use_mouse_continuous = False  # the pointer is where it was moved to


def install_extension():
    """Edit, Preferences, Get Extensions, the menu, Install from Disk."""
    yield from hands.choose_from_top_bar(EDIT_MENU, "p")
    yield from hands.until_window(2)
    sections = Region("PREFERENCES", "UI" if bpy.app.version >= (5,) else "NAVIGATION_BAR", -1)
    x, y = yield from hands.find(sections, "active_section")
    while bpy.context.preferences.active_section != "EXTENSIONS":
        y -= 12
        hands.point(sections, x, y)
        yield from driver.wait(0.15)
        hands.run("click", 1)
        yield from driver.wait(0.3)
    yield from driver.wait(0.5)
    _, region = PREFERENCES.found()
    hands.point(PREFERENCES, region.x + region.width - 20, region.y + region.height - 18)
    yield from driver.wait(0.3)
    hands.run("click", 1)
    yield from driver.wait(1.0)
    yield from shot("extensions")
    hands.run("key", "f")
    yield from hands.choose_file(str(ZIP), 2)
    yield from hands.wait_for(lambda: driver.EXTENSION in bpy.context.preferences.addons)


def install_backend(main):
    """The panel says that there is none; a folder of wheels and a Python are named in the preferences."""
    yield from main.to_front()
    yield from hands.press("n")
    yield from hands.choose_tab("Unrender")
    yield from shot("no backend")
    yield from hands.click(SIDEBAR, "preferences.addon_show")
    yield from hands.until_window(2)
    yield from hands.type_into(PREFERENCES, "UnrenderPreferences.wheels", str(WHEELS))
    yield from hands.type_into(PREFERENCES, "UnrenderPreferences.making_python", str(PYTHON))
    yield from shot("preferences")
    yield from main.to_front()
    began = time.monotonic()
    yield from hands.click(SIDEBAR, "unrender.install_backend")
    yield from hands.wait_for(lambda: session().status.fraction > 0.3 or not session().status.running, INSTALL_SECONDS)
    yield from shot("installing")
    yield from hands.wait_for(lambda: not session().status.running, INSTALL_SECONDS)
    told["installing_took"] = round(time.monotonic() - began, 1)
    told["install_error"], told["check"] = session().status.error, session().status.check
    yield from shot("installed")


def reconstruct(path):
    """Types a photo's path and presses the button."""
    yield from hands.type_into(SIDEBAR, ".image_path", str(path))
    yield from hands.click(SIDEBAR, "unrender.image_to_3d")
    yield from driver.wait_until(lambda: session().status.running or session().status.error, 5.0)


def first_photo():
    """A photo whose direction is a tie: the other one is taken."""
    yield from reconstruct(PHOTO)
    yield from hands.wait_for(lambda: session().status.fraction > 0.2, PHOTO_SECONDS)
    yield from shot("running")
    yield from hands.wait_for(lambda: not session().status.running, PHOTO_SECONDS)
    told["photo_error"], told["warnings"] = session().status.error, list(session().status.warnings)
    told["directions"] = len(made()[0].unrender.directions)
    told["untouched_after_photo"] = users_own() == told["users"]
    yield from shot("made")
    before = made()[0].unrender.azimuth
    yield from hands.click(SIDEBAR, "unrender.use_direction")
    yield from hands.wait_for(lambda: not session().status.running, PHOTO_SECONDS)
    told["turned"] = abs(float(np.angle(np.exp(1j * (made()[0].unrender.azimuth - before)))))
    told["direction_error"] = session().status.error
    yield from shot("other direction")


def drag_slider(name):
    """Drags the first proportion; tells what it was and how far vertices moved."""
    before, value = shape(made()[0]), made()[0].unrender.proportions[0]
    yield from hands.drag(SIDEBAR, SLIDER, 40)
    yield from driver.wait(1.0)
    told[name] = [value, made()[0].unrender.proportions[0], float(np.abs(shape(made()[0]) - before).max())]
    yield from shot(name)


def drag_and_save():
    """A slider, undo, again, save, a new file, open, once more."""
    first = shape(made()[0])
    yield from drag_slider("dragged")
    yield from hands.press("ctrl+z")
    yield from driver.wait(1.0)
    told["undone"] = [made()[0].unrender.proportions[0], float(np.abs(shape(made()[0]) - first).max())]
    yield from drag_slider("dragged again")
    kept = shape(made()[0])
    windows = hands.windows()
    yield from hands.press("ctrl+s")
    yield from hands.choose_file(str(OUT / "story.blend"), windows)
    yield from hands.wait_for(lambda: Path(bpy.data.filepath) == OUT / "story.blend")
    yield from driver.wait(1.0)
    windows = hands.windows()
    bpy.context.scene["not saved"] = True  # gone when the file has been read anew
    yield from hands.press("ctrl+o")
    yield from hands.choose_file(str(OUT / "story.blend"), windows)
    yield from hands.wait_for(lambda: "not saved" not in bpy.context.scene)
    yield from driver.wait(1.0)
    told["reopened"] = float(np.abs(shape(made()[0]) - kept).max())
    yield from hands.choose_tab("Unrender")
    yield from drag_slider("dragged after opening")


def cancel_a_run():
    """A run that is cancelled leaves nothing."""
    count = len(bpy.data.objects)
    yield from hands.type_into(SIDEBAR, ".image_path", str(SECOND))
    x, y = yield from hands.find(SIDEBAR, ".quality")
    hands.point(SIDEBAR, x + 80, y)  # Fine is the last of three, and takes long enough
    yield from driver.wait(0.2)
    hands.run("click", 1)
    yield from driver.wait(0.5)
    told["quality"] = bpy.context.scene.unrender.quality
    x, y = yield from hands.find(SIDEBAR, "unrender.image_to_3d")
    hands.run("click", 1)
    yield from hands.find_near(SIDEBAR, "unrender.cancel", y)
    hands.run("click", 1)
    began = time.monotonic()
    yield from driver.wait_until(lambda: not session().status.running, PHOTO_SECONDS)
    told["cancel_took"] = round(time.monotonic() - began, 2)
    told["left_by_cancel"] = len(bpy.data.objects) - count
    yield from shot("cancelled")


def queue():
    """Three pictures of a folder at once, from the Add menu."""
    count, windows = len(made()), hands.windows()
    yield from hands.press("shift+a")
    yield from driver.wait(0.8)
    hands.run("type", "--delay", 60, "image to 3")
    yield from driver.wait(1.0)
    yield from shot("add menu")
    hands.run("key", "Return")
    yield from hands.until_window(windows + 1)
    yield from hands.choose_folder(str(OUT / "queue"))
    yield from hands.press("a", Region("FILE_BROWSER", "WINDOW", -1))
    yield from shot("three pictures")
    yield from hands.click(Region("FILE_BROWSER", "EXECUTE", -1), "file.execute")
    yield from driver.wait_until(lambda: session().status.running, PHOTO_SECONDS)
    yield from driver.wait_until(lambda: session().status.fraction > 0.2, PHOTO_SECONDS)
    yield from shot("queue")
    yield from driver.wait_until(lambda: not session().status.running, 3 * PHOTO_SECONDS)
    told["queue_errors"] = [one.error for one in session().status.queue]
    told["made_by_queue"] = len(made()) - count
    told["untouched_after_queue"] = users_own() == told["users"]
    yield from shot("queue done")


def composite_and_render():
    """The last object over its photo, rendered with F12, and everything as before."""
    windows = hands.windows()
    yield from hands.click(SIDEBAR, "unrender.composite")
    told["matched"] = users_own() != told["users"]
    ended = []
    bpy.app.handlers.render_complete.append(lambda *_: ended.append("done"))
    yield from hands.choose_from_top_bar(RENDER_MENU, "r")
    yield from hands.wait_for(lambda: bool(ended), RENDER_SECONDS)
    yield from driver.wait(1.5)
    yield from shot("rendered")
    bpy.data.images["Render Result"].save_render(str(OUT / "composite.png"))
    if hands.windows() == windows:
        yield from hands.press("Escape", Region("IMAGE_EDITOR", "WINDOW"))
    return


def story():
    """What a user does; each yield gives the window a turn."""
    make_it_the_users()
    told["users"] = users_own()
    main = hands.MainWindow()
    yield from hands.press("Escape")
    yield from install_extension()
    yield from install_backend(main)
    yield from first_photo()
    yield from drag_and_save()
    yield from cancel_a_run()
    yield from queue()
    yield from composite_and_render()
    yield from main.to_front()
    yield from hands.click(SIDEBAR, "unrender.unmatch_photo")
    told["as_before"] = users_own() == told["users"]
    yield from shot("as before")


driver.tell(story(), OUT, tick=0.04, longest_wait=LONGEST_STORY)
