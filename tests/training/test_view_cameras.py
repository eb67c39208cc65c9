# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Free cameras of views: where they start, how far they may go, how they are compared and kept."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from backend.data.multi_views import load_multi_views
from backend.data.rendered_views import cameras_of_crops
from backend.evaluation.silhouettes import boxed
from backend.render.camera import Cameras, project
from backend.training.inverse_graphics.view_cameras import (
    ViewCameras,
    ViewCamerasConfig,
    direction_changes_deg,
    read_cameras,
    rotation_errors_deg,
    save_cameras,
    start_cameras,
)
from tests.helpers.shared_views import shaped, write_gan_views


def some_cameras(count: int, seed: int = 0) -> Cameras:
    rng = np.random.default_rng(seed)
    ranges = ((-3, 3), (0, 0.5), (2, 4), (-0.1, 0.1), (0.4, 0.6), (-0.1, 0.1), (-0.1, 0.1))
    return Cameras(*(torch.tensor(rng.uniform(low, high, count), dtype=torch.float32) for low, high in ranges))


def box_of(points: torch.Tensor) -> torch.Tensor:
    """(N, 3): centre and longer side of the box of points (N, V, 2 or 3) on the screen."""
    low, high = points[..., :2].amin(dim=1), points[..., :2].amax(dim=1)
    return torch.cat([(low + high) / 2, (high - low).amax(dim=1, keepdim=True)], dim=1)


def test_cameras_start_in_their_bins_and_show_an_object_as_large_as_the_masks(tmp_path: Path) -> None:
    write_gan_views(tmp_path)
    data = load_multi_views(tmp_path, progress=False)
    vertices = torch.as_tensor(shaped(np.random.default_rng(0), 0.0))
    start = start_cameras(data, vertices, ViewCamerasConfig(distance=2.5))
    torch.testing.assert_close(start.azimuth.rad2deg(), torch.tensor([0.0, 90.0, 270.0]))
    assert (start.elevation == 0).all() and (start.roll == 0).all() and (start.distance == 2.5).all()
    shown = box_of(project(start, vertices, 48, 48))
    for view in range(3):
        boxes = []
        for picture in torch.where(data.view_of == view)[0]:
            rows, columns = np.nonzero(data.rgba[picture, ..., 3] > 127)
            low, high = np.array([columns.min(), rows.min()]), np.array([columns.max(), rows.max()]) + 1
            boxes.append([*(low + high) / 2, (high - low).max()])
        np.testing.assert_allclose(shown[view], np.sort(boxes, axis=0)[(len(boxes) - 1) // 2], atol=1e-3)
    guessed = start_cameras(data, vertices, ViewCamerasConfig(guesses=True))
    torch.testing.assert_close(guessed.azimuth.rad2deg(), torch.tensor([7.0, 97.0, 277.0]))
    torch.testing.assert_close(guessed.elevation.rad2deg(), torch.full((3,), 11.0))


def test_before_training_cameras_are_those_they_started_from() -> None:
    start = some_cameras(5)
    cameras = ViewCameras(start, 9)
    for found in (cameras.of_views(), cameras.of_pictures(torch.arange(5), torch.tensor([0, 8, 3, 3, 1]))):
        for name, value in vars(start).items():
            torch.testing.assert_close(getattr(found, name), value, atol=1e-5, rtol=1e-5)


def test_a_pictures_framing_moves_and_scales_what_its_view_sees() -> None:
    vertices = torch.as_tensor(shaped(np.random.default_rng(0)))
    cameras = ViewCameras(some_cameras(2), 4)
    with torch.no_grad():
        cameras.framing[3] = torch.tensor([1.0, -2.0, 1.5])
    one = torch.tensor([1])
    plain, own = cameras.of_views(one).detach(), cameras.of_pictures(one, torch.tensor([3])).detach()
    before, after = (project(c, vertices, 100, 100)[0, :, :2] for c in (plain, own))
    origin = 50 + 100 * torch.tensor([plain.shift_x[0], -plain.shift_y[0]])
    moved = origin + torch.tensor([2.0, 4.0]) + math.exp(0.045) * (before - origin)
    torch.testing.assert_close(after, moved, atol=1e-3, rtol=0)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1e4, 1e4), min_size=14, max_size=14), st.integers(0, 1000))
