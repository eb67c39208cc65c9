# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The object is clicked in a photo that a camera stored on its side, and another direction is chosen, in a window."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.helpers import toy_worker
from tests.window.test_turn_wheels import show
from tests.window.test_window import PIXELS_OF_A_PICTURE, ROOT, TOOL, VERSIONS

pytestmark = pytest.mark.window

SCRIPT = Path(__file__).with_name("click_object.py")
SPOT = (300, 420, 340, 450)
"""Left, top, right and bottom of the spot, in pixels of the upright photo."""


def photo_on_its_side(path: Path) -> Path:
    """A photo that is 640 wide and 560 high once it is turned as it says, with a spot of magenta."""
    with Image.open(ROOT / "examples" / "car.jpg") as image:
        upright = image.convert("RGB").crop((0, 40, 640, 600))
    upright.paste((255, 0, 255), SPOT)
    tags = Image.Exif()
    tags[274] = 6  # turn clockwise to see it upright
    upright.transpose(Image.Transpose.ROTATE_90).save(path, exif=tags, quality=95)
    return path


@pytest.mark.parametrize("version", VERSIONS[-1:])
def test_a_click_cuts_out_and_another_direction_is_used(version, tmp_path, monkeypatch):
    if not TOOL.exists():
        pytest.skip("real-blender is not at hand")
    monkeypatch.setenv("UNRENDER_PYTHON", sys.executable)
    photo = photo_on_its_side(tmp_path / f"{toy_worker.UNSURE} car.jpg")
    told = show(version, tmp_path / "out", photo, SCRIPT)
    assert told["finished"] and told["blender"].startswith(version) and not told["background"]
    assert not told["without_picture"] and told["click"] == ["RUNNING_MODAL"]
    assert told["mask_size"] == [640, 560]
    left, top, right, bottom = SPOT
    assert told["mask_middle"] == pytest.approx([(left + right) / 2, (top + bottom) / 2], abs=3)
    assert told["layout_is_back"] and told["escape_leaves_all"]
    assert told["use"] == ["RUNNING_MODAL"] and told["error"] == ""
    assert told["turned_by"] == pytest.approx(told["asked_for"]) == pytest.approx(math.pi, abs=1e-5)
    assert told["place"] == 0.5 and told["undone"] == [0, 0.5]
    for name in ("photo", "cut", "directions", "used"):
        assert (tmp_path / "out" / f"{name}.png").stat().st_size > PIXELS_OF_A_PICTURE
