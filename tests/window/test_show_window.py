# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""README's picture of the window can be taken again: ``show_window.py``, with little time to render."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.window.test_window import BUNDLE, PIXELS_OF_A_PICTURE, ROOT, TOOL, Blender

pytestmark = pytest.mark.window

VERSION = "5.2"
WINDOW = ["--factory-startup", "--addons", "bl_ext.user_default.unrender", *"--window-geometry 0 0 1400 800".split()]


@pytest.mark.skipif(not (BUNDLE / "segmenter.safetensors").exists(), reason="the bundle is not there")
def test_the_window_with_panel_and_result_is_shown(tmp_path: Path) -> None:
    if not TOOL.exists():
        pytest.skip("real-blender is not at hand")
    subprocess.run([sys.executable, ROOT / "scripts/build_extension.py", "--out", tmp_path / "zip"], check=True)
    (built,) = (tmp_path / "zip").glob("*.zip")
    blender = Blender(VERSION, tmp_path / "blender")
    blender.run("--command", "extension", "install-file", built, "-r", "user_default", "-e")
    script = Path(__file__).with_name("show_window.py")
    blender.run(*WINDOW, "-P", script, "--", tmp_path / "out", ROOT / "examples/car.jpg", 5, check=False)
    told = json.loads((tmp_path / "out" / "told.json").read_text())
    assert "traceback" not in told, told["traceback"]
    assert told["error"] == "" and told["vertices"] >= 2000 and told["finished"]
    assert (tmp_path / "out" / "window.png").stat().st_size > PIXELS_OF_A_PICTURE
