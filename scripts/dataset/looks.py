# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The colours of cars: paints with about the frequencies of the street, glass, trim, wheels, plates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backend.common.paints import PAINTS, Paint, srgb_of_hsv

from .cars.parameters import CarParameters

_GAUDY = {"red": 2.4, "yellow": 3.5, "orange": 2.5}  # how much more often sports cars have these
# What was sold before metallic paint: pastels, cream, maroon, dark green.
OLD_PAINTS = {
    "white": Paint(0.18, (0.08, 0.14), (0.02, 0.10), (0.78, 0.90), 0.0),
    "black": Paint(0.16, (0.0, 1.0), (0.0, 0.1), (0.02, 0.07), 0.0),
    "grey": Paint(0.12, (0.5, 0.65), (0.02, 0.14), (0.35, 0.62), 0.1),
    "beige": Paint(0.14, (0.09, 0.14), (0.12, 0.34), (0.60, 0.85), 0.0),
    "blue": Paint(0.16, (0.53, 0.64), (0.20, 0.65), (0.25, 0.68), 0.1),
    "green": Paint(0.10, (0.27, 0.45), (0.15, 0.55), (0.18, 0.62), 0.1),
    "red": Paint(0.14, (-0.02, 0.03), (0.60, 0.92), (0.24, 0.62), 0.0),
}


@dataclass(frozen=True)
class Finish:
    """What the eye sees of a surface: linear colour, roughness, metallic."""

    colour: tuple[float, float, float]
    roughness: float
    metallic: float = 0.0


@dataclass(frozen=True)
class CarLook:
    """Colours of one car, chosen by `sample_look`."""

    paint_name: str
    paint: Finish
    second: Finish  # where "two_tone" is negative
    two_tone: str  # "", "roof", "lower", "cargo"
    glass: Finish
    clear: tuple[float, float]  # how much of the light passes the glass of the front half and of the rear half
    trim: Finish
    chrome: Finish
    plate: tuple[float, float, float]
    rim: Finish
    caliper: tuple[float, float, float]
    interior: tuple[float, float, float]
    bars: Finish
    bar_turn: tuple[float, float, float]  # bars a unit across and up, and their share of the pitch
    dirt: float


def encoded(colour: tuple[float, float, float]) -> np.ndarray:
    """Encode linear colour as sRGB."""
    values = np.clip(np.asarray(colour, dtype=float), 0, 1)
    return np.where(values <= 0.0031308, 12.92 * values, 1.055 * values ** (1 / 2.4) - 0.055)


def linear(colour: np.ndarray) -> np.ndarray:
    """Decode sRGB."""
    colour = np.asarray(colour, dtype=float)
    return np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)


def hsv(hue: float, saturation: float, value: float) -> tuple[float, float, float]:
    """Return the linear colour of an sRGB hue, saturation and value."""
    red, green, blue = linear(np.array(srgb_of_hsv(hue, saturation, value))).tolist()
    return red, green, blue


def sample_paint(rng: np.random.Generator, sporty: bool = False, old: bool = False) -> tuple[str, Finish]:
    """Draw a paint with about the frequencies of the street; `sporty` cars are more often red, yellow or orange."""
    paints = OLD_PAINTS if old else PAINTS
    weights = np.array([paint.share * (_GAUDY.get(name, 1.0) if sporty else 1.0) for name, paint in paints.items()])
    name = str(rng.choice(list(paints), p=weights / weights.sum()))
    paint = paints[name]
    colour = hsv(rng.uniform(*paint.hue), rng.uniform(*paint.saturation), rng.uniform(*paint.value))
    metallic = rng.uniform(0.25, 0.65) if rng.random() < paint.metallic else 0.0
    roughness = rng.uniform(0.28, 0.45) if metallic else rng.uniform(0.30, 0.5)
    return name, Finish(colour, roughness, metallic)


