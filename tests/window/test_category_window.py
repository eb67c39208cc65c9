# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A new category by clicks in a real Blender, from 200 photographs to an object; ``category.py`` shows the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from backend.data.solids import SolidsConfig, write_solids
from backend.render.viewpoints import ViewpointPrior
from tests.window.test_turn_wheels import WINDOW
from tests.window.test_window import PIXELS_OF_A_PICTURE, ROOT, TOOL

pytestmark = pytest.mark.window

SCRIPT = Path(__file__).with_name("category.py")
LONGEST = 1500.0
"""Seconds; beside two other trainings on two cores it takes under 120."""
STEPS = ("masks", "segmenter", "stylegan2", "views", "sides", "pictures", "inverse-graphics", "bundle")


def test_clicks_lead_from_two_hundred_photographs_to_an_object(tmp_path):
    if not TOOL.exists():
        pytest.skip("real-blender is not at hand")
    solids, out, home = tmp_path / "solids", tmp_path / "out", tmp_path / "home"
    home.mkdir()
    write_solids(solids, SolidsConfig(200, 96, 0, ViewpointPrior(180.0, (0.0, 10.0))), alpha=True, progress=False)
    told = run(out, solids / "pictures", {"HOME": str(home), "BLENDER_USER_RESOURCES": str(home / "resources")})
    assert told["finished"] and not told["poll_before"], "the empty form lets nobody begin"
    assert list(told["waits"]) == ["sides"] and "press Views" in told["waits"]["sides"] and not told["usable_early"]
    assert told["views"] == told["decided"] > 5 and told["annotation_ended"], "a key a view"
    assert all(told["steps"][name] == "done" for name in STEPS)
    assert told["bundle"] == told["its_bundle"] == "painted-solid" and told["error"] == ""
    assert max(told["dimensions"]) == pytest.approx(1.0, abs=0.25) and told["faces"] > 100
    assert told["network"] == [] and told["asset"] == ["FINISHED"]
    for name in ("form", "waiting", "views", "finished", "made", "around", "asset"):
        assert (out / f"{name}.png").stat().st_size > PIXELS_OF_A_PICTURE


def run(out, photographs, folders):
    """Runs the script in Blender, whose own settings stay in the test's folder; returns what it told."""
    # More threads than idle cores wait for one another.
    environment = {**os.environ, **folders, "UNRENDER_PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}
    command = [TOOL, "run", "5.2", *WINDOW, "-P", SCRIPT, "--", out, photographs, LONGEST / 3]
    done = subprocess.run(
        list(map(str, command)), cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LONGEST
    )
    assert (out / "told.json").exists(), done.stdout[-3000:] + done.stderr[-3000:]
    told = json.loads((out / "told.json").read_text())
    assert "traceback" not in told, told["traceback"]
    return told
