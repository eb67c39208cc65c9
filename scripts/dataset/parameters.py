# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The space of cars: one vector of proportions; each body style is a point in it with a range around it.

Lengths are metres. Fractions run along the car from the tip of the nose (0) to the tail (1).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

import numpy as np


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


_SPORTS = dict(
    width=1.93, ground_clearance=0.115, wheel_radius=0.345, wheel_width=0.27, section_power=2.7, bonnet_power=2.6,
    cabin_power=3.6, tumblehome=0.33, rear_taper=0.16, waist=0.055, sill_tuck=0.12, flare=0.035, doors=2.0,
    low_grille=1.0, lamp_sweep=0.85, lamp_length=0.30, lamp_height=0.085, tail_lamp_round=1.0, nose_power=2.7,
    nose_plan=1.0, tail_plan=0.75, tail_power=2.9, arch_gap=0.03, cabin_width=0.80, pillar=0.09, side_intake=0.6,
)

STYLES: dict[str, dict[str, float]] = {
    "sedan": {},
    "hatchback": dict(
        length=4.05, width=1.75, height=1.48, wheelbase=2.56, front_overhang=0.80, nose_height=0.74, cowl_height=0.96,
        tail_height=1.02, cowl=0.25, header=0.41, roof_end=0.86, glass_end=0.965, roof_drop=0.09, tail_plan=0.55,
        tail_power=3.6, tail_round=0.20, tail_lamp_tall=0.8, pillar=0.085,
    ),
    "estate": dict(
        length=4.70, height=1.48, wheelbase=2.78, front_overhang=0.88, roof_end=0.87, glass_end=0.975, cowl=0.275,
        header=0.41, roof_drop=0.10, tail_power=3.8, tail_plan=0.5, tail_round=0.18, tail_lamp_tall=0.7,
        roof_rails=0.55, pillar=0.06,
    ),
    "coupe": dict(
        length=4.50, width=1.83, height=1.34, wheelbase=2.66, front_overhang=0.88, ground_clearance=0.14,
        wheel_radius=0.33, wheel_width=0.235, nose_height=0.66, cowl_height=0.88, tail_height=0.95, cowl=0.315,
        header=0.45, roof_end=0.64, glass_end=0.875, roof_drop=0.06, tumblehome=0.34, rear_taper=0.10, doors=2.0,
        section_power=3.1, lamp_sweep=0.55, lamp_length=0.25, fender=0.03, flare=0.025, pillar=0.08, nose_power=2.6,
        nose_plan=0.9,
    ),
    "suv": dict(
        length=4.52, width=1.89, height=1.76, wheelbase=2.70, front_overhang=0.85, ground_clearance=0.25,
        wheel_radius=0.39, wheel_width=0.26, nose_height=1.02, cowl_height=1.17, tail_height=1.22, cowl=0.255,
        header=0.385, roof_end=0.875, glass_end=0.975, roof_drop=0.07, nose_power=3.5, nose_plan=0.6, tail_power=4.0,
        tail_plan=0.5, tail_round=0.18, section_power=4.4, tumblehome=0.20, cabin_width=0.85, cladding=0.7,
        roof_rails=0.6, flare=0.03, lamp_height=0.10, tail_lamp_tall=0.6, pillar=0.065,
    ),
    "pickup": dict(
        length=5.30, width=1.90, height=1.80, wheelbase=3.20, front_overhang=0.92, ground_clearance=0.27,
        wheel_radius=0.39, wheel_width=0.26, nose_height=1.04, cowl_height=1.18, tail_height=1.14, tail_drop=0.0,
        cowl=0.265, header=0.355, roof_end=0.575, glass_end=0.605, roof_drop=0.03, nose_power=3.8, nose_plan=0.55,
        tail_power=6.0, tail_plan=0.25, tail_round=0.10, tail_lift=0.12, section_power=4.8, tumblehome=0.20,
        cabin_power=5.0, cabin_width=0.85, cladding=0.5, flare=0.03, lamp_height=0.11, bed=1.0, pillar=0.02,
        tail_lamp_tall=1.0, rear_taper=0.0,
    ),
    "van": dict(
        length=4.95, width=1.93, height=1.96, wheelbase=3.05, front_overhang=0.92, ground_clearance=0.19,
        wheel_radius=0.33, nose_height=0.95, cowl_height=1.16, tail_height=1.14, cowl=0.165, header=0.285,
        roof_end=0.955, glass_end=0.99, roof_drop=0.03, nose_power=3.2, nose_plan=0.65, tail_power=5.0, tail_plan=0.35,
        tail_round=0.14, section_power=4.8, cabin_power=6.0, tumblehome=0.13, cabin_width=0.88, lamp_height=0.13,
        lamp_length=0.22, lamp_sweep=0.5, tail_lamp_tall=1.0, pillar=0.05, rear_taper=0.0, side_windows=0.6,
        cladding=0.3,
    ),
    "sports": _SPORTS | dict(  # engine in front: long bonnet, cabin far back
        length=4.60, height=1.31, wheelbase=2.75, front_overhang=0.93, nose_height=0.57, cowl_height=0.86,
        tail_height=0.90, tail_drop=0.03, cowl=0.355, header=0.48, roof_end=0.63, glass_end=0.90, roof_drop=0.05,
        fender=0.06, nose_round=0.55, tail_round=0.30, side_intake=0.4,
    ),
    "supercar": _SPORTS | dict(  # engine behind the seats: short low nose, cabin forward
        length=4.50, height=1.20, wheelbase=2.62, front_overhang=1.02, nose_height=0.47, cowl_height=0.76,
        tail_height=0.90, tail_drop=0.03, cowl=0.255, header=0.42, roof_end=0.57, glass_end=0.86, roof_drop=0.05,
        fender=0.085, nose_round=0.60, tail_round=0.22, side_intake=0.9, nose_plan=1.15, lamp_sweep=1.0, pillar=0.15,
        lamp_length=0.34,
    ),
    "roadster": _SPORTS | dict(
        length=4.40, height=1.22, wheelbase=2.60, front_overhang=0.92, nose_height=0.55, cowl_height=0.84,
        tail_height=0.91, tail_drop=0.04, cowl=0.30, header=0.43, roof_end=0.55, glass_end=0.72, roof_drop=0.05,
        fender=0.065, nose_round=0.50, tail_round=0.28, open_top=1.0, side_intake=0.5,
    ),
}
STYLE_WEIGHTS = {
    "sedan": 1.0, "hatchback": 1.0, "estate": 0.8, "coupe": 2.0, "suv": 1.0, "pickup": 0.6, "van": 0.6, "sports": 2.4,
    "supercar": 2.4, "roadster": 1.7,
}
SPORTY = ("coupe", "sports", "supercar", "roadster")
# A pick-up's bed or an open cockpit has no meaningful half; such styles are mixed only in their plain proportions.
_NEVER_MIXED = {"bed", "open_top", "side_windows", "doors", "tail_lamp_round", "tail_lamp_tall"}
_PLACES = {"cowl", "header", "roof_end", "glass_end", "pillar"}
_SWITCHES = {"low_grille", "tail_lamp_round", "tail_lamp_tall", "side_intake", "wing", "cladding", "roof_rails",
             "side_windows"}
