# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The choices that make a car's face: kinds of lamps, grille, bumpers and plates, by the year of its design."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .parameters import CarParameters

# Last year of an epoch and the shares of its kinds of head lamps.
HEAD_LAMPS: tuple[tuple[int, dict[str, float]], ...] = (
    (1972, {"round": 0.65, "twin_round": 0.35}),
    (1984, {"rectangle": 0.45, "round": 0.2, "twin_round": 0.2, "twin_rectangle": 0.15}),
    (1996, {"rectangle": 0.75, "oval": 0.12, "twin_rectangle": 0.13}),
    (2008, {"swept": 0.5, "oval": 0.25, "rectangle": 0.25}),
    (2016, {"swept": 0.75, "oval": 0.1, "slim": 0.15}),
    (9999, {"slim": 0.34, "swept": 0.36, "bar": 0.12, "split": 0.18}),
)
GRILLES: tuple[tuple[int, dict[str, float]], ...] = (
    (1972, {"wide": 0.45, "tall": 0.25, "slot": 0.15, "kidney": 0.15}),
    (1996, {"wide": 0.72, "slot": 0.1, "kidney": 0.08, "tall": 0.1}),
    (2008, {"wide": 0.55, "slot": 0.2, "kidney": 0.1, "shield": 0.15}),
    (9999, {"wide": 0.27, "shield": 0.40, "slot": 0.12, "kidney": 0.11, "none": 0.10}),
)
TAIL_LAMPS: tuple[tuple[int, dict[str, float]], ...] = (
    (1970, {"small": 0.7, "round": 0.3}),
    (1996, {"rectangle": 0.75, "band": 0.15, "wrap": 0.1}),
    (2016, {"wrap": 0.75, "rectangle": 0.25}),
    (9999, {"wrap": 0.6, "slim": 0.15, "band": 0.25}),
)


@dataclass(frozen=True)
class Face:
    """What one car has at its front and rear; lengths in metres."""

    head: str
    grille: str
    tail: str
    bumper: str  # "body", "black", "chrome"
    frame: bool  # a chrome frame around the grille
    mouth: bool  # a second opening low in the bumper
    fogs: bool
    front_plate: bool
    plate: tuple[float, float]  # half width, half height
    band: bool  # a blue band at the plate's end
    low_tone: bool  # the second colour lies along the sills instead of on the roof
    high_plate: bool  # the rear plate on the boot lid, not in the bumper


def is_heavy(p: CarParameters) -> bool:
    """Tell whether a car is a van, a lorry or a bus."""
    return p.cargo > 0.5 or (p.height > 1.80 and p.cowl < 0.21)


def has_wings(p: CarParameters) -> bool:
    """Tell whether bonnet and wings are separate, with a radiator and lamps between them."""
    return p.bonnet_pinch > 0.3


def _choose(rng: np.random.Generator, table: tuple[tuple[int, dict[str, float]], ...], year: float) -> str:
    kinds = next(kinds for last, kinds in table if year < last)
    weights = np.array(list(kinds.values()))
    return str(rng.choice(list(kinds), p=weights / weights.sum()))


def sample_face(p: CarParameters, rng: np.random.Generator) -> Face:
    """Draw a face that fits the car's year and shape."""
    year = p.year
    head, grille, tail = (_choose(rng, table, year) for table in (HEAD_LAMPS, GRILLES, TAIL_LAMPS))
    coin = rng.random(8)
    if p.nose_power > 5.5 and p.section_power > 5.8 and not is_heavy(p):  # off-roaders keep round lamps to this day
        head = "round" if coin[0] < 0.5 else "rectangle"
        grille = "wide" if coin[1] < 0.7 else "tall"
    if is_heavy(p):
        head = "tall" if coin[0] < 0.5 or year > 2005 else "rectangle"
        grille = "wide" if coin[1] < 0.75 else "slot"
    if p.lamp_sweep >= 0.7:
        head = "wing"
    if p.low_grille > 0.5:
        grille = "low"
    if has_wings(p):
        head, grille = "pod", "radiator"
    if p.tail_lamp_round > 0.5:
        tail = "round"
    elif p.tail_lamp_tall > 0.5 and tail != "band":
        tail = "column"
    bumper = "body"
    if year < 1973:
        bumper = "chrome" if coin[2] < 0.85 else "black"
    elif year < 1996:
        bumper = "black" if coin[2] < 0.6 else ("chrome" if coin[2] < 0.7 and year < 1985 else "body")
    elif is_heavy(p):
        bumper = "black" if coin[2] < 0.7 else "body"
    elif p.cladding > 0.5 and coin[2] < 0.3:
        bumper = "black"
    framed = 0.85 if year < 1975 else 0.25 if year < 1996 else 0.45
    american = coin[4] < 0.25
    return Face(
        head=head,
        grille=grille,
        tail=tail,
        bumper=bumper,
        frame=bool(coin[3] < framed),
        mouth=year > 1990 and grille not in ("shield", "radiator"),
        fogs=bool(coin[5] < 0.5 and year > 1985 and not is_heavy(p)),
        front_plate=bool(coin[6] < (0.5 if american else 0.92)),
        plate=(0.152, 0.076) if american else (0.26, 0.057),
        band=bool(not american and rng.random() < 0.6),
        low_tone=bool(p.low_grille < 0.5 and p.cargo < 0.5 and rng.random() < (0.35 if year > 1972 else 0.1)),
        high_plate=bool(coin[7] < 0.6),
    )
