# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at squares of a photo: what the segmenter sees of each, and how that is carried from one to another.

Letters: S side of the segmenter's picture, H and W the photo's size.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from ..models.crop import Crop
from ..models.segmenter import Segmenter

Box = tuple[int, int, int, int]
"""Left, top, right and bottom in the photo's pixels."""

_PAPER = 128
"""The grey beside the photo where the segmenter looks beyond its edge, as in its training."""


@dataclass
class Look:
    """What the segmenter sees of a square of the photo."""

    window: Crop
    probability: np.ndarray
    """(S, S) float32; 0 beyond the photo."""


@torch.no_grad()
def look_at(rgb: np.ndarray, window: Crop, segmenter: Segmenter, device: torch.device) -> Look:
    """Probabilities of a square of the photo, the mean of it and its mirror image."""
    size = segmenter.config.resolution
    (left, top, right, bottom), part = part_of(rgb, window)
    shrink = size / window.side
    if shrink < 1:  # averaging, or fine detail turns into noise
        small = (max(1, round((right - left) * shrink)), max(1, round((bottom - top) * shrink)))
        part = cv2.resize(part, small, interpolation=cv2.INTER_AREA)
    to_part_x, to_part_y = part.shape[1] / (right - left), part.shape[0] / (bottom - top)
    step = window.side / size
    first_x = (window.center_x - window.side / 2 + 0.5 * step - left) * to_part_x - 0.5
    first_y = (window.center_y - window.side / 2 + 0.5 * step - top) * to_part_y - 0.5
    matrix = np.array([[step * to_part_x, 0, first_x], [0, step * to_part_y, first_y]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    picture = cv2.warpAffine(part, matrix, (size, size), flags=flags, borderValue=(_PAPER, _PAPER, _PAPER))
    inside = cv2.warpAffine(np.ones(part.shape[:2], np.float32), matrix, (size, size), flags=flags)
    tensor = torch.from_numpy(picture).to(device).permute(2, 0, 1)[None].float() / 255
    both = segmenter(torch.cat([tensor, tensor.flip(3)])).sigmoid()
    probability = (0.5 * (both[0] + both[1].flip(1))).cpu().numpy()
    return Look(window, probability * (inside > 0.5))


def part_of(rgb: np.ndarray, window: Crop) -> tuple[Box, np.ndarray]:
    """The box (left, top, right, bottom) of a window inside the photo, and its pixels."""
    height, width = rgb.shape[:2]
    half = window.side / 2
    left, right = max(0, int(window.center_x - half)), min(width, int(np.ceil(window.center_x + half)))
    top, bottom = max(0, int(window.center_y - half)), min(height, int(np.ceil(window.center_y + half)))
    return (left, top, right, bottom), rgb[top:bottom, left:right]


def carried(look: Look, values: np.ndarray, window: Crop) -> np.ndarray:
    """Values (S, S) of one look in the pixels of another window."""
    half = window.side / 2
    box = (window.center_x - half, window.center_y - half, window.center_x + half, window.center_y + half)
    return _warped(values, look.window, box, len(values), len(values))


def resampled(look: Look, box: Box, size: tuple[int, int] | None = None) -> np.ndarray:
    """The probability of a look in a box of the photo: (h, w), as large as the box or of a size (w, h)."""
    left, top, right, bottom = box
    width, height = size or (right - left, bottom - top)
    return _warped(look.probability, look.window, box, width, height)


def seen_at(look: Look, x: float, y: float) -> tuple[float, float]:
    """Row and column of a look's picture at which it shows a place of the photo."""
    scale = len(look.probability) / look.window.side
    return (
        (y - look.window.center_y + look.window.side / 2) * scale,
        (x - look.window.center_x + look.window.side / 2) * scale,
    )


def box_around(look: Look, part: np.ndarray) -> tuple[float, float, float]:
    """Middle (x, y) and longer side, in the photo's pixels, of the box around a part (S, S) bool of a look."""
    rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
    scale = look.window.side / len(part)
    left = look.window.center_x - look.window.side / 2
    top = look.window.center_y - look.window.side / 2
    longer = max(rows[-1] + 1 - rows[0], columns[-1] + 1 - columns[0]) * scale
    return left + (columns[0] + columns[-1] + 1) / 2 * scale, top + (rows[0] + rows[-1] + 1) / 2 * scale, longer


def _warped(
    values: np.ndarray, window: Crop, box: tuple[float, float, float, float], width: int, height: int
) -> np.ndarray:
    """Values (S, S) that fill a window of the photo, as (height, width) values that fill a box of it."""
    left, top, right, bottom = box
    scale = len(values) / window.side
    step_x, step_y = (right - left) / width, (bottom - top) / height
    first_x = (left + 0.5 * step_x - (window.center_x - window.side / 2)) * scale - 0.5
    first_y = (top + 0.5 * step_y - (window.center_y - window.side / 2)) * scale - 0.5
    matrix = np.array([[step_x * scale, 0, first_x], [0, step_y * scale, first_y]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(values, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
