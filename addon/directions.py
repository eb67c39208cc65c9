# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other directions that an object's photo may have been taken from: numbers and small pictures, saved with the object.

Pictures are texts, so that they add no image to the file's list.
"""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass

import bpy
import numpy as np

from .view_pictures import LARGEST_SIDE, reduced, squared
from .wire import records

UNKNOWN = -1.0
"""Confidence of objects whose direction nobody rated."""


def remember(state: bpy.types.PropertyGroup, result: records.Reconstruction) -> None:
    """Stores with an object how sure its direction is, and the other directions, the likeliest first."""
    state.confidence = UNKNOWN if result.confidence is None else result.confidence
    state.directions.clear()
    for alternative in result.alternatives:
        _add(state, alternative.azimuth, alternative.probability, as_text(alternative.picture))


@dataclass(frozen=True)
class Kept:
    """How sure a direction is, and the others."""

    confidence: float
    others: list[tuple[float, float, str]]
    """Azimuth, probability and picture of each."""


def exchanged(state: bpy.types.PropertyGroup, number: int, azimuth: float) -> Kept:
    """Returns what is to be stored once a direction of the list is taken and ``azimuth``, the present one, joins it."""
    others = [(one.azimuth, one.probability, one.picture) for one in state.directions]
    # Where nobody rated the present direction, it has what the others leave.
    rest = max(0.0, 1 - sum(other[1] for other in others))
    taken = others.pop(number)
    others.append((azimuth, state.confidence if state.confidence >= 0 else rest, ""))
    return Kept(taken[1], sorted(others, key=lambda other: -other[1]))


def restore(state: bpy.types.PropertyGroup, kept: Kept) -> None:
    """Stores with an object what was kept of its directions."""
    state.confidence = kept.confidence
    state.directions.clear()
    for other in kept.others:
        _add(state, *other)


def sentence_of(confidence: float) -> str:
    """Returns what the panel says of a direction; empty where it is unknown."""
    return f"Direction: {100 * confidence:.0f} % sure" if confidence >= 0 else ""


def as_text(picture: np.ndarray) -> str:
    """Returns a picture (h, w, 4) uint8, made small and square, as a text; empty where it has no pixels."""
    if picture.size == 0:
        return ""
    colours, alpha = picture[..., :3].astype(np.float32), picture[..., 3:].astype(np.float32)
    step = -(-max(picture.shape[:2]) // LARGEST_SIDE)
    weight = reduced(alpha, step)
    # What lies under transparent pixels has no say in the colours at the outline.
    mean = reduced(colours * alpha, step) / np.maximum(weight, 1e-6)
    small = squared(np.concatenate([mean, weight], axis=2).round().clip(0, 255).astype(np.uint8))
    return base64.b64encode(zlib.compress(small.tobytes())).decode("ascii")


def from_text(text: str) -> np.ndarray | None:
    """Returns the picture (side, side, 4) uint8 of a text; None where there is none, or no sense in it."""
    try:
        data = zlib.decompress(base64.b64decode(text))
    except (ValueError, zlib.error):
        return None
    side = round((len(data) / 4) ** 0.5)
    if side == 0 or 4 * side**2 != len(data):
        return None
    return np.frombuffer(data, np.uint8).reshape(side, side, 4)


def _add(state: bpy.types.PropertyGroup, azimuth: float, probability: float, picture: str) -> None:
    added = state.directions.add()
    added.azimuth, added.probability, added.picture = azimuth, probability, picture
