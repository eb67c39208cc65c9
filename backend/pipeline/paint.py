# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Markings and a palette become maps: colour, roughness, metallic, coat and normals at any size, with crisp edges.

Letters: F quads, M markings, R regions, S x T the sheet, Q texture side, P texels.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from ..common.region_map import packed
from ..common.regions import REGIONS, Palette
from ..render.part_map import region_shares
from ..render.shading import sample_texture
from ..render.template import Template
from .atlas import Atlas
from .relief import heights, normal_map

_LINES = ("door", "lid", "seam")
"""Markings whose outline is a gap between panels."""
_GAP = 0.0011
"""Half the width of a gap, in lengths of the object: 5 mm of a car."""
_GAP_COLOUR = 0.3
"""Of the colour beside it."""
_FLAT = (0.8, 1.2)
"""Distance from a line, in the change from sample to sample of ordinary distances, that some place near it must have:
below the first the line is none, above the second it is."""
_FLAT_SAMPLES = 5
"""Side, in samples of the sheet, of what is near."""
_SPOKE_GAP = np.array([0.07, 0.07, 0.075, 0.7, 0.0], np.float32)
"""Colour, roughness and metallic of what is seen between the spokes of a wheel."""
_BAND = 1 << 18
"""Texels that are painted at once: each takes 300 bytes meanwhile."""
_BULB = np.array([0.93, 0.93, 0.92, 0.12, 0.2], np.float32)


@dataclass(frozen=True)
class Maps:
    """What a material is made of; row 0 at the top."""

    base_colour: np.ndarray
    """(Q, Q, 3) uint8 sRGB."""
    surface: np.ndarray
    """(Q, Q, 2) uint8 roughness and metallic."""
    regions: np.ndarray
    """(Q, Q) uint8 index of the region that most of each texel belongs to."""
    coat: np.ndarray
    """(Q, Q) uint8 share of clear lacquer: paint has it."""
    normal: np.ndarray
    """(Q, Q, 3) uint8 normals in tangent space, see :mod:`relief`."""
    region_map: np.ndarray
    """(Q, Q, 3) uint8 shares of the palette's colours in each texel, see :mod:`backend.common.region_map`."""


@torch.no_grad()
def paint(
    template: Template, vertices: np.ndarray, markings: tuple[str, ...], distances: np.ndarray, palette: Palette,
    size: int,
) -> Maps:  # fmt: skip
    """Maps of size x size texels for a shape (V, 3) whose markings' signed distances are (M, S, T).

    Raises ValueError for a template without markings.
    """
    distances = without_flat_lines(distances, markings)
    atlas = Atlas.of(template, size)
    texels = np.flatnonzero(atlas.triangle_of_texel.reshape(-1) >= 0)
    sizes = _texel_sizes(template, vertices, size)
    picture = np.zeros((size * size, 13), np.uint8)
    height = np.zeros((size, size), np.float32)
    for begin in range(0, len(texels), _BAND):
        flat = texels[begin : begin + _BAND]
        at_texels = _sampled(distances, atlas.interpolate_corners(template.triangle_markings_uv, flat))
        texel = torch.as_tensor(sizes[atlas.triangle_of_texel.reshape(-1)[flat]])
        shares = region_shares(at_texels, markings, texel)
        values = _with_details(_mixed(shares, palette), at_texels, markings, texel, shares)
        height.reshape(-1)[flat] = heights(shares, at_texels, markings, texel).numpy()
        picture[flat, :5] = np.round(values.clamp(0, 1).numpy() * 255)
        picture[flat, 5] = shares.argmax(dim=0).numpy()
        picture[flat, 6] = np.round(_panels(shares).clamp(0, 1).numpy() * 255)
        picture[flat, 7:10] = packed(*(best.numpy() for best in shares.topk(2, dim=0)))
    picture = picture.reshape(size, size, 13)
    picture[..., 10:] = normal_map(template, vertices, atlas, height)
    picture = atlas.dilate(picture)
    parts = (slice(3), slice(3, 5), 5, 6, slice(10, 13), slice(7, 10))
    return Maps(*(np.ascontiguousarray(picture[..., part]) for part in parts))


def _panels(shares: torch.Tensor) -> torch.Tensor:
    """(P,) share of paint of shares (R, P)."""
    return shares[REGIONS.index("paint")] + shares[REGIONS.index("two_tone")]


