# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of a generator of shapes in a real Blender with a window: made, looked at, interpolated, undone by keys."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.helpers.shape_samples import write_shape_bundle, write_shape_run
from tests.window.test_turn_wheels import show
from tests.window.test_window import PIXELS_OF_A_PICTURE, TOOL, VERSIONS

pytestmark = pytest.mark.window

SCRIPT = Path(__file__).with_name("generate_surfaces.py")


@pytest.mark.parametrize("version", VERSIONS)
def test_generated_objects_come_alone_and_one_slider_goes_from_seed_to_seed(version, tmp_path, monkeypatch):
    if not TOOL.exists():
        pytest.skip("real-blender is not at hand")
    monkeypatch.setenv("UNRENDER_PYTHON", sys.executable)
    bundle = write_shape_bundle(tmp_path / "user" / "blobs", write_shape_run(tmp_path / "run"))
    told = show(version, tmp_path / "out", bundle, SCRIPT)
    assert told["finished"] and told["blender"].startswith(version) and told["errors"] == ["", ""]
    assert told["made"] == ["blob-000000", "blob-000001"] and told["before"] == told["after"]
    assert told["interpolated"] == "blob-000001-000008" and abs(told["factor"] - 0.5) < 1e-4
    assert told["undone_and_redone"]
    for name in ("generated", "through_camera", "interpolated"):
        assert (tmp_path / "out" / f"{name}.png").stat().st_size > PIXELS_OF_A_PICTURE
