# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The front drawn on the body: head lamps, grille, intakes and plate, as signed distances at the vertices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..shapes import FAR, ellipse, ellipsoid, rectangle
from .body import BodyCurves
from .face import Face

_WRAP = 0.7  # how much of the way along the car counts as way across, where an end turns into a side


@dataclass
class EndView:
    """An end of the body spread flat: `u` across from the middle and around the corner, `z` up, `depth` from the tip.

    `corner` is u where the end turns into the side; `base` and `tall` are the painted face's foot and height.
    """

    u: np.ndarray
    z: np.ndarray
    depth: np.ndarray
    corner: float
    base: float
    tall: float

    def level(self, share: float) -> float:
        """Return the height at a share of the face."""
        return self.base + share * self.tall


def end_view(curves: BodyCurves, vertices: np.ndarray, front: bool) -> EndView:
    """Return the view of the nose or of the tail."""
    p = curves.p
    x, y, z = np.abs(vertices[:, 0]), vertices[:, 1], vertices[:, 2]
    depth = y if front else p.length - y
    at = np.array([0.18 if front else p.length - 0.18])
    corner = float(curves.half_width(at)[0]) + _WRAP * 0.18
    base = p.ground_clearance + (p.nose_lift if front else p.tail_lift)
    top = p.nose_height if front else p.tail_height - p.tail_drop
    slant = (p.nose_slant if front else p.tail_slant) * np.maximum(z - base - 0.5 * (top - base), 0)
    across = x + _WRAP * np.maximum(depth - slant, 0)
    return EndView(across, z, depth, corner, base, top - base)


def tapered(u: np.ndarray, v: np.ndarray, half_u: float, half_v: float, taper: float, power: float) -> np.ndarray:
    """Return about the signed distance to a superellipse whose height grows with u, by `taper` from end to end."""
    high = half_v * np.clip(1 + taper * u / half_u, 0.3, 1.7)
    return ((np.abs(u / half_u) ** power + np.abs(v / high) ** power) ** (1 / power) - 1) * min(half_u, half_v)


def head_lamps(
    curves: BodyCurves, view: EndView, face: Face, rng: np.random.Generator
) -> tuple[list[np.ndarray], float]:
    """Return distances [lamp, bulb, amber] on the flat view, and u where the lamps end towards the middle."""
    p = curves.p
    u, z = view.u, view.z
    nothing = np.full(len(u), FAR)
    high = float(np.clip(p.lamp_height, 0.06, 0.14)) * rng.uniform(0.85, 1.15)
    level = view.level(rng.uniform(0.66, 0.74)) if p.nose_height < 1.25 else view.level(rng.uniform(0.34, 0.42))
    corner = view.corner
    if face.head in ("round", "twin_round"):
        radius = rng.uniform(0.085, 0.105) if face.head == "round" else rng.uniform(0.068, 0.08)
        centre = corner - (0.09 if p.nose_plan > 0.3 else 0.14) - radius
        lamp = np.hypot(u - centre, z - level) - radius
        if face.head == "twin_round":
            lamp = np.minimum(lamp, np.hypot(u - centre + 2.3 * radius, z - level) - radius)
        amber = ellipse(u - centre, z - level + radius + 0.055, 0.05, 0.022) if rng.random() < 0.5 else nothing
        end = centre - (3.5 if face.head == "twin_round" else 1.2) * radius
        return [lamp, lamp + radius * 0.45, amber], end
    if face.head in ("rectangle", "twin_rectangle", "tall"):
        wide = rng.uniform(0.15, 0.22) if face.head != "tall" else rng.uniform(0.10, 0.15)
        high = rng.uniform(0.062, 0.085) if face.head != "tall" else rng.uniform(0.12, 0.17)
        if face.head == "tall" and p.nose_height < 1.25:
            level = view.level(0.66)
        centre = corner - (0.05 if p.nose_plan > 0.3 else 0.10) - wide
        lamp = rectangle(u - centre, z - level, wide, high, 0.018)
        if face.head == "twin_rectangle":
            split = np.abs(u - centre) - 0.012
            lamp = np.maximum(lamp, -split)
        bulb = ellipse(u - centre, z - level, wide * 0.5, high * 0.6, 2.6)
        amber = nothing
        if p.year < 2002 and rng.random() < 0.7:  # the indicator wraps around the corner beside the lamp
            amber = rectangle(u - centre - wide - 0.045, z - level, 0.04, high, 0.012)
        return [lamp, bulb, amber], centre - wide
    if face.head == "oval":
        wide, high = rng.uniform(0.17, 0.23), rng.uniform(0.085, 0.11)
        centre = corner + 0.02 - wide
        lamp = tapered(u - centre, z - level - 0.15 * (u - centre), wide, high, rng.uniform(0, 0.25), 2.2)
        return [lamp, np.hypot(u - centre, z - level) - high * 0.55, nothing], centre - wide
    if face.head == "swept":
        wide = rng.uniform(0.23, 0.31)
        centre, rise = corner + 0.12 - wide, rng.uniform(0.10, 0.32)
        v = z - level - rise * (u - centre)
        lamp = tapered(u - centre, v, wide, high, rng.uniform(0.0, 0.45), rng.uniform(2.4, 3.6))
        bulb = np.minimum(*(np.hypot(u - centre - k * wide, v) - high * 0.42 for k in (-0.35, 0.25)))
        amber = np.maximum(lamp + 0.012, centre + wide * 0.72 - u) if rng.random() < 0.4 else nothing
        return [lamp, bulb, amber], centre - wide
    return _slim_lamps(view, face, rng)


