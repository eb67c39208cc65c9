# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rear drawn on the body: tail lamps, lid, bumper and plate, as signed distances at the vertices."""

from __future__ import annotations

import numpy as np

from ..shapes import FAR, ellipse, rectangle
from .body import BodyCurves
from .face import Face
from .front import EndView, end_view, tapered


def tail_lamps(curves: BodyCurves, view: EndView, face: Face, rng: np.random.Generator) -> list[np.ndarray]:
    """Return distances [lamp, white light, amber]."""
    p = curves.p
    u, z, tall, corner = view.u, view.z, view.tall, view.corner
    nothing = np.full(len(u), FAR)
    level = view.level(rng.uniform(0.66, 0.76))
    kind = face.tail if p.cargo < 0.5 else "rectangle"
    if kind == "round":
        radius = rng.uniform(0.06, 0.095)
        centre = corner - 0.07 - radius
        lamp = np.hypot(u - centre, z - level) - radius
        white, amber = np.hypot(u - centre, z - level) - radius * 0.40, nothing
        if rng.random() < 0.4:
            inner = np.hypot(u - centre + 2.15 * radius, z - level) - radius * 0.9
            lamp, white = np.minimum(lamp, inner), np.minimum(white, inner + 0.055)
        return [lamp, white, amber]
    if kind == "small":
        high = rng.uniform(0.07, 0.11)
        centre = corner - 0.12
        lamp = ellipse(u - centre, z - level, 0.055, high, rng.uniform(2, 3.5))
        return [lamp, np.maximum(lamp, z - level + high * 0.5), np.maximum(lamp, level + high * 0.35 - z)]
    if kind == "column":
        wide, high = rng.uniform(0.07, 0.11), tall * rng.uniform(0.20, 0.30)
        centre, level = corner + 0.02 - wide, view.level(0.98) - high
        lamp = rectangle(u - centre, z - level, wide, high, 0.035)
        third = [level + (k - 1) * high * 0.62 for k in rng.permutation(3)[:2]]
        white, amber = (np.maximum(lamp + 0.015, np.abs(z - place) - high * 0.22) for place in third)
        return [lamp, white, amber if p.year < 2012 else nothing]
    if kind == "wrap":
        wide, high = rng.uniform(0.19, 0.28), tall * rng.uniform(0.09, 0.15)
        centre, rise = corner + 0.14 - wide, rng.uniform(-0.05, 0.22)
        v = z - level - rise * (u - centre)
        lamp = tapered(u - centre, v, wide, high, rng.uniform(-0.1, 0.4), rng.uniform(2.6, 4.5))
        white = np.maximum(lamp + 0.02, np.maximum(np.abs(u - centre + wide * 0.4) - 0.05, v))
        amber = np.maximum(lamp + 0.02, np.maximum(np.abs(u - centre) - 0.05, -v)) if p.year < 2010 else nothing
        return [lamp, white, amber]
    if kind in ("slim", "band"):
        high = tall * (rng.uniform(0.05, 0.08) if p.year > 2000 else rng.uniform(0.11, 0.15))
        wide = rng.uniform(0.20, 0.28)
        centre = corner + 0.10 - wide
        lamp = rectangle(u - centre, z - level, wide, high, 0.02)
        if kind == "band":
            lamp = np.minimum(lamp, rectangle(u, z - level, centre, high * rng.uniform(0.45, 1.0), 0.01))
        white = np.maximum(lamp + 0.012, np.abs(u - centre + wide * 0.7) - 0.045)
        return [lamp, white, np.maximum(lamp + 0.01, centre + wide * 0.45 - u) if p.year < 1996 else nothing]
    wide, high = rng.uniform(0.14, 0.20), min(tall * rng.uniform(0.10, 0.15), 0.10)
    centre = corner - 0.03 - wide
    lamp = rectangle(u - centre, z - level, wide, high, 0.015)
    white = np.maximum(lamp + 0.012, np.abs(u - centre + wide * 0.72) - wide * 0.2)
    return [lamp, white, np.maximum(lamp + 0.012, centre + wide * 0.45 - u) if p.year < 2005 else nothing]


