# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is drawn on the bodywork: windows, lamps, grille, plates, door gaps, as signed distances at the vertices."""

from __future__ import annotations

import numpy as np

from .body import BodyCurves, arch_distance, opening_distance
from .shapes import FAR, Part, ellipse, ellipsoid, rectangle


def mark_cabin(curves: BodyCurves, part: Part, rng: np.random.Generator) -> None:
    """Mark windows, their frames and a roof in a second colour on the cabin."""
    p = curves.p
    x, y, z = np.abs(part.vertices[:, 0]), part.vertices[:, 1], part.vertices[:, 2]
    roof, shoulder = curves.roof(y), curves.shoulder(y)
    wall = curves.cabin_half_width(y) - p.tumblehome * np.maximum(z - shoulder, 0)
    rail = 0.055
    screen = np.maximum.reduce([
        x - wall + 0.075, z - (p.height - 0.075), curves.top(y) + 0.015 - z, y - (curves.header + 0.25 * x),
        shoulder + 0.02 - z,
    ])
    rear_top = p.height - p.roof_drop - 0.07
    rear = np.maximum.reduce([
        x - wall + 0.11, z - rear_top, curves.top(y) + 0.04 - z, curves.roof_end - 0.02 - y,
    ])
    if p.side_windows < 0.5 and rng.random() < 0.5:
        rear = np.full_like(x, FAR)
    pillar = p.pillar * p.length
    slope = (curves.glass_end - curves.roof_end) / max(p.height - p.tail_height, 0.2)
    rear_edge = curves.glass_end - pillar - 0.05 - slope * 0.85 * (z - shoulder)
    if p.side_windows < 0.5:
        rear_edge = np.minimum(rear_edge, curves.header + 0.75)
    # The roof falls towards the screens, so the frame's width is measured along the roof line's slope.
    lean = np.gradient(curves.roof(np.linspace(0, p.length, 400)), p.length / 399)
    lean = np.interp(y, np.linspace(0, p.length, 400), lean)
    side = np.maximum.reduce([
        (z - (roof - rail * np.hypot(1, lean))) / np.hypot(1, lean), shoulder + 0.035 - z, (y - rear_edge) * 0.8,
        wall - 0.16 - x,
    ])
    for post in door_posts(curves):
        side = np.maximum(side, 0.035 - np.abs(y - post - 0.12 * (z - shoulder)))
    part.markings["glass"] = np.minimum.reduce([screen, side, rear])
    part.markings["trim"] = np.minimum(side - 0.022, rear - 0.015) if p.side_windows > 0.5 else rear - 0.01
    part.markings["two_tone"] = 0.86 * (p.height - p.tail_height) + p.tail_height - z


def door_posts(curves: BodyCurves) -> list[float]:
    """Positions of the posts between side windows."""
    p = curves.p
    if p.doors < 3:
        return [] if p.low_grille > 0.5 else [curves.header + 0.85]
    posts = [curves.header + 0.42, curves.rear_axle - 0.10]
    return posts if curves.roof_end - posts[1] > 0.25 else posts[:1]


def mark_lower(curves: BodyCurves, part: Part, rng: np.random.Generator) -> None:
    """Mark lamps, grille, intakes, plates, gaps, arches and dark lower edges on the lower body."""
    vertices = part.vertices
    marks = part.markings
    _mark_front(curves, vertices, marks, rng)
    _mark_rear(curves, vertices, marks, rng)
    _mark_sides(curves, vertices, marks, rng)


def _surface_point(vertices: np.ndarray, x: float, wanted: float, axis: int, region: np.ndarray) -> np.ndarray:
    """Return the vertex of `region` nearest to half-width x and to `wanted` along `axis`, on the left side."""
    cost = (vertices[:, 0] - x) ** 2 + (vertices[:, axis] - wanted) ** 2 + 100.0 * ~region
    return vertices[np.argmin(cost)]


