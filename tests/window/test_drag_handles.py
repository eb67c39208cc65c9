# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Handles in real Blenders with a window: whatever is done to them, mesh and texture are those of the sliders."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.window.test_window import PIXELS_OF_A_PICTURE, ROOT, TOOL, VERSIONS

pytestmark = pytest.mark.window

SCRIPT = ROOT / "tests" / "window" / "drag_handles.py"
WINDOW = ["--factory-startup", "--window-geometry", "0", "0", "1000", "640"]
SECONDS = 850
SLOWEST = 250
"""Milliseconds that one change may take in 95 of 100: 80 are promised on a core that has nothing else to do."""


@pytest.mark.parametrize("version", VERSIONS)
def test_sliders_are_dragged_undone_duplicated_animated_and_outlive_the_worker(version, tmp_path):
    if not TOOL.exists():
        pytest.skip("real-blender is not at hand")
    out = tmp_path / "out"
    told = shown(version, out)
    assert told["finished"] and not told["background"] and told["blender"].startswith(version)
    assert told["wrong"] == [] and len(told["steps"]) > 15
    assert told["dragged_shape"] > 0.2 and told["dragged_texture"] > 0.2
    assert told["texture_after_undo"] == 0 and told["photo_is_back"]
    assert told["shape_after_one_undo"] == told["dragged_shape"] and told["shape_after_undo"] == 0
    assert told["redone"] == [told["dragged_shape"], told["dragged_texture"]]
    assert told["copy_moved"] > 0.1 and told["original_kept"] and not told["copies_left"]
    assert told["grown"] == pytest.approx(1.4 / 0.6, rel=1e-3) and told["car_kept"]
    assert outline(out / "frame 0011.png") > 1.2 * outline(out / "frame 0001.png")
    assert told["error_of_shape"] == "" and "stopped unexpectedly" in told["error_of_texture"]
    assert told["error_afterwards"] == ""
    assert told["milliseconds"]["shape"] < SLOWEST
    print(told["milliseconds"])
    assert (out / "dragged.png").stat().st_size > PIXELS_OF_A_PICTURE


def shown(version, out):
    """Runs the script in one version of Blender, whose own settings stay in the test's folder; returns what it told."""
    folders = {"HOME": str(out / "home"), "BLENDER_USER_RESOURCES": str(out / "resources")}
    (out / "home").mkdir(parents=True)
    command = [TOOL, "run", version, *WINDOW, "-P", SCRIPT, "--", out]
    done = subprocess.run(
        list(map(str, command)), cwd=ROOT, env={**os.environ, **folders, "UNRENDER_PYTHON": sys.executable},
        capture_output=True, text=True, timeout=SECONDS,
    )  # fmt: skip
    assert (out / "told.json").exists(), done.stdout[-3000:] + done.stderr[-3000:]
    told = json.loads((out / "told.json").read_text())
    assert "traceback" not in told, told["traceback"]
    return told


def outline(path):
    """Pixels of a render that show the object."""
    from PIL import Image

    with Image.open(path) as picture:
        return sum(value > 127 for value in picture.getchannel("A").getdata())
