# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside a real Blender: photos become objects in a scene of the user's own, which stays as it is until asked.

    blender --factory-startup -P photo_to_scene.py -- OUT PHOTO toy|real

Three copies of the photo and a broken one go through the queue, the last two added while the first is in work. Then the
scene is set up for a composite on the photo, rendered, and given back. Writes OUT/told.json, screenshots and the
composite. In toy mode the worker has the toy handlers of the tests.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.window import driver  # noqa: E402 - only now is the checkout on the path
from tests.window.driver import click, told, wait_until  # noqa: E402

WORDS = driver.words()
OUT, PHOTO, MODE = Path(WORDS[0]).absolute(), Path(WORDS[1]).absolute(), WORDS[2]
LONGEST_WAIT = 200.0
SAMPLES = 32


def state_of_scene() -> list:
    """What of the scene is the user's, in plain values."""
    scene = bpy.context.scene
    render, colours = scene.render, scene.view_settings
    return [
        scene.world.name, scene.camera.name, render.resolution_x, render.resolution_y, render.film_transparent,
        render.engine, colours.view_transform, colours.exposure, bpy.context.mode,
    ]  # fmt: skip


def copies() -> list[Path]:
    """The photo under three names, the first of which takes the toy worker twelve seconds, and a file that is none."""
    paths = [OUT / f"{name}{PHOTO.suffix}" for name in ("slow", "second", "third")]
    for path in paths:
        shutil.copyfile(PHOTO, path)
    broken = OUT / "broken.png"
    broken.write_bytes(b"no picture")
    return [paths[0], broken, *paths[1:]]


def add(paths: list[Path]) -> None:
    """What dropping the files onto the viewport calls."""
    files = [{"name": path.name} for path in paths]
    click(bpy.ops.unrender.add_pictures, directory=str(OUT), files=files)


def story() -> driver.Story:
    """What a user does; each yield gives the window a turn."""
    session = driver.module("session", "")
    if MODE == "toy":
        driver.use_toy_worker(OUT, package="")
    scene = bpy.context.scene
    scene.world.name, scene.camera.name = "my sky", "my camera"
    scene.view_settings.exposure = 0.25
    yield from driver.leave_one_viewport()
    yield from driver.open_tab()
    before = state_of_scene()
    paths = copies()
    add(paths[:2])
    yield from wait_until(lambda: session.status.fraction > 0, LONGEST_WAIT)
    add(paths[2:])
    told["waiting"] = [Path(one.path).name for one in session.status.queue]
    yield from driver.draw()
    driver.screenshot(OUT / "running.png")
    yield from wait_until(lambda: not session.status.running, LONGEST_WAIT)
    told["failed"] = [[Path(one.path).name, one.error] for one in session.status.queue]
    made = [one for one in bpy.data.objects if one.unrender.is_unrender]
    told["places"] = {one.name: [round(value, 3) for value in one.location] for one in made}
    told["untouched"] = state_of_scene() == before
    told["colours"] = driver.viewport().spaces.active.shading.color_type
    with driver.in_viewport():
        bpy.ops.view3d.view_all()
    yield from driver.draw()
    driver.screenshot(OUT / "done.png")

    click(bpy.ops.unrender.composite)
    scene.cycles.samples, scene.cycles.device = SAMPLES, "CPU"
    told["matched"] = [scene.camera.name, scene.render.engine, scene.view_settings.exposure]
    yield from driver.draw()
    driver.screenshot(OUT / "matched.png")
    scene.render.filepath = str(OUT / "composite.png")
    bpy.ops.render.render(write_still=True)
    click(bpy.ops.unrender.unmatch_photo)
    told["back"] = state_of_scene() == before
    yield from driver.draw()


driver.register_checkout()
driver.tell(story(), OUT, tick=0.02, longest_wait=3 * LONGEST_WAIT)
