# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Photographs of single objects with masks and azimuth labels, as crops; ``labelled_files.py`` says how they are kept.

Letters: N pictures, S side of the crops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..models.crop import Crop, crop_around, extract
from .labelled_files import LABELS, Label, opened, read_labels, share_of

CROP_SCALE = 1.15
"""Size of the crops in sizes of the product's own: training moves and turns what it cuts out of them."""


@dataclass(frozen=True)
class LabelledPhotographs:
    """Crops around the objects, with what is known of each."""

    rgb: np.ndarray
    """Colours (N, S, S, 3) uint8 of the picture itself, grey beyond its edges."""
    masks: np.ndarray
    """Masks (N, S, S) uint8."""
    azimuths: np.ndarray
    """Azimuths (N,) float32 in radians."""
    names: tuple[str, ...]
    """Names (N,) of the files."""
    groups: tuple[str, ...]
    """Names (N,) of the groups."""

    def __len__(self) -> int:
        return len(self.names)

    def part(self, chosen: np.ndarray) -> LabelledPhotographs:
        """Returns the pictures of an index or a bool array (N,)."""
        where = np.arange(len(self))[chosen]
        names, groups = (tuple(texts[i] for i in where) for texts in (self.names, self.groups))
        return LabelledPhotographs(self.rgb[where], self.masks[where], self.azimuths[where], names, groups)

    def split(self, held_out: float) -> tuple[LabelledPhotographs, LabelledPhotographs]:
        """Returns the pictures to train with, and those of about ``held_out`` of the groups.

        Which groups are held out follows from their names alone, so that a larger set keeps the split.
        """
        if not held_out:
            return self, self.part(np.zeros(len(self), bool))
        kept = np.array([share_of(group) >= held_out for group in self.groups], bool)
        return self.part(kept), self.part(~kept)


def load_labelled_photographs(folder: Path, size: int) -> LabelledPhotographs:
    """Reads a folder's usable pictures as crops of ``size`` pixels.

    A mask's largest piece is taken; a picture whose mask is empty is left out.

    Raises:
        FileNotFoundError: The labels, or the folder or zip of pictures or masks, are missing.
        ValueError: A label, a picture or a mask is missing or damaged, or no picture is usable.
    """
    return _collected(folder, lambda rgb, mask: _cut(rgb, mask, size))


def load_whole_photographs(folder: Path, size: int) -> LabelledPhotographs:
    """Reads a folder's usable pictures whole, as squares of ``size`` pixels with grey bars; errors as above."""

    def whole(rgb: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        height, width = mask.shape
        return _cut(rgb, mask, size, Crop(width / 2, height / 2, float(max(height, width))))

    return _collected(folder, whole)


def read_photographs(folder: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yields a folder's usable pictures in their own size: name, colours (H, W, 3) and mask (H, W), uint8.

    Errors as above, but that a folder without usable pictures yields none.
    """
    for label, rgb, mask in _pictures(folder):
        yield label.name, rgb, mask


def _collected(
    folder: Path, cut: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
) -> LabelledPhotographs:
    labels, crops, masks = [], [], []
    for label, rgb, mask in _pictures(folder):
        colour, alpha = cut(rgb, mask)
        crops.append(colour)
        masks.append(alpha)
        labels.append(label)
    if not crops:
        file = Path(folder) / LABELS
        raise ValueError(f"{file} names no usable photograph; it needs one with ok 1 and a mask that is not empty.")
    azimuths = np.array([label.azimuth for label in labels], np.float32)
    names, groups = tuple(label.name for label in labels), tuple(label.group for label in labels)
    return LabelledPhotographs(np.stack(crops), np.stack(masks), azimuths, names, groups)


def _pictures(folder: Path) -> Iterator[tuple[Label, np.ndarray, np.ndarray]]:
    """Usable pictures with the largest pieces of their masks, which are not empty."""
    table = read_labels(folder)
    with opened(folder) as read:
        for label in table:
            rgb, mask = read(label)
            if (mask > 127).any():
                yield label, rgb, mask


def _cut(rgb: np.ndarray, mask: np.ndarray, size: int, crop: Crop | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Colour (S, S, 3) and mask (S, S) uint8 of a crop; None: a little more than the product's own."""
    if crop is None:
        crop = crop_around(mask)
        crop = Crop(crop.center_x, crop.center_y, CROP_SCALE * crop.side)
    whole = extract(rgb, np.full_like(mask, 255), crop, size)
    colour = whole[..., :3] + 0.5 * (1 - whole[..., 3:])
    alpha = extract(rgb, mask, crop, size)[..., 3]
    return tuple((values.clip(0, 1) * 255).round().astype(np.uint8) for values in (colour, alpha))  # type: ignore[return-value]
