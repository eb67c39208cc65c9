# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The formulas for one camera in NumPy and those for batches in torch are the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from backend.common import pinhole
from backend.common.records import Camera
from backend.render.camera import Cameras, camera_positions, project, world_to_camera_rotation

CAMERAS = [
    Camera(0.0, 0.0, 3.0),
    Camera(2.2, 0.5, 2.4, -0.2, 0.9, 0.1, -0.05),
    Camera(-1.3, -0.2, 5.0, 0.3, 0.3, -0.2, 0.15),
]


@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize("height, width", [(64, 64), (48, 80), (90, 50)])
def test_points_are_seen_where_the_renderer_sees_them(camera: Camera, height: int, width: int) -> None:
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (20, 3))
    expected = project(Cameras.batch([camera]), torch.from_numpy(points).float(), height, width)
    assert np.allclose(pinhole.project(camera, points, height, width), expected[0, :, :2].numpy(), atol=1e-3)


@pytest.mark.parametrize("camera", CAMERAS)
def test_the_pose_is_that_of_the_renderer(camera: Camera) -> None:
    pose, cameras = pinhole.camera_to_world(camera), Cameras.batch([camera])
    assert np.allclose(pose[:3, :3].T, world_to_camera_rotation(cameras)[0].numpy(), atol=1e-6)
    assert np.allclose(pose[:3, 3], camera_positions(cameras)[0].numpy(), atol=1e-5)


def test_azimuth_0_stands_in_front_and_90_degrees_at_the_left() -> None:
    assert np.allclose(pinhole.camera_to_world(Camera(0.0, 0.0, 3.0))[:3, 3], [0, -3, 0])
    assert np.allclose(pinhole.camera_to_world(Camera(np.pi / 2, 0.0, 3.0))[:3, 3], [3, 0, 0])
