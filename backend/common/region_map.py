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
_NOBODY = MOST_REGIONS
"""Row of the table of colours in which nothing changes."""


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


def recoloured(values: np.ndarray, found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Returns values, 0 to 255, of a surface of one colour whose colour becomes another; arrays of one shape, float.

    What has the colour ``found`` gets ``wanted``; what is darker or brighter, such as a gap or a bulb, stays so by the
    same part of the way to black or to white. A wanted colour that is the found one changes nothing.
    """
    darker = wanted * values / np.maximum(found, 1e-6)
    brighter = 255 - (255 - wanted) * (255 - values) / np.maximum(255 - found, 1e-6)
    return np.where(values == found, wanted, np.where(values < found, darker, brighter))


class Recolouring:
    """A texture in other colours of its palette, for many palettes one after the other: what is slow is done once."""

    def __init__(self, base: np.ndarray, region_map: np.ndarray):
        """Takes the texture (..., 3) uint8 in the palette that was found, and its region map (..., 3) uint8."""
        self._shape = base.shape
        values, packing = base.reshape(-1, 3), region_map.reshape(-1, 3)
        first, second = np.divmod(packing[:, 0], MOST_REGIONS)
        row = np.where(packing[:, 1] == 255, first, np.uint8(_NOBODY)).astype(np.uint16)
        # A texel of one region alone is looked up in a table, and most texels are.
        self._places = np.ascontiguousarray((row[:, None] * 256 + values).T)
        self._mixed = np.flatnonzero((packing[:, 1] < 255) & (packing[:, 1:].max(axis=1) > 0))
        self._regions = np.stack([first, second], axis=1)[self._mixed]
        self._shares = packing[self._mixed, 1:].astype(np.float32) / 255
        self._values = values[self._mixed].astype(np.float32)
        self.regions: list[int] = np.unique(first[packing[:, 1] > 127]).tolist()
        """Indices of the regions that some texels are mostly of."""

    def colours(self, found: np.ndarray, wanted: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Returns the texture (..., 3) float32, 0 to 1, where palettes (R, 3), 0 to 1, go from one to the other.

        ``out`` (P, 3 or 4) float32 takes it, where given.
        """
        found, wanted = (np.round(np.clip(one, 0, 1) * 255).astype(np.float32) for one in (found, wanted))
        out = np.empty((self._places.shape[1], 3), np.float32) if out is None else out
        table = np.tile(np.arange(256, dtype=np.float32), (3, _NOBODY + 1, 1))
        for row in np.flatnonzero((found != wanted).any(axis=1)):
            table[:, row] = recoloured(table[:, row], found[row][:, None], wanted[row][:, None])
        table *= np.float32(1 / 255)
        for channel in range(3):
            out[:, channel] = table[channel].reshape(-1)[self._places[channel]]
        changed = (found != wanted).any(axis=1)[self._regions]
        chosen = np.flatnonzero((changed & (self._shares > 0)).any(axis=1))
        if len(chosen):
            out[self._mixed[chosen], :3] = self._mixed_colours(chosen, found, wanted)
        return out[:, :3].reshape(self._shape)

    def _mixed_colours(self, chosen: np.ndarray, found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """(P, 3) of texels at borders, 0 to 1: what follows has the mean colour of its regions."""
        shares, values, regions = self._shares[chosen], self._values[chosen], self._regions[chosen]
        followed = shares.sum(axis=1, keepdims=True)
        parts = shares / followed
        before, after = (np.einsum("pr,prc->pc", parts, one[regions]) for one in (found, wanted))
        # A texel is stored in whole numbers, and so is the colour that it would have.
        changed = recoloured(values, np.round(before), after)
        mixed: np.ndarray = (values + (changed - values) * followed) / 255
        return mixed