def _slim_lamps(view: EndView, face: Face, rng: np.random.Generator) -> tuple[list[np.ndarray], float]:
    """Return what :func:`head_lamps` does, of slim ones: alone, joined by a bar or above others in the bumper."""
    u, z = view.u, view.z
    wide, high = rng.uniform(0.19, 0.26), rng.uniform(0.032, 0.048)
    level = view.level(rng.uniform(0.70, 0.78))
    centre, rise = view.corner + 0.06 - wide, rng.uniform(0.0, 0.16)
    v = z - level - rise * (u - centre)
    lamp = tapered(u - centre, v, wide, high, rng.uniform(0.0, 0.4), 3.2)
    bulb = np.minimum(
        *(np.abs(v) - high * 0.45 + 3 * np.maximum(np.abs(u - centre - k) - 0.05, 0) for k in (-0.4 * wide, 0.3 * wide))
    )
    if face.head == "bar":
        lamp = np.minimum(lamp, np.maximum(np.abs(z - level + rise * wide * 0.8) - 0.017, u - centre))
    elif face.head == "split":
        low = rectangle(
            u - view.corner + 0.15, z - view.level(0.42), rng.uniform(0.07, 0.11), rng.uniform(0.05, 0.09), 0.02
        )
        lamp, bulb = np.minimum(lamp, low), np.minimum(bulb, low + 0.03)
    return [lamp, bulb, np.full(len(u), FAR)], centre - wide


