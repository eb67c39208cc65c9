# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Places drawn from random numbers: streets, façades, foliage, floors, and plain clutter, to put cut-out objects in.

They need not look real. They have what photographs have and a renderer's empty worlds lack: straight edges, repeated
windows, bright spots, patterns on the ground, things of the object's own colours.
"""

from __future__ import annotations

import cv2
import numpy as np


def random_colour(rng: np.random.Generator, saturation: float = 0.35) -> np.ndarray:
    """(3,) float32 in [0, 1], mostly dull."""
    grey = rng.uniform(0.03, 0.97)
    return np.clip(grey + saturation * rng.beta(1, 3) * rng.uniform(-1.5, 1.5, 3), 0, 1).astype(np.float32)


def smooth_noise(rng: np.random.Generator, size: int, cells: int, channels: int = 1) -> np.ndarray:
    """(size, size, channels) float32 in [0, 1] that varies over about ``cells`` blobs a side."""
    coarse = rng.random((cells, cells, channels), dtype=np.float32)
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC).reshape(size, size, channels).clip(0, 1)


def texture(rng: np.random.Generator, size: int) -> np.ndarray:
    """(size, size, 3) float32: noise of several sizes between two colours; plaster, leaves, gravel, asphalt."""
    noise = np.zeros((size, size, 1), dtype=np.float32)
    weight = 0.0
    for cells in (4, 10, 28, 64):
        strength = rng.random() ** 2
        noise += strength * smooth_noise(rng, size, cells)
        weight += strength
    noise = np.clip((noise / (weight + 1e-6) - 0.5) * rng.uniform(0.4, 3.0) + 0.5, 0, 1)
    first, second = random_colour(rng), random_colour(rng)
    if rng.random() < 0.25:  # foliage
        first = np.array([0.05, 0.10, 0.03])
        second = np.array([0.35, 0.50, 0.20]) * rng.uniform(0.5, 1.4)
    return (first + (second - first) * noise).astype(np.float32)


def facade(rng: np.random.Generator, canvas: np.ndarray, bottom: int) -> None:
    """Draws a row of houses above the row ``bottom``, with windows on a grid; (S, S, 3) float32, in place."""
    size = canvas.shape[1]
    left = int(rng.integers(-size // 3, 1))
    while left < size:
        width = int(rng.integers(size // 6, size))
        top = int(rng.integers(-size // 4, max(1, int(bottom * 0.8))))
        wall, window = random_colour(rng), random_colour(rng, 0.15) * rng.uniform(0.2, 1.0)
        cv2.rectangle(canvas, (left, top), (left + width, bottom), wall.tolist(), -1)
        step_x, step_y = int(rng.integers(6, 30)), int(rng.integers(8, 34))
        inner_x, inner_y = max(2, int(step_x * rng.uniform(0.3, 0.8))), max(2, int(step_y * rng.uniform(0.4, 0.85)))
        if rng.random() < 0.85:
            for y in range(top + 3, bottom, step_y):
                for x in range(left + 2, left + width - inner_x, step_x):
                    shade = (window * rng.uniform(0.7, 1.3)).clip(0, 1)
                    cv2.rectangle(canvas, (x, y), (x + inner_x, min(y + inner_y, bottom)), shade.tolist(), -1)
        left += width


def ground(rng: np.random.Generator, canvas: np.ndarray, horizon: int) -> None:
    """Draws a floor below the row ``horizon``: gravel or asphalt, kerbs, painted lines, slabs; in place."""
    size = canvas.shape[0]
    if horizon >= size:
        return
    canvas[horizon:] = (random_colour(rng, 0.15) * 0.6 + texture(rng, size) * 0.4)[horizon:]
    vanishing = (int(rng.integers(-size, 2 * size)), horizon - int(rng.integers(0, 12)))
    for _ in range(int(rng.integers(0, 5))):
        colour = random_colour(rng, 0.15)
        if rng.random() < 0.5:  # towards the vanishing point
            x, wide = rng.uniform(-2 * size, 3 * size), rng.uniform(2, size / 2)
            far = rng.uniform(0, 0.9)
            a = (x + (vanishing[0] - x) * far, size + (vanishing[1] - size) * far)
            b = (x + wide + (vanishing[0] - x - wide) * far, a[1])
            corners = np.array([(x, size), a, b, (x + wide, size)]).round().astype(np.int32)
            cv2.fillConvexPoly(canvas, corners, colour.tolist())
        else:  # across
            y = int(rng.integers(horizon, size))
            slope = int(rng.integers(-10, 11))
            cv2.line(canvas, (0, y), (size, y + slope), colour.tolist(), int(rng.integers(1, 9)))


def clutter(rng: np.random.Generator, canvas: np.ndarray, count: int) -> None:
    """Draws posts, discs, boxes and polygons anywhere; in place."""
    size = canvas.shape[0]
    for _ in range(count):
        colour = random_colour(rng, 0.9 if rng.random() < 0.4 else 0.3).tolist()
        x, y = (int(v) for v in rng.integers(0, size, 2))
        kind = rng.integers(0, 5)
        if kind == 0:
            top = (x + int(rng.integers(-6, 7)), y - int(rng.integers(10, size)))
            cv2.line(canvas, (x, y), top, colour, int(rng.integers(1, 5)))
        elif kind == 1:
            axes = (int(rng.integers(2, 22)), int(rng.integers(2, 22)))
            cv2.ellipse(canvas, (x, y), axes, int(rng.integers(0, 180)), 0, 360, colour, -1)
        elif kind == 2:
            corner = (x + int(rng.integers(3, size // 2)), y + int(rng.integers(3, size // 3)))
            cv2.rectangle(canvas, (x, y), corner, colour, -1)
        elif kind == 3:
            corners = np.array([x, y]) + rng.integers(-size // 4, size // 4, (int(rng.integers(3, 6)), 2))
            cv2.fillConvexPoly(canvas, cv2.convexHull(corners.astype(np.int32)), colour)
        else:  # somebody standing there
            tall = int(rng.integers(10, size // 2))
            cv2.rectangle(canvas, (x, y - tall), (x + max(2, tall // 4), y), colour, -1)
            cv2.circle(canvas, (x + tall // 8, y - tall), max(1, tall // 8), (0.75, 0.6, 0.5), -1)


def place(rng: np.random.Generator, size: int) -> np.ndarray:
    """(size, size, 3) float32 sRGB in [0, 1]: a whole drawn background."""
    canvas = np.empty((size, size, 3), dtype=np.float32)
    sky, lower = random_colour(rng), random_colour(rng)
    canvas[:] = sky + (lower - sky) * np.linspace(0, 1, size, dtype=np.float32)[:, None, None]
    if rng.random() < 0.15:
        canvas = texture(rng, size)
    horizon = int(size * rng.uniform(0.0, 0.75))
    if rng.random() < 0.75:
        facade(rng, canvas, max(0, horizon))
    if rng.random() < 0.5:  # bushes and trees
        where = smooth_noise(rng, size, int(rng.integers(3, 9))) > rng.uniform(0.4, 0.7)
        canvas = np.where(where, texture(rng, size), canvas)
    clutter(rng, canvas, int(rng.integers(0, 9)))
    if rng.random() < 0.9:
        ground(rng, canvas, max(0, horizon))
    if rng.random() < 0.4:
        clutter(rng, canvas, int(rng.integers(0, 4)))
    if rng.random() < 0.3:  # lamps, signs and sky between leaves
        for _ in range(int(rng.integers(1, 12))):
            centre = (int(rng.integers(0, size)), int(rng.integers(0, size)))
            glow = (1.0, float(rng.uniform(0.7, 1)), float(rng.uniform(0.4, 1)))
            cv2.circle(canvas, centre, int(rng.integers(1, 4)), glow, -1)
    return canvas
