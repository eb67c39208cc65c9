# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which colours of a palette make up each texel of a texture, packed into a small picture; NumPy alone.

A texel has at most two regions that count: its own, and at a border its neighbour. A region map (T, T, 3) uint8 has
both of their indices in red, 16 times the first plus the second, and their shares of the texel in green and blue, 255
being all of it. What is left is nobody's, such as a sticker, and keeps its colour whatever the palette's are.
"""

from __future__ import annotations

import numpy as np

MOST_REGIONS = 16
"""Regions that a palette may have, for two indices to fit into 8 bits."""
_ROUNDING = 0.501
"""Of a colour to a whole number from 0 to 255, at most."""
_SAME = 0.1
"""Difference of colours, 0 to 255, that is none."""
_STEEPEST = 8.0
"""How many times a difference from the found colour may grow: on black paint it is one of few whole numbers, which on
white paint would show as steps."""


def packed(shares: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """Returns the row (P, 3) uint8 of a region map of the two largest shares (2, P) and their regions' indices (2, P).

    What third ones have goes to the two.
    """
    first, second = shares / np.maximum(shares.sum(axis=0), 1e-6)
    own = np.round(first * 255)
    return np.stack([regions[0] * MOST_REGIONS + regions[1], own, 255 - own], axis=1).astype(np.uint8)


def with_shares(region_map: np.ndarray, followed: np.ndarray) -> np.ndarray:
    """Returns a region map (T, T, 3) whose texels follow their regions' colours only in part (T, T), 0 to 1."""
    result = region_map.copy()
    result[..., 1:] = np.round(region_map[..., 1:] * followed[..., None])
    return result


def covered(region_map: np.ndarray, shares: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Returns a region map (T, T, 3) of texels that are in part (T, T), 0 to 1, of another region (T, T); -1: nobody's.

    Of what lies under it the larger share stays.
    """
    result = with_shares(region_map, 1 - shares)
    chosen = (region >= 0) & (shares > 0)
    below = region_map[chosen]
    first = below[:, 0] // MOST_REGIONS
    rest = (1 - shares[chosen]) * (below[:, 1].astype(np.float32) + below[:, 2]) / 255
    both = np.stack([shares[chosen], rest])
    names = np.stack([region[chosen], first])
    order = np.argsort(-both, axis=0)
    amounts = np.round(np.take_along_axis(both, order, axis=0) * 255)
    names = np.take_along_axis(names, order, axis=0)
    result[chosen] = np.stack([names[0] * MOST_REGIONS + names[1], *amounts], axis=1).astype(np.uint8)
    return result


def regions_of(region_map: np.ndarray) -> list[int]:
    """Returns the indices of the regions that some texels of a region map (T, T, 3) are mostly of, in order."""
    mostly = region_map[..., 1] > 127
    return np.flatnonzero(np.bincount(region_map[..., 0][mostly] // MOST_REGIONS)).tolist()


def recoloured(values: np.ndarray, found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Returns values, 0 to 255, of a surface of one colour whose colour becomes another; arrays of one shape, float.

    What has the colour ``found``, rounded to a whole number, gets ``wanted``. What is darker, such as a gap, stays so
    by the same part of the light, and what is brighter, such as a bulb, by the same part of the way to white.
    """
    difference = values - found
    shade, full, wanted_full = (_evenly(one) for one in (values, found, wanted))
    darker = 1.055 * (shade - full) * np.minimum(wanted_full / np.maximum(full, 1e-3), _STEEPEST)
    brighter = difference * np.minimum((255 - wanted) / np.maximum(255 - found, 1e-3), _STEEPEST)
    changed = wanted + np.where(difference < 0, darker, brighter)
    return np.where(np.abs(difference) <= _ROUNDING, wanted, np.maximum(changed, 0))


def _evenly(values: np.ndarray) -> np.ndarray:
    """sRGB values, 0 to 255, such that the same part of the light is the same part of the value, near black too."""
    values = np.asarray(values, np.float32)
    result = (values + np.float32(0.055 * 255)) * np.float32(1 / 1.055)
    dark = values < 0.04045 * 255
    result[dark] = 255 * (values[dark] / (255 * 12.92)) ** (1 / 2.4)
    return result


class Recolouring:
    """A texture in other colours of its palette, for many palettes one after the other: what is slow is done once.

    Many texels are alike, so that each kind of them is coloured once.
    """

    def __init__(self, base: np.ndarray, region_map: np.ndarray, found: np.ndarray):
        """Takes a texture (..., 3) uint8, its region map (..., 3) uint8, and the palette (R, 3), 0 to 1, that it is in.

        Raises ValueError where texture and map differ in size.
        """
        if base.shape != region_map.shape:
            raise ValueError(f"a texture of {base.shape} and a map of {region_map.shape} do not fit")
        rows = np.concatenate([region_map.reshape(-1, 3), base.reshape(-1, 3)], axis=1)
        powers = 256 ** np.arange(6, dtype=np.int64)[::-1]
        kinds, kind_of_texel = np.unique(rows.astype(np.int64) @ powers, return_inverse=True)
        kind = (kinds[:, None] // powers % 256).astype(np.uint8)
        self._kind_of_texel = kind_of_texel.reshape(-1)
        self._regions = np.stack(np.divmod(kind[:, 0], MOST_REGIONS), axis=1)
        self._shares = kind[:, 1:3].astype(np.float32) / 255
        self._values = kind[:, 3:].astype(np.float32)
        self._found = _numbers(found)
        self._now = self._found
        self._colours = np.concatenate([self._values / np.float32(255), np.ones((len(kind), 1), np.float32)], axis=1)
        self._texels = np.empty((len(rows), 4), np.float32)
        self._shape = (*base.shape[:-1], 4)

    def colours(self, wanted: np.ndarray) -> np.ndarray:
        """Returns the texture (..., 4) float32, 0 to 1, opaque, in a palette (R, 3), 0 to 1.

        It is the same array every time.
        """
        wanted = _numbers(wanted)
        moved = np.zeros(MOST_REGIONS, bool)
        moved[: len(wanted)] = (wanted != self._now).any(axis=1)
        kinds = np.flatnonzero((moved[self._regions] & (self._shares > 0)).any(axis=1))
        if len(kinds):
            self._colours[kinds, :3] = self._recoloured(kinds, wanted)
        self._now = wanted
        np.take(self._colours, self._kind_of_texel, axis=0, out=self._texels, mode="clip")
        return self._texels.reshape(self._shape)

    def _recoloured(self, kinds: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """(P, 3) of kinds of texels, 0 to 1: what follows has the mean colour of its regions."""
        shares, values, regions = self._shares[kinds], self._values[kinds], self._regions[kinds]
        followed = shares.sum(axis=1, keepdims=True)
        own = (shares / followed)[:, :1]
        before, after = (
            own * one[regions[:, 0]] + (1 - own) * one[regions[:, 1] % len(one)] for one in (self._found, wanted)
        )
        changed = recoloured(values, before, after)
        same = (np.abs(before - after) < _SAME).all(axis=1, keepdims=True)
        mixed: np.ndarray = (values + np.where(same, 0, changed - values) * followed) / 255
        return mixed


def _numbers(palette: np.ndarray) -> np.ndarray:
    """A palette (R, 3), 0 to 1, in numbers from 0 to 255, float32."""
    return np.clip(palette, 0, 1).astype(np.float32) * np.float32(255)
