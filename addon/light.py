# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the nine coefficients of a light to a panorama that Blender can light a scene with. NumPy alone, no bpy.

The coefficients describe irradiance / pi, so that a diffuse surface of albedo a under them shows a * E(n). Light that
falls on a surface is the sky's radiance blurred by the cosine; unblurring it gives a sky with those coefficients, but
one that is negative here and there. A few rounds of multiplicative correction turn it into a sky without negative
light that still has the asked irradiance wherever any sky can have it.
"""

from __future__ import annotations

import functools

import numpy as np

from .wire import harmonics

PANORAMA_HEIGHT = 16
ROUNDS = 60
CLOSE = 1e-4
"""Relative difference in irradiance that nobody sees: rounds end there."""
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


@functools.cache
def _transport(height: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns what part of each pixel's radiance falls on a surface of each of (height / 2) * height directions, and
    the directions of these. Single precision: the rounds read nothing but this matrix, which is larger than caches."""
    directions = panorama_directions(height).reshape(-1, 3)
    normals = panorama_directions(height // 2).reshape(-1, 3)
    solid_angle = np.sqrt(np.maximum(1 - directions[:, 2] ** 2, 0)) * (np.pi / height) ** 2
    transport = np.maximum(normals @ directions.T, 0) * solid_angle / np.pi
    transport /= transport.sum(axis=1, keepdims=True)
    return transport.astype(np.float32), normals


def panorama(light: np.ndarray, height: int = PANORAMA_HEIGHT) -> np.ndarray:
    """Returns a sky (height, 2 * height, 3) float32 of radiance >= 0 whose irradiance / pi is that of light (9, 3)."""
    transport, normals = _transport(height)
    weight = transport.sum(axis=0)[:, None]

    light = np.asarray(light, np.float64)
    wanted = np.maximum(harmonics.spherical_harmonics(normals) @ light, FLOOR)
    mean = np.maximum(wanted.mean(axis=0), FLOOR)
    directions = panorama_directions(height).reshape(-1, 3)
    radiance = np.maximum(
        harmonics.spherical_harmonics(directions) @ (light / np.array(harmonics.COSINE_LOBE)[:, None]), 0.02 * mean
    ).astype(np.float32)
    wanted = wanted.astype(np.float32)
    for _ in range(ROUNDS):
        ratio = wanted / (transport @ radiance)
        if np.abs(ratio - 1).max() < CLOSE:
            break
        radiance *= (transport.T @ ratio) / weight
    return radiance.reshape(height, 2 * height, 3)
