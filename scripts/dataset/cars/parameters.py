# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The space of cars: one vector of proportions; each body style is a point in it with a range around it.

Lengths are metres. Fractions run along the car from the tip of the nose (0) to the tail (1).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

import numpy as np

from .styles import HEAVY, NEIGHBOURS, NEVER_MIXED, PLACES, PLAIN, SPORTY, STYLE_WEIGHTS, STYLES, SWITCHES, YEARS

__all__ = [
    "HEAVY",
    "SPORTY",
    "STYLES",
    "STYLE_WEIGHTS",
    "CarParameters",
    "consistent",
    "sample_parameters",
    "sample_style",
    "style_parameters",
]


@dataclass(frozen=True)
class CarParameters:
    """Proportions and features of one car; every field is a plain number so that two cars can be mixed."""

    length: float = 4.6
    width: float = 1.80
    height: float = 1.45
    wheelbase: float = 2.75
    front_overhang: float = 0.86
    ground_clearance: float = 0.16
    wheel_radius: float = 0.32
    wheel_width: float = 0.21
    nose_height: float = 0.70  # top of the bonnet's leading edge
    cowl_height: float = 0.93  # bonnet at the foot of the windscreen
    tail_height: float = 1.00  # deck behind the rear window
    tail_drop: float = 0.04  # how far the deck falls to its rear edge
    cowl: float = 0.28  # foot of the windscreen
    header: float = 0.42  # top of the windscreen
    roof_end: float = 0.66
    glass_end: float = 0.85  # foot of the rear window
    roof_drop: float = 0.06  # fall of the roof from its highest point to its end
    nose_plan: float = 0.75  # length over which the nose narrows, seen from above
    nose_power: float = 2.8  # 2: round nose, 4: square
    tail_plan: float = 0.60
    tail_power: float = 3.2
    nose_round: float = 0.30  # length of the rounding seen from the side
    tail_round: float = 0.25
    nose_lift: float = 0.03  # rise of the underside at the nose
    tail_lift: float = 0.07
    section_power: float = 3.6  # 2: barrel sides, 6: slab sides
    bonnet_power: float = 3.0
    cabin_power: float = 4.6
    cabin_width: float = 0.83
    tumblehome: float = 0.26
    rear_taper: float = 0.06  # narrowing of the cabin towards the rear
    waist: float = 0.03  # pinch of the body between the wheels
    sill_tuck: float = 0.08
    arch_gap: float = 0.045
    flare: float = 0.015
    fender: float = 0.02  # rise of the wings over the wheels
    pillar: float = 0.09  # width of the rear pillar, in fractions of the length
    doors: float = 4.0  # 2 or 4 after rounding
    side_windows: float = 1.0  # below 0.5: panel van, glass in front only
    low_grille: float = 0.0  # 1: one large mouth low in the bumper
    lamp_sweep: float = 0.35  # 0: upright box, 1: swept far back over the wing
    lamp_length: float = 0.20
    lamp_height: float = 0.085
    tail_lamp_round: float = 0.0  # above 0.5: round lamps
    tail_lamp_tall: float = 0.0  # above 0.5: columns beside the rear window
    side_intake: float = 0.0
    wing: float = 0.0
    cladding: float = 0.0
    roof_rails: float = 0.0
    bed: float = 0.0
    open_top: float = 0.0
    year: float = 2010.0  # of the design: what lamps, grilles and bumpers look like
    screen_bend: float = 0.30  # how far the windscreen's sides lie behind its middle, at the car's full width
    nose_slant: float = 0.0  # how far the face leans back for every metre that it rises
    tail_slant: float = 0.0
    bonnet_pinch: float = 0.0  # 0: bonnet as wide as the wings, 0.4: narrow between separate wings
    fin: float = 0.0  # rise of the rear wings towards the tail
    cargo: float = 0.0  # above 0.5: a box behind the cab, part of the cabin's grid
    cargo_start: float = 0.36
    cargo_height: float = 3.0  # of the box's top above the ground; `height` is the cab's
    cargo_width: float = 1.04  # of the box, over the body's width
    spare_wheel: float = 0.0
    roof_box: float = 0.0


def style_parameters(style: str) -> CarParameters:
    """Return the middle of a style's range; KeyError names an unknown style."""
    return CarParameters(**STYLES[style])


def sample_style(rng: np.random.Generator) -> str:
    """Draw a style with about the frequencies of a street; a good fifth are sports cars, which people photograph."""
    weights = np.array(list(STYLE_WEIGHTS.values()), dtype=float)
    return str(rng.choice(list(STYLE_WEIGHTS), p=weights / weights.sum()))


