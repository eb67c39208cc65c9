# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-ins for what the networks make, NumPy alone: a rounded box with a colour a side, and a box on four wheels."""

from __future__ import annotations

import numpy as np

from backend.common import records

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


def shape_directions(vertices):
    """Returns what the shape sliders of the box do: the first stretches it upwards, the second sideways."""
    return np.float32([[0, 0, 0.2], [0.1, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]])[:, None] * vertices


def reconstruction(name="toy", width=96, height=64, camera=None):
    """Returns a whole :class:`records.Reconstruction` of the box."""
    vertices, faces, uv = box()
    return records.Reconstruction(
        name=name,
        image_width=width,
        image_height=height,
        vertices=vertices,
        quads=faces,
        uv=uv,
        texture=texture(),
        camera=camera or records.Camera(azimuth=0.7, elevation=0.3, distance=3.0, shift_x=0.05, shift_y=-0.03),
        light=white_light(),
        mask=np.full((height, width), 255, np.uint8),
        shape_code=np.linspace(-1, 1, 32, dtype=np.float32),
        texture_code=np.linspace(-2, 2, 48, dtype=np.float32),
        offsets=np.zeros_like(vertices),
        shape_directions=shape_directions(vertices),
        silhouette_iou=0.9,
        timings={"network": 0.1},
    )


def alternatives():
    """Returns two other directions of a toy: one from behind, and one from the side, with pictures of two colours."""
    found = []
    for azimuth, probability, colour in ((0.7 + np.pi, 0.31, (200, 60, 50)), (-1.2, 0.12, (60, 80, 200))):
        picture = np.zeros((40, 60, 4), np.uint8)
        picture[10:30, 5:55] = (*colour, 255)
        found.append(records.Alternative(azimuth, probability, picture))
    return found


PARTS = ["body", "cabin", "wheel_front_left", "wheel_front_right", "wheel_rear_left", "wheel_rear_right"]
REGIONS = ["paint", "glass", "head_lamp", "rubber", "rim"]
PALETTE = np.array(
    [
        [0.8, 0.15, 0.1, 0.4, 0.0],
        [0.3, 0.4, 0.45, 0.1, 0.0],
        [0.95, 0.9, 0.7, 0.3, 0.0],
        [0.1, 0.1, 0.1, 0.9, 0.0],
        [0.8, 0.8, 0.85, 0.3, 1.0],
    ],
    np.float32,
)
WHEELS = {  # radius, width and the middle of each: no two alike, so that none can be taken for another
    "wheel_front_left": (0.08, 0.06, (0.19, -0.3, -0.1)),
    "wheel_front_right": (0.08, 0.05, (-0.19, -0.3, -0.1)),
    "wheel_rear_left": (0.1, 0.07, (0.18, 0.31, -0.08)),
    "wheel_rear_right": (0.1, 0.08, (-0.18, 0.31, -0.08)),
}
WHEEL_SIDES = 16


