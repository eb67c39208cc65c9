# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How bright the light on an object was, and which colour its regions then have.

A photograph tells the product of colour and light alone: dark grey in much light looks like white in little. What
tells them apart is what stands beside the paint. Tyres, panes and what lies below have much the same brightness on
every car, so that each is a reading of the light; a usual exposure is one more. The paint's colour is then weighed
among the paints of the street, of which each would need a light of its own to look as the photograph has it. What a
coat of lacquer mirrors lies over every paint as a veil: a dark paint is never seen darker than that.

All colours are linear but where sRGB is said. Letters: K candidates, P pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import torch

from ..common.colour import LUMINANCE
from ..common.paints import PAINTS, srgb_of_hsv
from ..render.light import srgb_decode, srgb_encode

_DARKEST = 0.003
"""Added to brightnesses before their logarithm: what a photograph does not tell from black."""
_SKY = np.array([0.95, 1.0, 1.08]) / (np.array([0.95, 1.0, 1.08]) @ LUMINANCE)
"""Colour of what paint mirrors, of brightness 1."""


@dataclass(frozen=True)
class Reference:
    """A region that looks much the same on every object."""

    percentile: float
    """Of its pixels' brightness, which is compared: what is mirrored in panes brightens most of them."""
    brightness: float
    """Logarithm of what it shows in a light of 1 on the paint."""
    spread: float
    """Standard deviation of that."""


@dataclass(frozen=True)
class ColourConfig:
    """What is known of light and paint before a photograph is seen; from renders of cars on streets."""

    exposure: tuple[float, float] = (-0.6, 0.6)
    """Mean and standard deviation of the logarithm of the light on paint."""
    references: Mapping[str, Reference] = field(
        default_factory=lambda: {
            "rubber": Reference(50, -2.97, 0.53),
            "glass": Reference(10, -2.58, 0.64),
            "underside": Reference(50, -3.30, 0.58),
        }
    )
    least_spread: float = 0.25
    """Standard deviation of the logarithm of the light that remains at least, whatever agrees."""
    veil: float = 0.06
    """What paint mirrors, in parts of the light on it."""
    lifted: float = 0.6
    """How much of the veil is taken off a paint's hue."""
    hue_spread: float = 0.25
    """Standard deviation of the logarithms of a colour's shares of red, green and blue."""


@dataclass(frozen=True)
class Candidates:
    """Colours that a region may have."""

    colours: np.ndarray
    """(K, 3) float64."""
    weights: np.ndarray
    """(K,) float64: how often each is met."""


def log_brightness(colours: np.ndarray) -> np.ndarray:
    """Returns the logarithms of the brightness of colours (..., 3)."""
    result: np.ndarray = np.log(colours @ LUMINANCE + _DARKEST)
    return result


def light_by_references(brightness: Mapping[str, np.ndarray], config: ColourConfig) -> tuple[float, float]:
    """Returns mean and standard deviation of the logarithm of the light on an object's paint.

    ``brightness`` are the pixels (P,) of those regions that are seen, by the regions' names.
    """
    means, precisions = [config.exposure[0]], [config.exposure[1] ** -2]
    for name, reference in config.references.items():
        if name in brightness:
            seen = float(np.log(np.percentile(brightness[name], reference.percentile) + _DARKEST))
            means.append(seen - reference.brightness)
            precisions.append(reference.spread**-2)
    total = sum(precisions)
    mean = float(np.dot(means, precisions) / total)
    return mean, max(total**-0.5, config.least_spread)


