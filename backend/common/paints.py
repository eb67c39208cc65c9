# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The paints of the street: of the cars that are rendered to train with, and of those that are made from a seed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

Span = tuple[float, float]


class Paint(NamedTuple):
    """A kind of paint, whose colour is drawn evenly from spans of sRGB's hue, saturation and value."""

    share: float
    """Number of cars that have it, relative to the others in its table."""
    hue: Span
    """Hue in turns."""
    saturation: Span
    value: Span
    metallic: float
    """The chance that it is a metallic paint."""


PAINTS = {
    "white": Paint(0.21, (0.0, 1.0), (0.0, 0.03), (0.80, 0.93), 0.2),
    "black": Paint(0.15, (0.5, 0.7), (0.0, 0.25), (0.03, 0.11), 0.5),
    "silver": Paint(0.14, (0.5, 0.7), (0.0, 0.06), (0.56, 0.74), 1.0),
    "grey": Paint(0.17, (0.5, 0.7), (0.0, 0.14), (0.22, 0.48), 0.8),
    "blue": Paint(0.14, (0.56, 0.65), (0.45, 0.88), (0.14, 0.55), 0.7),
    "red": Paint(0.12, (-0.03, 0.02), (0.70, 0.95), (0.26, 0.66), 0.4),
    "green": Paint(0.035, (0.30, 0.46), (0.25, 0.70), (0.14, 0.42), 0.6),
    "brown": Paint(0.035, (0.04, 0.10), (0.2, 0.55), (0.18, 0.50), 0.7),
    "beige": Paint(0.03, (0.08, 0.13), (0.08, 0.28), (0.55, 0.80), 0.5),
    "yellow": Paint(0.015, (0.11, 0.15), (0.75, 0.95), (0.70, 0.90), 0.1),
    "orange": Paint(0.012, (0.04, 0.08), (0.75, 0.95), (0.60, 0.85), 0.4),
    "other": Paint(0.013, (0.0, 1.0), (0.2, 0.7), (0.20, 0.70), 0.5),
}
"""Paints with about the frequencies of the street."""


def srgb_of_hsv(hue: float, saturation: float, value: float) -> tuple[float, float, float]:
    """The sRGB colour, 0 to 1, of a hue in turns, a saturation and a value."""
    shift = np.clip(np.abs(np.mod(hue + np.array([0, 2 / 3, 1 / 3]), 1.0) * 6 - 3) - 1, 0, 1)
    red, green, blue = (value * (1 - saturation + saturation * shift)).tolist()
    return red, green, blue
