# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What two networks say of one object: one knows outlines and no category, the other the category and rough outlines.

Letters: H and W the size of the pictures compared, which show the object and something around it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class AgreementConfig:
    """Shares and probabilities by which the one network corrects the other."""

    weight: float = 0.6
    """Weight of the salient-object network where both speak of the same object; the segmenter has the rest."""
    same_piece: float = 0.25
    """Share of a salient piece that the segmenter must call the object for the piece to be a part of it."""
    same_object: float = 0.3
    """Share of the segmenter's object that such pieces must cover; below it they show something else."""
    trusted: float = 0.85
    """Share of the segmenter's object that is salient from which on the segmenter may cut salient pieces."""
    surely_not: float = 0.1
    """Mean probability below which the segmenter is sure that something is not the object."""
    thick: float = 0.06
    """Thickness, over the object's longer side, from which on a difference counts: thinner is an outline's doubt."""
    large: float = 0.03
    """The same for its area, over that of the object."""


def agreed(salient: np.ndarray, own: np.ndarray, config: AgreementConfig = AgreementConfig()) -> np.ndarray:
    """The probability (H, W) float32 that both networks together give each place.

    Args:
        salient: (H, W) in [0, 1], how much each place stands out.
        own: (H, W) in [0, 1], the segmenter's probability of the object; 0 on its neighbours.
    """
    thing = own > 0.5
    pieces = _pieces_of(salient, thing, config)
    covered = float((pieces & thing).sum()) / max(1, int(thing.sum()))
    if covered < config.same_object:
        return own
    near = cv2.dilate(pieces.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    both = config.weight * np.where(near, salient, 0) + (1 - config.weight) * own
    for part in _thick_parts(thing & ~pieces, thing, config):
        if own[part].mean() > 1 - salient[part].mean():  # surer than the other is of the opposite
            both[part] = own[part]
    if covered > config.trusted:
        for part in _thick_parts(pieces & ~thing, thing, config):
            if own[part].mean() < config.surely_not:
                both[part] = 0
    return both.astype(np.float32)


def _pieces_of(salient: np.ndarray, thing: np.ndarray, config: AgreementConfig) -> np.ndarray:
    """(H, W) bool: the connected salient pieces of which enough is the object."""
    count, labels = cv2.connectedComponents((salient > 0.5).astype(np.uint8), connectivity=4)
    area = np.bincount(labels.ravel(), minlength=count)
    shared = np.bincount(labels[thing], minlength=count)
    kept = shared > config.same_piece * area
    if count > 1:  # the one that shares most may hold much else, too
        kept[1 + int(shared[1:].argmax())] = True
    kept[0] = False
    return kept[labels]


def _thick_parts(disputed: np.ndarray, thing: np.ndarray, config: AgreementConfig) -> Iterator[np.ndarray]:
    """Yields connected parts (H, W) bool of what is disputed that are thick and large beside the object.

    Each with the rim around it that is too thin to count by itself.
    """
    rows, columns = np.flatnonzero(thing.any(axis=1)), np.flatnonzero(thing.any(axis=0))
    side = max(3, round(config.thick * max(np.ptp(rows), np.ptp(columns)))) | 1
    thick = cv2.morphologyEx(
        disputed.astype(np.uint8), cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    )
    count, labels = cv2.connectedComponents(thick, connectivity=4)
    for label in range(1, count):
        part = labels == label
        if part.sum() > config.large * thing.sum():
            yield (cv2.dilate(part.astype(np.uint8), np.ones((side, side), np.uint8)) > 0) & disputed
