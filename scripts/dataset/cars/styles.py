# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The body styles: where each lies in the space of cars, how often it comes, and what it mixes with."""

from __future__ import annotations

# fmt: off
# A line for each number would make a table of a thousand lines.
_SPORTS = dict(
    width=1.93, ground_clearance=0.115, wheel_radius=0.345, wheel_width=0.27, section_power=2.7, bonnet_power=2.6,
    cabin_power=3.6, tumblehome=0.33, rear_taper=0.16, waist=0.055, sill_tuck=0.12, flare=0.035, doors=2.0,
    low_grille=1.0, lamp_sweep=0.85, lamp_length=0.30, lamp_height=0.085, tail_lamp_round=1.0, nose_power=2.7,
    nose_plan=1.0, tail_plan=0.75, tail_power=2.9, arch_gap=0.03, cabin_width=0.80, pillar=0.09, side_intake=0.6,
)

STYLES: dict[str, dict[str, float]] = {
    "sedan": dict(
        nose_power=3.4, nose_plan=0.60, nose_round=0.22, nose_slant=0.12, wheel_radius=0.335, bonnet_power=3.3,
        nose_height=0.79, tail_power=3.8, tail_plan=0.48, tail_round=0.18, tail_slant=0.08,
    ),
    "hatchback": dict(
        nose_power=3.4, nose_plan=0.58, nose_round=0.20, nose_slant=0.15, bonnet_power=3.3, length=4.05, width=1.75,
        height=1.48, wheelbase=2.56, front_overhang=0.80, nose_height=0.82, cowl_height=0.96, tail_height=1.02,
        cowl=0.25, header=0.41, roof_end=0.86, glass_end=0.965, roof_drop=0.09, tail_plan=0.55, tail_power=3.6,
        tail_round=0.20, tail_lamp_tall=0.8, pillar=0.085,
    ),
    "estate": dict(
        nose_power=3.4, nose_plan=0.58, nose_round=0.20, nose_slant=0.12, bonnet_power=3.3, wheel_radius=0.335,
        nose_height=0.80, length=4.70, height=1.48, wheelbase=2.78, front_overhang=0.88, roof_end=0.87, glass_end=0.975,
        cowl=0.275, header=0.41, roof_drop=0.10, tail_power=3.8, tail_plan=0.5, tail_round=0.18, tail_lamp_tall=0.7,
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
        length=4.52, width=1.89, height=1.70, wheelbase=2.70, front_overhang=0.85, ground_clearance=0.23,
        wheel_radius=0.37, wheel_width=0.25, nose_round=0.20, nose_slant=0.10, year=2015, nose_height=1.02,
        cowl_height=1.14, tail_height=1.19, cowl=0.255, header=0.385, roof_end=0.875, glass_end=0.975, roof_drop=0.07,
        nose_power=3.5, nose_plan=0.6, tail_power=4.0, tail_plan=0.5, tail_round=0.18, section_power=4.4,
        tumblehome=0.20, cabin_width=0.85, cladding=0.7, roof_rails=0.6, flare=0.03, lamp_height=0.10,
        tail_lamp_tall=0.6, pillar=0.065,
    ),
    "pickup": dict(
        length=5.30, width=1.90, height=1.80, wheelbase=3.20, front_overhang=0.92, ground_clearance=0.27,
        wheel_radius=0.39, wheel_width=0.26, nose_height=1.04, cowl_height=1.18, tail_height=1.14, tail_drop=0.0,
        cowl=0.265, header=0.355, roof_end=0.575, glass_end=0.605, roof_drop=0.03, nose_power=3.8, nose_plan=0.55,
        tail_power=6.0, tail_plan=0.25, tail_round=0.10, tail_lift=0.12, section_power=4.8, tumblehome=0.20,
        cabin_power=5.0, cabin_width=0.85, cladding=0.5, flare=0.03, lamp_height=0.11, bed=1.0, pillar=0.02,
        tail_lamp_tall=1.0, rear_taper=0.0, nose_round=0.16,
    ),
    "van": dict(
        length=4.95, width=1.93, height=1.96, wheelbase=3.05, front_overhang=0.92, ground_clearance=0.19,
        wheel_radius=0.33, nose_height=0.95, cowl_height=1.16, tail_height=1.14, cowl=0.165, header=0.285,
        roof_end=0.955, glass_end=0.99, roof_drop=0.03, nose_power=3.2, nose_plan=0.65, tail_power=5.0, tail_plan=0.35,
        tail_round=0.14, section_power=4.8, cabin_power=6.0, tumblehome=0.13, cabin_width=0.88, lamp_height=0.13,
        lamp_length=0.22, lamp_sweep=0.5, tail_lamp_tall=1.0, pillar=0.05, rear_taper=0.0, side_windows=0.5,
        cladding=0.3, nose_slant=0.2, nose_round=0.22, screen_bend=0.24,
    ),
    "city": dict(
        length=3.58, width=1.64, height=1.50, wheelbase=2.37, front_overhang=0.68, nose_height=0.83, cowl_height=0.98,
        tail_height=1.02, cowl=0.215, header=0.375, roof_end=0.89, glass_end=0.975, roof_drop=0.07, wheel_radius=0.29,
        wheel_width=0.18, nose_power=3.2, nose_plan=0.55, nose_round=0.22, nose_slant=0.22, tail_plan=0.45,
        tail_power=4.0, tail_round=0.16, tail_lamp_tall=0.8, pillar=0.075, doors=2.0, year=2005,
    ),
    "micro": dict(  # a box on four small wheels
        length=3.45, width=1.50, height=1.74, wheelbase=2.44, front_overhang=0.64, nose_height=0.92, cowl_height=1.05,
        tail_height=1.04, cowl=0.155, header=0.265, roof_end=0.965, glass_end=0.99, roof_drop=0.03, wheel_radius=0.275,
        wheel_width=0.16, nose_power=4.5, nose_plan=0.40, nose_round=0.16, nose_slant=0.15, tail_plan=0.25,
        tail_power=6.0, tail_round=0.10, section_power=5.0, bonnet_power=3.6, cabin_power=6.5, tumblehome=0.10,
        cabin_width=0.90, rear_taper=0.02, tail_lamp_tall=0.9, pillar=0.05, year=2008, screen_bend=0.2,
    ),
    "mpv": dict(
        length=4.55, width=1.83, height=1.66, wheelbase=2.75, front_overhang=0.88, nose_height=0.88, cowl_height=1.05,
        tail_height=1.06, cowl=0.200, header=0.370, roof_end=0.91, glass_end=0.98, roof_drop=0.09, tail_plan=0.45,
        tail_power=4.2, tail_round=0.16, tail_lamp_tall=0.9, pillar=0.055, nose_power=3.1, nose_slant=0.30,
        nose_round=0.24, roof_rails=0.4, wheel_radius=0.325, year=2008, section_power=4.2, tumblehome=0.22,
    ),
    "suv_large": dict(
        length=4.98, width=1.98, height=1.84, wheelbase=2.92, front_overhang=0.90, ground_clearance=0.25,
        wheel_radius=0.40, wheel_width=0.27, nose_height=1.11, cowl_height=1.21, tail_height=1.22, cowl=0.265,
        header=0.375, roof_end=0.915, glass_end=0.978, roof_drop=0.05, nose_power=4.4, nose_plan=0.48, nose_round=0.16,
        nose_slant=0.06, tail_power=5.0, tail_plan=0.38, tail_round=0.14, section_power=5.2, bonnet_power=3.8,
        tumblehome=0.18, cabin_width=0.87, cabin_power=5.4, cladding=0.4, roof_rails=0.7, flare=0.03, lamp_height=0.10,
        tail_lamp_tall=0.7, pillar=0.055, year=2015,
    ),
    "offroader": dict(
        length=4.25, width=1.82, height=1.90, wheelbase=2.52, front_overhang=0.74, ground_clearance=0.28,
        wheel_radius=0.39, wheel_width=0.24, nose_height=1.06, cowl_height=1.20, tail_height=1.20, cowl=0.30,
        header=0.365, roof_end=0.955, glass_end=0.985, roof_drop=0.02, nose_power=6.5, nose_plan=0.22, nose_round=0.09,
        tail_power=7.0, tail_plan=0.16, tail_round=0.07, section_power=6.5, bonnet_power=6.0, cabin_power=7.0,
        tumblehome=0.09, cabin_width=0.90, rear_taper=0.0, cladding=0.6, flare=0.045, tail_lamp_tall=1.0, pillar=0.04,
        spare_wheel=0.7, screen_bend=0.10, year=1992, sill_tuck=0.04,
    ),
    "saloon80": dict(  # the straight edges of the seventies to nineties
        length=4.42, width=1.69, height=1.40, wheelbase=2.60, front_overhang=0.80, nose_height=0.79, cowl_height=0.91,
        tail_height=0.92, tail_drop=0.03, cowl=0.295, header=0.405, roof_end=0.665, glass_end=0.785, roof_drop=0.03,
        wheel_radius=0.295, wheel_width=0.18, nose_power=6.0, nose_plan=0.26, nose_round=0.13, nose_slant=0.08,
        tail_power=6.0, tail_plan=0.24, tail_round=0.11, section_power=5.2, bonnet_power=4.8, cabin_power=5.6,
        tumblehome=0.30, cabin_width=0.86, rear_taper=0.03, pillar=0.045, screen_bend=0.18, year=1982, fender=0.0,
        flare=0.008, waist=0.015, sill_tuck=0.07, nose_lift=0.06,
    ),
    "hatch80": dict(
        length=3.75, width=1.62, height=1.40, wheelbase=2.40, front_overhang=0.74, nose_height=0.79, cowl_height=0.92,
        tail_height=0.93, cowl=0.275, header=0.40, roof_end=0.865, glass_end=0.955, roof_drop=0.05, wheel_radius=0.28,
        wheel_width=0.17, nose_power=5.5, nose_plan=0.26, nose_round=0.13, nose_slant=0.14, tail_power=5.5,
        tail_plan=0.24, tail_round=0.11, section_power=4.8, bonnet_power=4.4, cabin_power=5.6, tumblehome=0.28,
        cabin_width=0.86, rear_taper=0.04, pillar=0.075, screen_bend=0.18, year=1985, fender=0.0, flare=0.008,
        waist=0.015, doors=2.0, tail_lamp_tall=0.25,
    ),
    "wagon80": dict(
        length=4.60, width=1.71, height=1.46, wheelbase=2.66, front_overhang=0.84, nose_height=0.80, cowl_height=0.93,
        tail_height=0.95, cowl=0.285, header=0.39, roof_end=0.925, glass_end=0.972, roof_drop=0.02, wheel_radius=0.305,
        wheel_width=0.185, nose_power=6.0, nose_plan=0.26, nose_round=0.13, nose_slant=0.08, tail_power=6.5,
        tail_plan=0.22, tail_round=0.10, section_power=5.2, bonnet_power=4.8, cabin_power=6.0, tumblehome=0.26,
        cabin_width=0.86, rear_taper=0.02, pillar=0.04, screen_bend=0.18, year=1984, fender=0.0, flare=0.008,
        waist=0.015, roof_rails=0.4, tail_lamp_tall=0.8,
    ),
    "classic": dict(  # saloons of the fifties and sixties, with chrome and a little fin
        length=4.45, width=1.68, height=1.47, wheelbase=2.58, front_overhang=0.76, nose_height=0.87, cowl_height=0.98,
        tail_height=0.95, tail_drop=0.07, cowl=0.325, header=0.405, roof_end=0.655, glass_end=0.765, roof_drop=0.05,
        wheel_radius=0.32, wheel_width=0.165, nose_power=4.4, nose_plan=0.34, nose_round=0.20, tail_power=4.0,
        tail_plan=0.50, tail_round=0.24, section_power=3.8, bonnet_power=3.0, cabin_power=3.9, tumblehome=0.30,
        cabin_width=0.84, rear_taper=0.06, pillar=0.035, screen_bend=0.34, year=1962, fender=0.055, flare=0.0, fin=0.05,
        bonnet_pinch=0.05, waist=0.01, tail_lamp_round=0.45, sill_tuck=0.10,
    ),
    "beetle": dict(  # rounded small cars of the same years
        length=3.75, width=1.56, height=1.47, wheelbase=2.28, front_overhang=0.72, nose_height=0.74, cowl_height=0.97,
        tail_height=0.92, tail_drop=0.24, cowl=0.315, header=0.395, roof_end=0.63, glass_end=0.83, roof_drop=0.07,
        wheel_radius=0.31, wheel_width=0.15, nose_power=2.7, nose_plan=0.60, nose_round=0.42, tail_power=2.5,
        tail_plan=0.75, tail_round=0.50, section_power=3.0, bonnet_power=2.6, cabin_power=3.4, tumblehome=0.32,
        cabin_width=0.82, rear_taper=0.12, pillar=0.07, screen_bend=0.30, year=1962, fender=0.07, flare=0.03,
        bonnet_pinch=0.20, doors=2.0, tail_lamp_round=0.8, nose_lift=0.05,
    ),
    "vintage": dict(  # upright radiator between separate wings
        length=4.10, width=1.62, height=1.62, wheelbase=2.62, front_overhang=0.62, nose_height=1.00, cowl_height=1.11,
        tail_height=1.02, tail_drop=0.22, cowl=0.385, header=0.435, roof_end=0.775, glass_end=0.90, roof_drop=0.05,
        wheel_radius=0.36, wheel_width=0.14, nose_power=4.5, nose_plan=0.30, nose_round=0.20, tail_power=2.8,
        tail_plan=0.70, tail_round=0.40, section_power=4.0, bonnet_power=3.4, cabin_power=4.6, tumblehome=0.14,
        cabin_width=0.78, rear_taper=0.10, pillar=0.10, screen_bend=0.06, year=1938, fender=0.03, flare=0.03,
        bonnet_pinch=0.46, tail_lamp_round=1.0, waist=0.03, ground_clearance=0.22, nose_lift=0.08,
    ),
    "pickup_single": dict(
        length=5.05, width=1.80, height=1.74, wheelbase=3.05, front_overhang=0.84, ground_clearance=0.25,
        wheel_radius=0.36, wheel_width=0.22, nose_height=0.98, cowl_height=1.10, tail_height=1.06, tail_drop=0.0,
        cowl=0.265, header=0.35, roof_end=0.500, glass_end=0.525, roof_drop=0.03, nose_power=5.0, nose_plan=0.36,
        nose_round=0.13, tail_power=7.0, tail_plan=0.18, tail_round=0.07, tail_lift=0.12, section_power=5.2,
        bonnet_power=4.4, tumblehome=0.20, cabin_power=5.4, cabin_width=0.86, cladding=0.4, flare=0.02, bed=1.0,
        pillar=0.01, tail_lamp_tall=1.0, rear_taper=0.0, doors=2.0, year=1998, screen_bend=0.2,
    ),
    "van_large": dict(
        length=5.80, width=2.02, height=2.55, wheelbase=3.55, front_overhang=1.00, ground_clearance=0.20,
        wheel_radius=0.345, nose_height=1.02, cowl_height=1.28, tail_height=1.24, cowl=0.150, header=0.262,
        roof_end=0.972, glass_end=0.992, roof_drop=0.02, nose_power=3.8, nose_plan=0.50, nose_round=0.20,
        nose_slant=0.25, tail_power=7.0, tail_plan=0.20, tail_round=0.09, section_power=5.5, bonnet_power=4.4,
        cabin_power=7.0, tumblehome=0.10, cabin_width=0.91, tail_lamp_tall=1.0, pillar=0.03, rear_taper=0.0,
        side_windows=0.4, cladding=0.5, screen_bend=0.22, year=2010,
    ),
    "box_van": dict(
        length=6.30, width=2.02, height=2.30, wheelbase=3.75, front_overhang=1.00, ground_clearance=0.24,
        wheel_radius=0.35, nose_height=1.02, cowl_height=1.28, tail_height=0.95, tail_drop=0.0, cowl=0.138,
        header=0.240, roof_end=0.984, glass_end=0.990, roof_drop=0.02, nose_power=3.8, nose_plan=0.50, nose_round=0.20,
        nose_slant=0.25, tail_power=8.0, tail_plan=0.14, tail_round=0.07, section_power=5.5, bonnet_power=4.4,
        cabin_power=8.0, tumblehome=0.10, cabin_width=0.90, tail_lamp_tall=0.0, pillar=0.03, rear_taper=0.0,
        side_windows=0.0, doors=2.0, cladding=0.6, screen_bend=0.22, year=2010, cargo=1.0, cargo_start=0.385,
        cargo_height=3.05, cargo_width=1.06,
    ),
    "lorry": dict(
        length=7.60, width=2.38, height=2.75, wheelbase=4.15, front_overhang=1.20, ground_clearance=0.42,
        wheel_radius=0.46, wheel_width=0.28, nose_height=1.50, cowl_height=1.58, tail_height=1.12, tail_drop=0.0,
        cowl=0.026, header=0.056, roof_end=0.988, glass_end=0.993, roof_drop=0.02, nose_power=6.0, nose_plan=0.20,
        nose_round=0.12, nose_slant=0.03, tail_power=8.0, tail_plan=0.12, tail_round=0.07, section_power=7.0,
        bonnet_power=7.0, cabin_power=8.0, tumblehome=0.05, cabin_width=0.94, tail_lamp_tall=0.0, pillar=0.03,
        rear_taper=0.0, side_windows=0.0, doors=2.0, cladding=0.3, screen_bend=0.07, year=2005, cargo=1.0,
        cargo_start=0.275, cargo_height=3.45, cargo_width=1.05, flare=0.0, fender=0.0, waist=0.0, sill_tuck=0.05,
        nose_lift=0.0, tail_lift=0.12,
    ),
    "bus": dict(
        length=9.80, width=2.48, height=3.00, wheelbase=5.10, front_overhang=2.30, ground_clearance=0.32,
        wheel_radius=0.47, wheel_width=0.28, nose_height=1.12, cowl_height=1.22, tail_height=1.30, tail_drop=0.0,
        cowl=0.016, header=0.040, roof_end=0.984, glass_end=0.992, roof_drop=0.02, nose_power=5.5, nose_plan=0.26,
        nose_round=0.14, nose_slant=0.06, tail_power=7.0, tail_plan=0.20, tail_round=0.10, section_power=7.0,
        bonnet_power=7.0, cabin_power=7.5, tumblehome=0.05, cabin_width=0.955, tail_lamp_tall=1.0, pillar=0.02,
        rear_taper=0.0, doors=2.0, screen_bend=0.10, year=2008, flare=0.0, fender=0.0, waist=0.0, sill_tuck=0.05,
        nose_lift=0.03, tail_lift=0.06, side_windows=1.0,
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
    "sedan": 13, "hatchback": 10, "estate": 6, "suv": 11, "suv_large": 6, "offroader": 4, "city": 5, "micro": 2,
    "mpv": 5, "pickup": 4, "pickup_single": 2, "van": 3, "van_large": 2.5, "box_van": 2, "lorry": 2.5, "bus": 2,
    "saloon80": 6, "hatch80": 3.5, "wagon80": 2.5, "classic": 5, "beetle": 1.5, "vintage": 2.5,
    "coupe": 8, "sports": 7, "supercar": 6, "roadster": 5,
}
SPORTY = ("coupe", "sports", "supercar", "roadster")
HEAVY = ("van", "van_large", "box_van", "lorry", "bus")
# A pick-up's bed or an open cockpit has no meaningful half; such styles are mixed only in their plain proportions.
NEVER_MIXED = {"bed", "open_top", "side_windows", "doors", "tail_lamp_round", "tail_lamp_tall", "year", "cargo",
                "spare_wheel", "roof_box"}
PLACES = {"cowl", "header", "roof_end", "glass_end", "pillar", "cargo_start"}
SWITCHES = {"low_grille", "tail_lamp_round", "tail_lamp_tall", "side_intake", "wing", "cladding", "roof_rails",
             "side_windows", "spare_wheel"}
PLAIN = NEVER_MIXED | PLACES | {"nose_slant", "tail_slant", "cargo_height"}
NEIGHBOURS = {
    "sedan": ("hatchback", "estate", "coupe", "saloon80"), "hatchback": ("sedan", "estate", "suv", "city"),
    "estate": ("sedan", "suv", "wagon80"), "coupe": ("sedan", "sports", "hatchback"),
    "suv": ("estate", "hatchback", "mpv", "suv_large"), "suv_large": ("suv", "offroader"),
    "offroader": ("suv_large",), "city": ("hatchback", "hatch80"), "micro": ("city", "van"),
    "mpv": ("hatchback", "suv", "van"), "pickup": ("suv_large",), "pickup_single": ("pickup",),
    "van": ("mpv", "van_large"), "van_large": ("van",), "box_van": ("van_large",), "lorry": ("lorry",),
    "bus": ("bus",), "saloon80": ("sedan", "classic"), "hatch80": ("hatchback", "saloon80"),
    "wagon80": ("estate", "saloon80"), "classic": ("saloon80", "beetle"), "beetle": ("classic",),
    "vintage": ("beetle", "classic"), "sports": ("coupe", "supercar", "roadster"),
    "supercar": ("sports", "coupe"), "roadster": ("sports", "supercar", "coupe"),
}
# First and last year of a style's designs; the rest are of the last thirty.
YEARS = {
    "saloon80": (1970, 1994), "hatch80": (1972, 1994), "wagon80": (1970, 1995), "classic": (1953, 1970),
    "beetle": (1946, 1972), "vintage": (1930, 1949), "offroader": (1965, 2024), "pickup_single": (1970, 2020),
    "lorry": (1975, 2024), "bus": (1970, 2024), "coupe": (1970, 2024), "sports": (1960, 2024), "roadster": (1960, 2024),
    "supercar": (1975, 2024), "van": (1985, 2024), "pickup": (1990, 2024),
}
