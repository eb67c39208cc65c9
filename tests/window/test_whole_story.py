# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the zip to a rendered composite in real Blenders, by mouse and keyboard alone.

Takes six minutes a version, and needs the wheels of this environment's own packages: it runs where UNRENDER_STORY is
set.

    UNRENDER_STORY=1 python -m pytest tests/window/test_whole_story.py
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.window.test_window import PIXELS_OF_A_PICTURE, ROOT, TOOL, VERSIONS

pytestmark = [
    pytest.mark.window,
    pytest.mark.skipif("UNRENDER_STORY" not in os.environ, reason="a long story, told where UNRENDER_STORY is set"),
]

SCRIPT = ROOT / "tests" / "window" / "whole_story.py"
CAR = ROOT / "examples" / "car.jpg"
WINDOW = ["--factory-startup", "--window-geometry", "0", "0", "1400", "900"]
SECONDS = 1800
PACKAGES = ("torch", "numpy", "pillow", "safetensors", "opencv-python-headless", "tqdm")
CANCEL_SECONDS = 1.0


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """A folder with the packages of this environment, for its own Python."""
    from importlib.metadata import version

    folder = tmp_path_factory.mktemp("wheels")
    pinned = [f"{name}=={version(name)}" for name in PACKAGES]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:", "--dest", folder, *pinned]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"no wheels are at hand: {done.stderr[-300:]}")
    return folder


@pytest.mark.parametrize("version", VERSIONS)
def test_a_photo_becomes_a_composite_by_mouse_and_keyboard_alone(version, wheels, tmp_path):
    if not TOOL.exists():
        pytest.skip("real-blender is not at hand")
    told, out = shown(version, wheels, tmp_path)
    assert told["finished"] and not told["background"] and told["blender"].startswith(version)
    assert told["install_error"] == "" and "torch" in told["check"]
    assert told["photo_error"] == "" and told["direction_error"] == ""
    assert told["directions"] == 1 and told["turned"] > 0.3
    assert any("hard to tell apart" in warning for warning in told["warnings"])
    for name in ("dragged", "dragged again", "dragged after opening"):
        before, after, moved = told[name]
        assert after > before + 0.1 and moved > 0.05, name
    assert told["undone"] == [told["dragged"][0], 0.0] and told["reopened"] == 0.0
    assert told["left_by_cancel"] == 0 and told["cancel_took"] < CANCEL_SECONDS + told["longest_pause"]
    assert told["queue_errors"] == [] and told["made_by_queue"] == 3
    assert told["untouched_after_photo"] and told["untouched_after_queue"], "world, camera, mode and render settings"
    assert told["matched"] and told["as_before"]
    for name in ("installed", "made", "dragged", "queue done", "rendered", "composite"):
        assert (out / f"{name}.png").stat().st_size > PIXELS_OF_A_PICTURE


def shown(version, wheels, folder):
    """Runs the story in a Blender that has never seen the extension; returns what it told, and its folder."""
    from PIL import Image, ImageFilter

    out = folder / "out"
    (out / "queue").mkdir(parents=True)
    (folder / "home").mkdir()
    with Image.open(CAR) as picture:
        picture.rotate(180).save(folder / "upside down.png")
        picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(out / "queue" / "mirrored.png")
        picture.filter(ImageFilter.GaussianBlur(2)).save(out / "queue" / "blurred.png")
    shutil.copyfile(CAR, out / "queue" / "car.jpg")
    subprocess.run([sys.executable, ROOT / "scripts/build_extension.py", "--out", folder / "zip"], check=True)
    (path,) = (folder / "zip").glob("*.zip")
    environment = {name: value for name, value in os.environ.items() if name != "UNRENDER_PYTHON"}
    environment |= {"HOME": str(folder / "home"), "BLENDER_USER_RESOURCES": str(folder / "resources")}
    python = f"{sys.base_prefix}/bin/python{sys.version_info[0]}.{sys.version_info[1]}"
    words = [out, path, wheels, python, folder / "upside down.png", CAR]
    command = [TOOL, "run", version, *WINDOW, "-P", SCRIPT, "--", *words]
    done = subprocess.run(
        list(map(str, command)), cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SECONDS
    )
    assert (out / "told.json").exists(), done.stdout[-3000:] + done.stderr[-3000:]
    told = json.loads((out / "told.json").read_text())
    assert "traceback" not in told, told["traceback"]
    return told, out
