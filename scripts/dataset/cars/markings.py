# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is drawn on the bodywork: windows, lamps, grille, plates, door gaps, as signed distances at the vertices."""

from __future__ import annotations

import numpy as np

from ..shapes import FAR, Part, ellipse, rectangle
from .body import BodyCurves, arch_distance, opening_distance
from .face import Face, has_wings, is_heavy
from .front import mark_front
from .rear import mark_rear

RAIL = 0.055
"""Width of the frame between a side window and the roof, in metres."""


def mark_cabin(curves: BodyCurves, part: Part, face: Face, rng: np.random.Generator) -> None:
    """Mark windows, their frames and a roof in a second colour on the cabin."""
    p = curves.p
    x, y, z = np.abs(part.vertices[:, 0]), part.vertices[:, 1], part.vertices[:, 2]
    # High roofs begin well above the windows.
    reach = 0.66 if p.side_windows < 0.5 else 1.2
    screen, rear = _screens(curves, x, y, z, reach)
    if p.cargo > 0.5 or (p.side_windows < 0.5 and rng.random() < 0.5):
        rear = np.full_like(x, FAR)
    whole = _side_window(curves, x, y, z, reach)
    posts = np.full_like(x, FAR)
    for post in door_posts(curves):
        posts = np.minimum(posts, np.abs(y - post - 0.12 * (z - curves.shoulder(y))) - 0.035)
    part.markings["glass"] = np.minimum.reduce([screen, np.maximum(whole, -posts), rear])
    part.markings["trim"] = np.minimum(whole - 0.022, np.minimum(rear, screen) - 0.015)
    # Posts between the windows are black on newer cars and painted on older ones.
    dark = np.full_like(x, FAR)
    if p.year > 1992 and p.side_windows > 0.5 or is_heavy(p):
        dark = np.maximum(posts, whole)
    if p.cargo > 0.5:  # the gap between cab and box
        dark = np.minimum(dark, np.abs(y - curves.cargo_start + 0.05) - 0.035)
        part.markings["door"] = np.maximum(x - 0.02, curves.glass_end - 0.6 - y)
    else:
        part.markings["door"] = _cabin_doors(curves, x, y)
    part.markings["dark"] = dark
    roof_edge = 0.86 * (p.height - p.tail_height) + p.tail_height
    cargo_edge = curves.cargo_start - 0.02 - y
    roof_tone = np.full_like(x, FAR) if face.low_tone else roof_edge - z
    part.markings["two_tone"] = cargo_edge if p.cargo > 0.5 else roof_tone


