# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cameras as numbers: from the conventions of the backend to Blender's, without bpy.

Blender's own conventions are the same (Z up, a camera looks along its -Z), so only the lens and the sign of the shift
have to be translated.
"""

from __future__ import annotations

from .wire import pinhole, records

SENSOR_WIDTH = 36.0
"""Width of the sensor in millimetres; with the fit AUTO it belongs to the longer side of the picture."""


def focal_length(camera: records.Camera, width: int, height: int) -> float:
    """Returns the focal length in millimetres on a sensor of :data:`SENSOR_WIDTH` for a picture of this shape."""
    return pinhole.focal_length_in_pixels(camera, height) / max(width, height) * SENSOR_WIDTH


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
