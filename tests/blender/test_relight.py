# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results in other light: a row a scene, the photo first, then two sides under each world."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

bpy = pytest.importorskip("bpy")

import addon
from addon import scene
from tests.helpers import toy

WIDTH, HEIGHT = 200, 132


def relight(root: Path, *arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, str(root / "scripts" / "relight.py"), "--", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A scene of the toy car, as Image to 3D leaves it."""
    bpy.ops.wm.read_homefile(use_empty=True)
    with addon.registered():
        result = toy.parts_reconstruction()
        scene.build(bpy.context.scene, result, np.full((64, 96, 3), 90, np.uint8))
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"), copy=True)
    return tmp_path / "scene.blend"


def world(path: Path, colour: tuple[float, float, float]) -> Path:
    """A panorama of one colour."""
    image = bpy.data.images.new("panorama", 8, 4, float_buffer=True)
    image.pixels = [*colour, 1.0] * 32
    image.filepath_raw, image.file_format = str(path), "OPEN_EXR"
    image.save()
    return path


def test_each_world_lights_both_sides_in_its_colour(root: Path, saved: Path, tmp_path: Path) -> None:
    worlds = world(tmp_path / "red.exr", (1.0, 0.1, 0.1)), world(tmp_path / "blue.exr", (0.1, 0.1, 1.0))
    done = relight(root, saved, "--worlds", *worlds, "--sheet", tmp_path / "sheet.png")
    assert done.returncode == 0, done.stderr
    sheet = np.asarray(Image.open(tmp_path / "sheet.png").convert("RGB")).astype(int)
    assert sheet.shape == (HEIGHT, 5 * WIDTH, 3)
    photo, *sides = (sheet[:, place * WIDTH : (place + 1) * WIDTH] for place in range(5))
    assert tuple(photo[HEIGHT // 2, WIDTH // 2]) == (90, 90, 90)
    warmth = [(side[..., 0] - side[..., 2]).sum() for side in sides]
    assert min(warmth[:2]) > 0 > max(warmth[2:]), "red, red, blue, blue"


def test_what_is_no_result_is_named(root: Path, tmp_path: Path) -> None:
    done = relight(root, tmp_path / "none.blend", "--sheet", tmp_path / "sheet.png")
    assert done.returncode == 2 and "none.blend is no file" in done.stderr
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "empty.blend"), copy=True)
    done = relight(root, tmp_path / "empty.blend", "--sheet", tmp_path / "sheet.png")
    assert done.returncode == 1 and "holds no object" in done.stderr and not (tmp_path / "sheet.png").exists()
