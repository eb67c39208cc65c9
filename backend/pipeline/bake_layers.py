# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layers of a bake below the photo's own pixels: their mirror image, as far as it registers, and the guess.

Letters: V vertices, T texture side.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..common.colour import LUMINANCE
from ..render.template import Template
from .atlas import Atlas, spread


@dataclass(frozen=True)
class LayersConfig:
    """How lower layers follow the photo; lengths are in edges of the mesh."""

    fill_reach: float = 6.0
    """Length over which the photo's colours fade to the network's."""
    hue_reach: float = 40.0
    """Length over which the photo's hues carry on where nothing is seen: the network's own are blotches there."""
    detail_reach: float = 2.5
    """Length below which what varies over the surface is a detail that must lie on its mirror image."""
    registered: tuple[float, float] = (0.25, 0.65)
    """Correlation of details with their mirror images between which the mirror image is more and more believed."""
    plain: float = 0.03
    """Deviation (sRGB) of details below which there is nothing that could be printed in the wrong place."""
    least_vertices: float = 12.0
    """Vertices that must be seen on both sides for a judgement; seen fewer, the mirror image is believed."""


def registration(seen: np.ndarray, weight: np.ndarray, template: Template, config: LayersConfig) -> np.ndarray:
    """How far the photo's mirror image is believed (V,), from 0 to 1: where details lie on their own mirror images.

    seen: (V, 3) sRGB that the photo shows around the vertices, with ``weight`` (V,). Beyond what is seen on both sides
    the judgement of the nearest places that are fades to that of the whole.
    """
    both = np.minimum(weight, weight[template.mirror])
    own = np.arange(len(both)) == template.mirror  # on the plane of symmetry anything is its own mirror image
    both = np.where(own, 0, both)
    if (both > 0.2).sum() < config.least_vertices:
        return np.ones(len(both))
    brightness = (seen @ LUMINANCE)[:, None]
    smooth = _averaged(brightness, weight, template.edges, config.detail_reach)
    detail = (brightness - smooth)[:, 0]
    other = detail[template.mirror]
    product, energy = detail * other, 0.5 * (detail**2 + other**2)
    total = max(float(both.sum()), 1e-6)
    whole_energy = float((both * energy).sum()) / total
    if whole_energy < config.plain**2:
        return np.ones(len(both))
    whole = float((both * product).sum()) / total / whole_energy
    local = spread(np.stack([product, energy], axis=1), both, template.edges, config.fill_reach)
    correlation = (local[:, 0] + whole * whole_energy) / (np.maximum(local[:, 1], 0) + whole_energy)
    t = np.clip((correlation - config.registered[0]) / (config.registered[1] - config.registered[0]), 0, 1)
    believed: np.ndarray = t * t * (3 - 2 * t)
    return believed


def fitted_layers(
    atlas: Atlas, seen: np.ndarray, seen_weight: np.ndarray, guess: np.ndarray, template: Template,
    config: LayersConfig, symmetric: bool = True,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """What to add to the mirrored layer, and the network's texture in the photo's colours: (T, T, 3) each.

    seen: (V, 3) sRGB that the photo shows around the vertices, with ``seen_weight`` (V,).
    """
    count = len(template.vertices)
    other, other_weight = seen[template.mirror], seen_weight[template.mirror]
    if not symmetric:
        other, other_weight = seen, np.zeros_like(seen_weight)
    overlap = np.minimum(seen_weight, other_weight)
    to_mirrored = spread(seen - other, overlap, template.edges, config.fill_reach)

    small = Atlas.of(template, max(atlas.size // 4, 128))
    guess = cv2.resize(guess.astype(np.float32), (small.size, small.size), interpolation=cv2.INTER_LINEAR)
    every = np.flatnonzero(small.triangle_of_texel.reshape(-1) >= 0)
    guessed, _ = small.vertex_means(guess.reshape(-1, 3)[every], np.ones(len(every)), every, count)

    weight = np.maximum(seen_weight, other_weight)
    known = np.where((seen_weight > 0.2)[:, None], seen, other + to_mirrored)
    gain, offset = _colour_line(guessed, known, weight)
    to_guess = spread(known - (guessed * gain + offset), weight, template.edges, config.fill_reach)
    hues = _averaged(known, weight, template.edges, config.hue_reach)

    fields = small.picture(np.concatenate([to_mirrored, to_guess, hues], axis=1))
    filler = guess * gain.astype(np.float32) + offset.astype(np.float32) + fields[..., 3:6]
    if weight.sum() > 1:
        filler = with_hues(filler, fields[..., 6:])
    whole = (atlas.size, atlas.size)
    return (
        cv2.resize(np.ascontiguousarray(fields[..., :3]), whole, interpolation=cv2.INTER_LINEAR),
        cv2.resize(np.ascontiguousarray(filler), whole, interpolation=cv2.INTER_LINEAR),
    )


def with_hues(picture: np.ndarray, hues: np.ndarray) -> np.ndarray:
    """A picture (T, T, 3) in its own brightness and in the hues of another one (T, T, 3); grey where that is black."""
    luminance = LUMINANCE.astype(np.float32)
    brightness = np.clip(picture @ luminance, 0, 1)[..., None]
    of_hues = np.clip(hues, 0, 1) @ luminance
    tint = (np.clip(hues, 0, 1) + 0.02) / (of_hues[..., None] + 0.02)
    # What is much brighter than the hues' own picture, glass that mirrors the sky for instance, is hardly of that hue.
    share = np.clip(of_hues[..., None] / np.maximum(brightness, 1e-3), 0, 1)
    result: np.ndarray = brightness * (1 + (tint - 1) * share)
    return result


def _averaged(values: np.ndarray, weight: np.ndarray, edges: np.ndarray, reach: float) -> np.ndarray:
    """Values (V, D), of which those with weight (V,) are known, averaged over ``reach`` edges; their mean beyond."""
    total = max(float(weight.sum()), 1e-6)
    mean = (weight[:, None] * values).sum(axis=0) / total
    # So light a weight that a place's value is that of its surroundings.
    return mean + spread(values - mean, weight / reach**2, edges, reach)


def _colour_line(guessed: np.ndarray, known: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gain and offset (3,) each that bring guessed colours (V, 3) to known ones, ignoring what fits badly."""
    gain, offset = np.ones(3), np.zeros(3)
    for channel in range(3):
        x, y, robust = guessed[:, channel], known[:, channel], weight.astype(np.float64)
        for _ in range(5):
            total = max(robust.sum(), 1e-6)
            mean_x, mean_y = (robust * x).sum() / total, (robust * y).sum() / total
            variance = (robust * (x - mean_x) ** 2).sum() / total
            covariance = (robust * (x - mean_x) * (y - mean_y)).sum() / total
            # A line through colours that hardly vary is noise: it is drawn towards gain 1.
            gain[channel] = np.clip((covariance + 0.005) / (variance + 0.005), 0.6, 1.6)
            offset[channel] = mean_y - gain[channel] * mean_x
            error = np.abs(gain[channel] * x + offset[channel] - y)
            robust = weight / np.maximum(error, 0.05)
    return (gain, offset) if weight.sum() > 1 else (np.ones(3), np.zeros(3))
