# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shape, texture and cameras recovered through the renderer from Blender's own pictures, at a small size."""

from __future__ import annotations

import dataclasses
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples"))

import fit_views

needs_blender = pytest.mark.skipif(importlib.util.find_spec("bpy") is None, reason="Blender's module is not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures of the monkey, rendered in a process of their own: bpy and torch do not share one."""
    out = tmp_path_factory.mktemp("views")
    command = [sys.executable, str(ROOT / "examples" / "render_views.py"), "--out", str(out)]
    subprocess.run([*command, "--views", "12", "--resolution", "128"], check=True, capture_output=True, timeout=120)
    return out


@needs_blender
def test_shape_and_cameras_come_back_from_pictures_alone(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cameras six degrees off and a grey ball, six pictures, two hundred steps at up to 64 pixels."""
    small = [dataclasses.replace(stage, size=min(stage.size, 64)) for stage in fit_views.STAGES[1:3]]
    monkeypatch.setattr(fit_views, "STAGES", [dataclasses.replace(stage, share=0.5) for stage in small])
    monkeypatch.setattr(fit_views, "SEARCHES", 0)
    views = fit_views.read_views(folder)
    used, unused = views[torch.arange(0, 12, 2)], views[torch.arange(1, 12, 2)]
    start = fit_views.turned(used.cameras, 6.0, torch.Generator().manual_seed(0))
    ball = fit_views.Unknowns(start)
    before, _ = fit_views.judge(ball, ball.vertices, used, unused)
    unknowns, vertices = fit_views.fit(used, start, "boundary", 200, progress=False)
    after, sheet = fit_views.judge(unknowns, vertices, used, unused)
    print(before, after)
    assert before["iou_unused_views"] < 0.8 and before["camera_error_deg"] > 5
    assert after["iou_unused_views"] > 0.9 and after["camera_error_deg"] < 2.5
    assert after["psnr_unused_views"] > 18 and torch.isfinite(sheet).all()


@needs_blender
def test_the_common_rotation_is_no_error(folder: Path) -> None:
    cameras = fit_views.read_views(folder).cameras
    turned = dataclasses.replace(cameras, azimuth=cameras.azimuth + 0.7)
    assert fit_views.camera_errors_deg(turned, cameras).max() < 0.1
    spoiled = fit_views.turned(cameras, 10.0, torch.Generator().manual_seed(1))
    assert 8 < fit_views.camera_errors_deg(spoiled, cameras).mean() < 13


def test_folders_without_views_are_refused_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit_views.main(["--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "holds no views" in said and said.count("\n") == 1
    assert not (tmp_path / "out").exists()
