# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The exporters of real Blenders, which are not those of the bpy package; ``exports.py`` runs inside."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.helpers import toy
from tests.window.test_window import ROOT, TOOL, VERSIONS

pytestmark = pytest.mark.window

LONGEST = 120.0
"""Seconds; it takes three."""
SCRIPT = Path(__file__).with_name("exports.py")
PARTS = sorted(["toy car", *(f"toy car {name.replace('_', ' ')}" for name in toy.WHEELS)])


@pytest.mark.parametrize("version", VERSIONS)
def test_files_of_a_real_blender_are_read_back_whole(version, tmp_path):
    if not TOOL.exists():
        pytest.skip("real-blender is not at hand")
    command = [TOOL, "run", version, "-b", "--factory-startup", "-P", SCRIPT, "--", tmp_path]
    done = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, timeout=LONGEST)
    assert (tmp_path / "told.json").exists(), done.stdout[-3000:] + done.stderr[-3000:]
    told = json.loads((tmp_path / "told.json").read_text())
    assert "traceback" not in told, told["traceback"]
    assert told["blender"].startswith(version) and {"glb", "obj", "fbx"} <= set(told["written"])
    for kind, found in (*told["written"].items(), ("by hand", told["by hand"]), ("way", told["interpolated"])):
        assert all(found["maps"].values()), (kind, found["maps"])
        assert found["longest"] == pytest.approx(4.5, rel=1e-4) and found["meshes"] == PARTS, kind
    assert all(told["written"][kind]["cameras"] == (kind != "obj") for kind in told["written"])
