# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One camera in NumPy: its pose and where it sees points. ``render/camera.py`` states the conventions, for batches."""

from __future__ import annotations

import math

import numpy as np

from .records import Camera


def camera_to_world(camera: Camera) -> np.ndarray:
    """The pose (4, 4) float64: the camera's right, up and backward axes and its place in the world, as columns."""
    sin_azimuth, cos_azimuth = math.sin(camera.azimuth), math.cos(camera.azimuth)
    sin_elevation, cos_elevation = math.sin(camera.elevation), math.cos(camera.elevation)
    backward = np.array([sin_azimuth * cos_elevation, -cos_azimuth * cos_elevation, sin_elevation])
    right = np.array([cos_azimuth, sin_azimuth, 0.0])
    up = np.cross(backward, right)
    sin_roll, cos_roll = math.sin(camera.roll), math.cos(camera.roll)
    pose = np.eye(4)
    pose[:3, 0] = cos_roll * right + sin_roll * up
    pose[:3, 1] = cos_roll * up - sin_roll * right
    pose[:3, 2] = backward
    pose[:3, 3] = camera.distance * backward
    return pose


def focal_length_in_pixels(camera: Camera, height: float) -> float:
    """The focal length for a picture of the given height."""
    return 0.5 * height / math.tan(0.5 * camera.field_of_view)


def project(camera: Camera, points: np.ndarray, height: float, width: float) -> np.ndarray:
    """Places (V, 2) in pixels, y down, of world points (V, 3) before the camera, in a picture of height x width."""
    pose = camera_to_world(camera)
    local = (points - pose[:3, 3]) @ pose[:3, :3]
    scaled = focal_length_in_pixels(camera, height) * local[:, :2] / -local[:, 2:]
    longer = max(width, height)
    x = 0.5 * width + camera.shift_x * longer + scaled[:, 0]
    y = 0.5 * height - camera.shift_y * longer - scaled[:, 1]
    return np.stack([x, y], axis=1)
