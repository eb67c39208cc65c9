# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bodywork: the lower body and the cabin, two grids swept along the car.

Here y runs from the nose (0) to the tail (length) and z from the ground; `car.py` moves the car to the canonical frame.
"""

from __future__ import annotations

import numpy as np

from ..shapes import BODY, Part, end_rounding, grid_faces, smooth_curve, superellipse_quarter
from .parameters import CarParameters

LOWER_STATIONS = 104
CABIN_STATIONS = 72


class BodyCurves:
    """The curves along a car that both grids and all markings share; each method takes y (...) and returns metres."""

    def __init__(self, p: CarParameters) -> None:
        self.p = p
        self.front_axle = p.front_overhang
        self.rear_axle = p.front_overhang + p.wheelbase
        self.cowl, self.header = p.cowl * p.length, p.header * p.length
        self.roof_end, self.glass_end = p.roof_end * p.length, p.glass_end * p.length
        self.cargo_start = p.cargo_start * p.length
        self.fenders = tuple(self._fender(axle) for axle in (self.front_axle, self.rear_axle))

    def _fender(self, axle: float) -> float:
        """Rise of the wing over a wheel: the style's own, or what it takes to cover the arch."""
        p, y = self.p, np.array([axle])
        middle, top = float(self.middle(y)[0]), float(self.top(y)[0])
        wing = middle + (top - middle) * (1 - 0.76**p.bonnet_power) ** (1 / p.bonnet_power)
        return max(p.fender, 2 * p.wheel_radius + p.arch_gap + 0.045 - wing)

    def half_width(self, y: np.ndarray) -> np.ndarray:
        """Half the body's width at its widest, seen from above."""
        p = self.p
        front = end_rounding(y, p.nose_plan, p.nose_power)
        rear = end_rounding(p.length - y, p.tail_plan, p.tail_power)
        middle = (self.front_axle + self.rear_axle) / 2
        pinch = p.waist * np.exp(-(((y - middle) / (0.30 * p.wheelbase)) ** 2))
        nose_narrowing = 1 - 0.045 * np.clip(1 - y / self.cowl, 0, 1) ** 2
        return p.width / 2 * front * rear * nose_narrowing - pinch * front * rear

    def top(self, y: np.ndarray) -> np.ndarray:
        """Height of bonnet, belt and deck on the centre line, before the ends are rounded."""
        p = self.p
        belt = p.cowl_height + 0.4 * (p.tail_height - p.cowl_height)
        if p.cargo > 0.5:  # the chassis behind the cab lies low and level
            positions = [0.0, 0.45 * self.cowl, self.cowl, self.cargo_start - 0.10, self.cargo_start + 0.02, p.length]
            mid_bonnet = p.nose_height + 0.66 * (p.cowl_height - p.nose_height)
            heights = [p.nose_height, mid_bonnet, p.cowl_height, p.cowl_height, p.tail_height, p.tail_height]
            return smooth_curve(positions, heights, 0.08, np.asarray(y))
        positions = [0.0, 0.45 * self.cowl, self.cowl, (self.cowl + self.glass_end) / 2, self.glass_end, p.length]
        mid_bonnet = p.nose_height + 0.66 * (p.cowl_height - p.nose_height)
        heights = [p.nose_height, mid_bonnet, p.cowl_height, belt, p.tail_height, p.tail_height - p.tail_drop]
        if self.glass_end > p.length - 0.05:
            positions, heights = positions[:5], heights[:5]
        return smooth_curve(positions, heights, 0.16, np.asarray(y))

    def bottom(self, y: np.ndarray) -> np.ndarray:
        """Height of the underside."""
        p = self.p
        ends = p.nose_lift * np.clip(1 - y / (0.8 * p.front_overhang), 0, 1) ** 1.5
        rear_overhang = p.length - self.rear_axle
        ends = ends + p.tail_lift * np.clip(1 - (p.length - y) / (0.9 * rear_overhang), 0, 1) ** 1.3
        return p.ground_clearance + ends

    def middle(self, y: np.ndarray) -> np.ndarray:
        """Height at which the body is widest."""
        return self.bottom(y) + 0.52 * (self.top(y) - self.bottom(y))

    def cabin_half_width(self, y: np.ndarray) -> np.ndarray:
        """Half the cabin's width at the belt."""
        p = self.p
        along = np.clip((y - self.header) / (self.glass_end - self.header), 0, 1)
        wide = p.width / 2 * p.cabin_width * (1 - p.rear_taper * along**1.5)
        cab = np.minimum(wide, 0.93 * self.half_width(y))
        cargo = self.cargo(y)
        return (1 - cargo) * cab + cargo * p.cargo_width * p.width / 2

    def cargo(self, y: np.ndarray) -> np.ndarray:
        """Return 0 along the cab and 1 along the box behind it."""
        if self.p.cargo < 0.5:
            return np.zeros(np.shape(y))
        step = np.clip((y - self.cargo_start + 0.06) / 0.12, 0, 1)
        return step * step * (3 - 2 * step)

    def lean(self, y: np.ndarray) -> np.ndarray:
        """How far the cabin's sides lean inwards for every metre that they rise."""
        return self.p.tumblehome * (1 - self.cargo(y))

    def top_height(self) -> float:
        """Height of the highest point of roof and box."""
        return max(self.p.height, self.p.cargo_height) if self.p.cargo > 0.5 else self.p.height

    def shoulder(self, y: np.ndarray) -> np.ndarray:
        """Height at which the cabin's side rises out of the lower body."""
        middle = self.middle(y)
        ratio = np.clip(self.cabin_half_width(y) / np.maximum(self.half_width(y), 1e-3), 0, 0.999)
        power = self.p.bonnet_power
        side = middle + (self.top(y) - middle) * (1 - ratio**power) ** (1 / power)
        cargo = self.cargo(y)
        return (1 - cargo) * side + cargo * (self.top(y) - 0.02)

    def roof(self, y: np.ndarray) -> np.ndarray:
        """Height of windscreen, roof and rear window on the centre line; meets the body at cowl and glass end."""
        p = self.p
        foot = self.top(np.array([self.cowl, self.glass_end])) - 0.12
        peak = self.header + 0.38 * (self.roof_end - self.header)
        positions = [self.cowl - 0.05, self.header, peak, self.roof_end, self.glass_end + 0.03]
        heights = [foot[0], p.height - 0.035, p.height, p.height - p.roof_drop, foot[1]]
        if p.cargo > 0.5:
            start = self.cargo_start
            peak = self.header + 0.5 * (start - self.header)
            positions = [
                self.cowl - 0.05,
                self.header,
                peak,
                start - 0.02,
                start + 0.02,
                self.roof_end,
                self.glass_end + 0.01,
            ]
            heights = [foot[0], p.height - 0.03, p.height, p.height - 0.03, p.cargo_height, p.cargo_height, foot[1]]
            return smooth_curve(positions, heights, 0.03, np.asarray(y))
        tight = 0.045 if p.cabin_power > 4.2 else 0.075
        return smooth_curve(positions, heights, tight, np.asarray(y))


