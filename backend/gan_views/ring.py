# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Azimuths guessed without any network for poses: pictures of things that have a left and a right half alike.

Mirrored, a picture of such a thing is one of the same thing from the other side: the azimuth changes its sign. So what
changes sign in pictures is like the sine of the azimuth, and of what does not, the part that outlines do not tell is
like its cosine. Both together are places on a ring. Which end is the front, and which way around the ring goes, no
picture says: a person has to look. It fits things that are seen from all around at one height, and is a guess for
others.

Letters: N pictures, S side of the crops, D = 2 S S numbers of a crop.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .readings import Reader, Readings, seen_crops

SIDE = 20
"""Side of the crops that are compared."""
TRIED = 6
"""Number of symmetric components that may be like the cosine."""
_BRIGHTNESS = 0.25
"""Weight of the brightness beside the outline: on painted solids with known azimuths a quarter erred least."""
_MIN_PICTURES = 24
"""Pictures below which nothing can be said."""


@dataclass(frozen=True)
class Ring:
    """What tells places on the ring."""

    mean: np.ndarray
    """(D,) mean of the symmetric halves."""
    sine: np.ndarray
    """(D,) direction among antisymmetric halves; 1 / its length is the sine's usual size."""
    cosine: np.ndarray
    """(D,) direction among symmetric halves, less what the sine tells of it."""
    outline: np.ndarray
    """(2,) what of the cosine's direction follows from the sine: a constant, and a factor of its square."""

    def places(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Azimuths (N,) in radians and confidences (N,) in [0, 1] of crops (N, D)."""
        even, odd = halves(crops)
        sine = odd @ self.sine
        cosine = (even - self.mean) @ self.cosine - (self.outline[0] + self.outline[1] * sine**2)
        # Pictures that are like nothing lie in the middle, and say nothing.
        return np.arctan2(sine, cosine), np.minimum(1.0, np.hypot(sine, cosine))


def fitted_reader(reader: Reader, pictures: np.ndarray, min_area: float) -> RingReader:
    """A reader of azimuths for pictures such as these (N, h, w, 3) uint8. Raises ValueError for too few objects."""
    known = reader(pictures)
    whole = known.area >= min_area
    return RingReader(reader, fit_ring(described(pictures[whole], known.masks[whole])))


def halves(crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What stays and what changes its sign as crops (N, D) are mirrored."""
    pictures = crops.reshape(len(crops), -1, SIDE, SIDE)
    mirrored = pictures[..., ::-1].reshape(len(crops), -1)
    return (crops + mirrored) / 2, (crops - mirrored) / 2


def described(pictures: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Crops (N, D) of pictures (N, h, w, 3) uint8 with their masks (N, h, w): outline, and brightness within it.

    The brightness is relative to the object's own, so that a dark object is like a light one.
    """
    crops = seen_crops(pictures, masks, SIDE).numpy().astype(np.float64)
    alpha = crops[:, 3]
    grey = crops[:, :3].mean(axis=1)
    usual = grey.sum(axis=(1, 2)) / np.maximum(alpha.sum(axis=(1, 2)), 1e-6)
    inside = grey - usual[:, None, None] * alpha
    spread = np.sqrt((inside**2).sum(axis=(1, 2)) / np.maximum(alpha.sum(axis=(1, 2)), 1e-6))
    inside /= np.maximum(spread, 0.02)[:, None, None]
    return np.stack([alpha, _BRIGHTNESS * inside], axis=1).reshape(len(crops), -1)


def fit_ring(crops: np.ndarray) -> Ring:
    """The ring of crops (N, D) of objects seen from all around. Raises ValueError for too few of them."""
    if len(crops) < _MIN_PICTURES:
        raise ValueError(
            f"An object was found in {len(crops)} pictures only, and {_MIN_PICTURES} are needed to guess sides: train "
            "the generator or the segmenter longer."
        )
    even, odd = halves(crops)
    sine = _directions(odd, 1)[0]
    sine = sine / (np.sqrt(2) * max(float((odd @ sine).std()), 1e-9))
    found = odd @ sine
    mean = even.mean(axis=0)
    # What outlines tell of the symmetric halves, narrow from the ends and wide from the sides, is the sine's square.
    basis = np.stack([np.ones(len(found)), found**2], axis=1)
    told, *_ = np.linalg.lstsq(basis, even - mean, rcond=None)
    rest = even - mean - basis @ told
    # Where the sine is large the cosine is small: of several directions it is the one of which that is truest.
    tried = _directions(rest, TRIED)
    spreads = [float(((rest @ one) ** 2).mean()) for one in tried]
    shared = [
        float(((rest @ one) ** 2 * found**2).mean() / max(size, 1e-12))
        for one, size in zip(tried, spreads, strict=True)
    ]
    number = min((share, number) for number, share in enumerate(shared) if spreads[number] >= 0.1 * spreads[0])[1]
    best = tried[number]
    best = best / (np.sqrt(2) * max(float((rest @ best).std()), 1e-9))
    return Ring(mean, sine, best, told @ best)


def _directions(rows: np.ndarray, count: int) -> np.ndarray:
    """The first principal directions (count, D) of rows (N, D) about 0."""
    return np.linalg.svd(rows, full_matrices=False)[2][:count]


class RingReader:
    """A :class:`Reader` that adds guesses of azimuths to those of another, which knows none."""

    def __init__(self, reader: Reader, ring: Ring) -> None:
        self.reader, self.ring = reader, ring

    def __call__(self, pictures: np.ndarray) -> Readings:
        known = self.reader(pictures)
        azimuth, confidence = self.ring.places(described(pictures, known.masks))
        return replace(known, azimuth=azimuth, confidence=np.where(known.found, confidence, 0.0))
