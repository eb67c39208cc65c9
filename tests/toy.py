# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for what the networks make: a rounded box with a colour a side. NumPy alone."""

from __future__ import annotations

import numpy as np

from backend.ipc import records

SIDE_COLOURS = np.array(
    [[200, 60, 50], [60, 160, 70], [60, 80, 200], [220, 200, 70], [180, 180, 185], [40, 40, 45]], np.uint8
)
"""Of the sides towards -X, +X, -Y, +Y, -Z and +Z."""


def box(size=(0.45, 1.0, 0.35), cells=8, roundness=0.25):
    """Returns vertices (V, 3), quads (F, 4) and UVs (F, 4, 2): each side is a strip of the texture."""
    vertices, faces, uv = [], [], []
    index = {}
    for side in range(6):
        axis, sign = side // 2, 1 if side % 2 else -1
        across, along = [(axis + 1) % 3, (axis + 2) % 3][:: 1 if sign > 0 else -1]
        for row in range(cells):
            for column in range(cells):
                quad, corners = [], []
                for i, j in ((0, 0), (1, 0), (1, 1), (0, 1)):
                    point = [0, 0, 0]
                    point[axis] = sign * cells
                    point[across] = 2 * (column + i) - cells
                    point[along] = 2 * (row + j) - cells
                    if tuple(point) not in index:
                        index[tuple(point)] = len(vertices)
                        vertices.append(point)
                    quad.append(index[tuple(point)])
                    corners.append(((column + i) / cells * 0.98 + 0.01, (side + (row + j) / cells * 0.96 + 0.02) / 6))
                faces.append(quad)
                uv.append(corners)
    cube = np.array(vertices, np.float64) / cells
    round_cube = cube / np.linalg.norm(cube, axis=1, keepdims=True)
    shaped = (1 - roundness) * cube + roundness * round_cube
    shaped *= np.array(size) / np.ptp(shaped, axis=0)
    return shaped.astype(np.float32), np.array(faces, np.int32), np.array(uv, np.float32)


def texture(side=96):
    """Returns a texture (T, T, 3) whose strips have the colours of the sides."""
    # Row 0 is the top and UV (0, 0) the bottom.
    strip = np.arange(side)[::-1] * 6 // side
    return np.repeat(SIDE_COLOURS[strip][:, None], side, axis=1)


def white_light():
    """Returns the coefficients (9, 3) of a light that is 1 from everywhere."""
    light = np.zeros((9, 3), np.float32)
    light[0] = 1 / 0.282095
    return light


def reconstruction(name="toy", width=96, height=64, camera=None):
    """Returns a whole :class:`records.Reconstruction` of the box."""
    vertices, faces, uv = box()
    return records.Reconstruction(
        name=name,
        image_width=width,
        image_height=height,
        vertices=vertices,
        faces=faces,
        uv=uv,
        texture=texture(),
        camera=camera or records.Camera(azimuth=0.7, elevation=0.3, distance=3.0, shift_x=0.05, shift_y=-0.03),
        light=white_light(),
        mask=np.full((height, width), 255, np.uint8),
        shape_code=np.linspace(-1, 1, 32, dtype=np.float32),
        texture_code=np.linspace(-2, 2, 48, dtype=np.float32),
        offsets=np.zeros_like(vertices),
        silhouette_iou=0.9,
        timings={"network": 0.1},
    )
