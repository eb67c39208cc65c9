# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of several objects is meant, and where objects of one category that touch one another come apart.

The segmenter knows the category and not its members: cars that touch become one piece. Such a piece has a neck where
one ends and the next begins, because vehicles are lower, and the segmenter less sure, at their ends. So a piece is cut
where it is narrow beside what it joins.

Letters: S side of a look's picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

_NEIGHBOURS = tuple((row, column) for row in (-1, 0, 1) for column in (-1, 0, 1) if row or column)


@dataclass(frozen=True)
class InstanceConfig:
    """Ratios by which what belongs to one object is told from its neighbours."""

    neck: float = 0.7
    """A place that is narrower than this, over the width of the narrower of the two parts it joins, is between two
    objects."""
    neck_of_long: float = 0.85
    """The same where what remains is longer than an object can be."""
    longest: float = 3.6
    """Longer over shorter side beyond which something is more than one object."""
    narrowest: float = 0.35
    """Width over that of the widest part below which a part is no object of its own."""
    levels: tuple[float, ...] = (0.5, 0.7, 0.85, 0.95)
    """Probabilities at which the width is measured; their mean counts."""
    reach: float = 0.03
    """How far from an object, in sides of the look, a point may be that means it."""


def pieces_of(probability: np.ndarray) -> tuple[int, np.ndarray]:
    """Number of connected pieces plus one, and numbers (S, S) from 1, of what is likelier the object than not."""
    return cv2.connectedComponents((probability > 0.5).astype(np.uint8), connectivity=4)


def most_central(probability: np.ndarray) -> np.ndarray | None:
    """The largest piece (S, S) bool near the middle; None where there is none."""
    _, labels = pieces_of(probability)
    size = len(labels)
    best, best_score = None, 0.0
    for label in range(1, int(labels.max()) + 1):
        part = labels == label
        rows, columns = np.nonzero(part)
        offset = np.hypot(rows.mean() - size / 2, columns.mean() - size / 2) / size
        score = float(probability[part].sum()) * float(np.exp(-4 * offset**2))
        if score > best_score:
            best, best_score = part, score
    return best


def most_alike(probability: np.ndarray, before: np.ndarray) -> np.ndarray | None:
    """The piece (S, S) bool that shares most with what was found ``before``; None where none shares anything."""
    _, labels = pieces_of(probability)
    shared = np.bincount(labels[before], minlength=1)
    shared[0] = 0
    return labels == int(shared.argmax()) if shared.any() else None


def at_point(
    probability: np.ndarray, row: float, column: float, reach: float, config: InstanceConfig = InstanceConfig()
) -> np.ndarray | None:
    """The one object (S, S) bool that a place of a look means, without its neighbours.

    None where there is none within ``reach``, in sides of the look.
    """
    _, labels = pieces_of(probability)
    label = _nearest_label(labels, row, column, reach * len(labels))
    if label == 0:
        return None
    parts = apart(probability, labels == label, config)
    return parts == _nearest_label(parts, row, column, len(labels))


def apart(probability: np.ndarray, piece: np.ndarray, config: InstanceConfig = InstanceConfig()) -> np.ndarray:
    """Numbers (S, S) int32 from 1 of the objects that a piece (S, S) bool is made of; 0 outside of it."""
    width = _width(probability, piece, config.levels)
    parts = _basins(width, _filled(piece), config.neck, config.narrowest)
    for label in range(1, int(parts.max()) + 1):
        part = parts == label
        if _aspect(part) > config.longest:
            finer = _basins(np.where(part, width, 0), part, config.neck_of_long, config.narrowest)
            parts = np.where(part & (finer > 1), finer + parts.max() - 1, parts)
    return np.where(piece, parts, 0)


def _nearest_label(labels: np.ndarray, row: float, column: float, reach: float) -> int:
    """The number at a place, or the nearest one within reach; 0 where there is none."""
    rows, columns = np.nonzero(labels)
    if len(rows) == 0:
        return 0
    distance = np.hypot(rows + 0.5 - row, columns + 0.5 - column)
    nearest = int(distance.argmin())
    return int(labels[rows[nearest], columns[nearest]]) if distance[nearest] <= max(reach, 1.0) else 0


def _width(probability: np.ndarray, piece: np.ndarray, levels: tuple[float, ...]) -> np.ndarray:
    """Distance (S, S) to where the piece ends, in pixels; where the probability dips it ends for some of the levels.

    A hole, such as a window, is no end.
    """
    total = np.zeros(piece.shape, np.float32)
    for level in levels:
        inside = np.pad(_filled(piece & (probability > level)).astype(np.uint8), 1)
        total += cv2.distanceTransform(inside, cv2.DIST_L2, 5)[1:-1, 1:-1]
    return total / len(levels)


def _filled(mask: np.ndarray) -> np.ndarray:
    """A mask (S, S) bool without holes."""
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros(mask.shape, np.uint8), outlines, -1, (1,), cv2.FILLED) > 0


def _basins(width: np.ndarray, piece: np.ndarray, neck: float, narrowest: float) -> np.ndarray:
    """Numbers (S, S) int32 from 1 of the parts around the widest places of a piece, 0 outside of it.

    A watershed from the widest pixel to the narrowest. Where two parts meet they become one, unless the place is
    narrow beside the narrower of them.
    """
    labels = np.zeros((width.shape[0] + 2, width.shape[1] + 2), np.int32)
    framed = np.pad(np.where(piece, width, -1.0), 1, constant_values=-1.0)
    joined, peaks = [0], [0.0]
    rows, columns = (places + 1 for places in np.nonzero(piece))
    values = framed[rows, columns]
    least = narrowest * float(values.max(initial=0.0))

    def root(label: int) -> int:
        while joined[label] != label:
            label = joined[label]
        return label

    for index in np.argsort(-values, kind="stable"):
        row, column, value = int(rows[index]), int(columns[index]), float(values[index])
        around = [(row + r, column + c) for r, c in _NEIGHBOURS if labels[row + r, column + c]]
        if not around:
            joined.append(len(joined))
            peaks.append(value)
            labels[row, column] = len(joined) - 1
            continue
        labels[row, column] = labels[max(around, key=lambda place: framed[place])]
        first, *others = sorted({root(int(labels[place])) for place in around}, key=lambda label: -peaks[label])
        for other in others:
            if value >= neck * peaks[other] or peaks[other] < least:
                joined[other] = first
    merged = np.array([root(label) for label in range(len(joined))])
    return np.unique(merged[labels[1:-1, 1:-1]], return_inverse=True)[1].reshape(width.shape).astype(np.int32)


def _aspect(part: np.ndarray) -> float:
    """Longer over shorter side of the smallest rectangle, in any direction, around a part."""
    outline, _ = cv2.findContours(part.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    sides = cv2.minAreaRect(np.concatenate(outline))[1]
    return (max(sides) + 1) / (min(sides) + 1)