def lower_body(curves: BodyCurves) -> Part:
    """Return the body below the windows, wheel arches pressed in, without markings."""
    p = curves.p
    low_across, low_up = superellipse_quarter(p.section_power + 1, p.width / 2, 0.4, 20)
    high_across, high_up = superellipse_quarter(p.bonnet_power, p.width / 2, 0.4, 30)
    across = np.concatenate([low_across[::-1], high_across[1:]])
    below, above = np.concatenate([low_up[::-1], np.zeros(29)]), np.concatenate([np.zeros(20), high_up[1:]])

    def heights(y: np.ndarray) -> np.ndarray:
        middle = curves.middle(y)
        return middle - (middle - curves.bottom(y)) * below + (curves.top(y) - middle) * above

    y = np.repeat(_stations(curves)[:, None], len(across), axis=1)
    y = _bend_to_arches(curves, y, heights(y), across)
    wide, z = curves.half_width(y), heights(y)
    x = wide * across * (1 - p.sill_tuck * below**2)
    x, z = _fenders(curves, x, y, z, wide)
    x, z = _round_ends(p, x, y, z)
    y = _slant_ends(curves, y, z)
    x = _press_arches(curves, x, y, z)
    covered = _closed_grid(x.copy(), y, z).vertices
    part = _closed_grid(x, y, _press_deck(curves, x, y, z))
    part.name, part.closed = "body", covered
    return part


