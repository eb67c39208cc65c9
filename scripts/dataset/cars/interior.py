# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is seen through the glass: seats, head rests, dashboard and steering wheel, all within the cabin's shell."""

from __future__ import annotations

import numpy as np

from ..shapes import INTERIOR, PLASTIC, Part, blob, box, grid_faces
from .body import BodyCurves


def interior(curves: BodyCurves, rng: np.random.Generator) -> list[Part]:
    """Return the inside of a closed car above the belt; what lies below it cannot be seen."""
    p = curves.p
    right_hand = rng.random() < 0.25
    if p.open_top > 0.5:
        return []
    parts = []
    first = curves.header + (0.32 if p.screen_bend > 0.15 else 0.75)
    last = min(curves.glass_end - 0.65, curves.roof_end + 0.10)
    if p.side_windows < 0.5 or p.doors < 3 and p.low_grille > 0.5:
        last = first
    if p.cargo > 0.5:
        first = last = min(first, curves.cargo_start - 0.25)
    count = min(1 + max(0, int((last - first) / 0.80)), 7)
    for y in first + np.arange(count) * max(0.80, (last - first) / max(count, 1)):
        parts += _seats(curves, float(y), wide=p.length > 6.5)
    if p.side_windows < 0.5 and p.cargo < 0.5:  # the bulkhead of a panel van
        y = first + 0.35
        half, low, high = _room(curves, y)
        parts.append(box((1.7 * half, 0.03, high - low), PLASTIC).moved((0, y, (low + high) / 2)))
    y = curves.cowl + 0.45 * (curves.header - curves.cowl) + 0.10
    half, low, _ = _room(curves, y)
    parts.append(blob((1.6 * half, 0.40, 0.16), PLASTIC, 4.0, 7, 16).moved((0, y, low)))
    parts.append(_steering(curves, (-1 if right_hand else 1) * 0.46 * half, y + 0.24, low + 0.07))
    return [_fitted(curves, part) for part in parts]


def _room(curves: BodyCurves, y: float) -> tuple[float, float, float]:
    """Return half the width at the belt and the heights of belt and roof."""
    at = np.array([y])
    return float(curves.cabin_half_width(at)[0]), float(curves.shoulder(at)[0]), float(curves.roof(at)[0])


def _seats(curves: BodyCurves, y: float, wide: bool) -> list[Part]:
    half, low, high = _room(curves, y)
    tall = max(high - low, 0.15)
    top = low + min(0.46 * tall, 0.34)
    x = 0.46 * half
    back = blob((0.62 * half, 0.16, 0.60), INTERIOR, 3.4, 7, 12).moved((x, y, top - 0.30))
    head = blob((0.30 * half, 0.11, min(0.17, 0.34 * tall)), INTERIOR, 3.0, 5, 10).moved((x, y + 0.02, top + 0.06))
    parts = [back, back.mirrored(), head, head.mirrored()]
    return parts[:2] if wide else parts


def _steering(curves: BodyCurves, x: float, y: float, z: float) -> Part:
    """Return a steering wheel's rim, leaning towards the driver."""
    ring, tube = np.linspace(0, 2 * np.pi, 18, endpoint=False), np.linspace(0, 2 * np.pi, 6, endpoint=False)
    radius = 0.18 + 0.016 * np.cos(tube)
    across = radius * np.cos(ring)[:, None]
    up = radius * np.sin(ring)[:, None]
    depth = np.broadcast_to(0.016 * np.sin(tube), across.shape)
    vertices = np.stack([across + x, y + 0.94 * depth - 0.34 * up, z + 0.94 * up + 0.34 * depth], axis=-1)
    closed = np.concatenate([vertices, vertices[:1]]).reshape(-1, 3)
    return Part(closed, grid_faces(19, 6, closed=True), PLASTIC)


def _fitted(curves: BodyCurves, part: Part) -> Part:
    """Return a part pushed down and inwards to where it lies within the cabin's shell."""
    p = curves.p
    x, y, z = part.vertices.T.copy()
    side = (x / (p.width / 2)) ** 2
    roof = np.minimum(curves.roof(y - p.screen_bend * side), curves.roof(y + 0.16 * side))
    shoulder = curves.shoulder(y)
    z = np.minimum(z, roof - 0.07)
    # The section is a superellipse: near the roof there is less room.
    up = np.clip((z - shoulder) / np.maximum(roof - shoulder, 0.1), 0, 0.99)
    room = (curves.cabin_half_width(y) - curves.lean(y) * np.maximum(z - shoulder, 0)) * (1 - up**p.cabin_power) ** (
        1 / p.cabin_power
    ) - 0.06
    x = np.clip(x, -np.maximum(room, 0.05), np.maximum(room, 0.05))
    part.vertices = np.stack([x, y, z], axis=1)
    return part
