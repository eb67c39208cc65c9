# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is bolted to the body: bumpers, plates, radiators, lamps on stalks, side strips, badges, roof boxes."""

from __future__ import annotations

import numpy as np

from ..shapes import BODY, METAL, PLASTIC, TYRE, Part, blob, box, grid_faces, lathe, rectangle
from .body import BodyCurves
from .face import Face, has_wings, is_heavy
from .front import front_plate_level
from .rear import rear_plate_level

_LETTER, _BAND = -2.0, -3.0  # values of the plate's marking that stand for its letters and its band


def outline(body: Part, z: float) -> np.ndarray:
    """Return the left outline (N, 2) of the body at height z, (x, y) from the nose's middle to the tail's."""
    ring = body.vertices.reshape(-1, 96, 3)[:, :49]
    points = []
    for row in ring:
        above = np.flatnonzero((row[:-1, 2] <= z) & (row[1:, 2] > z))
        if len(above):
            k = above[0]
            share = (z - row[k, 2]) / (row[k + 1, 2] - row[k, 2])
            points.append(row[k, :2] + share * (row[k + 1, :2] - row[k, :2]))
    if len(points) < 4:
        return np.zeros((0, 2))
    return np.array([(0.0, points[0][1]), *points, (0.0, points[-1][1])])


def strip(line: np.ndarray, z: float, high: float, thick: float, slot: int, count: int = 22) -> list[Part]:
    """Return a bar along the part of an outline (N, 2), standing `thick` proud of it; both sides of the car."""
    steps = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    at = np.linspace(0, steps[-1], count)
    x, y = np.interp(at, steps, line[:, 0]), np.interp(at, steps, line[:, 1])
    along = np.stack([np.gradient(x), np.gradient(y)], axis=1)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-6)
    outward = np.stack([along[:, 1], -along[:, 0]], axis=1)
    if (outward[:, 0] * x).sum() < 0:
        outward = -outward
    angle = np.linspace(0, 2 * np.pi, 10, endpoint=False) + np.pi / 10
    across = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** 0.5 * thick
    up = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** 0.5 * high / 2
    size = np.ones(count)
    size[[0, -1]] = np.where(np.abs(x[[0, -1]]) < 0.01, 1.0, 0.25)
    vertices = np.stack(
        [
            x[:, None] + outward[:, :1] * across * size[:, None],
            y[:, None] + outward[:, 1:] * across * size[:, None],
            z + up * size[:, None],
        ],
        axis=-1,
    ).reshape(-1, 3)
    left = Part(vertices, grid_faces(count, 10, closed=True), slot)
    return [left, left.mirrored()]


def bumpers(curves: BodyCurves, body: Part, face: Face) -> list[Part]:
    """Return the separate bumpers of older cars."""
    p = curves.p
    if p.year >= 1992 or p.low_grille > 0.5 or is_heavy(p) or face.bumper == "body":
        return []
    slot = METAL if face.bumper == "chrome" else PLASTIC
    high, thick = (0.10, 0.055) if slot == METAL else (0.16, 0.05)
    parts = []
    for front in (True, False):
        base = p.ground_clearance + (p.nose_lift if front else p.tail_lift)
        tall = (p.nose_height if front else p.tail_height - p.tail_drop) - base
        z = base + (0.24 if slot == METAL else 0.28) * tall
        line = outline(body, z)
        if len(line):
            end = curves.front_axle - p.wheel_radius - 0.08 if front else curves.rear_axle + p.wheel_radius + 0.08
            keep = line[line[:, 1] < end] if front else line[line[:, 1] > end][::-1]
            if len(keep) > 2:
                parts += strip(keep, z, high, thick, slot)
    return parts


def side_strips(curves: BodyCurves, body: Part, rng: np.random.Generator) -> list[Part]:
    """Return rubbing strips or chrome lines along the doors."""
    p = curves.p
    wanted = 0.75 if p.year < 1972 else 0.6 if p.year < 2002 else 0.1
    if rng.random() > wanted or p.low_grille > 0.5 or is_heavy(p) or has_wings(p):
        return []
    z = float(curves.middle(np.array([p.length / 2]))[0]) + rng.uniform(-0.10, 0.12)
    line = outline(body, z)
    radius = p.wheel_radius + p.arch_gap
    slot = METAL if p.year < 1972 else PLASTIC
    parts = []
    clear = 0.0 if z > 2 * p.wheel_radius + 0.06 else radius + 0.05
    for start, end in ((curves.front_axle + clear, curves.rear_axle - clear),):
        keep = line[(line[:, 1] > start) & (line[:, 1] < end)]
        if len(keep) > 3:
            parts += strip(keep, z, 0.025 if slot == METAL else 0.05, 0.012, slot, 14)
    return parts


def plates(curves: BodyCurves, body: Part, face: Face, rng: np.random.Generator) -> list[Part]:
    """Return the number plates with letters that can be told to be letters."""
    fields = _letters(face, rng)
    parts = []
    if face.front_plate:
        parts += _plate(body, front_plate_level(curves, face), face, fields, -1.0)
    return parts + _plate(body, rear_plate_level(curves, face), face, fields, 1.0)