def cabin(curves: BodyCurves) -> Part:
    """Return windscreen, roof and rear window with the sides between them, without markings."""
    p = curves.p
    y = _cabin_stations(curves)
    across, up = superellipse_quarter(p.cabin_power, 0.7, 0.5, 30)
    foot = np.minimum(curves.shoulder(y), curves.top(y))[:, None] - 0.05
    height = np.maximum(curves.roof(y)[:, None] - foot, 0.0)
    crown = 0.97 + 0.03 * up
    z = foot + height * up * crown
    x = (curves.cabin_half_width(y)[:, None] - curves.lean(y)[:, None] * np.maximum(z - foot - 0.05, 0)) * across
    y = np.repeat(y[:, None], x.shape[1], axis=1)
    # Windscreen and rear window are bent: their sides lie nearer to the middle of the cabin than their centres.
    side = (x / (p.width / 2)) ** 2
    middle = min(0.5 * (curves.header + curves.roof_end), curves.header + 1.2)
    front = np.clip((middle - y) / (middle - curves.cowl), 0, 1)
    back = np.clip((y - middle) / (curves.glass_end - middle), 0, 1)
    rear_bend = 0.16 if p.height < 1.6 else 0.07
    rear_bend = 0.0 if p.cargo > 0.5 else min(rear_bend, 0.3 * (curves.glass_end - middle))
    y = y + side * (p.screen_bend * front**1.5 - rear_bend * back**1.5)
    part = _closed_grid(x, y, z, close_bottom=True)
    if p.open_top > 0.5:
        part.faces = part.faces[(part.vertices[part.faces][:, :, 1] < curves.header + 0.10).all(axis=1)]
    part.name = "cabin"
    return part


def _stations(curves: BodyCurves) -> np.ndarray:
    """Positions of the sections: close together where nose and tail turn away, and the arches at the same places in
    the list for every car, so that a station means the same on all of them."""
    p = curves.p
    count = 18
    level = np.sin(np.linspace(0, np.pi / 2, count, endpoint=False))
    radius = p.wheel_radius + p.arch_gap
    front, rear = ((axle - radius, axle + radius) for axle in (curves.front_axle, curves.rear_axle))
    nose_end = min(p.nose_round, front[0] - 0.05)
    tail_start = max(p.length - p.tail_round, rear[1] + 0.05)
    nose = nose_end * (1 - (1 - level**p.nose_power) ** (1 / p.nose_power))
    tail = (p.length - tail_start) * (1 - (1 - level**p.tail_power) ** (1 / p.tail_power))
    middle = _pieces([nose_end, *front, *rear, tail_start], (6, 16, 23, 16, 6))
    return np.concatenate([nose, middle, p.length - tail[::-1]])


def _pieces(anchors: list[float], cells: tuple[int, ...]) -> np.ndarray:
    """Return positions from the first to the last anchor, so many equal cells between each two."""
    parts = [np.linspace(a, b, n, endpoint=False) for a, b, n in zip(anchors, anchors[1:], cells, strict=False)]
    return np.concatenate([*parts, anchors[-1:]])


