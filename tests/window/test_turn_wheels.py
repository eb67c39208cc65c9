# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A car's wheels turn in real Blenders with a window; ``turn_wheels.py`` shows the same for any scene."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.window.test_window import PIXELS_OF_A_PICTURE, ROOT, SECONDS, TOOL, VERSIONS

pytestmark = pytest.mark.window

SCRIPT = Path(__file__).with_name("turn_wheels.py")
WINDOW = ["--factory-startup", "--window-geometry", "0", "0", "1500", "950"]


def show(version, out, choice, script=SCRIPT, *more):
    """Runs a script in one version of Blender, whose own settings stay in the test's folder."""
    folders = {"HOME": str(out / "home"), "BLENDER_USER_RESOURCES": str(out / "resources")}
    environment = {**os.environ, **folders, "UNRENDER_PYTHON": sys.executable}
    (out / "home").mkdir(parents=True)
    command = [TOOL, "run", version, *WINDOW, "-P", script, "--", out, choice, *more]
    done = subprocess.run(
        list(map(str, command)), cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SECONDS
    )
    assert (out / "told.json").exists(), done.stdout[-3000:] + done.stderr[-3000:]
    told = json.loads((out / "told.json").read_text())
    assert "traceback" not in told, told["traceback"]
    return told


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("choice", ["maps", "parts", "file"])
def test_wheels_turn_in_place(version, choice, tmp_path):
    if not TOOL.exists():
        pytest.skip("real-blender is not at hand")
    if choice == "file":
        choice = str(saved(tmp_path / "scene.blend"))
    told = show(version, tmp_path / "out", choice)
    assert not told["background"] and told["blender"].startswith(version) and told["finished"]
    assert len(told["wheels"]) == 4 and told["wheels"][0] == "toy car wheel front left"
    assert told["origin"] == [0, 0, 0] and abs(told["lowest"]) < 1e-6
    assert told["others_moved"] == 0 and min(told["wheels_moved"]) > 0.2
    assert told["out_of_the_circle"] < 1e-5
    assert len(told["materials"]) == (5 if choice == "parts" else 1)
    assert told["steered"] == told["wheels"][:2]
    for name in ("before", "after", "steered"):
        assert (tmp_path / "out" / f"{name}.png").stat().st_size > PIXELS_OF_A_PICTURE


def saved(path):
    """Returns a scene as a batch writes it, from Blender as a module."""
    bpy = pytest.importorskip("bpy")
    import addon
    from addon import scene
    from tests.helpers import toy

    bpy.ops.wm.read_homefile(use_empty=True)
    with addon.registered():
        scene.build(bpy.context.scene, toy.parts_reconstruction())
        bpy.ops.wm.save_as_mainfile(filepath=str(path), compress=True, copy=True)
    return path
