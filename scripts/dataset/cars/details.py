# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wheels, mirrors, handles, exhausts, wings, rails and seats."""

from __future__ import annotations

import numpy as np

from ..shapes import BODY, FAR, INTERIOR, METAL, PLASTIC, RIM, TYRE, Part, blob, box, grid_faces, lathe
from .body import BodyCurves

WHEEL_SEGMENTS = 48  # of a tyre; rims have half as many more, backs half as many: every second, third and first agree


def wheels(curves: BodyCurves, rng: np.random.Generator) -> list[Part]:
    """Return the four wheels, standing on the ground just inside the body's sides."""
    p = curves.p
    kinds = _wheel(p.wheel_radius, p.wheel_width, p.year, rng)
    parts = []
    for axle in (curves.front_axle, curves.rear_axle):
        span = np.linspace(axle - 0.6 * p.wheel_radius, axle + 0.6 * p.wheel_radius, 9)
        outside = float(curves.half_width(span).min()) * (1 - 0.12 * p.sill_tuck) - 0.012 + 0.6 * p.flare
        for part in kinds:
            left = part.moved((outside - p.wheel_width / 2, axle, p.wheel_radius))
            parts += [left, left.mirrored()]
    return parts


def _wheel(radius: float, width: float, year: float, rng: np.random.Generator) -> list[Part]:
    """Return tyre and rim of the left wheel, centred at the origin, outside towards +X."""
    half = width / 2
    rim = radius * (rng.uniform(0.66, 0.78) if year > 1995 else rng.uniform(0.60, 0.68))
    tyre_profile = np.array(
        [
            (-half, rim),
            (-half, radius * 0.93),
            (-half * 0.75, radius),
            (0, radius),
            (half * 0.75, radius),
            (half * 0.97, radius * 0.945),
            (half, (rim + radius) / 2),
            (half * 0.93, rim),
            (half * 0.80, rim * 0.97),
        ]
    )
    tyre = lathe(tyre_profile[::-1], WHEEL_SEGMENTS, TYRE)
    dish = rng.uniform(0.0, 0.30)
    rings = np.array([1.0, 0.95, 0.90, 0.80, 0.66, 0.52, 0.38, 0.25, 0.14, 0.001])
    depth = half * (0.94 - dish * (1 - rings) - 0.22 * np.exp(-(((rings - 0.75) / 0.18) ** 2)))
    face = lathe(np.stack([depth, rings * rim], axis=1), 3 * WHEEL_SEGMENTS // 2, RIM)
    plain = year < 1975 or year < 1997 and rng.random() < 0.5 or width > 0.275 and radius > 0.42
    face.markings.update((_cap if plain else _spokes)(face.vertices, rim, rng))
    back = lathe(np.array([(-half, 0.001), (-half, rim)]), WHEEL_SEGMENTS // 2, PLASTIC)
    tyre.name, face.name, back.name = "tyre", "rim", "wheel_back"
    outside = np.array([1.0, 0.0, 0.0])
    return [tyre.facing(), face.facing(outside), back.facing(-outside)]


def _spokes(vertices: np.ndarray, rim: float, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Mark metal ("glass" channel, negative on metal) and the hub ("trim" channel) of a rim."""
    distance = np.hypot(vertices[:, 1], vertices[:, 2])
    angle = np.arctan2(vertices[:, 2], vertices[:, 1])
    count = int(rng.choice([5, 5, 5, 6, 7, 8, 10, 12]))
    twin = count <= 6 and rng.random() < 0.45
    sector = 2 * np.pi / count
    turn = np.mod(angle + sector / 2, sector) - sector / 2
    thickness = rim * rng.uniform(0.10, 0.17) * (5 / count) ** 0.5 * (0.75 if twin else 1.0)
    flare = 1 + rng.uniform(-0.3, 0.5) * distance / rim
    offset = np.abs(turn) * distance - (rim * 0.16 * distance / rim if twin else 0)
    spoke = np.abs(offset) - thickness * flare
    lip = rim * rng.uniform(0.88, 0.94) - distance
    hub = distance - rim * rng.uniform(0.22, 0.30)
    return {
        "glass": np.minimum.reduce([spoke, lip, hub]),
        "trim": distance - rim * 0.10,
        "dark": np.abs(distance - rim * 0.55) - rim * 0.20,
    }


def _cap(vertices: np.ndarray, rim: float, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Mark a pressed steel wheel: a ring of slots between the rim and a round cap."""
    distance = np.hypot(vertices[:, 1], vertices[:, 2])
    angle = np.arctan2(vertices[:, 2], vertices[:, 1])
    count = int(rng.choice([8, 10, 12, 16]))
    sector = 2 * np.pi / count
    turn = np.mod(angle + sector / 2, sector) - sector / 2
    slot = np.maximum(np.abs(turn) * distance - 0.28 * sector * distance, np.abs(distance - 0.74 * rim) - 0.09 * rim)
    return {"glass": -slot, "trim": distance - rim * 0.08, "dark": np.full(len(vertices), FAR)}


def mirrors(curves: BodyCurves) -> list[Part]:
    """Return both door mirrors with their arms."""
    p = curves.p
    y = np.array([curves.cowl + 0.42 * (curves.header - curves.cowl) + 0.12])
    x = float(curves.cabin_half_width(y)[0])
    z = float(curves.shoulder(y)[0])
    size = 0.9 + 0.25 * (p.height - 1.3)
    left = blob((0.21 * size, 0.12 * size, 0.15 * size), BODY).moved((x + 0.14, float(y[0]), z + 0.10))
    left.name = "mirror"
    arm = blob((0.20, 0.06, 0.05), PLASTIC, rings=5, segments=8).moved((x + 0.03, float(y[0]), z + 0.045))
    return [left, left.mirrored(), arm, arm.mirrored()]


def handles(curves: BodyCurves, rng: np.random.Generator) -> list[Part]:
    """Return the door handles."""
    p = curves.p
    slot = METAL if rng.random() < 0.4 else BODY
    places = [curves.header + 0.28 if p.doors > 3 else curves.rear_axle - p.wheel_radius - 0.42]
    if p.doors > 3:
        places.append(curves.rear_axle - 0.28)
    parts = []
    for place in places:
        y = np.array([place])
        middle, top = float(curves.middle(y)[0]), float(curves.top(y)[0])
        z = middle + 0.55 * (float(curves.shoulder(y)[0]) - middle)
        rise = (z - middle) / (top - middle)
        x = float(curves.half_width(y)[0]) * (1 - rise**p.bonnet_power) ** (1 / p.bonnet_power)
        handle = blob((0.05, 0.19, 0.035), slot, rings=5, segments=10).moved((x, place, z))
        parts += [handle, handle.mirrored()]
    return parts


def exhausts(curves: BodyCurves, rng: np.random.Generator) -> list[Part]:
    """Return exhaust tips: one or two a side."""
    p = curves.p
    if p.low_grille < 0.5 and rng.random() < 0.5:
        return []
    radius = 0.045 if p.low_grille > 0.5 else 0.032
    profile = np.array([(0.0, radius * 0.8), (-0.10, radius * 0.8), (-0.10, radius), (0.08, radius)])
    tip = lathe(profile, 16, METAL)
    turned = np.stack([tip.vertices[:, 1], -tip.vertices[:, 0], tip.vertices[:, 2]], axis=1)
    count = 2 if p.low_grille > 0.5 else 1
    parts = []
    for k in range(count):
        centre = (0.52 * p.width / 2 + 2.3 * radius * k, p.length - 0.10, p.ground_clearance + p.tail_lift + 0.06)
        part = Part(turned + np.array(centre), tip.faces, METAL)
        parts += [part, part.mirrored()]
    return parts


def wing(curves: BodyCurves, rng: np.random.Generator) -> list[Part]:
    """Return a rear wing on two posts, or a lip on the roof's rear edge of tall cars."""
    p = curves.p
    if p.wing <= 0:
        return []
    slot = BODY if rng.random() < 0.6 else PLASTIC
    if p.height > 1.4:
        y, z, half = curves.roof_end + 0.06, p.height - p.roof_drop - 0.01, 0.30 * p.width
        return [_blade(half, 0.26, 0.05, slot).moved((0, y, z))]
    z = p.tail_height + 0.06 + 0.16 * p.wing
    y = p.length - 0.22
    half = 0.43 * p.width
    post = box((0.04, 0.16, z - p.tail_height + 0.14), slot)
    post = post.moved((half * 0.72, y - 0.02, (z + p.tail_height) / 2 - 0.06))
    return [_blade(half, 0.30, 0.045, slot).moved((0, y, z)), post, post.mirrored()]


def _blade(half: float, chord: float, thickness: float, slot: int) -> Part:
    """Return a wing section swept across the car, its ends bent down a little."""
    angle = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    span = np.linspace(-1, 1, 15)
    taper = np.maximum(1 - np.abs(span) ** 8, 0.0)[:, None]
    y = np.cos(angle) * chord / 2 * (0.35 + 0.65 * taper)
    z = np.sin(angle) * thickness / 2 * taper + 0.16 * y - 0.03 * (np.abs(span) ** 6)[:, None]
    x = np.repeat((span * half)[:, None], len(angle), axis=1)
    vertices = np.stack([x, y, z], axis=-1).reshape(-1, 3)
    return Part(vertices, grid_faces(len(span), len(angle), closed=True)[:, ::-1], slot)


def roof_rails(curves: BodyCurves, rng: np.random.Generator) -> list[Part]:
    """Return the two rails of an estate or SUV."""
    p = curves.p
    if p.roof_rails < 0.5:
        return []
    y = np.linspace(curves.header + 0.15, curves.roof_end - 0.05, 12)
    angle = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    lift = 0.030 * np.minimum(1, 6 * np.minimum(np.linspace(0, 1, 12), np.linspace(1, 0, 12)))
    height = p.height - curves.roof(y)
    half = (curves.cabin_half_width(y) - p.tumblehome * (curves.roof(y) - curves.shoulder(y))) * 0.80
    x = half[:, None] + 0.018 * np.cos(angle)
    z = (p.height - height - 0.035 + lift)[:, None] + 0.022 * np.sin(angle)
    vertices = np.stack([x, np.repeat(y[:, None], 8, axis=1), z], axis=-1).reshape(-1, 3)
    rail = Part(vertices, grid_faces(12, 8, closed=True), METAL if rng.random() < 0.5 else PLASTIC)
    return [rail, rail.mirrored()]


def cockpit(curves: BodyCurves) -> list[Part]:
    """Return seats and steering wheel of an open car."""
    p = curves.p
    if p.open_top < 0.5:
        return []
    y, x, floor = curves.header + 0.55, 0.20 * p.width, p.cowl_height - 0.30
    back = blob((0.46, 0.20, 0.62), INTERIOR, 3.2).moved((x, y + 0.12, floor + 0.20))
    head = blob((0.27, 0.13, 0.20), INTERIOR, 3.0).moved((x, y + 0.17, floor + 0.55))
    seat = blob((0.46, 0.50, 0.20), INTERIOR, 3.2).moved((x, y - 0.12, floor + 0.02))
    steering = blob((0.34, 0.08, 0.30), PLASTIC, 2.2).moved((x, curves.header - 0.02, floor + 0.25))
    return [back, back.mirrored(), head, head.mirrored(), seat, seat.mirrored(), steering]
