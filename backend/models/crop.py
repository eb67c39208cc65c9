# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The square around the object that the network sees, and how its camera relates to the camera of the whole photo."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np

from ..common.records import Camera
from .inverse_graphics import CROP_MARGIN

_MAX_SAMPLES_A_SIDE = 16
"""A texel of the crop is the mean of at most this many samples squared."""


class Crop(NamedTuple):
    """A square of a picture, in its pixels; it may reach beyond the picture's edges."""

    center_x: float
    center_y: float
    side: float


def crop_around(mask: np.ndarray) -> Crop:
    """The crop around the object of a mask (H, W) uint8, in training as in use.

    A mask that selects nothing gives the whole picture in a square, so that a crop is there for every picture of a
    batch; whoever needs an object asks for one before.
    """
    rows, columns = np.flatnonzero(mask.max(axis=1) > 127), np.flatnonzero(mask.max(axis=0) > 127)
    if len(rows) == 0:
        return Crop(mask.shape[1] / 2, mask.shape[0] / 2, float(max(mask.shape)))
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    return Crop((left + right) / 2, (top + bottom) / 2, CROP_MARGIN * max(bottom - top, right - left))


def extract(rgb: np.ndarray, mask: np.ndarray, crop: Crop, size: int) -> np.ndarray:
    """The crop as the network expects it: the object's colours on black.

    Args:
        rgb: (H, W, 3) uint8.
        mask: (H, W) uint8.
        crop: Where it may leave the photo the result is transparent.
        size: Side of the result in pixels.

    Returns:
        (size, size, 4) float32 in [0, 1]; the colour is multiplied by the mask, the fourth channel.
    """
    left, top, right, bottom = _inside(crop, mask.shape[1], mask.shape[0])
    part = mask[top:bottom, left:right]
    colour = cv2.multiply(rgb[top:bottom, left:right], cv2.merge([part, part, part]), scale=1 / 255)
    premultiplied = np.dstack([colour, part])
    # Every pixel is the mean of samples no farther apart than the photo's pixels, so that no detail is missed.
    samples = min(max(1, math.ceil(crop.side / size)), _MAX_SAMPLES_A_SIDE)
    step = crop.side / (size * samples)
    # From the centres of the samples to places in the part, whose first pixel's centre is its 0, 0.
    origin_x = crop.center_x - crop.side / 2 + 0.5 * step - 0.5 - left
    origin_y = crop.center_y - crop.side / 2 + 0.5 * step - 0.5 - top
    to_part = np.array([[step, 0, origin_x], [0, step, origin_y]])
    sampled = cv2.warpAffine(
        premultiplied,
        to_part,
        (size * samples, size * samples),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
    )
    return cv2.resize(sampled.astype(np.float32) / 255, (size, size), interpolation=cv2.INTER_AREA)


def camera_of_photo(camera_of_crop: Camera, crop: Crop, width: int, height: int) -> Camera:
    """The camera at the same place whose picture is the whole photo of width x height pixels."""
    focal = 0.5 * crop.side / math.tan(0.5 * camera_of_crop.field_of_view)
    longer = max(width, height)
    origin_x = crop.center_x + camera_of_crop.shift_x * crop.side
    origin_y = crop.center_y - camera_of_crop.shift_y * crop.side
    return replace(
        camera_of_crop,
        field_of_view=2 * math.atan(0.5 * height / focal),
        shift_x=(origin_x - 0.5 * width) / longer,
        shift_y=(0.5 * height - origin_y) / longer,
    )


def _inside(crop: Crop, width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the part of the photo that the crop and its bilinear border touch."""
    half = crop.side / 2 + 2
    left, right = max(0, math.floor(crop.center_x - half)), min(width, math.ceil(crop.center_x + half))
    top, bottom = max(0, math.floor(crop.center_y - half)), min(height, math.ceil(crop.center_y + half))
    if left >= right or top >= bottom:
        raise ValueError("The crop lies outside the photo")
    return left, top, right, bottom
