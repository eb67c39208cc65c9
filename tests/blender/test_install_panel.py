# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What panel and preferences show where there is no backend, one is offered, one is being made, and one is there."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

bpy = pytest.importorskip("bpy")

import addon
from addon import device_builds, environment, installation, places, preferences, session
from addon.ui import install_panel, panels

WIDTH = 100_000
"""Of a region so wide that every sentence is on one line."""


class Layout:
    """Stands for a layout and remembers what was drawn."""

    def __init__(self, drawn=None):
        self.drawn = [] if drawn is None else drawn
        self.enabled = True

    def _part(self, *_given, **_named):
        return Layout(self.drawn)

    column = row = box = _part

    def prop(self, _data, name, **_named):
        self.drawn.append(name)

    def label(self, text="", **_named):
        self.drawn.append(text)

    def progress(self, text="", **_named):
        self.drawn.append(text)

    def operator(self, name, text="", **_named):
        self.drawn.append(f"{name} {text}".strip())
        return SimpleNamespace()

    def template_icon(self, *_given, **_named):
        pass


@pytest.fixture(autouse=True)
def registered(tmp_path: Path, monkeypatch):
    """No backend: no environment, no variable, no torch beside bpy."""
    bpy.ops.wm.read_homefile(use_empty=True)
    addon.register()
    monkeypatch.setattr(places, "user_folder", lambda: tmp_path)
    monkeypatch.setattr(places, "ROOT", tmp_path)
    monkeypatch.delenv(environment.INTERPRETER_VARIABLE, raising=False)
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda name: None)
    installation.dismiss()
    yield
    installation.dismiss()
    addon.unregister()


def panel() -> list[str]:
    layout = Layout()
    context = SimpleNamespace(scene=bpy.context.scene, region=SimpleNamespace(width=WIDTH))
    panels.UNRENDER_PT_main.draw(SimpleNamespace(layout=layout), context)
    return layout.drawn


def drawn_preferences() -> list[str]:
    layout = Layout()
    install_panel.draw_environment(layout, WIDTH)
    return layout.drawn


def test_the_panel_has_the_button_in_place_of_one_that_would_fail():
    drawn = panel()
    assert install_panel.NONE_YET in drawn and "unrender.install_backend" in drawn
    assert not [one for one in drawn if one.startswith("unrender.image_to_3d")]
    build = device_builds.detected()
    assert any(build.address in one and install_panel.approximate_size(build) in one for one in drawn)
    assert bpy.app.online_access or install_panel.OFFLINE in drawn, "a greyed-out button says why"


def test_the_preferences_say_it_once():
    assert " ".join(drawn_preferences()).count("There is no backend") == 1


def test_the_true_size_stands_on_the_button_that_downloads():
    installation.offer = installation.Offer(installation.Source(device_builds.detected()), 312_000_000, packages=17)
    for drawn in (panel(), drawn_preferences()):
        assert "unrender.download_backend Download 312 MB" in drawn and "unrender.dismiss_backend" in drawn
        assert installation.offer.sentence() in drawn and "unrender.install_backend" not in drawn


def test_progress_has_a_cancel():
    session.status.begin()
    session.status.proceed("Downloading torch, 50 of 206 MB", 0.2)
    drawn = drawn_preferences()
    assert "Downloading torch, 50 of 206 MB: 20 %" in drawn and "unrender.cancel Cancel" in drawn
    assert not [one for one in drawn if one.startswith("unrender.install_backend")]


def test_a_folder_is_named_where_packages_come_from_it(tmp_path, monkeypatch):
    monkeypatch.setattr(preferences, "source", lambda: installation.Source(device_builds.detected(), wheels=tmp_path))
    drawn = panel()
    assert f"Packages come from {tmp_path}; nothing connects to the network." in drawn
    assert install_panel.OFFLINE not in drawn


def test_an_own_environment_can_be_repaired_and_anothers_cannot(tmp_path, monkeypatch):
    python = environment.interpreter_in(tmp_path / "env")
    python.parent.mkdir(parents=True)
    python.write_text("")
    (tmp_path / "env" / environment.FINISHED_MARK).write_text("{}")
    drawn = drawn_preferences()
    assert "unrender.install_backend Repair" in drawn and "unrender.check_environment" in drawn
    assert [one for one in panel() if one.startswith("unrender.image_to_3d")]
    monkeypatch.setattr(preferences, "interpreter", lambda: sys.executable)
    drawn = drawn_preferences()
    assert "unrender.install_backend Install Backend" in drawn and "unrender.install_backend Repair" not in drawn


def test_a_wrong_choice_is_told_as_such(monkeypatch):
    monkeypatch.setattr(preferences, "interpreter", lambda: "/nowhere/python")
    assert any("is not there: choose another" in one for one in drawn_preferences())
    assert install_panel.NONE_YET not in panel(), "what is missing is another choice"