def _plate(body: Part, z: float, face: Face, fields: list[tuple], side: float) -> list[Part]:
    wide, high = face.plate
    near = body.vertices[(np.abs(body.vertices[:, 0]) < 0.8 * wide) & (np.abs(body.vertices[:, 2] - z) < high + 0.03)]
    if len(near) == 0:
        return []
    y = near[:, 1].min() - 0.006 if side < 0 else near[:, 1].max() + 0.006
    u, v = (a.ravel() for a in np.meshgrid(np.linspace(-wide, wide, 9), np.linspace(-high, high, 5)))
    vertices = np.stack([-side * u, np.full(len(u), y), z + v], axis=1)
    sheet = Part(vertices, grid_faces(5, 9, closed=False), BODY, {"plate": rectangle(u, v, wide, high) - 0.001})
    parts = [sheet.facing(np.array([0, side, 0]))]
    backing = box((2 * wide + 0.02, 0.02, 2 * high + 0.02), PLASTIC).moved((0, y - side * 0.012, z))
    corners = np.concatenate([np.array([(a, c), (b, c), (b, d), (a, d)]) for a, b, c, d, _ in fields])
    values = np.repeat([field[4] for field in fields], 4)
    # Seen from outside u runs to the right: that is towards -X at the rear and +X at the front.
    vertices = np.stack([-side * corners[:, 0], np.full(len(corners), y + side * 0.003), z + corners[:, 1]], axis=1)
    faces = np.arange(len(corners)).reshape(-1, 4)
    letters = Part(vertices, faces, BODY, {"plate": values}, smooth=False)
    return [*parts, backing.facing(), letters.facing(np.array([0, side, 0]))]


def _letters(face: Face, rng: np.random.Generator) -> list[tuple]:
    """Return rectangles (left, right, low, high, value) of a plate's letters and band, centred on it."""
    wide, high = face.plate
    fields = [(-wide, -wide + 0.042, -high, high, _BAND)] if face.band else []
    start, end = (-wide + 0.055 if face.band else -wide + 0.018), wide - 0.018
    count = int(rng.integers(6, 8))
    pitch = (end - start) / count
    low, top = -high * 0.62, high * 0.62
    gap = int(rng.integers(2, 4)) if rng.random() < 0.7 else -1
    for k in range(count):
        if k == gap:
            continue
        a, b = start + (k + 0.14) * pitch, start + (k + 0.86) * pitch
        t = min(0.013, 0.22 * (b - a))
        strokes = [
            (a, a + t, low, top),
            (b - t, b, low, top),
            (a, b, top - t, top),
            (a, b, low, low + t),
            (a, b, -t / 2, t / 2),
            ((a + b - t) / 2, (a + b + t) / 2, low, top),
        ]
        chosen = rng.choice(6, size=int(rng.integers(2, 5)), replace=False)
        fields += [(*strokes[i], _LETTER) for i in chosen]
    return fields


def radiator(curves: BodyCurves, body: Part, face: Face) -> list[Part]:
    """Return the radiator and the lamps on stalks of a car with separate wings."""
    p = curves.p
    if not has_wings(p):
        return []
    half, top, low = 0.19 * p.width, p.nose_height + 0.03, p.ground_clearance + p.nose_lift + 0.10
    u, v = np.meshgrid(np.linspace(-1, 1, 13), np.linspace(-1, 1, 13))
    width = half * (1 - 0.12 * np.maximum(-v, 0))
    y = 0.02 + 0.08 * (0.5 * (v + 1)) + 0.05 * u**2
    vertices = np.stack([u * width, y - 0.08, (top + low) / 2 + v * (top - low) / 2], axis=-1).reshape(-1, 3)
    distance = rectangle(u.ravel() * half, v.ravel() * (top - low) / 2, half - 0.035, (top - low) / 2 - 0.04, 0.05)
    shell = Part(
        vertices, grid_faces(13, 13, closed=False), BODY, {"grille": distance, "chrome": np.full(distance.size, -0.5)}
    ).facing(np.array([0, -1.0, 0]))
    depth = blob((2 * half, 0.50, top - low), BODY, 7.0, 9, 20).moved((0, 0.36, (top + low) / 2))
    parts = [shell, depth.facing()]
    z, x = 0.80 * p.nose_height + 0.02, min(half + 0.15, 0.40 * p.width)
    profile = np.array([(0.02, 0.001), (0.015, 0.07), (0.0, 0.105), (-0.06, 0.10), (-0.20, 0.03), (-0.22, 0.001)])
    bowl = lathe(profile, 18, METAL)
    turned = np.stack([bowl.vertices[:, 1], -bowl.vertices[:, 0], bowl.vertices[:, 2]], axis=1)
    glass = lathe(np.array([(0.028, 0.001), (0.018, 0.085)]), 18, BODY)
    lens = np.stack([glass.vertices[:, 1], -glass.vertices[:, 0], glass.vertices[:, 2]], axis=1)
    for points, part in ((turned, bowl), (lens, glass)):
        marks = {"head": np.full(len(points), -0.5)} if part is glass else {}
        left = Part(points + np.array([x, 0.20, z]), part.faces, part.slot, marks).facing(
            np.array([0, -1.0, 0]) if part is glass else None
        )
        parts += [left, left.mirrored()]
    return parts


