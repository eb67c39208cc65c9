# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The palette and the light that explain a photograph of an object with parts.

Paint has one colour all over, so that what varies over it is light: a smooth light (spherical harmonics) is fitted to
the brightness of the paint, and the paint's colour is what is left. Other regions take their own colour where enough
of them is seen, else an ordinary one.

Letters: R regions, h side of the maps, P pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from ..common.regions import REGIONS, Finish, Palette
from ..render.light import spherical_harmonics, srgb_decode, srgb_encode

_CONSTANT = 0.282095
"""The first spherical harmonic, which is the same in all directions."""

_COLOURED = 0.45
"""Purity (1 less the least over the greatest of linear red, green and blue) from which paint is of a colour."""


@dataclass(frozen=True)
class LookConfig:
    """When a region is believed, and how much the light may vary."""

    min_share: float = 0.6
    """Probability from which a pixel counts as one of its region."""
    min_pixels: int = 24
    """Pixels of a region that its colour is read from, at least."""
    smoothness: float = 0.15
    """Weight of the light's variation beside the errors that it explains."""
    limits: tuple[float, float] = (0.45, 1.8)
    """Smallest and largest light that paint is divided by, over the mean one."""


def palette_and_light(
    colours: np.ndarray, normals: np.ndarray, shares: np.ndarray, config: LookConfig = LookConfig()
) -> tuple[Palette, np.ndarray]:
    """The palette of a photograph, and its light (9, 3), white, with a mean of 1 over the paint that is seen.

    colours: (h, h, 3) sRGB in [0, 1]; normals: (h, h, 3) in the world, 0 where nothing is; shares: (R, h, h)
    probabilities of the regions, 0 where the object is not.
    """
    linear = srgb_decode(torch.as_tensor(colours)).numpy()
    seen = np.linalg.norm(normals, axis=-1) > 0.5
    region = {name: (shares[place] > config.min_share) & seen for place, name in enumerate(REGIONS)}
    light = np.zeros((9, 3), np.float32)
    light[0] = 1 / _CONSTANT
    palette = Palette()
    paint = region["paint"]
    if paint.sum() >= config.min_pixels:
        coefficients = _light_on(linear[paint], normals[paint], config)
        light = np.repeat(coefficients[:, None], 3, axis=1).astype(np.float32)
        received = np.clip(_basis(normals[paint]) @ coefficients, *config.limits)
        colour = _colour(linear[paint] / received[:, None])
        palette = replace(palette, paint=Finish(colour, 0.32, 0.2), two_tone=Finish(colour, 0.32, 0.2))
    for name in ("two_tone", "trim", "dark", "rim", "plate"):
        mine = region[name]
        if mine.sum() < config.min_pixels:
            continue
        received = np.clip(_basis(normals[mine]) @ light[:, 0], *config.limits)
        finish = getattr(palette, name)
        palette = replace(palette, **{name: replace(finish, colour=_colour(linear[mine] / received[:, None]))})
    return palette, light


def _light_on(linear: np.ndarray, normals: np.ndarray, config: LookConfig) -> np.ndarray:
    """(9,) light, with a mean of 1, that explains the brightness of paint (P, 3) with normals (P, 3)."""
    brightness = linear @ np.array([0.2126, 0.7152, 0.0722])
    brightness = brightness / max(float(np.median(brightness)), 1e-3)
    basis = _basis(normals)
    damping = np.diag([0.0] + [config.smoothness * len(basis) * 0.05] * 8)
    weight = np.ones(len(basis))
    solution = np.zeros(9)
    for _ in range(6):
        weighted = basis * weight[:, None]
        solution = np.linalg.solve(weighted.T @ basis + damping + 1e-6 * np.eye(9), weighted.T @ brightness)
        # Highlights and mirrored surroundings are not the light that paint receives.
        weight = 1 / np.maximum(np.abs(brightness - basis @ solution) / 0.15, 1)
    mean = float(np.average(basis @ solution, weights=weight))
    return solution / max(mean, 1e-3)


def _colour(linear: np.ndarray) -> tuple[float, float, float]:
    """sRGB of the middle of linear colours (P, 3), ordered by brightness; of bright colours the purer half counts.

    What is mirrored in paint lies over it like a veil, so that the purest of a colour is nearest to the paint's own.
    """
    purity = 1 - linear.min(axis=1) / linear.max(axis=1).clip(1e-4)
    if np.median(purity) > _COLOURED:
        linear = linear[purity >= np.median(purity)]
    order = np.argsort(linear.sum(axis=1))
    middle = linear[order[len(order) * 3 // 10 : max(len(order) * 7 // 10, len(order) * 3 // 10 + 1)]]
    red, green, blue = srgb_encode(torch.as_tensor(middle.mean(axis=0)).clamp(0.003, 0.95)).tolist()
    return red, green, blue


def _basis(normals: np.ndarray) -> np.ndarray:
    basis: np.ndarray = spherical_harmonics(torch.as_tensor(np.ascontiguousarray(normals))).numpy()
    return basis
