# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The outline of what was found: one piece without holes, carried to the photo's own resolution along its edges."""

from __future__ import annotations

import cv2
import numpy as np

_FINEST = 2048
"""Larger parts of a photo get a mask of this size, enlarged: memory stays bounded, and nobody sees the difference."""


def outline(probability: np.ndarray, longer_side: int) -> np.ndarray:
    """What is likelier the object than not, at a limited size: (h, w) uint8, 0 or 1, one part without holes."""
    shrink = min(1.0, longer_side / max(probability.shape))
    size = (max(8, round(probability.shape[1] * shrink)), max(8, round(probability.shape[0] * shrink)))
    likely = cv2.resize(probability, size, interpolation=cv2.INTER_AREA)
    return one_piece((likely > 0.5).astype(np.uint8))


def one_piece(mask: np.ndarray) -> np.ndarray:
    """The largest part of a mask (H, W) of 0 and 1, thin hairs removed, holes filled."""
    opened = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(opened if opened.any() else mask, connectivity=4)
    if count < 2:
        return mask
    largest = 1 + int(np.argmax(statistics[1:, cv2.CC_STAT_AREA]))
    outlines, _ = cv2.findContours((labels == largest).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros_like(mask), outlines, -1, (1,), cv2.FILLED)


def at_full_resolution(rgb: np.ndarray, coarse: np.ndarray) -> np.ndarray:
    """A mask (h, w) of 0 and 1 carried to the size of the picture, along the picture's edges: (H, W) uint8.

    A guided filter (He, Sun and Tang): around each pixel the mask is explained as a linear function of the colour,
    fitted where both are small and evaluated on the large picture.
    """
    height, width = rgb.shape[:2]
    shrink = _FINEST / max(height, width)
    if shrink < 1:
        small = cv2.resize(rgb, (round(width * shrink), round(height * shrink)), interpolation=cv2.INTER_AREA)
        return cv2.resize(at_full_resolution(small, coarse), (width, height))
    guide = cv2.resize(rgb, coarse.shape[::-1], interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    slope, offset = _guided_coefficients(guide, coarse.astype(np.float32), radius=3, smoothness=2e-4)
    size = (width, height)
    slope, offset = cv2.resize(slope, size), cv2.resize(offset, size)
    filtered = np.einsum("hwc,hwc->hw", slope, rgb.astype(np.float32) / 255) + offset
    # The filter leaves faint traces of texture inside and outside: the edge alone is kept soft.
    soft = np.clip((filtered - 0.5) * 2.5 + 0.5, 0, 1)
    near = cv2.resize(coarse.astype(np.float32), size)
    soft = np.where(near > 0.999, 1.0, np.where(near < 0.001, 0.0, soft))
    whole = one_piece((soft > 0.5).astype(np.uint8))
    spread = cv2.dilate(whole, np.ones((5, 5), np.uint8))
    inner = cv2.erode(whole, np.ones((5, 5), np.uint8))
    return (np.maximum(soft * spread, inner) * 255 + 0.5).astype(np.uint8)


def _guided_coefficients(
    guide: np.ndarray, mask: np.ndarray, radius: int, smoothness: float
) -> tuple[np.ndarray, np.ndarray]:
    """Slopes (h, w, 3) and offsets (h, w) with mask = slope . colour + offset, averaged over windows."""
    size = (2 * radius + 1, 2 * radius + 1)

    def mean(values: np.ndarray) -> np.ndarray:
        return cv2.blur(values, size, borderType=cv2.BORDER_REFLECT)

    colour_mean, mask_mean = mean(guide), mean(mask)
    covariance = mean(guide * mask[..., None]) - colour_mean * mask_mean[..., None]
    pairs = (guide[..., :, None] * guide[..., None, :]).reshape(*mask.shape, 9)
    variance = np.dstack([mean(np.ascontiguousarray(pairs[..., start : start + 3])) for start in (0, 3, 6)])
    variance = variance.reshape(*mask.shape, 3, 3) - colour_mean[..., :, None] * colour_mean[..., None, :]
    slope = np.linalg.solve(variance + smoothness * np.eye(3, dtype=np.float32), covariance[..., None])[..., 0]
    offset = mask_mean - np.einsum("hwc,hwc->hw", slope, colour_mean)
    return mean(slope.astype(np.float32)), mean(offset.astype(np.float32))