def without_flat_lines(distances: np.ndarray, markings: tuple[str, ...]) -> np.ndarray:
    """Signed distances (M, S, T) in which gaps between panels are lines and nothing else.

    Between an object with two doors and one with four the distance to the rear door is nearly 0 all over the flank:
    that is no gap as wide as a door, but none at all.
    """
    result = distances.copy()
    kernel = np.ones((_FLAT_SAMPLES, _FLAT_SAMPLES), np.uint8)
    change = np.hypot(*np.gradient(distances.astype(np.float32), axis=(1, 2)))
    ordinary = float(np.percentile(change[change > 1e-6], 90)) if (change > 1e-6).any() else 1.0
    for place in (markings.index(name) for name in _LINES if name in markings):
        far = cv2.dilate(np.abs(distances[place]).astype(np.float32), kernel)
        flat = np.clip((_FLAT[1] - far / ordinary) / (_FLAT[1] - _FLAT[0]), 0, 1)
        result[place] += flat * 2 * _FLAT[1] * ordinary
    return result


def _mixed(shares: torch.Tensor, palette: Palette) -> torch.Tensor:
    """Values (P, 5) of shares (R, P), added up in one order however many texels there are."""
    finishes = torch.as_tensor(palette.array())
    values = shares[0, :, None] * finishes[0]
    for share, finish in zip(shares[1:], finishes[1:], strict=True):
        values += share[:, None] * finish
    return values


@torch.no_grad()
def region_of_quads(template: Template, markings: tuple[str, ...], distances: np.ndarray) -> np.ndarray:
    """(F,) int32 index of the region that most of each quad shows: for one material a region."""
    if template.markings is None:
        raise ValueError("This template has no markings.")
    steps = (np.arange(4) + 0.5) / 4
    a, b, c, d = template.markings.uv.transpose(1, 0, 2)[:, :, None, None]
    s, t = steps[:, None, None], steps[None, :, None]
    places = (1 - s) * (1 - t) * a + s * (1 - t) * b + s * t * c + (1 - s) * t * d
    count = len(template.quads)
    shares = region_shares(_sampled(distances, places.reshape(-1, 2)), markings, 1e-3)
    return shares.view(len(REGIONS), count, -1).mean(dim=2).argmax(dim=0).numpy().astype(np.int32)


def _sampled(distances: np.ndarray, places: np.ndarray) -> torch.Tensor:
    """(M, P) of distances (M, S, T) at places (P, 2) on the sheet."""
    uv = torch.as_tensor(places.astype(np.float32))[None, None]
    return sample_texture(torch.as_tensor(distances)[None], uv)[0, :, 0]


def _texel_sizes(template: Template, vertices: np.ndarray, size: int) -> np.ndarray:
    """(2F,) float32 side of a texel of each triangle on the surface, in lengths of the object."""
    a, b, c = vertices[template.triangles].transpose(1, 0, 2)
    on_surface = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    (ux, uy), (wx, wy) = ((template.triangle_uv[:, k] - template.triangle_uv[:, 0]).T for k in (1, 2))
    on_atlas = np.abs(ux * wy - uy * wx) * size * size
    return np.sqrt(on_surface / np.maximum(on_atlas, 1e-9)).clip(1e-5, 1).astype(np.float32)


def _with_details(
    values: torch.Tensor, distances: torch.Tensor, markings: tuple[str, ...], texel: torch.Tensor, shares: torch.Tensor
) -> torch.Tensor:
    """Values (P, 5) with gaps between panels, bulbs in lamps and gaps between spokes."""

    def covered(distance: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(distance * (-4 / texel))

    for name, finish, region in (("bulb", _BULB, "head_lamp"), ("spoke_gap", _SPOKE_GAP, "rim")):
        if name in markings:
            inside = (covered(distances[markings.index(name)]) * shares[REGIONS.index(region)])[:, None]
            values = values + inside * (torch.as_tensor(finish) - values)
    gaps = [distances[markings.index(name)].abs() for name in _LINES if name in markings]
    if gaps:
        panels = _panels(shares)
        # A gap narrower than a texel darkens it by its part.
        width = torch.clamp(texel, min=_GAP)
        line = torch.sigmoid((torch.stack(gaps).amin(dim=0) - width) * (-4 / texel)) * panels * (_GAP / width)
        darker = 1 - line[:, None] * (1 - _GAP_COLOUR)
        values = torch.cat([values[:, :3] * darker, values[:, 3:]], dim=1)
    return values
