# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The palette and the light that explain a photograph of an object with parts.

Paint has one colour all over, so that what varies over it is light: a smooth light (spherical harmonics) is fitted to
the brightness of the paint. How bright it is as a whole, and which colour is then left, ``parts_colour`` weighs. Rims,
plates and a second paint are weighed among the colours that such regions have; what is not seen keeps an ordinary one.

Letters: R regions, h side of the maps, P pixels, K candidates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from ..common.colour import LUMINANCE
from ..common.regions import REGIONS, Finish, Palette
from ..render.light import spherical_harmonics
from .parts_colour import (
    Candidates,
    ColourConfig,
    decoded,
    encoded,
    greys,
    light_by_references,
    likely_colour,
    paint_colour,
    street_paints,
    together,
)

_CONSTANT = 0.282095
"""The first spherical harmonic, which is the same in all directions."""

_COLOURED = 0.45
"""Purity (1 less the least over the greatest of linear red, green and blue) from which paint is of a colour."""


@dataclass(frozen=True)
class Reading:
    """How a region's colour is read."""

    middle: tuple[float, float]
    """Quantiles of brightness between which pixels count."""
    light: float
    """Logarithm of the light on the region, beside that on the paint."""
    veil: float
    """What it mirrors, in parts of the light."""
    spread: float = 0.45
    """Standard deviation of the logarithm of its light, beside that of the paint."""


@dataclass(frozen=True)
class LookConfig:
    """When a region is believed, and how much the light may vary."""

    min_share: float = 0.45
    """Probability from which a pixel counts as one of its region."""
    min_pixels: int = 12
    """Pixels of a region that its colour is read from, at least."""
    min_paint: int = 24
    """Pixels of paint, at least."""
    sure_second: float = 0.7
    """Probability from which a pixel counts as a second colour: the shape alone, without the network, does not tell."""
    sure_paint: float = 0.75
    """Probability from which a pixel counts as paint."""
    smoothness: float = 0.002
    """Weight of the light's variation beside the errors that it explains."""
    limits: tuple[float, float] = (0.45, 1.8)
    """Smallest and largest light that paint is divided by, over the mean one."""
    most_mirrored: float = 1.6
    """How many times as bright as the paint alone a scene is made, at most, for what its paint mirrors in the mean."""
    paint: tuple[float, float] = (0.2, 0.5)
    """Quantiles of brightness, the light's variation taken out, between which paint counts: what is mirrored in it lies
    over the brighter ones."""
    colour: ColourConfig = ColourConfig()
    readings: Mapping[str, Reading] = field(
        default_factory=lambda: {
            "two_tone": Reading((0.2, 0.6), 0.0, 0.06),
            "rim": Reading((0.3, 0.7), -0.45, 0.05, 0.3),
            "plate": Reading((0.4, 0.9), -0.15, 0.03),
        }
    )

    def sure(self, name: str) -> float:
        """Probability from which a pixel counts as one of the region of that name."""
        return self.sure_second if name == "two_tone" else self.min_share


def palette_and_light(
    colours: np.ndarray, normals: np.ndarray, shares: np.ndarray, config: LookConfig = LookConfig()
) -> tuple[Palette, np.ndarray]:
    """The palette of a photograph, and its light (9, 3), white, under which the palette is as bright as the photograph.

    colours: (h, h, 3) sRGB in [0, 1]; normals: (h, h, 3) in the world, 0 where nothing is; shares: (R, h, h)
    probabilities of the regions, 0 where the object is not.
    """
    linear = decoded(colours)
    seen = np.linalg.norm(normals, axis=-1) > 0.5
    region = {name: (shares[place] > config.sure(name)) & seen for place, name in enumerate(REGIONS)}
    region = {name: mine for name, mine in region.items() if mine.sum() >= config.min_pixels}
    level = light_by_references({name: linear[mine] @ LUMINANCE for name, mine in region.items()}, config.colour)
    coefficients = np.array([1 / _CONSTANT] + [0.0] * 8)
    palette = Palette()
    paint = (shares[REGIONS.index("paint")] > config.sure_paint) & seen
    if paint.sum() >= config.min_paint:
        coefficients = _light_on(linear[paint], normals[paint], config)
        received = np.clip(_basis(normals[paint]) @ coefficients, *config.limits)
        shown = _middle(_purer(linear[paint] / received[:, None]), config.paint)
        colour, level = paint_colour(shown, level, config.colour)
        finish = Finish(_srgb(colour), 0.32, 0.2)
        palette = replace(palette, paint=finish, two_tone=finish)
    for name, reading in config.readings.items():
        if name in region:
            candidates = _candidates(name, decoded(np.array(palette.paint.colour)))
            shown = _middle(linear[region[name]], reading.middle)
            there = level[0] + reading.light, float(np.hypot(level[1], reading.spread))
            colour = likely_colour(shown, there, candidates, reading.veil, config.colour)
            palette = replace(palette, **{name: replace(getattr(palette, name), colour=_srgb(colour))})
    light = np.repeat((coefficients * np.exp(level[0]))[:, None], 3, axis=1).astype(np.float32)
    return palette, light