def _mark_front(curves: BodyCurves, vertices: np.ndarray, marks: dict, rng: np.random.Generator) -> None:
    p = curves.p
    x, y, z = np.abs(vertices[:, 0]), vertices[:, 1], vertices[:, 2]
    ahead = (y - 0.165 * p.length) * 0.7
    base, top = p.ground_clearance + p.nose_lift, p.nose_height
    tall = top - base
    half = p.width / 2
    if p.low_grille > 0.5:
        mouth_z = base + tall * rng.uniform(0.33, 0.46)
        wide, high = half * rng.uniform(0.34, 0.58), tall * rng.uniform(0.20, 0.28)
        mouth = ellipse(x, z - mouth_z, wide, high, rng.uniform(2, 4))
        chrome = mouth - 0.02
        corners = ellipse(x - half * 0.68, z - mouth_z + 0.02, half * 0.13, tall * 0.20, 3.0)
        dark = np.minimum(mouth, corners if rng.random() < 0.75 else mouth)
    else:
        mouth_z = base + tall * rng.uniform(0.66, 0.76)
        mouth = rectangle(x, z - mouth_z, half * rng.uniform(0.34, 0.55), tall * rng.uniform(0.10, 0.19), 0.03)
        wide, high = half * rng.uniform(0.45, 0.75), tall * rng.uniform(0.09, 0.15)
        lower = rectangle(x, z - base - tall * 0.18, wide, high, 0.04)
        fog = ellipse(x - half * 0.72, z - base - tall * 0.25, 0.08, 0.06)
        dark, chrome = np.minimum.reduce([mouth, lower, fog]), mouth - 0.025
    marks["dark"] = np.maximum(dark, ahead)
    marks["chrome"] = np.maximum(chrome, ahead) if rng.random() < 0.45 else np.full(len(x), FAR)
    plate_z = base + tall * (0.30 if p.low_grille > 0.5 else 0.40)
    plate = np.maximum(rectangle(x, z - plate_z, 0.25, 0.055, 0.01), ahead)
    marks["plate"] = plate if rng.random() < 0.7 else np.full(len(x), FAR)
    _mark_headlamps(curves, vertices, marks, rng)


def _mark_headlamps(curves: BodyCurves, vertices: np.ndarray, marks: dict, rng: np.random.Generator) -> None:
    p = curves.p
    front = (vertices[:, 1] < 0.30 * p.length) & (vertices[:, 2] > p.nose_height * 0.45)
    points = vertices.copy()
    points[:, 0] = np.abs(points[:, 0])
    sweep = p.lamp_sweep
    depth = 0.10 + 0.42 * sweep * min(1.0, p.nose_plan)
    level = p.nose_height * (0.90 if sweep < 0.7 else 1.0)
    if sweep < 0.7:
        anchor = _surface_point(vertices, 0.70 * p.width / 2, level, 2, front)
    else:
        high = front & (vertices[:, 2] > curves.middle(vertices[:, 1]) + 0.03)
        anchor = _surface_point(vertices, 0.70 * p.width / 2, depth, 1, high)
    back = np.array([0.55 - 0.25 * sweep, 0.25 + 0.75 * sweep, 0.12 + 0.22 * sweep])
    back /= np.linalg.norm(back)
    across = np.cross(back, [0.0, 0.0, 1.0])
    across /= np.linalg.norm(across)
    axes = np.stack([back, across, np.cross(across, back)])
    # Swept lamps lie on the wing: there their visible height is measured across the car.
    sizes = (p.lamp_length, 0.30 if sweep < 0.7 else p.lamp_height * 1.05, p.lamp_height if sweep < 0.7 else 0.20)
    lamp = ellipsoid(points, anchor, axes, sizes, rng.uniform(2.0, 4.0))
    ahead = vertices[:, 1] - 0.32 * p.length
    marks["head"] = np.maximum(lamp, ahead)
    bulb_centre = anchor - back * p.lamp_length * 0.25
    bulb = p.lamp_height * rng.uniform(0.65, 0.85)
    shape = ellipsoid(points, bulb_centre, axes, (bulb * rng.uniform(1.0, 1.9), bulb, bulb))
    marks["bulb"] = np.maximum(shape, lamp + 0.012)


