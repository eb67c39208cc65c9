# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside a real Blender that has no backend: looks at the panel and the preferences, and tries to install.

    blender -P install.py -- OUT WHEELS

WHEELS is a folder that lacks torch. Writes OUT/told.json and screenshots.
"""

from __future__ import annotations

import sys
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.window import driver  # noqa: E402 - only now is the checkout on the path
from tests.window.driver import click, module, told, wait, wait_until  # noqa: E402

OUT, WHEELS = (Path(word) for word in driver.words()[:2])


def shot(name):
    """A screenshot once everything was drawn."""
    for area in driver.window().screen.areas:
        area.tag_redraw()
    yield from wait(1.0)
    driver.screenshot(OUT / f"{name}.png")


def story():
    """What a user does; each yield gives the window a turn."""
    bpy.ops.preferences.addon_enable(module=driver.EXTENSION)
    yield
    session, installation, builds = module("session"), module("installation"), module("device_builds")
    stored = bpy.context.preferences.addons[driver.EXTENSION].preferences
    yield from driver.leave_one_viewport()
    yield from driver.open_tab()
    told["image_to_3d"] = bpy.ops.unrender.image_to_3d.poll()
    told["install_offline"] = bpy.ops.unrender.install_backend.poll()
    yield from shot("missing")
    bpy.context.preferences.system.use_online_access = True
    told["install_online"] = bpy.ops.unrender.install_backend.poll()
    source = installation.Source(builds.chosen("NVIDIA"))
    installation.offer = installation.Offer(source, 3_412_000_000, packages=31)
    yield from shot("offer")
    click(bpy.ops.unrender.dismiss_backend)
    bpy.context.preferences.system.use_online_access = False
    stored.wheels = str(WHEELS)
    told["install_from_folder"] = bpy.ops.unrender.install_backend.poll()
    told["click"] = click(bpy.ops.unrender.install_backend)
    yield from wait_until(lambda: not session.status.running, 60.0)
    told["error"] = session.status.error
    yield from shot("failed")
    driver.viewport().type = "PREFERENCES"
    bpy.context.preferences.active_section = "ADDONS"
    bpy.context.window_manager.addon_search = "Unrender"
    yield
    bpy.ops.preferences.addon_expand(module=driver.EXTENSION)
    yield from shot("preferences")


driver.tell(story(), OUT)