def mirrored_gain(
    colours: np.ndarray, normals: np.ndarray, shares: np.ndarray, palette: Palette, light: np.ndarray,
    config: LookConfig = LookConfig(),
) -> float:  # fmt: skip
    """How many times as bright as its paint alone under its light a photograph's paint is in the mean; at least 1.

    The rest is what lacquer mirrors. A smooth world has nothing of the kind, so that its light makes up for it.
    Arguments as of :func:`palette_and_light`, and what it returns.
    """
    paint = (shares[REGIONS.index("paint")] > config.sure_paint) & (np.linalg.norm(normals, axis=-1) > 0.5)
    if paint.sum() < config.min_paint:
        return 1.0
    received = (_basis(normals[paint]) @ light[:, 0]).clip(0.02)
    own = float((decoded(np.array(palette.paint.colour)) @ LUMINANCE) * received.mean())
    shown = float((decoded(colours)[paint] @ LUMINANCE).mean())
    return float(np.clip(shown / max(own, 1e-4), 1.0, config.most_mirrored))


def _candidates(name: str, paint: np.ndarray) -> Candidates:
    """What a region of an object with a paint (3,) may look like."""
    if name == "rim":
        return greys((0.66, (0.55, 0.8)), (0.34, (0.05, 0.3)))
    if name == "plate":
        plates = decoded(np.array([[0.90, 0.90, 0.88], [0.87, 0.77, 0.27], [0.76, 0.80, 0.86], [0.14, 0.14, 0.14]]))
        return Candidates(plates, np.array([0.8, 0.12, 0.04, 0.04]))
    same = Candidates(paint[None], np.ones(1))
    return together((0.4, same), (0.4, greys((0.75, (0.03, 0.22)), (0.25, (0.7, 0.9)))), (0.2, street_paints()))


def _light_on(linear: np.ndarray, normals: np.ndarray, config: LookConfig) -> np.ndarray:
    """(9,) light, with a mean of 1, that explains the brightness of paint (P, 3) with normals (P, 3)."""
    brightness = linear @ LUMINANCE
    brightness = brightness / max(float(np.median(brightness)), 1e-3)
    basis = _basis(normals)
    damping = np.diag([0.0] + [config.smoothness * len(basis)] * 8)
    weight = np.ones(len(basis))
    solution = np.zeros(9)
    for _ in range(6):
        weighted = basis * weight[:, None]
        solution = np.linalg.solve(weighted.T @ basis + damping + 1e-6 * np.eye(9), weighted.T @ brightness)
        # Highlights and mirrored surroundings are not the light that paint receives.
        weight = 1 / np.maximum(np.abs(brightness - basis @ solution) / 0.15, 1)
    mean = float(np.average(basis @ solution, weights=weight))
    return solution / max(mean, 1e-3)


def _purer(linear: np.ndarray) -> np.ndarray:
    """Of bright colours (P, 3) the purer half, of others all.

    What is mirrored in paint lies over it like a veil, so that the purest of a colour is nearest to the paint's own.
    """
    purity = 1 - linear.min(axis=1) / linear.max(axis=1).clip(1e-4)
    return linear[purity >= np.median(purity)] if np.median(purity) > _COLOURED else linear


def _middle(linear: np.ndarray, quantiles: tuple[float, float]) -> np.ndarray:
    """The mean (3,) of colours (P, 3) between two quantiles of brightness."""
    order = np.argsort(linear @ LUMINANCE)
    first = int(len(order) * quantiles[0])
    middle: np.ndarray = linear[order[first : max(int(len(order) * quantiles[1]), first + 1)]].mean(axis=0)
    return middle


def _srgb(linear: np.ndarray) -> tuple[float, float, float]:
    red, green, blue = encoded(linear.clip(0.003, 0.95)).tolist()
    return red, green, blue


def _basis(normals: np.ndarray) -> np.ndarray:
    basis: np.ndarray = spherical_harmonics(torch.as_tensor(np.ascontiguousarray(normals))).numpy()
    return basis
