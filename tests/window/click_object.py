# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
r"""Runs inside a real Blender: clicks the object in a photo, makes it, and takes another direction.

    blender --factory-startup -P click_object.py -- OUT PHOTO

PHOTO holds a spot of magenta, which is clicked; the worker has the toy handlers of the tests. Writes OUT/photo.png,
OUT/cut.png, OUT/directions.png and OUT/used.png, screenshots of the window, and OUT/told.json.
"""

from __future__ import annotations

import sys
from pathlib import Path

import bpy
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.window import driver  # noqa: E402 - only now is the checkout on the path
from tests.window.driver import told  # noqa: E402

OUT, PHOTO = (Path(text).absolute() for text in driver.words()[:2])
SPOT = "Unrender photo"
"""Name of the image that stands for the photo while it is clicked."""


def pixels_of(path):
    """Returns a picture file's pixels (h, w, 4), row 0 at the top."""
    image = bpy.data.images.load(str(path))
    values = np.empty(image.size[0] * image.size[1] * 4, np.float32)
    image.pixels.foreach_get(values)
    height, width = image.size[1], image.size[0]
    bpy.data.images.remove(image)
    return values.reshape(height, width, 4)[::-1]


def spot_on_screen():
    """Returns where the middle of the spot is on the virtual screen, in pixels from its upper left."""
    path = OUT / "screen.png"
    driver.screenshot(path, whole_screen=True)
    red, green, blue = np.moveaxis(pixels_of(path)[..., :3], -1, 0)
    rows, columns = np.nonzero((red > 0.75) & (green < 0.25) & (blue > 0.75))
    told["spot_pixels"] = len(rows)
    return float(columns.mean()) + 0.5, float(rows.mean()) + 0.5


def middle_of(image):
    """Returns the middle of what is white in a mask, in its pixels from the upper left."""
    values = np.empty(image.size[0] * image.size[1] * 4, np.float32)
    image.pixels.foreach_get(values)
    white = values.reshape(image.size[1], image.size[0], 4)[::-1, :, 0] > 0.5
    rows, columns = np.nonzero(white)
    return [float(columns.mean()) + 0.5, float(rows.mean()) + 0.5]


def layout():
    """Returns what the window shows, and from where."""
    areas = [(area.ui_type, area.x, area.y, area.width, area.height) for area in driver.window().screen.areas]
    space = driver.viewport().spaces.active
    view = [list(row) for row in space.region_3d.view_matrix]
    return [areas, view, space.show_region_ui, sorted(image.name for image in bpy.data.images)]


def brightness():
    image = bpy.data.images[SPOT]
    values = np.empty(image.size[0] * image.size[1] * 4, np.float32)
    image.pixels.foreach_get(values)
    return float(values.reshape(-1, 4)[:, :3].mean())


def open_sub_panels():
    """All of them open, so that all is drawn."""
    panels = driver.module("ui.panels", "")
    panels.unregister()
    for panel in panels.CLASSES:
        if panel is not panels.UNRENDER_PT_options:
            panel.bl_options = set()
    panels.register()


def click_the_spot(session):
    """Clicks the spot, sees the cut-out, and keeps it."""
    yield from driver.wait_until(lambda: SPOT in bpy.data.images)
    yield from driver.draw()
    driver.screenshot(OUT / "photo.png")
    before = brightness()
    driver.click_on_screen(*spot_on_screen())
    yield from driver.wait_until(lambda: brightness() < 0.9 * before)
    yield from driver.draw()
    driver.screenshot(OUT / "cut.png")
    driver.press("Return")
    yield from driver.wait_until(lambda: not session.status.running)


def story():
    """What a user does; each yield gives the window a turn."""
    session, settings = driver.module("session", ""), bpy.context.scene.unrender
    driver.use_toy_worker(OUT, "with-parts", "")
    open_sub_panels()
    for one in list(bpy.data.objects):
        bpy.data.objects.remove(one)
    yield from driver.leave_one_viewport()
    yield from driver.open_tab()
    with driver.in_viewport():
        told["without_picture"] = bpy.ops.unrender.click_object.poll()
    settings.image_path = str(PHOTO)
    settings.quality = "draft"
    yield from driver.draw()
    before = layout()

    told["click"] = driver.click(bpy.ops.unrender.click_object)
    yield from click_the_spot(session)
    told["mask_middle"] = middle_of(settings.mask_image)
    told["mask_size"] = list(settings.mask_image.size)
    yield from driver.draw()
    kept = settings.mask_image.name
    after = layout()
    after[-1].remove(kept)
    told["layout_is_back"] = after == before

    driver.click(bpy.ops.unrender.click_object)
    yield from driver.wait_until(lambda: SPOT in bpy.data.images)
    yield from driver.draw()
    driver.press("Escape")
    yield from driver.wait_until(lambda: not session.status.running)
    yield from driver.draw()
    after = layout()
    after[-1].remove(kept)
    told["escape_leaves_all"] = after == before and settings.mask_image.name == kept and session.status.error == ""
    yield from use_another_direction(session)


def use_another_direction(session):
    """Makes the object, takes the first of its other directions, and undoes that."""
    driver.click(bpy.ops.unrender.image_to_3d)
    yield from driver.wait_until(lambda: not session.status.running)
    told["error"] = session.status.error
    owner = bpy.context.view_layer.objects.active
    driver.viewport().spaces.active.shading.color_type = "TEXTURE"  # EEVEE's shaders take minutes without a card
    driver.viewport().spaces.active.region_3d.view_distance = 9.0
    name, found, other = owner.name, owner.unrender.azimuth, owner.unrender.directions[0].azimuth
    yield from driver.draw()
    with driver.in_viewport(kind="UI"):
        for _ in range(8):
            bpy.ops.view2d.scroll_down()
    yield from driver.draw()
    driver.screenshot(OUT / "directions.png")
    owner.location.x = 0.5
    with driver.in_viewport():
        bpy.ops.ed.undo_push(message="moved")
    told["use"] = driver.click(bpy.ops.unrender.use_direction, number=0)
    yield from driver.wait_until(lambda: not session.status.running)
    told["error"] += session.status.error
    owner = bpy.data.objects[name]
    told["turned_by"] = owner.unrender.azimuth - found
    told["asked_for"] = other - found
    told["place"] = owner.location.x
    yield from driver.draw()
    driver.screenshot(OUT / "used.png")
    with driver.in_viewport():
        bpy.ops.ed.undo()
    owner = bpy.data.objects[name]
    told["undone"] = [owner.unrender.azimuth - found, owner.location.x]
    yield from driver.draw()


driver.register_checkout()
driver.tell(story(), OUT)
