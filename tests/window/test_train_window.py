# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trainings by clicks in a real Blender with a window; ``train.py`` shows the same for any photographs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from backend.data.solids import SolidsConfig, write_solids
from backend.render.viewpoints import ViewpointPrior
from tests.window.test_turn_wheels import show
from tests.window.test_window import PIXELS_OF_A_PICTURE, TOOL

pytestmark = pytest.mark.window

SCRIPT = Path(__file__).with_name("train.py")


def test_a_training_is_started_followed_stopped_and_resumed_by_clicks(tmp_path, monkeypatch):
    if not TOOL.exists():
        pytest.skip("real-blender is not at hand")
    monkeypatch.setenv("UNRENDER_PYTHON", sys.executable)
    solids = tmp_path / "solids"
    write_solids(solids, SolidsConfig(60, 64, 0, ViewpointPrior(180.0, (0.0, 10.0))), alpha=True, progress=False)
    told = show("5.2", tmp_path / "out", str(solids / "pictures"), SCRIPT)
    assert told["finished"] and told["in_editor"] and told["after_undo"] == ["pebbles"]
    assert 0 < told["stopped_at"] < told["resumed_to"] and told["steps"][0] == "done"
    assert told["look_ms"][len(told["look_ms"]) // 2] < 20, "a look at the runs is not felt"
    for name in ("runs", "shown", "category"):
        assert (tmp_path / "out" / f"{name}.png").stat().st_size > PIXELS_OF_A_PICTURE
