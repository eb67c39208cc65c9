# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The measurement of sliders in a real Blender with a window, on little and with the toy worker."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.window.test_turn_wheels import show
from tests.window.test_window import PIXELS_OF_A_PICTURE, ROOT, TOOL, VERSIONS

pytestmark = pytest.mark.window

SCRIPT = Path(__file__).with_name("measure_sliders.py")
SLOWEST = 250
"""Milliseconds that one change of shape may take in 95 of 100: 80 are promised on a core with nothing else to do."""


@pytest.mark.parametrize("version", VERSIONS[-1:])
def test_sliders_are_measured_until_mesh_and_texture_and_until_their_picture(version, tmp_path):
    if not TOOL.exists():
        pytest.skip("real-blender is not at hand")
    told = show(version, tmp_path / "out", str(ROOT / "examples" / "car.jpg"), SCRIPT, "toy", "6")
    assert told["finished"] and list(told["sliders"]) == ["surface: shape", "surface: texture"]
    for times in told["sliders"].values():
        for kind in ("changed", "drawn", "unchanged"):
            assert 0 < times[kind][0] <= times[kind][1]
        assert times["changed"][0] < times["drawn"][0], "the picture comes after what it shows"
    assert told["sliders"]["surface: shape"]["changed"][1] < SLOWEST
    texture = told["sliders"]["surface: texture"]
    assert 0 < texture["answered"][0] < texture["changed"][0] and texture["painted"][0] > 0
    assert (tmp_path / "out" / "surface.png").stat().st_size > PIXELS_OF_A_PICTURE
