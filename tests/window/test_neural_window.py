# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""StyleGAN-R's picture in a real Blender with a window; ``neural_render.py`` shows the same with real weights."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.window.test_turn_wheels import show
from tests.window.test_window import PIXELS_OF_A_PICTURE, TOOL, VERSIONS

pytestmark = pytest.mark.window

SCRIPT = Path(__file__).with_name("neural_render.py")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_picture_is_shown_and_follows_slider_and_undo(version, tmp_path, monkeypatch):
    if not TOOL.exists():
        pytest.skip("real-blender is not at hand")
    monkeypatch.setenv("UNRENDER_PYTHON", sys.executable)
    told = show(version, tmp_path / "out", saved(tmp_path), SCRIPT)
    assert told["finished"] and told["blender"].startswith(version) and told["error"] == ""
    assert told["others_stay"], "nothing but the image changed"
    assert told["in_panel"] and told["in_editor"] and told["still_in_editor"]
    assert told["pictures_in_drag"] >= 3 and told["followed"] > 0 and told["follow_error"] == ""
    assert told["undone_azimuth_deg"] == told["first_azimuth_deg"] and told["undone"] == 0
    for name in ("panel", "editor", "followed"):
        assert (tmp_path / "out" / f"{name}.png").stat().st_size > PIXELS_OF_A_PICTURE


def saved(folder):
    """Returns a scene as a batch writes it, of a small bundle that says it has StyleGAN-R."""
    bpy = pytest.importorskip("bpy")
    import addon
    from addon import scene
    from backend.common import bundle_files
    from backend.common.records import GenerateRequest
    from backend.pipeline.generate import generate, load_generator
    from tests.helpers.parts_samples import write_parts_bundle

    bundle = write_parts_bundle(folder / "small")
    (bundle / bundle_files.STYLE_MAPPING).write_bytes(b"")
    bpy.ops.wm.read_homefile(use_empty=True)
    with addon.registered():
        request = GenerateRequest(seed=3, texture_size=64, bundle=str(bundle))
        scene.build(bpy.context.scene, generate(request, *load_generator(str(bundle))))
        bpy.ops.wm.save_as_mainfile(filepath=str(folder / "toy.blend"), compress=True, copy=True)
    return folder / "toy.blend"
