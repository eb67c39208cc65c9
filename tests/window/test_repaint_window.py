# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Randomise and the paint that follows in a real Blender with a window, undone and redone by keys."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.window.test_turn_wheels import show
from tests.window.test_window import PIXELS_OF_A_PICTURE, TOOL, VERSIONS

pytestmark = pytest.mark.window

SCRIPT = Path(__file__).with_name("repaint.py")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_paint_follows_a_drawn_shape_and_keys_take_both_back(version, tmp_path, monkeypatch):
    if not TOOL.exists():
        pytest.skip("real-blender is not at hand")
    monkeypatch.setenv("UNRENDER_PYTHON", sys.executable)
    told = show(version, tmp_path / "out", saved(tmp_path), SCRIPT)
    assert told["finished"] and told["blender"].startswith(version) and told["error"] == ""
    mesh, texture, regions = told["drawn"]
    assert mesh > 0.02 and texture > 0 and regions == 0, "shape and colours are there at once, markings are not"
    mesh, _, regions = told["repainted"]
    assert mesh == 0 and regions > 0 and told["fits"]
    assert told["undone_and_redone"] and max(told["back"]) < 1e-4
    for name in ("found", "repainted", "back"):
        assert (tmp_path / "out" / f"{name}.png").stat().st_size > PIXELS_OF_A_PICTURE


def saved(folder):
    """Returns a scene of a car as a batch writes it."""
    bpy = pytest.importorskip("bpy")
    import addon
    from addon import scene
    from backend.common.records import GenerateRequest
    from backend.pipeline.generate import generate, load_generator

    bpy.ops.wm.read_homefile(use_empty=True)
    with addon.registered():
        scene.build(bpy.context.scene, generate(GenerateRequest(seed=3, texture_size=128), *load_generator("car")))
        bpy.ops.wm.save_as_mainfile(filepath=str(folder / "car.blend"), compress=True, copy=True)
    return folder / "car.blend"
