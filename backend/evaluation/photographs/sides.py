# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From where results are looked at, and how pictures of them and of photographs become comparable. Loads no torch.

Letters: H, W a picture, S side of a square.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import replace

import cv2
import numpy as np

from ...common.records import Camera, Reconstruction

GREY = 0.5
"""What is behind objects whose pictures are compared."""
SQUARE = 128
"""Side of the squares that are compared."""
RENDERED = 224
"""Side of the renders that they are cut out of: larger, so that these are made smaller as photographs are."""
_MARGIN = 1.1
"""Side of a square over the longer side of the object's box."""
_ROOM = 1.03
"""Field of view over that which just holds the object."""

SHEET_ELEVATION, SHEET_DISTANCE, SHEET_FIELD_OF_VIEW = math.radians(18), 2.6, math.radians(18)
"""Sheets show results from there; the longest side fits into the width of a tile of 3 to 2."""
VIEWS = {"four": (72, 144, 216, 288), "all": (0, 60, 120, 180, 240, 300)}
"""Turns in degrees from the photo's own side at which sheets show results; its own is that of the photo laid over."""


def sheet_cameras(camera: Camera, views: str) -> list[Camera]:
    """Returns the cameras of a sheet's tiles, for a result whose own camera is given."""
    return [
        Camera(camera.azimuth + math.radians(turn), SHEET_ELEVATION, SHEET_DISTANCE, field_of_view=SHEET_FIELD_OF_VIEW)
        for turn in VIEWS[views]
    ]


def framed(result: Reconstruction, turn: float) -> Camera:
    """Returns the result's own camera, turned about the object by ``turn`` radians and framing it in a square."""
    radius = float(np.linalg.norm(result.vertices, axis=1).max())
    half = math.asin(min(0.95, radius / result.camera.distance))
    angle = min(2 * half * _ROOM, 0.95 * math.pi)
    return replace(
        result.camera, azimuth=result.camera.azimuth + turn, field_of_view=angle, shift_x=0.0, shift_y=0.0
    )  # fmt: skip


def random_turn(name: str, seed: int) -> float:
    """Returns the turn in radians from which a photograph's result is looked at: it follows from name and seed."""
    return float(np.random.default_rng([zlib.crc32(name.encode("utf-8")), seed]).uniform(0, 2 * math.pi))


def square_on_grey(rgb: np.ndarray, alpha: np.ndarray, side: int = SQUARE) -> np.ndarray:
    """Returns the object of a picture in the middle of a grey square, (S, S, 3) uint8.

    rgb: (H, W, 3) and alpha: (H, W), float32 from 0 to 1. Raises ValueError where alpha shows nothing.
    """
    rows, columns = np.flatnonzero((alpha > 0.5).any(axis=1)), np.flatnonzero((alpha > 0.5).any(axis=0))
    if not len(rows):
        raise ValueError("The object cannot be seen in a picture of it: its mask or its shape is empty.")
    extent = _MARGIN * (max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1)
    left, top = (columns[0] + columns[-1] + 1 - extent) / 2, (rows[0] + rows[-1] + 1 - extent) / 2
    pixels = max(1, round(extent))
    whole = rgb * alpha[..., None] + GREY * (1 - alpha[..., None])
    shift = np.array([[1, 0, -round(left)], [0, 1, -round(top)]], np.float64)
    cut = cv2.warpAffine(whole, shift, (pixels, pixels), flags=cv2.INTER_NEAREST, borderValue=(GREY,) * 3)
    smooth = cv2.INTER_AREA if pixels > side else cv2.INTER_LINEAR
    return to_bytes(cv2.resize(cut, (side, side), interpolation=smooth))


def fitted(width: int, height: int, most_width: int, most_height: int) -> tuple[int, int]:
    """Returns the largest width and height in these proportions that fit."""
    scale = min(most_width / width, most_height / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def resized_mask(mask: np.ndarray, width: int, height: int) -> np.ndarray:
    """Returns a mask (H, W) uint8 as (height, width) uint8, averaged where it gets smaller."""
    if mask.shape == (height, width):
        return mask
    smooth = cv2.INTER_AREA if width < mask.shape[1] else cv2.INTER_LINEAR
    return cv2.resize(mask, (width, height), interpolation=smooth)


def to_bytes(picture: np.ndarray) -> np.ndarray:
    """Returns uint8 from floats between 0 and 1."""
    return (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)