def _mark_rear(curves: BodyCurves, vertices: np.ndarray, marks: dict, rng: np.random.Generator) -> None:
    p = curves.p
    x, y, z = np.abs(vertices[:, 0]), vertices[:, 1], vertices[:, 2]
    behind = (p.length - 0.42 - y) * 0.7
    base, top = p.ground_clearance + p.tail_lift, p.tail_height - p.tail_drop
    tall, half = top - base, p.width / 2
    lamp_z = base + tall * rng.uniform(0.70, 0.78)
    if p.tail_lamp_round > 0.5:
        radius = rng.uniform(0.075, 0.105)
        tail = np.hypot(x - half * 0.70, z - lamp_z) - radius
        bulb = np.hypot(x - half * 0.70, z - lamp_z) - radius * 0.42
        if rng.random() < 0.45:
            inner = np.hypot(x - half * 0.70 + 2.15 * radius, z - lamp_z) - radius * 0.9
            tail = np.minimum(tail, inner)
            bulb = np.minimum(bulb, inner + 0.055)
    elif p.tail_lamp_tall > 0.5:
        tail = rectangle(x - half * 0.88, z - base - tall * 0.72, half * 0.13, tall * rng.uniform(0.22, 0.30), 0.04)
        bulb = rectangle(x - half * 0.88, z - base - tall * 0.66, half * 0.10, tall * 0.06, 0.02)
    else:
        wide, high = half * rng.uniform(0.20, 0.34), tall * rng.uniform(0.10, 0.15)
        tail = rectangle(x - half * 0.78, z - lamp_z, wide, high, 0.04)
        bulb = rectangle(x - half * 0.70, z - lamp_z + tall * 0.03, half * 0.08, tall * 0.035, 0.02)
    marks["tail"] = np.maximum(tail, behind)
    marks["bulb"] = np.minimum(marks["bulb"], np.maximum(bulb, behind))
    plate_z = base + tall * (rng.uniform(0.40, 0.52) if rng.random() < 0.6 else rng.uniform(0.66, 0.74))
    if p.low_grille > 0.5:
        plate_z = base + tall * rng.uniform(0.34, 0.44)
    plate = np.maximum(rectangle(x, z - plate_z, 0.26, 0.06, 0.01), behind)
    marks["plate"] = np.minimum(marks["plate"], plate)
    recess = np.maximum(rectangle(x, z - plate_z, 0.36, 0.10, 0.03), behind)
    strip = base + tall * (rng.uniform(0.22, 0.36) if p.low_grille > 0.5 else rng.uniform(0.02, 0.16))
    diffuser = np.maximum.reduce([z - strip, behind, x - half * (0.72 if p.low_grille > 0.5 else 2.0)])
    dark = np.minimum(diffuser, recess) if rng.random() < 0.4 else diffuser
    marks["dark"] = np.minimum(marks["dark"], dark)
    lid = np.maximum(rectangle(x, z - base - tall * 0.75, half * 0.62, tall * 0.42, 0.05), behind - 0.05)
    if p.bed > 0.5:
        lid = np.maximum(rectangle(x, z - base - tall * 0.55, half * 0.80, tall * 0.42, 0.03), behind - 0.05)
    marks["lid"] = lid


def _mark_sides(curves: BodyCurves, vertices: np.ndarray, marks: dict, rng: np.random.Generator) -> None:
    p = curves.p
    x, y, z = np.abs(vertices[:, 0]), vertices[:, 1], vertices[:, 2]
    outer = x > 0.42 * p.width / 2
    arch = np.minimum(*(arch_distance(p, axle, y, z) for axle in (curves.front_axle, curves.rear_axle)))
    arch = np.where(outer, arch, FAR)
    middle = curves.middle(y)
    bottom = np.where(z < middle, z - curves.bottom(y) - 0.035, FAR)
    marks["arch"] = np.minimum(arch, bottom)
    if p.cladding > 0.5:
        cladding = np.minimum(arch - 0.07, np.where(z < middle, z - curves.bottom(y) - 0.15, FAR))
        marks["dark"] = np.minimum(marks["dark"], cladding)
    opening = opening_distance(curves, x, y)
    if opening is not None:
        marks["arch"] = np.minimum(marks["arch"], np.where(z > middle - 0.2, opening + 0.01, FAR))
    front = curves.front_axle + p.wheel_radius + p.arch_gap + 0.13
    rear = curves.rear_axle - p.wheel_radius - p.arch_gap - (0.05 if p.doors > 3 else 0.22)
    low = p.ground_clearance + 0.10
    split = curves.header + 0.42 if p.doors > 3 else rear
    split = float(np.clip(split, front + 0.6, rear))
    high = p.tail_height + 0.5
    doors = rectangle(y - (front + split) / 2, z - (low + high) / 2, (split - front) / 2, (high - low) / 2, 0.06)
    marks["door"] = np.where(x > 0.6 * p.width / 2, doors, FAR)
    if p.doors > 3 and rear - split > 0.35:
        centre, half_length = (split + 0.02 + rear) / 2, (rear - split - 0.02) / 2
        back = rectangle(y - centre, z - (low + high) / 2, half_length, (high - low) / 2, 0.08)
        marks["lid"] = np.minimum(marks["lid"], np.where(x > 0.6 * p.width / 2, back, FAR))
    # The bonnet's own outline.
    bonnet_end = curves.cowl + 0.05
    bonnet = rectangle(x, y - (0.32 + bonnet_end) / 2, p.width / 2 * 0.64, (bonnet_end - 0.32) / 2, 0.12)
    marks["door"] = np.minimum(marks["door"], np.where(z > middle + 0.04, bonnet, FAR))
    if p.side_intake > 0.5:
        intake = ellipse(y - (curves.rear_axle - p.wheel_radius - 0.26) - 0.35 * (z - middle), z - middle + 0.02,
                         rng.uniform(0.08, 0.17), rng.uniform(0.07, 0.13), 2.5)
        marks["dark"] = np.minimum(marks["dark"], np.where(x > 0.6 * p.width / 2, intake, FAR))
    marks["two_tone"] = z - (p.ground_clearance + rng.uniform(0.18, 0.34))