def _cabin_stations(curves: BodyCurves) -> np.ndarray:
    """Positions of the cabin's sections, evenly along the roof line between the ends of screens and roof."""
    anchors = [curves.cowl - 0.05, curves.header, curves.roof_end, min(curves.glass_end + 0.03, curves.p.length - 0.01)]
    dense = np.unique(np.concatenate([np.linspace(anchors[0], anchors[-1], 800), anchors]))
    steps = np.hypot(np.diff(dense), 1.2 * np.diff(curves.roof(dense)))
    length = np.concatenate([[0.0], np.cumsum(steps)])
    wanted = _pieces(np.interp(anchors, dense, length).tolist(), (20, 27, 24))
    return np.interp(wanted, length, dense)


def _bend_to_arches(curves: BodyCurves, y: np.ndarray, z: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Bend the sections' sides towards the axles above them, so that the edges of arches run along sections."""
    p = curves.p
    radius = p.wheel_radius + p.arch_gap
    up = (z - p.wheel_radius) / radius
    squeeze = np.sqrt(1 - np.clip(up, 0, 0.93) ** 2)
    fade = np.clip((up - 0.93) * radius / 0.25, 0, 1)
    squeeze = squeeze + (1 - squeeze) * fade * fade * (3 - 2 * fade)
    outer = np.clip((across - 0.45) / 0.3, 0, 1)
    for axle in (curves.front_axle, curves.rear_axle):
        along = (y - axle) / radius
        reach = np.where(np.abs(along) <= 1, along, np.sign(along) * np.clip((1.5 - np.abs(along)) / 0.5, 0, 1))
        y = y + (squeeze - 1) * reach * radius * outer
    return y


def _fenders(curves: BodyCurves, x: np.ndarray, y: np.ndarray, z: np.ndarray, wide: np.ndarray) -> tuple:
    """Raise the wings over the wheels and widen the body around the arches."""
    p = curves.p
    across = np.abs(x) / np.maximum(wide, 1e-3)
    upper = np.clip((z - curves.middle(y)) / 0.2, 0, 1)
    # A bonnet between separate wings: narrow above the tyres, as wide as the body again at the windscreen.
    along = np.clip((curves.cowl + 0.30 - y) / 0.55, 0, 1)
    above = np.clip((z - 2 * p.wheel_radius + 0.10) / 0.26, 0, 1)
    x = x * (1 - p.bonnet_pinch * along * along * (3 - 2 * along) * above * above * (3 - 2 * above))
    back = np.clip((y - p.length + 1.1) / 1.0, 0, 1)
    z = z + p.fin * back * back * upper * np.exp(-(((across - 0.84) / 0.13) ** 2))
    for axle, rise in zip((curves.front_axle, curves.rear_axle), curves.fenders, strict=True):
        along = np.exp(-(((y - axle) / 0.48) ** 2))
        z = z + rise * along * upper * np.exp(-(((across - 0.76) / 0.20) ** 2))
        ring = np.hypot(y - axle, z - p.wheel_radius) - p.wheel_radius - p.arch_gap
        x = x + p.flare * np.exp(-((ring / 0.20) ** 2)) * np.clip((across - 0.6) / 0.3, 0, 1)
    return x, z


def _end_levels(p: CarParameters) -> tuple[float, float]:
    """Return the heights at which nose and tail reach farthest."""
    nose_share = 0.46 - 0.12 * p.low_grille
    nose_level = p.ground_clearance + p.nose_lift + nose_share * (p.nose_height - p.ground_clearance - p.nose_lift)
    return nose_level, p.ground_clearance + p.tail_lift + 0.60 * (p.tail_height - p.ground_clearance - p.tail_lift)


def _round_ends(p: CarParameters, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> tuple:
    """Draw nose and tail together in height; their width already narrows with the plan."""
    nose_level, tail_level = _end_levels(p)
    # Bumpers reach low and turn under sharply; bonnets and boot lids turn over a longer way.
    for distance, level, reach, power in (
        (y, nose_level, p.nose_round, max(p.nose_power, 2.4)),
        (p.length - y, tail_level, p.tail_round, p.tail_power + 0.5),
    ):
        above = end_rounding(distance, reach, power)
        below = end_rounding(distance, min(0.10, reach), 3.2)
        z = level + (z - level) * np.where(z > level, above, below)
    return x, z


def _slant_ends(curves: BodyCurves, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Lean the upper part of nose and tail away from the ends, fading out before the wheel arches."""
    p = curves.p
    radius = p.wheel_radius + p.arch_gap
    low, tail_low = _end_levels(p)
    fade = np.clip(1 - y / (curves.front_axle - radius), 0, 1)
    y = y + p.nose_slant * np.maximum(z - low, 0) * fade * fade * (3 - 2 * fade)
    fade = np.clip(1 - (p.length - y) / (p.length - curves.rear_axle - radius), 0, 1)
    return y - p.tail_slant * np.maximum(z - tail_low, 0) * fade * fade * (3 - 2 * fade)


def _press_arches(curves: BodyCurves, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Press the sides inwards behind the wheels."""
    p = curves.p
    for axle in (curves.front_axle, curves.rear_axle):
        depth = np.clip(-7 * arch_distance(p, axle, y, z), 0, p.wheel_width + 0.06)
        # All that lies farther out than the inner wall is pressed against it: no column jumps over another.
        x = np.minimum(x, np.maximum(x - depth, 0.45 * p.width / 2))
    return x


def arch_distance(p: CarParameters, axle: float, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Signed distance, seen from the side, to the opening of a wheel arch (straight down below the axle)."""
    return np.hypot(y - axle, np.maximum(z - p.wheel_radius, 0)) - p.wheel_radius - p.arch_gap


def _press_deck(curves: BodyCurves, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Sink a pick-up's bed or an open cockpit into the deck."""
    inside = opening_distance(curves, x, y)
    if inside is None:
        return z
    depth = np.clip(-9 * inside, 0, 0.42 if curves.p.bed > 0.5 else 0.26)
    floor = curves.bottom(y) + 0.2
    if curves.p.bed > 0.5:  # above the wheel arches, which reach in below it
        floor = np.minimum(z, np.maximum(floor, 2 * curves.p.wheel_radius + curves.p.arch_gap + 0.04))
    return np.where(z > curves.middle(y), np.maximum(z - depth, floor), z)


def opening_distance(curves: BodyCurves, x: np.ndarray, y: np.ndarray) -> np.ndarray | None:
    """Signed distance, seen from above, to a pick-up's bed or an open cockpit; None for closed cars."""
    p = curves.p
    if p.bed > 0.5:
        start, end, half = curves.glass_end + 0.06, p.length - 0.09, 0.80 * p.width / 2
    elif p.open_top > 0.5:
        start, end, half = curves.header - 0.22, curves.header + 0.95, 0.74 * p.width / 2
    else:
        return None
    along = np.abs(y - (start + end) / 2) - (end - start) / 2
    return np.maximum(along, np.abs(x) - half)


def _closed_grid(x: np.ndarray, y: np.ndarray, z: np.ndarray, close_bottom: bool = False) -> Part:
    """Mirror half sections (S, K), from the bottom to the centre of the top, into closed rings."""
    if not close_bottom:
        x[:, 0] = 0.0
    x[:, -1] = 0.0
    other = slice(-2, None, -1) if close_bottom else slice(-2, 0, -1)
    ring = np.stack(
        [
            np.concatenate([x, -x[:, other]], axis=1),
            np.concatenate([y, y[:, other]], axis=1),
            np.concatenate([z, z[:, other]], axis=1),
        ],
        axis=-1,
    )
    rows, columns = ring.shape[:2]
    return Part(ring.reshape(-1, 3), grid_faces(rows, columns, closed=not close_bottom), BODY)