def badges(curves: BodyCurves, body: Part, face: Face) -> list[Part]:
    """Return the maker's badge at the nose."""
    p = curves.p
    if p.low_grille > 0.5 or has_wings(p):
        return []
    z = p.ground_clearance + p.nose_lift + (p.nose_height - p.ground_clearance - p.nose_lift) * 0.68
    near = body.vertices[(np.abs(body.vertices[:, 0]) < 0.12) & (np.abs(body.vertices[:, 2] - z) < 0.05)]
    if len(near) == 0:
        return []
    return [blob((0.11, 0.03, 0.08), METAL, 2.2, 5, 12).moved((0, float(near[:, 1].min()), z))]


def roof_box(curves: BodyCurves, rng: np.random.Generator) -> list[Part]:
    """Return a luggage box on two bars."""
    p = curves.p
    if p.roof_box < 0.5:
        return []
    middle = np.array([0.5 * (curves.header + curves.roof_end)])
    z, length = p.height, min(1.8, 0.85 * (curves.roof_end - curves.header) + 0.1)
    slot = PLASTIC if rng.random() < 0.7 else BODY
    aside = float(rng.choice([0.0, 0.18, -0.18]))
    shell = blob((0.74, length, 0.30), slot, 5.0, 9, 20).moved((aside, float(middle[0]), z + 0.21))
    bars = [box((0.62 * p.width, 0.05, 0.03), PLASTIC).moved((0, float(middle[0]) + k, z + 0.05)) for k in (-0.4, 0.4)]
    return [shell, *bars]


def spare_wheel(curves: BodyCurves) -> list[Part]:
    """Return the spare wheel on an off-roader's tail gate."""
    p = curves.p
    if p.spare_wheel < 0.5:
        return []
    radius, half = 0.92 * p.wheel_radius, 0.09
    profile = np.array(
        [
            (half, 0.001),
            (half * 0.9, radius * 0.6),
            (half, radius * 0.65),
            (half, radius * 0.92),
            (half * 0.7, radius),
            (-half, radius),
        ]
    )
    wheel = lathe(profile, 28, TYRE)
    cover = lathe(np.array([(half + 0.012, 0.001), (half * 0.95, radius * 0.6)]), 28, BODY)
    place = np.array([0.0, p.length + half - 0.02, p.tail_height - 0.22])
    parts = []
    for part in (wheel, cover):
        turned = np.stack([-part.vertices[:, 1], part.vertices[:, 0], part.vertices[:, 2]], axis=1) + place
        parts.append(Part(turned, part.faces, part.slot))
    return parts


def commercial(curves: BodyCurves, rng: np.random.Generator) -> list[Part]:
    """Return what lorries have more: a deflector over the cab, a tank, a bar between the wheels."""
    p = curves.p
    if p.cargo < 0.5:
        return []
    parts = []
    step = p.cargo_height - p.height
    if step > 0.3 and rng.random() < 0.5:
        length = 0.75 * (curves.cargo_start - curves.header)
        wedge = box((0.80 * p.width, length, 1.0), BODY)
        low = p.height - 0.04
        y = wedge.vertices[:, 1]
        upper = np.where(y > 0, low + 0.85 * step, low + 0.10)
        wedge.vertices[:, 2] = np.where(wedge.vertices[:, 2] > 0, upper, low - 0.05)
        parts.append(wedge.moved((0, curves.cargo_start - 0.12 - length / 2, 0)))
    if p.wheel_radius > 0.4:
        rear = curves.rear_axle - p.wheel_radius - 0.15
        start = max(curves.cargo_start, curves.front_axle + p.wheel_radius + 0.1)
        for k in range(2):
            rail = box((0.03, rear - start, 0.09), METAL)
            rail = rail.moved((p.width / 2 - 0.01, (start + rear) / 2, p.ground_clearance + 0.10 + 0.24 * k))
            parts += [rail, rail.mirrored()]
    return parts


def fittings(curves: BodyCurves, body: Part, face: Face, rng: np.random.Generator) -> list[Part]:
    """Return all fittings of a car, their faces turned outwards; those of flat ones cannot be told from the shape."""
    turned = plates(curves, body, face, rng) + radiator(curves, body, face)
    parts = bumpers(curves, body, face) + side_strips(curves, body, rng) + badges(curves, body, face)
    parts += roof_box(curves, rng) + spare_wheel(curves) + commercial(curves, rng)
    return turned + [part.facing() for part in parts]