def rear_plate_level(curves: BodyCurves, face: Face) -> float:
    """Return the height of the rear plate's middle."""
    p = curves.p
    base = p.ground_clearance + p.tail_lift
    tall = p.tail_height - p.tail_drop - base
    if p.cargo > 0.5 or p.bed > 0.5 or p.low_grille > 0.5:
        return base + tall * (0.22 if p.low_grille < 0.5 else 0.38)
    hatch = p.glass_end > 0.93
    return base + tall * ((0.66 if not hatch else 0.62) if face.high_plate else 0.36)


def mark_rear(curves: BodyCurves, vertices: np.ndarray, marks: dict, face: Face, rng: np.random.Generator) -> None:
    """Mark the tail; the front must have been marked before."""
    p = curves.p
    view = end_view(curves, vertices, front=False)
    x, y, z = np.abs(vertices[:, 0]), vertices[:, 1], vertices[:, 2]
    rear_arch = curves.rear_axle + p.wheel_radius
    behind = np.maximum(view.depth - 0.42, rear_arch + 0.06 - y) * 0.7
    tall, half = view.tall, p.width / 2
    lamp, white, amber = tail_lamps(curves, view, face, rng)
    marks["tail"] = np.maximum(lamp, behind)
    marks["bulb"] = np.minimum(marks["bulb"], np.maximum(white, behind))
    marks["amber"] = np.minimum(marks["amber"], np.maximum(amber, behind))
    level = rear_plate_level(curves, face)
    plate = np.maximum(rectangle(x, z - level, *face.plate, 0.01), behind)
    marks["plate"] = np.minimum(marks["plate"], plate)
    recess = np.maximum(rectangle(x, z - level, face.plate[0] + 0.09, face.plate[1] + 0.045, 0.03), behind)
    dark = recess if rng.random() < 0.25 else np.full(len(x), FAR)
    if p.low_grille > 0.5:
        strip = np.maximum.reduce([z - view.level(rng.uniform(0.22, 0.36)), behind, x - half * 0.72])
        dark = np.minimum(dark, strip)
    elif face.bumper == "black" and p.year > 1990 and p.cargo < 0.5:
        dark = np.minimum(dark, np.maximum(z - view.level(0.36), rear_arch - y))
    elif p.year > 2000:
        strip = np.maximum.reduce([z - view.level(rng.uniform(0.02, 0.16)), behind])
        dark = np.minimum(dark, strip)
    if face.frame and p.year > 1995 and rng.random() < 0.4 and p.cargo < 0.5:
        bar = np.maximum(rectangle(x, z - level - face.plate[1] - 0.05, 0.33, 0.012, 0.005), behind)
        marks["chrome"] = np.minimum(marks["chrome"], bar)
    marks["dark"] = np.minimum(marks["dark"], dark)
    hatch = p.glass_end > 0.93 or p.bed > 0.5
    low = 0.34 if hatch or not face.high_plate else 0.48
    wide = half * (0.80 if hatch else 0.64)
    lid = rectangle(x, z - view.level((low + 1.4) / 2), wide, tall * (1.4 - low) / 2, 0.06)
    if p.cargo > 0.5:
        lid = np.full(len(x), FAR)
    marks["lid"] = np.maximum(lid, behind - 0.05)
    if p.year > 1985 and p.low_grille < 0.5 and p.cargo < 0.5:
        seam, start = view.level(low - 0.02), rear_arch - 0.02
        along, up = y - (start + p.length + 1) / 2, z - (seam - 1) / 2
        joint = rectangle(along, up, (p.length + 1 - start) / 2, (seam + 1) / 2, 0.02)
        marks["seam"] = np.minimum(marks["seam"], joint)
