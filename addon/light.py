# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the nine coefficients of a light to a panorama that Blender can light a scene with. NumPy alone, no bpy.

The coefficients describe irradiance / pi, so that a diffuse surface of albedo a under them shows a * E(n). Light that
falls on a surface is the sky's radiance blurred by the cosine; unblurring it gives a sky with those coefficients, but
one that is negative here and there. A few rounds of multiplicative correction turn it into a sky without negative
light that still has the asked irradiance wherever any sky can have it.
"""

from __future__ import annotations

import numpy as np

from .wire import harmonics

PANORAMA_HEIGHT = 32
ROUNDS = 60
FLOOR = 1e-4
"""Minimum of the irradiance that is asked for: multiplicative correction needs something to multiply."""


def panorama_directions(height: int = PANORAMA_HEIGHT) -> np.ndarray:
    """Returns the direction (height, 2 * height, 3) of each pixel of an equirectangular picture.

    Row 0 is the top. From the left edge to the right one the view turns clockwise seen from
    above, as in Blender's mapping: -X, +Y, +X in the middle, -Y, -X.
    """
    width = 2 * height
    elevation = (0.5 - (np.arange(height) + 0.5) / height) * np.pi
    turn = (0.5 - (np.arange(width) + 0.5) / width) * 2 * np.pi
    elevation, turn = np.meshgrid(elevation, turn, indexing="ij")
    return np.stack([np.cos(elevation) * np.cos(turn), np.cos(elevation) * np.sin(turn), np.sin(elevation)], axis=-1)


def panorama(light: np.ndarray, height: int = PANORAMA_HEIGHT) -> np.ndarray:
    """Returns a sky (height, 2 * height, 3) float32 of radiance >= 0 whose irradiance / pi is that of light (9, 3)."""
    directions = panorama_directions(height).reshape(-1, 3)
    normals = panorama_directions(height // 2).reshape(-1, 3)
    solid_angle = np.sqrt(np.maximum(1 - directions[:, 2] ** 2, 0)) * (np.pi / height) ** 2
    transport = np.maximum(normals @ directions.T, 0) * solid_angle / np.pi
    transport /= transport.sum(axis=1, keepdims=True)
    weight = transport.sum(axis=0)[:, None]

    light = np.asarray(light, np.float64)
    wanted = np.maximum(harmonics.spherical_harmonics(normals) @ light, FLOOR)
    mean = np.maximum(wanted.mean(axis=0), FLOOR)
    radiance = np.maximum(
        harmonics.spherical_harmonics(directions) @ (light / harmonics.COSINE_LOBE[:, None]), 0.02 * mean
    )
    for _ in range(ROUNDS):
        radiance *= (transport.T @ (wanted / (transport @ radiance))) / weight
    return radiance.reshape(height, 2 * height, 3).astype(np.float32)
