# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways into the add-on besides its panel: Blender's menus, dropped files, and the interpreter that a command names."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

bpy = pytest.importorskip("bpy")

import addon
from addon import preferences
from addon.operators.pictures import UNRENDER_FH_picture
from addon.ui import menus
from addon.wire import pictures
from tests.blender.test_handle_panels import Layout

WANTED = {
    "VIEW3D_MT_add": {"unrender.add_pictures", "unrender.generate"},
    "TOPBAR_MT_file_import": {"unrender.add_pictures"},
    "IMAGE_MT_image": {"unrender.use_shown_image"},
}


pytestmark = pytest.mark.usefixtures("emptied_file")


class MenuLayout(Layout):
    """As a panel's, with what menus have beside."""

    def separator(self):
        """Draws nothing that counts."""


def operators_of(draw):
    """Returns the operators that an entry draws, each of which there is."""
    layout = MenuLayout()
    draw(SimpleNamespace(layout=layout), bpy.context)
    names = {entry[1] for entry in layout.drawn if entry[0] == "operator"}
    assert all(hasattr(bpy.types, f"UNRENDER_OT_{name.partition('.')[2]}") for name in names)
    return names


def test_blenders_menus_have_our_entries_while_the_add_on_is_there():
    assert {menu: operators_of(draw) for menu, draw in menus.ENTRIES} == WANTED
    ours = [draw for _, draw in menus.ENTRIES]
    for _ in range(3):
        drawn = [draw for menu in WANTED for draw in getattr(bpy.types, menu)._dyn_ui_initialize()]
        assert [drawn.count(draw) for draw in ours] == [1, 1, 1]
        addon.unregister()
        drawn = [draw for menu in WANTED for draw in getattr(bpy.types, menu)._dyn_ui_initialize()]
        assert [drawn.count(draw) for draw in ours] == [0, 0, 0]
        addon.register()


def test_every_picture_that_can_be_read_can_be_dropped():
    assert UNRENDER_FH_picture.bl_file_extensions.split(";") == list(pictures.ENDINGS)
    assert {".jpg", ".png", ".avif", ".webp"} <= set(pictures.ENDINGS)
    viewport, other = (SimpleNamespace(area=SimpleNamespace(type=kind)) for kind in ("VIEW_3D", "IMAGE_EDITOR"))
    assert UNRENDER_FH_picture.poll_drop(viewport) and not UNRENDER_FH_picture.poll_drop(other)


def test_the_python_that_a_command_names_wins_over_the_preferences(monkeypatch):
    monkeypatch.setattr(preferences, "stored", lambda: SimpleNamespace(interpreter="/theirs/bin/python"))
    assert preferences.interpreter() == "/theirs/bin/python"
    preferences.use_interpreter("/named/bin/python")
    assert preferences.interpreter() == "/named/bin/python"
    preferences.use_interpreter("")
    assert preferences.interpreter() == "/theirs/bin/python", "for one command alone"