def _screens(
    curves: BodyCurves, x: np.ndarray, y: np.ndarray, z: np.ndarray, reach: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the distances to the windscreen and to the rear screen; ``reach`` is the windows' height in metres."""
    p = curves.p
    shoulder = curves.shoulder(y)
    wall = curves.cabin_half_width(y) - curves.lean(y) * np.maximum(z - shoulder, 0)
    screen_top = min(p.height - 0.075, p.cowl_height + reach + 0.30)
    screen = np.maximum.reduce(
        [
            x - wall + 0.075,
            z - screen_top,
            curves.top(y) + 0.015 - z,
            y - (curves.header + (0.25 * x if p.screen_bend > 0.15 else 0.10)),
            shoulder + 0.02 - z,
        ]
    )
    rear_top = p.height - p.roof_drop - 0.07
    rear = np.maximum.reduce(
        [
            x - wall + 0.11,
            z - rear_top,
            curves.top(y) + 0.04 - z,
            curves.roof_end - 0.02 - y,
        ]
    )
    return screen, rear


def _side_window(curves: BodyCurves, x: np.ndarray, y: np.ndarray, z: np.ndarray, reach: float) -> np.ndarray:
    """Return the distance to the side's glass, as if no posts divided it; ``reach`` is its height in metres."""
    p = curves.p
    shoulder = curves.shoulder(y)
    wall = curves.cabin_half_width(y) - curves.lean(y) * np.maximum(z - shoulder, 0)
    slope = (curves.glass_end - curves.roof_end) / max(p.height - p.tail_height, 0.2)
    if p.cargo > 0.5:
        slope = 0.0
    rear_edge = curves.glass_end - p.pillar * p.length - 0.05 - slope * 0.85 * (z - shoulder)
    if p.side_windows < 0.5:
        first = curves.header + (0.75 if p.screen_bend > 0.15 else 0.95)
        rear_edge = np.minimum(rear_edge, min(first, curves.cargo_start - 0.35) if p.cargo > 0.5 else first)
    # The roof falls towards the screens, so the frame's width is measured along the roof line's slope.
    lean = np.gradient(curves.roof(np.linspace(0, p.length, 400)), p.length / 399)
    lean = np.interp(y, np.linspace(0, p.length, 400), lean)
    return np.maximum.reduce(
        [
            (z - (curves.roof(y) - RAIL * np.hypot(1, lean))) / np.hypot(1, lean),
            shoulder + 0.035 - z,
            (y - rear_edge) * 0.8,
            wall - 0.16 - x,
            z - shoulder - reach,
        ]
    )


def _cabin_doors(curves: BodyCurves, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the distance to the line where a hatch or a pair of rear doors opens."""
    p = curves.p
    if not is_heavy(p):
        return np.full_like(x, FAR)
    return np.maximum(x - 0.004, curves.roof_end - y)


def door_posts(curves: BodyCurves) -> list[float]:
    """Positions of the posts between side windows."""
    p = curves.p
    if p.cargo > 0.5:
        return []
    if p.length > 6.5 and p.side_windows > 0.5:  # a bus: a window for every second row of seats
        count = int(round((curves.glass_end - curves.header - 1.0) / 1.45))
        return list(np.linspace(curves.header + 1.0, curves.glass_end, count + 1)[:-1])
    if p.doors < 3:
        return [] if p.low_grille > 0.5 else [curves.header + 0.85]
    posts = [curves.header + 0.42, curves.rear_axle - 0.10]
    return posts if curves.roof_end - posts[1] > 0.25 else posts[:1]


def mark_lower(curves: BodyCurves, part: Part, face: Face, rng: np.random.Generator) -> None:
    """Mark lamps, grille, intakes, plates, gaps, arches and dark lower edges on the lower body."""
    vertices = part.vertices
    marks = part.markings
    mark_front(curves, vertices, marks, face, rng)
    mark_rear(curves, vertices, marks, face, rng)
    _mark_sides(curves, vertices, marks, face, rng)


def _mark_sides(curves: BodyCurves, vertices: np.ndarray, marks: dict, face: Face, rng: np.random.Generator) -> None:
    p = curves.p
    x, y, z = np.abs(vertices[:, 0]), vertices[:, 1], vertices[:, 2]
    _mark_underside(curves, x, y, z, marks)
    _mark_doors(curves, x, y, z, marks)
    # The bonnet's own outline.
    start, end = min(0.30, 0.3 * curves.cowl) + 0.5 * p.nose_slant * 0.2, curves.cowl + 0.05
    wide = p.width / 2 * (0.72 if p.bonnet_power > 3.4 else 0.66)
    bonnet = rectangle(x, y - (start + end) / 2, wide, (end - start) / 2, 0.10)
    middle = curves.middle(y)
    if end - start > 0.35 and not has_wings(p):
        marks["door"] = np.minimum(marks["door"], np.where(z > middle + 0.04, bonnet, FAR))
    if p.side_intake > 0.5:
        intake = ellipse(
            y - (curves.rear_axle - p.wheel_radius - 0.26) - 0.35 * (z - middle),
            z - middle + 0.02,
            rng.uniform(0.08, 0.17),
            rng.uniform(0.07, 0.13),
            2.5,
        )
        marks["dark"] = np.minimum(marks["dark"], np.where(x > 0.6 * p.width / 2, intake, FAR))
    sill = z - (p.ground_clearance + rng.uniform(0.14, 0.28))
    marks["two_tone"] = sill if face.low_tone else np.full(len(x), FAR)


def _mark_underside(curves: BodyCurves, x: np.ndarray, y: np.ndarray, z: np.ndarray, marks: dict) -> None:
    """Mark arches, dark lower edges, running boards and what is open at the top."""
    p = curves.p
    outer = x > 0.42 * p.width / 2
    arch = np.minimum(*(arch_distance(p, axle, y, z) for axle in (curves.front_axle, curves.rear_axle)))
    arch = np.where(outer, arch, FAR)
    middle = curves.middle(y)
    bottom = np.where(z < middle, z - curves.bottom(y) - 0.035, FAR)
    marks["arch"] = np.minimum(arch, bottom)
    # Below the glass of a closed cabin the body is not seen from outside; dark, it does for the inside.
    inside = np.maximum.reduce(
        [
            x - curves.cabin_half_width(y) + 0.05,
            curves.cowl + 0.06 - y,
            y - curves.glass_end + 0.08,
            curves.shoulder(y) - 0.02 - z,
        ]
    )
    if p.open_top < 0.5:
        marks["arch"] = np.minimum(marks["arch"], inside)
    if p.cargo > 0.5:  # chassis, tanks and axles under the box
        chassis = np.maximum(curves.cargo_start - 0.04 - y, y - p.length + 0.30)
        marks["arch"] = np.minimum(marks["arch"], np.where(outer, chassis, FAR))
    if has_wings(p):  # running boards between the wings
        board = np.maximum(
            np.abs(y - (curves.front_axle + curves.rear_axle) / 2) - 0.40 * p.wheelbase, z - curves.bottom(y) - 0.13
        )
        marks["dark"] = np.minimum(marks["dark"], np.where(outer, board, FAR))
    if p.cladding > 0.5 and p.cargo < 0.5:
        cladding = np.minimum(arch - 0.07, np.where(z < middle, z - curves.bottom(y) - 0.15, FAR))
        marks["dark"] = np.minimum(marks["dark"], cladding)
    opening = opening_distance(curves, x, y)
    if opening is not None:
        # The template keeps bed and cockpit apart from the arches: it sinks where "opening" is negative.
        marks["closed_arch"], marks["opening"] = marks["arch"], np.where(z > middle - 0.2, opening, FAR)
        marks["arch"] = np.minimum(marks["arch"], np.where(z > middle - 0.2, opening + 0.01, FAR))


def _mark_doors(curves: BodyCurves, x: np.ndarray, y: np.ndarray, z: np.ndarray, marks: dict) -> None:
    """Mark the gaps of the side doors: the first ones as "door", those behind as "lid"."""
    p = curves.p
    front = curves.front_axle + p.wheel_radius + p.arch_gap + 0.13
    rear = curves.rear_axle - p.wheel_radius - p.arch_gap - (0.05 if p.doors > 3 else 0.22)
    low = p.ground_clearance + 0.10
    split = curves.header + 0.42 if p.doors > 3 else rear
    split = float(np.clip(split, front + 0.6, rear))
    high = p.tail_height + 0.5
    if p.cargo > 0.5 or p.length > 6.5:
        front, split = max(curves.cowl + 0.12, 0.2), min(curves.front_axle - p.wheel_radius, curves.header + 1.0)
        split = max(split, front + 0.5)
        rear = split
    doors = rectangle(y - (front + split) / 2, z - (low + high) / 2, (split - front) / 2, (high - low) / 2, 0.06)
    marks["door"] = np.where(x > 0.6 * p.width / 2, doors, FAR)
    if p.doors > 3 and rear - split > 0.35:
        centre, half_length = (split + 0.02 + rear) / 2, (rear - split - 0.02) / 2
        back = rectangle(y - centre, z - (low + high) / 2, half_length, (high - low) / 2, 0.08)
        marks["lid"] = np.minimum(marks["lid"], np.where(x > 0.6 * p.width / 2, back, FAR))