def wheel(radius, width, middle, direction):
    """Returns a closed cylinder about an axle: vertices, quads, and whether each quad is of the stripe on its caps."""
    axle = np.array(direction, float) / np.linalg.norm(direction)
    forward = np.cross([0.0, 0.0, 1.0], axle)
    forward /= np.linalg.norm(forward)
    up = np.cross(axle, forward)
    angle = np.arange(WHEEL_SIDES) * 2 * np.pi / WHEEL_SIDES
    ring = radius * (np.cos(angle)[:, None] * forward + np.sin(angle)[:, None] * up)
    vertices = np.concatenate([ring - axle * width / 2, ring + axle * width / 2]) + middle
    inner, outer = np.arange(WHEEL_SIDES), np.arange(WHEEL_SIDES) + WHEEL_SIDES
    tread = np.stack([inner, np.roll(inner, -1), np.roll(outer, -1), outer], axis=1)
    step = np.arange(WHEEL_SIDES // 2 - 1)  # the caps are ladders of quads
    cap = np.stack([outer[step], outer[step + 1], outer[-2 - step], outer[-1 - step]], axis=1)
    faces = np.concatenate([tread, cap, cap[:, ::-1] - WHEEL_SIDES])
    on_stripe = np.concatenate([np.zeros(WHEEL_SIDES, bool), np.tile(step == len(step) // 2, 2)])
    return vertices.astype(np.float32), faces.astype(np.int32), on_stripe


def parts_reconstruction(name="toy car", width=96, height=64, camera=None, axle_direction=(1.0, 0.0, 0.0)):
    """Returns a :class:`records.Reconstruction` of a template with parts: a box with a cabin on four wheels."""
    body = box((0.4, 1.0, 0.16), cells=4)[:2]
    cabin = box((0.34, 0.5, 0.14), cells=4)[:2]
    components = [
        (body[0] + np.float32([0, 0, -0.02]), body[1], np.zeros(len(body[1]), np.int32)),
        (cabin[0] + np.float32([0, 0.05, 0.13]), cabin[1], np.ones(len(cabin[1]), np.int32)),
    ]
    components[0][2][2 * 16 : 3 * 16 : 3] = REGIONS.index("head_lamp")  # some of the quads towards the front
    for measures in WHEELS.values():
        vertices, faces, on_stripe = wheel(*measures, axle_direction)
        components.append((vertices, faces, np.where(on_stripe, 4, 3).astype(np.int32)))
    starts = np.cumsum([0] + [len(vertices) for vertices, _, _ in components])
    vertices = np.concatenate([vertices for vertices, _, _ in components])
    middle = (vertices.min(axis=0) + vertices.max(axis=0)) / 2
    faces = np.concatenate([quads + start for (_, quads, _), start in zip(components, starts, strict=False)])
    regions = np.concatenate([region for _, _, region in components])
    # Each region is a strip of the texture, from the bottom up; every face has a small quad in its strip.
    corners = np.array([[0.2, 0.4], [0.8, 0.4], [0.8, 0.6], [0.2, 0.6]], np.float32)
    uv = np.stack([corners + [0, region] for region in regions]) / [1, len(REGIONS)]
    colours = np.round(PALETTE * 255).astype(np.uint8)[np.arange(80)[::-1] * len(REGIONS) // 80]
    maps = np.repeat(colours[:, None], 80, axis=1)
    middles = np.array([place for _, _, place in WHEELS.values()])
    return records.Reconstruction(
        name=name,
        image_width=width,
        image_height=height,
        vertices=(vertices - middle).astype(np.float32),
        quads=faces.astype(np.int32),
        uv=uv.astype(np.float32),
        texture=maps[..., :3].copy(),
        camera=camera or records.Camera(azimuth=0.7, elevation=0.3, distance=3.0, shift_x=0.05, shift_y=-0.03),
        light=white_light(),
        mask=np.full((height, width), 255, np.uint8),
        shape_code=np.linspace(-1, 1, 32, dtype=np.float32),
        texture_code=np.linspace(-2, 2, 48, dtype=np.float32),
        offsets=np.zeros_like(vertices),
        parts=records.ObjectParts(
            names=list(PARTS),
            of_quad=np.repeat(np.arange(len(components)), [len(quads) for _, quads, _ in components]).astype(np.int32),
            axle_parts=np.arange(2, 6, dtype=np.int32),
            axle_positions=(middles - middle).astype(np.float32),
            axle_directions=np.tile(
                np.array(axle_direction, np.float32) / np.linalg.norm(axle_direction), (4, 1)
            ).astype(np.float32),
            regions=list(REGIONS),
            region_of_quad=regions,
            palette=PALETTE.copy(),
            surface=maps[..., 3:].copy(),
        ),
    )


def with_looks(result, photo=(30, 160, 210)):
    """Returns an object with parts whose material has lacquer on the paint, a relief and a photo of one colour."""
    size = len(result.texture)
    strip = np.arange(size)[::-1] * len(REGIONS) // size  # of the regions, as in the texture
    coat = np.repeat(np.where(strip == REGIONS.index("paint"), 255, 0).astype(np.uint8)[:, None], size, axis=1)
    normal = np.tile(np.array([128, 128, 255], np.uint8), (size, size, 1))
    normal[:, ::7] = (190, 128, 236)
    result.parts.coat, result.parts.normal = coat, normal
    result.parts.photo = np.tile(np.array(photo, np.uint8), (size, size, 1))
    return result


def parts_with_looks(name="toy car", width=96, height=64):
    """Returns :func:`parts_reconstruction` with all that a material with maps may have."""
    return with_looks(parts_reconstruction(name, width, height))