_NEIGHBOURS = {
    "sedan": ("hatchback", "estate", "coupe"), "hatchback": ("sedan", "estate", "suv"), "estate": ("sedan", "suv"),
    "coupe": ("sedan", "sports", "hatchback"), "suv": ("estate", "hatchback", "van"), "pickup": ("suv",),
    "van": ("suv",), "sports": ("coupe", "supercar", "roadster"), "supercar": ("sports", "coupe"),
    "roadster": ("sports", "supercar", "coupe"),
}


def style_parameters(style: str) -> CarParameters:
    """Return the middle of a style's range; KeyError names an unknown style."""
    return CarParameters(**STYLES[style])


def sample_style(rng: np.random.Generator) -> str:
    """Draw a style; sports cars come up more often, because people photograph them more often."""
    weights = np.array(list(STYLE_WEIGHTS.values()))
    return str(rng.choice(list(STYLE_WEIGHTS), p=weights / weights.sum()))


def sample_parameters(rng: np.random.Generator, style: str) -> CarParameters:
    """Draw a car of `style`: its mean, mixed with a neighbouring style, then every proportion varied a little."""
    values = asdict(style_parameters(style))
    neighbour = asdict(style_parameters(str(rng.choice(_NEIGHBOURS[style]))))
    share = max(0.0, rng.uniform(-0.25, 0.38))
    for name in values:
        if name not in _NEVER_MIXED:
            values[name] = (1 - share) * values[name] + share * neighbour[name]
    for field in fields(CarParameters):
        name = field.name
        if name in _SWITCHES:
            values[name] = float(rng.random() < values[name])
        elif name in _PLACES:
            values[name] += rng.normal(0, 0.010)
        elif name not in _NEVER_MIXED:
            values[name] *= 1 + np.clip(rng.normal(0, 0.045), -0.10, 0.10)
        else:
            values[name] = float(values[name])
    values["fender"] *= rng.uniform(0.5, 1.5)
    values["flare"] *= rng.uniform(0.3, 1.6)
    if style in ("sedan", "hatchback", "suv") and rng.random() < 0.2:
        values["doors"] = 2.0 if style == "hatchback" else 4.0
    if style in ("sports", "supercar", "coupe", "hatchback") and rng.random() < 0.22:
        values["wing"] = float(rng.uniform(0.3, 1.0))
    if style == "van" and rng.random() < 0.5:
        values["side_windows"] = 1.0
    return consistent(CarParameters(**{name: float(value) for name, value in values.items()}))


def consistent(p: CarParameters) -> CarParameters:
    """Move values that chance has put in conflict (a windscreen behind its roof, wheels through the bonnet) apart."""
    values = asdict(p)
    values["wheelbase"] = float(np.clip(p.wheelbase, 0.53 * p.length, 0.64 * p.length))
    values["front_overhang"] = float(np.clip(p.front_overhang, p.wheel_radius + 0.38, 0.25 * p.length))
    rear = p.length - values["wheelbase"] - values["front_overhang"]
    values["wheelbase"] += min(0.0, rear - (p.wheel_radius + 0.30))
    values["header"] = max(p.header, p.cowl + 0.07)
    values["roof_end"] = float(np.clip(p.roof_end, values["header"] + 0.04, 0.965))
    values["glass_end"] = float(np.clip(p.glass_end, values["roof_end"] + 0.02, 0.992))
    values["height"] = max(p.height, max(p.cowl_height, p.tail_height) + 0.30)
    values["cowl_height"] = max(p.cowl_height, p.nose_height + 0.08, 2 * p.wheel_radius + 0.06)
    return CarParameters(**values)