def sample_look(
    rng: np.random.Generator, soft_top: bool = False, sporty: bool = False, parameters: CarParameters | None = None
) -> CarLook:
    """Draw the colours of a car; `soft_top` gives it a roof of dark cloth; `parameters` tell its age and kind."""
    p = parameters or CarParameters()
    old = p.year < 1972
    name, paint = sample_paint(rng, sporty, old)
    two_tone, second = _second_colour(rng, p, paint, soft_top, old)
    black = Finish((0.012, 0.012, 0.013), 0.45)
    chrome = Finish((0.62, 0.62, 0.63), 0.16, 1.0)
    trim = chrome if rng.random() < (0.8 if old else 0.15) else black
    front = float(rng.uniform(0.42, 0.57))
    # Smoother, or with less shine than light that passes, and Cycles would take the denoiser's features from what lies
    # behind: the panes come out grainy.
    shine = max(0.08, 0.21 * front) / (1 - front)
    glass = Finish((shine, shine, 1.03 * shine), 0.276, 1.0)
    rear = float(rng.uniform(0.06, 0.30)) if p.year > 1998 and rng.random() < 0.35 else front * rng.uniform(0.9, 1.0)
    share = 0.85 if old else 0.2 if p.year < 1996 else 0.3
    bars = chrome if rng.random() < share else Finish(hsv(0, 0, rng.uniform(0.08, 0.3)), 0.35, 0.3)
    pitch = rng.uniform(40, 75)
    turns = [(0.0, pitch), (pitch, 0.0), (pitch, pitch), (0.0, 0.0)]
    turn = (*turns[int(rng.choice(4, p=[0.44, 0.2, 0.12, 0.24]))], float(rng.uniform(0.2, 0.45)))
    plates = [(0.80, 0.80, 0.80), (0.72, 0.56, 0.06), (0.55, 0.62, 0.72), (0.02, 0.02, 0.02)]
    plate = plates[int(rng.choice(4, p=[0.75, 0.14, 0.05, 0.06] if not old else [0.4, 0.1, 0.05, 0.45]))]
    caliper = hsv(rng.uniform(0, 0.15), 0.9, 0.7) if sporty and rng.random() < 0.3 else (0.12, 0.12, 0.12)
    interior = hsv(rng.uniform(0.03, 0.1), rng.uniform(0, 0.5) ** 1.5, rng.uniform(0.08, 0.5))
    dirt = float(rng.uniform(0.15, 0.7)) if rng.random() < 0.3 and not sporty else 0.0
    return CarLook(
        name,
        paint,
        second,
        two_tone,
        glass,
        (front, float(rear)),
        trim,
        chrome,
        plate,
        _rim(rng, old),
        caliper,
        interior,
        bars,
        turn,
        dirt,
    )


def base_colours(look: CarLook) -> dict[str, list[float]]:
    """Return the sRGB base colour of each region that has one alone, by the regions' names."""
    finishes = {
        "paint": look.paint.colour, "two_tone": look.second.colour, "trim": look.trim.colour, "rim": look.rim.colour,
        "plate": look.plate, "chrome": look.chrome.colour,
    }  # fmt: skip
    return {name: [round(float(value), 4) for value in encoded(colour)] for name, colour in finishes.items()}


def _second_colour(
    rng: np.random.Generator, p: CarParameters, paint: Finish, soft_top: bool, old: bool
) -> tuple[str, Finish]:
    """Return where the second colour lies and what it is."""
    dark = Finish(hsv(0, 0, rng.uniform(0.03, 0.22)), 0.35)
    pale = Finish(hsv(rng.uniform(0.08, 0.14), rng.uniform(0, 0.15), rng.uniform(0.72, 0.90)), 0.4)
    coin = rng.random(3)
    if soft_top:
        return "roof", Finish(hsv(rng.uniform(0, 1), 0.25 * coin[0], rng.uniform(0.03, 0.16)), 0.9)
    if p.cargo > 0.5:
        box = pale if coin[0] < 0.6 else Finish(hsv(0.6, 0.02, rng.uniform(0.5, 0.7)), 0.4, 0.2)
        if p.cargo_height < p.height:  # a tarpaulin over the load
            return "cargo", Finish(hsv(rng.uniform(0.1, 0.6), rng.uniform(0, 0.4), rng.uniform(0.15, 0.5)), 0.7)
        return "cargo", sample_paint(rng)[1] if coin[1] < 0.25 else box
    if coin[2] > (0.30 if old else 0.12):
        return "", paint
    if old or p.height > 1.85:
        return "roof", pale if coin[0] < 0.7 else dark
    return "roof", dark if coin[0] < 0.8 else pale


def _rim(rng: np.random.Generator, old: bool) -> Finish:
    kind = rng.random()
    if old:
        return Finish((0.6, 0.6, 0.61), 0.2, 1.0) if kind < 0.6 else Finish(hsv(0.1, 0.1, rng.uniform(0.3, 0.75)), 0.4)
    if kind > 0.66:
        return Finish(hsv(0.6, 0.05, rng.uniform(0.05, 0.3)), 0.35, 0.3)
    if kind > 0.65:
        return Finish(hsv(0.12, 0.5, 0.6), 0.3, 0.6)
    return Finish(hsv(0.6, 0.03, rng.uniform(0.55, 0.8)), 0.28, 0.7)