def sample_parameters(rng: np.random.Generator, style: str) -> CarParameters:
    """Draw a car of `style`: its mean, mixed with a neighbouring style, then every proportion varied a little."""
    values = asdict(style_parameters(style))
    neighbour = asdict(style_parameters(str(rng.choice(NEIGHBOURS[style]))))
    share = max(0.0, rng.uniform(-0.25, 0.38))
    for name in values:
        if name not in NEVER_MIXED:
            values[name] = (1 - share) * values[name] + share * neighbour[name]
    # Fractions of a long vehicle are many centimetres: its windscreen must stay where it is.
    places = 0.010 * min(1.0, (4.5 / values["length"]) ** 2)
    for field in fields(CarParameters):
        name = field.name
        if name in SWITCHES:
            values[name] = float(rng.random() < values[name])
        elif name in PLACES:
            values[name] += rng.normal(0, places)
        elif name not in PLAIN:
            values[name] *= 1 + np.clip(rng.normal(0, 0.05), -0.11, 0.11)
    for name in ("nose_slant", "tail_slant"):
        values[name] = max(0.0, values[name] + rng.normal(0, 0.04))
    values["fender"] *= rng.uniform(0.5, 1.5)
    values["flare"] *= rng.uniform(0.3, 1.6)
    first, last = YEARS.get(style, (1997, 2026))
    values["year"] = rng.uniform(first, last)
    _vary(rng, style, values)
    return consistent(CarParameters(**{name: float(value) for name, value in values.items()}))


def _vary(rng: np.random.Generator, style: str, values: dict) -> None:
    """Draw what differs between cars of one style by more than a few hundredths."""
    if style in ("sedan", "hatchback", "suv", "city", "hatch80", "saloon80", "estate", "offroader") and (
        rng.random() < 0.25
    ):
        fewer = values["doors"] > 3 and style in ("hatchback", "offroader", "saloon80")
        values["doors"] = 2.0 if fewer else 4.0
    if style in ("sports", "supercar", "coupe", "hatchback") and rng.random() < 0.15:
        values["wing"] = float(rng.uniform(0.3, 1.0))
    if style in SPORTY and values["year"] < 1995 and style != "supercar":
        # Older sports cars have narrow tyres, upright faces and flanks without intakes.
        values["low_grille"], values["side_intake"] = float(rng.random() < 0.3), 0.0
        values["lamp_sweep"] *= 0.6
        values["wheel_width"] *= 0.82
        values["width"] *= 0.94
    if style in ("estate", "hatchback", "suv", "mpv", "wagon80", "sedan"):
        values["roof_box"] = float(rng.random() < 0.07)
    if style in ("lorry", "box_van", "bus", "van_large"):
        # The body behind the cab comes in all lengths; what lies in front of it stays as it is.
        factor = float(rng.uniform(*{"lorry": (0.78, 1.25), "bus": (0.68, 1.2)}.get(style, (0.9, 1.15))))
        for name in ("cowl", "header", "cargo_start"):
            values[name] /= factor
        values["length"] *= factor
        values["wheelbase"] *= factor
        if style == "bus":
            values["front_overhang"] *= factor
    if style in ("lorry", "box_van"):
        values["cargo_height"] *= rng.uniform(0.88, 1.08)
        if rng.random() < 0.3:  # a dropside body with its load covered
            values["cargo_height"] = values["tail_height"] + rng.uniform(0.35, 0.7)
            values["cargo_width"] = 1.01
    if style in ("pickup", "pickup_single"):
        stretch = rng.uniform(-0.25, 0.45)
        before = values["length"]
        values["length"], values["wheelbase"] = before + stretch, values["wheelbase"] + 0.7 * stretch
        for name in ("cowl", "header", "roof_end", "glass_end"):
            values[name] *= before / values["length"]


def consistent(p: CarParameters) -> CarParameters:
    """Move values that chance has put in conflict (a windscreen behind its roof, wheels through the bonnet) apart."""
    values = asdict(p)
    values["width"] = min(p.width, 0.475 * p.length)
    values["wheelbase"] = float(np.clip(p.wheelbase, 0.50 * p.length, 0.655 * p.length))
    values["front_overhang"] = float(np.clip(p.front_overhang, p.wheel_radius + 0.25, 0.25 * p.length))
    rear = p.length - values["wheelbase"] - values["front_overhang"]
    values["wheelbase"] += min(0.0, rear - (p.wheel_radius + 0.30))
    values["cowl"] = max(p.cowl, 0.14 / p.length)
    values["header"] = max(p.header, values["cowl"] + 0.20 / p.length)
    values["roof_end"] = float(np.clip(p.roof_end, values["header"] + 0.04, 0.988))
    values["glass_end"] = float(np.clip(p.glass_end, values["roof_end"] + min(0.02, 0.04 / p.length), 0.994))
    values["height"] = max(p.height, max(p.cowl_height, p.tail_height) + 0.30)
    values["cowl_height"] = max(p.cowl_height, p.nose_height + 0.04, 2 * p.wheel_radius + 0.06)
    values["nose_slant"], values["tail_slant"] = min(p.nose_slant, 0.45), min(p.tail_slant, 0.45)
    if p.cargo > 0.5:
        behind = values["front_overhang"] + 1.5 * (p.wheel_radius + p.arch_gap) + 0.20
        first = max(values["header"] + 1.1 / p.length, behind / p.length)
        values["cargo_start"] = float(np.clip(p.cargo_start, first, 0.6))
        values["tail_height"] = max(p.tail_height, 2 * p.wheel_radius + 0.14)
    return CarParameters(**values)
