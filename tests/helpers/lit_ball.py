# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A ball of paint in a light that is known, with strips of what stands beside paint on a car."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from backend.common.harmonics import spherical_harmonics
from backend.common.regions import REGIONS, Palette
from backend.pipeline.parts_colour import encoded
from backend.pipeline.parts_look import palette_and_light

SIDE = 64
LIGHT = np.array([1 / 0.282095, -0.1, 0.5, 0.35, 0, 0, 0, 0, 0])
"""Of mean 1, from the upper right."""
TYRES, PANES, BELOW = 0.05, 0.075, 0.036
"""Linear brightness in a light of 1, as photographs of cars have them."""


@dataclass
class Drawn:
    """A ball of paint above strips of other regions, each of one linear colour."""

    paint: tuple[float, float, float]
    brightness: float = 0.6
    """Of the light."""
    mirrored: float = 0.05
    """What paint mirrors of it."""
    strips: dict[str, tuple[float, float, float]] = field(
        default_factory=lambda: {"rubber": (TYRES,) * 3, "glass": (PANES,) * 3, "underside": (BELOW,) * 3}
    )

    def look(self) -> tuple[Palette, np.ndarray]:
        """What is found."""
        return palette_and_light(*self.arrays())

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Colours, normals and shares."""
        x, up = np.meshgrid(np.linspace(-1.1, 1.1, SIDE), -np.linspace(-1.1, 1.1, SIDE))
        inside = x**2 + up**2 < 1
        normals = np.stack([x, -np.sqrt(np.clip(1 - x**2 - up**2, 0, 1)), up], axis=-1) * inside[..., None]
        received = (spherical_harmonics(normals) @ LIGHT)[..., None]
        linear = np.array(self.paint) * received + self.mirrored
        shares = np.zeros((len(REGIONS), SIDE, SIDE), np.float32)
        shares[REGIONS.index("paint")] = inside
        for number, (name, colour) in enumerate(self.strips.items()):
            rows = slice(SIDE - 12 - 4 * number, SIDE - 8 - 4 * number)
            shares[:, rows] = 0
            shares[REGIONS.index(name), rows] = inside[rows]
            linear[rows] = colour
        colours = encoded(np.clip(linear * self.brightness, 0, 1))
        return colours.astype(np.float32), normals.astype(np.float32), shares


def grey(value: float) -> tuple[float, float, float]:
    return (value, value, value)
