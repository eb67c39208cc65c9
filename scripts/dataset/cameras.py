# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cameras of the views: sampled so that the whole object fills most of the frame, in the project's conventions.

Azimuth 0 looks at the front from -Y, 90 degrees sees the left side (+X). Field of view is vertical, pictures are
square, shifts are fractions of the longer side: the world origin falls on x = W/2 + shift_x W, y = H/2 - shift_y H.
"""

from __future__ import annotations

import numpy as np

from backend.common.pinhole import project
from backend.common.records import Camera


def sample_camera(rng: np.random.Generator, points: np.ndarray) -> Camera:
    """Draw a camera that keeps all `points` (V, 3) in the frame, the longer projected side at 55-95 % of it."""
    lowest = float(points[:, 2].min())
    distance = float(np.exp(rng.uniform(np.log(1.6), np.log(6.0))))
    elevation = float(np.deg2rad(rng.uniform(-2, 32) if rng.random() < 0.55 else rng.uniform(0, 14)))
    elevation = max(elevation, float(np.arcsin((lowest + 0.04) / distance)))
    roll = rng.uniform(-15, 15) if rng.random() < 0.08 else rng.uniform(-3, 3)
    azimuth = float(rng.uniform(-np.pi, np.pi))
    return framed(rng, points, azimuth, elevation, distance, float(np.deg2rad(roll)))


def studio_camera(rng: np.random.Generator, points: np.ndarray) -> Camera:
    """Draw a camera of the studio: near upright, the object in the middle, its longer side 75-90 % of the picture's."""
    lowest = float(points[:, 2].min())
    distance = float(np.exp(rng.uniform(np.log(2.5), np.log(5.0))))
    elevation = max(float(np.deg2rad(rng.uniform(0, 25))), float(np.arcsin((lowest + 0.04) / distance)))
    azimuth, roll = float(rng.uniform(-np.pi, np.pi)), float(np.deg2rad(rng.uniform(-1.5, 1.5)))
    return framed(rng, points, azimuth, elevation, distance, roll, fill=(0.75, 0.90), wander=0.008)


def shared_cameras(rng: np.random.Generator, count: int, points: np.ndarray) -> list[Camera]:
    """Draw cameras that all objects within the hull of `points` (V, 3) are seen by, as a view code's are.

    Azimuths are spread over the circle, one at random in each of `count` equal parts; elevations are 0 to 25 degrees.
    """
    cameras = []
    for k in range(count):
        azimuth = 2 * np.pi * (k + rng.uniform(-0.5, 0.5)) / count
        elevation, roll = np.deg2rad([rng.uniform(0, 25), rng.uniform(-2, 2)])
        distance = float(np.exp(rng.uniform(np.log(2.0), np.log(4.5))))
        cameras.append(framed(rng, points, float(azimuth), float(elevation), distance, float(roll)))
    return cameras


def framed(
    rng: np.random.Generator,
    points: np.ndarray,
    azimuth: float,
    elevation: float,
    distance: float,
    roll: float,
    fill: tuple[float, float] = (0.55, 0.95),
    wander: float = 0.05,
) -> Camera:
    """Return the camera there, with `points` (V, 3) in the frame, their longer projected side at `fill` of it.

    `wander` is the deviation of the object's middle from the picture's, in picture widths.
    """
    # At half-tangent 1/2 the projection is in picture widths; the extent then fixes the field of view exactly.
    probe = Camera(azimuth, elevation, distance, roll, 2 * np.arctan(0.5), 0.0, 0.0)
    flat = project(probe, points, 1, 1) - 0.5
    low, high = flat.min(axis=0), flat.max(axis=0)
    extent = rng.uniform(*fill)
    scale = extent / (high - low).max()
    low, high = low * scale, high * scale
    room = np.maximum(0.49 - (high - low) / 2, 0)
    shift = np.clip(rng.normal(0, wander, 2), -room, room) - (low + high) / 2
    field_of_view = 2 * np.arctan(0.5 / scale)
    return Camera(azimuth, elevation, distance, probe.roll, float(field_of_view), float(shift[0]), float(-shift[1]))
