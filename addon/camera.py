# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cameras as numbers: from the conventions of the backend to Blender's. NumPy alone, no bpy.

Blender's own conventions are the same (Z up, a camera looks along its -Z), so only the pose's parameters, the lens and
the sign of the shift have to be translated.
"""

from __future__ import annotations

import math

import numpy as np

from .wire import records

SENSOR_WIDTH = 36.0
"""Millimetres; with the sensor fit AUTO it belongs to the longer side of the picture."""


def camera_to_world(camera: records.Camera) -> np.ndarray:
    """Returns the pose (4, 4) float64 of a camera that looks at the origin, in the canonical frame."""
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


def focal_length(camera: records.Camera, width: int, height: int) -> float:
    """Returns the focal length in millimetres on a sensor of :data:`SENSOR_WIDTH` for a picture of this shape."""
    focal_in_pixels = 0.5 * height / math.tan(0.5 * camera.field_of_view)
    return focal_in_pixels / max(width, height) * SENSOR_WIDTH


def lens_shift(camera: records.Camera) -> tuple[float, float]:
    """Returns Blender's lens shift: it moves the frame, where ours moves the object in the frame."""
    return -camera.shift_x, -camera.shift_y


def camera_to_numbers(camera: records.Camera) -> list[float]:
    """Returns the seven numbers of a camera in the order that :func:`camera_from_numbers` takes."""
    return [
        camera.azimuth,
        camera.elevation,
        camera.distance,
        camera.roll,
        camera.field_of_view,
        camera.shift_x,
        camera.shift_y,
    ]


def camera_from_numbers(numbers: list[float]) -> records.Camera:
    """Returns the camera of seven numbers."""
    return records.Camera(*(float(number) for number in numbers))