def wing_lamps(curves: BodyCurves, vertices: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """Return distances [lamp, bulb, amber] of lamps that lie on the wings of low sports cars."""
    p = curves.p
    points = vertices.copy()
    points[:, 0] = np.abs(points[:, 0])
    sweep = p.lamp_sweep
    depth = 0.10 + 0.42 * sweep * min(1.0, p.nose_plan)
    high = (vertices[:, 1] < 0.30 * p.length) & (vertices[:, 2] > curves.middle(vertices[:, 1]) + 0.03)
    cost = (vertices[:, 0] - 0.70 * p.width / 2) ** 2 + (vertices[:, 1] - depth) ** 2 + 100.0 * ~high
    anchor = vertices[np.argmin(cost)]
    back = np.array([0.55 - 0.25 * sweep, 0.25 + 0.75 * sweep, 0.12 + 0.22 * sweep])
    back /= np.linalg.norm(back)
    across = np.cross(back, [0.0, 0.0, 1.0])
    across /= np.linalg.norm(across)
    axes = np.stack([back, across, np.cross(across, back)])
    # They lie on the wing: their visible height is measured across the car.
    slim = rng.uniform(0.55, 1.05) if p.year > 2000 else 1.0
    lamp = ellipsoid(points, anchor, axes, (p.lamp_length, p.lamp_height * 1.05 * slim, 0.20), rng.uniform(2.0, 4.0))
    bulb = p.lamp_height * rng.uniform(0.65, 0.85) * slim
    shape = ellipsoid(points, anchor - back * p.lamp_length * 0.25, axes, (bulb * rng.uniform(1.0, 1.9), bulb, bulb))
    return [lamp, shape, np.full(len(vertices), FAR)]


def grille_shape(view: EndView, face: Face, inner: float, heavy: bool, rng: np.random.Generator) -> np.ndarray:
    """Return the distance to the grille; `inner` is u where the lamps begin."""
    x, z = view.u, view.z
    room = max(inner - 0.04, 0.24)
    draw = rng.random(4)
    if face.grille in ("none", "radiator", "low"):
        return np.full(len(x), FAR)
    if face.grille == "wide":
        wide = room if draw[0] < 0.6 else room * (0.6 + 0.4 * draw[1])
        high = (0.085 + 0.075 * draw[2]) * view.tall * 1.35
        middle = view.level(0.62 + 0.08 * draw[3]) if not heavy else view.level(0.52)
        # Narrower below than above, as most are.
        return rectangle(x - (0.25 * (draw[1] - 0.3)) * (z - middle), z - middle, wide, high, 0.03)
    if face.grille == "tall":
        wide, high = min(0.17 + 0.09 * draw[0], room), view.tall * (0.27 + 0.05 * draw[1])
        return rectangle(x, z - view.level(0.60), wide, high, 0.03)
    if face.grille == "kidney":
        wide, high = 0.07 + 0.09 * draw[0], view.tall * (0.11 + 0.15 * draw[1] ** 2)
        wide = min(wide, room / 2 - 0.01)
        return ellipse(x - wide - 0.012, z - view.level(0.80) + high, wide, high, 4.5)
    if face.grille == "slot":
        wide, high = room * (0.6 + 0.4 * draw[0]), 0.022 + 0.014 * draw[2]
        return rectangle(x, z - view.level(0.70 + 0.06 * draw[1]), wide, high, 0.015)
    middle, high = view.level(0.47 + 0.08 * draw[2]), view.tall * (0.25 + 0.07 * draw[0])
    taper = 0.30 - 0.75 * draw[1]
    return rectangle(x - taper * (z - middle), z - middle, min(0.30 + 0.12 * draw[3], room + 0.05), high, 0.06)


def mark_front(curves: BodyCurves, vertices: np.ndarray, marks: dict, face: Face, rng: np.random.Generator) -> None:
    """Mark the nose."""
    p = curves.p
    view = end_view(curves, vertices, front=True)
    x, z = np.abs(vertices[:, 0]), view.z
    nothing = np.full(len(x), FAR)
    ahead = (vertices[:, 1] - min(0.165 * p.length, 0.9)) * 0.7
    half = p.width / 2
    lamps, inner = [nothing, nothing, nothing], 0.6 * half
    if face.head == "wing":
        lamps = wing_lamps(curves, vertices, rng)
        limit = vertices[:, 1] - 0.32 * p.length
    else:
        if face.head != "pod":
            lamps, inner = head_lamps(curves, view, face, rng)
        limit = np.maximum(ahead, view.depth - max(curves.front_axle - p.wheel_radius - 0.08, 0.25))
    marks["head"] = np.maximum(lamps[0], limit)
    marks["bulb"] = np.maximum(lamps[1], np.maximum(lamps[0] + 0.012, limit))
    marks["amber"] = np.maximum(lamps[2], limit)
    heavy = p.nose_height > 1.25
    grille = grille_shape(view, face, inner, heavy, rng)
    dark = nothing
    chrome = nothing
    if face.grille == "low":
        level = view.level(rng.uniform(0.33, 0.46))
        wide, high = half * rng.uniform(0.34, 0.58), view.tall * rng.uniform(0.20, 0.28)
        grille = ellipse(x, z - level, wide, high, rng.uniform(2.4, 5))
        corners = ellipse(x - half * 0.70, z - level + 0.02, half * 0.13, view.tall * 0.20, 3.0)
        dark = corners if rng.random() < 0.75 else dark
    elif face.mouth:
        wide, high = half * rng.uniform(0.45, 0.72), view.tall * rng.uniform(0.07, 0.13)
        dark = rectangle(view.u, z - view.level(0.16), wide, high, 0.04)
    if face.fogs and face.grille != "low":
        fog = rectangle(view.u - view.corner + 0.17, z - view.level(0.22), 0.085, 0.05, 0.03)
        dark = np.minimum(dark, fog)
        lamp = np.hypot(view.u - view.corner + 0.17, z - view.level(0.22)) - 0.035
        marks["head"] = np.minimum(marks["head"], np.maximum(lamp, limit))
    if face.bumper == "black" and p.year > 1990:
        edge = view.level(0.40 if not heavy else 0.24)
        dark = np.minimum(dark, np.maximum(z - edge, view.depth - curves.front_axle + p.wheel_radius))
    if p.year < 1996 and face.grille == "wide" and rng.random() < 0.35:
        dark = np.minimum(dark, grille - 0.03)  # a black panel from lamp to lamp
    elif face.frame and face.grille != "low":
        chrome = grille - 0.022
        if face.head in ("round", "twin_round"):
            chrome = np.minimum(chrome, lamps[0] - 0.018)
    marks["grille"] = np.maximum(grille, ahead)
    marks["dark"] = np.maximum(dark, ahead)
    marks["chrome"] = np.maximum(chrome, ahead)
    level = front_plate_level(curves, face)
    plate = np.maximum(rectangle(x, z - level, *face.plate, 0.01), ahead)
    marks["plate"] = plate if face.front_plate else nothing
    # The joint above the bumper, and between bumper and wing.
    marks["seam"] = nothing
    if p.year > 1985 and not has_low_nose(curves):
        seam, end = view.level(0.53), curves.front_axle - p.wheel_radius
        along, up = vertices[:, 1] - (end - 1) / 2, z - (seam - 1) / 2
        marks["seam"] = rectangle(along, up, (end + 1) / 2, (seam + 1) / 2, 0.02)


def has_low_nose(curves: BodyCurves) -> bool:
    """Tell whether the nose is too low or too special for a bumper of the common kind."""
    return curves.p.low_grille > 0.5 or curves.p.nose_height < 0.6


def front_plate_level(curves: BodyCurves, face: Face) -> float:
    """Return the height of the front plate's middle."""
    p = curves.p
    base = p.ground_clearance + p.nose_lift
    share = 0.30 if p.low_grille > 0.5 else 0.38 if face.grille != "shield" else 0.34
    if p.nose_height > 1.25:
        share = 0.16
    return max(base + (p.nose_height - base) * share, 0.30)