def weighed(
    seen: np.ndarray, light: tuple[float, float], candidates: Candidates, veil: float, config: ColourConfig
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Returns the probabilities (K,) of the candidates, and the logarithms (K,) of the light that each would need.

    seen: (3,) as the photograph shows a region; light: as of :func:`light_by_references`; veil: what the region
    mirrors, in parts of the light.
    """
    veiled = candidates.colours + veil * _SKY
    needed = log_brightness(seen) - np.log(veiled @ LUMINANCE)
    hue = np.log(veiled / veiled.sum(axis=1, keepdims=True)) - np.log((seen + 0.002) / (seen + 0.002).sum())
    logits = np.log(candidates.weights) - 0.5 * ((needed - light[0]) / light[1]) ** 2
    logits -= 0.5 * np.square(hue / config.hue_spread).sum(axis=1)
    probabilities = np.exp(logits - logits.max())
    return probabilities / probabilities.sum(), needed


def paint_colour(
    seen: np.ndarray, light: tuple[float, float], config: ColourConfig
) -> tuple[np.ndarray, tuple[float, float]]:
    """Returns a paint's colour (3,), and the light (mean and deviation) as the paint has it too.

    The brightness is that of the paints of the street that may look so. The hue is the photograph's own without the
    veil, of dark paints more and more that of these paints.
    """
    paints = street_paints()
    probabilities, needed = weighed(seen, light, paints, config.veil, config)
    mean = float(probabilities @ needed)
    deviation = float(np.sqrt(probabilities @ (needed - mean) ** 2))
    brightness = decoded(probabilities @ encoded(paints.colours @ LUMINANCE))
    bare = np.maximum(seen / np.exp(mean) - config.lifted * config.veil * _SKY, 0.2 * seen / np.exp(mean))
    likely = probabilities @ paints.colours
    # The darker the paint, the more of what is seen is the veil, and the less does it tell of the paint's hue.
    own = brightness / (brightness + config.veil)
    mixed = own * bare / (bare @ LUMINANCE) + (1 - own) * likely / (likely @ LUMINANCE)
    return brightness * mixed, (mean, max(deviation, config.least_spread))


def likely_colour(
    seen: np.ndarray, light: tuple[float, float], candidates: Candidates, veil: float, config: ColourConfig
) -> np.ndarray:  # fmt: skip
    """Returns the colour (3,) that candidates have in the mean, in sRGB, where a region looks like ``seen`` (3,)."""
    probabilities, _ = weighed(seen, light, candidates, veil, config)
    return decoded(probabilities @ encoded(candidates.colours))


@cache
def street_paints(count: int = 3000) -> Candidates:
    """Returns paints of the street as often as they are met there."""
    generator = np.random.default_rng(0)
    kinds = list(PAINTS.values())
    shares = np.array([kind.share for kind in kinds])
    colours = [
        srgb_of_hsv(*(float(generator.uniform(*span)) for span in (kind.hue, kind.saturation, kind.value)))
        for kind in (kinds[place] for place in generator.choice(len(kinds), count, p=shares / shares.sum()))
    ]
    return Candidates(decoded(np.array(colours)), np.full(count, 1 / count))


def greys(*spans: tuple[float, tuple[float, float]]) -> Candidates:
    """Returns greys, evenly from spans of sRGB, each span with its weight."""
    steps = (np.arange(40) + 0.5) / 40
    values = np.concatenate([low + (high - low) * steps for _, (low, high) in spans])
    weights = np.repeat([weight / len(steps) for weight, _ in spans], len(steps))
    return Candidates(decoded(np.repeat(values[:, None], 3, axis=1)), weights)


def together(*parts: tuple[float, Candidates]) -> Candidates:
    """Returns the candidates of all parts, each part with its weight."""
    return Candidates(
        np.concatenate([part.colours for _, part in parts]),
        np.concatenate([weight * part.weights / part.weights.sum() for weight, part in parts]),
    )


def encoded(linear: np.ndarray) -> np.ndarray:
    """Returns linear colours in sRGB."""
    result: np.ndarray = srgb_encode(torch.as_tensor(np.asarray(linear))).numpy()
    return result


def decoded(colours: np.ndarray) -> np.ndarray:
    """Returns sRGB colours in linear light."""
    result: np.ndarray = srgb_decode(torch.as_tensor(np.asarray(colours, np.float64))).numpy()
    return result
