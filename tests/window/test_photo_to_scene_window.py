# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos in a queue, and a composite on a photo, in a real Blender with a window: the user's scene stays as it is."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.window.test_turn_wheels import show
from tests.window.test_window import PIXELS_OF_A_PICTURE, TOOL, VERSIONS

pytestmark = pytest.mark.window

SCRIPT = Path(__file__).with_name("photo_to_scene.py")


@pytest.mark.parametrize("version", VERSIONS)
def test_photos_wait_for_one_another_and_the_scene_stays_the_users(version, tmp_path, monkeypatch):
    if not TOOL.exists():
        pytest.skip("real-blender is not at hand")
    monkeypatch.setenv("UNRENDER_PYTHON", sys.executable)
    photo = tmp_path / "car.png"
    pixels = np.random.default_rng(0).integers(0, 256, (80, 120, 3), np.uint8)
    Image.fromarray(pixels).save(photo)
    told = show(version, tmp_path / "out", photo, SCRIPT, "toy")
    assert told["finished"] and told["blender"].startswith(version)
    assert told["waiting"] == ["slow.png", "broken.png", "second.png", "third.png"]
    assert [name for name, _ in told["failed"]] == ["broken.png"] and all(error for _, error in told["failed"])
    places = sorted(place[0] for place in told["places"].values())
    assert set(told["places"]) == {"slow", "second", "third"} and min(np.diff(places)) > 0.3
    assert told["untouched"] and told["colours"] == "TEXTURE"
    assert told["matched"] == ["third camera", "CYCLES", 0.0] and told["back"]
    drawn = np.asarray(Image.open(tmp_path / "out" / "composite.png").convert("RGB")).astype(int)
    assert drawn.shape == pixels.shape and np.abs(drawn[:6, :6] - pixels[:6, :6]).max() < 8
    for name in ("running", "done", "matched"):
        assert (tmp_path / "out" / f"{name}.png").stat().st_size > PIXELS_OF_A_PICTURE
