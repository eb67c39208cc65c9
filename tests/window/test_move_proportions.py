# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Named sliders of a car with parts in real Blenders with a window: they move it, and undo and redo follow."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.window.test_turn_wheels import show
from tests.window.test_window import PIXELS_OF_A_PICTURE, TOOL, VERSIONS

pytestmark = pytest.mark.window

SCRIPT = Path(__file__).with_name("move_proportions.py")
SLOWEST = 250
"""Milliseconds that one change may take in 95 of 100: 80 are promised on a core that has nothing else to do."""


@pytest.mark.parametrize("version", VERSIONS[-1:])
def test_a_named_slider_moves_the_car_and_undo_brings_it_back(version, tmp_path):
    if not TOOL.exists():
        pytest.skip("real-blender is not at hand")
    told = show(version, tmp_path / "out", str(saved(tmp_path / "scene.blend")), SCRIPT)
    assert told["finished"] and told["blender"].startswith(version)
    assert told["names"][:2] == ["length", "height"]
    assert told["moved"] > 0.2 and abs(told["lowest"]) < 1e-5
    assert told["undone"] and told["slider_undone"] == 0.5 and told["redone"]
    assert told["milliseconds"] < SLOWEST
    for name in ("before", "after", "all"):
        assert (tmp_path / "out" / f"{name}.png").stat().st_size > PIXELS_OF_A_PICTURE


def saved(path):
    """Returns the scene of a generated car as a batch writes it, from Blender as a module."""
    bpy = pytest.importorskip("bpy")
    import addon
    from addon import scene
    from backend.common.records import GenerateRequest
    from backend.pipeline.generate import generate, load_generator

    bpy.ops.wm.read_homefile(use_empty=True)
    with addon.registered():
        scene.build(bpy.context.scene, generate(GenerateRequest(seed=48, texture_size=256), *load_generator("car")))
        bpy.ops.wm.save_as_mainfile(filepath=str(path), compress=True, copy=True)
    return path