def test_cameras_stay_in_range_wherever_a_step_throws_them(moved: list[float], seed: int) -> None:
    start = some_cameras(2, seed)
    cameras = ViewCameras(start, 1)
    with torch.no_grad():
        cameras.moved.copy_(torch.tensor(moved).view(2, 7))
        cameras.framing.fill_(moved[0])
    cameras.keep_in_range()
    now = cameras.of_views()
    assert (now.azimuth - start.azimuth).abs().max() <= math.radians(45.01)
    assert now.elevation.min() >= math.radians(-10.01) and now.elevation.max() <= math.radians(75.01)
    assert now.distance.min() > 1.39 and now.distance.max() < 10.1
    assert now.roll.abs().max() < math.radians(8.1) and torch.stack([now.shift_x, now.shift_y]).abs().max() < 0.401
    assert now.field_of_view.min() > 0 and now.field_of_view.max() < math.pi
    assert cameras.framing.abs().max() <= 3


def test_steps_within_range_are_left_alone() -> None:
    cameras = ViewCameras(some_cameras(3), 2)
    with torch.no_grad():
        cameras.moved.uniform_(-1, 1)
    before = cameras.moved.clone()
    cameras.keep_in_range()
    assert torch.equal(cameras.moved, before)


def test_the_common_rotation_is_no_error_and_the_rest_is() -> None:
    true = some_cameras(6)
    turned = replace(true, azimuth=true.azimuth + 0.7)
    assert rotation_errors_deg(turned, true).max() < 0.01
    np.testing.assert_allclose(rotation_errors_deg(turned, true, common=False), math.degrees(0.7), atol=0.01)
    one_off = replace(true, azimuth=true.azimuth + 0.2 * torch.eye(6)[2])
    rotations = [
        Rotation.from_euler("ZXZ", [c.azimuth, math.pi / 2 - c.elevation, c.roll]) for c in one_off.unbatch()
    ]  # fmt: skip
    exact = [Rotation.from_euler("ZXZ", [c.azimuth, math.pi / 2 - c.elevation, c.roll]) for c in true.unbatch()]
    # Independently: scipy's best common rotation between the cameras' axes, then the angles that are left.
    stacked = [Rotation.concatenate(part).as_matrix().transpose(0, 2, 1).reshape(-1, 3) for part in (exact, rotations)]
    common, _ = Rotation.align_vectors(stacked[0], stacked[1])
    left = [(a.inv() * common * b).magnitude() for a, b in zip(exact, rotations, strict=True)]
    np.testing.assert_allclose(rotation_errors_deg(one_off, true), np.degrees(left), atol=0.02)


def test_a_run_keeps_where_cameras_began_and_ended(tmp_path: Path) -> None:
    write_gan_views(tmp_path / "made")
    data = load_multi_views(tmp_path / "made", progress=False)
    cameras = ViewCameras(some_cameras(3), 2)
    with torch.no_grad():
        cameras.moved.uniform_(-1, 1)
    save_cameras(tmp_path / "cameras.json", cameras, data.views)
    whole = json.loads((tmp_path / "cameras.json").read_text())
    assert [view["id"] for view in whole["views"]] == [4, 7, 21] and [view["bin"] for view in whole["views"]] == [
        0,
        3,
        9,
    ]

    def axis(record: dict) -> np.ndarray:
        a, e = np.radians([record["azimuth_deg"], record["elevation_deg"]])
        return np.array([np.sin(a) * np.cos(e), -np.cos(a) * np.cos(e), np.sin(e)])

    changes = [math.degrees(math.acos(axis(view["start"]) @ axis(view["end"]))) for view in whole["views"]]
    np.testing.assert_allclose([view["change_deg"] for view in whole["views"]], changes, atol=0.01)
    assert whole["mean_change_deg"] == pytest.approx(np.mean(changes), abs=0.01)
    found = read_cameras(tmp_path / "cameras.json")
    again = Cameras.batch([found[number] for number in (4, 7, 21)])
    assert direction_changes_deg(again, cameras.of_views()).max() < 0.01
    torch.testing.assert_close(again.distance, cameras.of_views().distance, atol=1e-4, rtol=0)
    (tmp_path / "cameras.json").write_text("[]")
    with pytest.raises(ValueError, match="does not hold the cameras of a training run"):
        read_cameras(tmp_path / "cameras.json")


def test_boxed_cameras_show_the_box_where_a_crop_has_the_masks() -> None:
    vertices = torch.as_tensor(shaped(np.random.default_rng(0))).expand(4, -1, -1)
    crops = torch.tensor([[20.0, 30.0, 31.0], [25.0, 22.0, 40.0], [24.0, 24.0, 60.0], [30.0, 20.0, 25.0]])
    seen = boxed(cameras_of_crops(some_cameras(4), crops, 48), vertices)
    box = box_of(project(seen, vertices, 100, 100))
    np.testing.assert_allclose(box, np.tile([50.0, 50.0, 80.0], (4, 1)), atol=1e-3)
