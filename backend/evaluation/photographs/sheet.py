# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of a sheet to look at: the input with the mask outlined, the result laid over the photo, the result from around.

Letters: H, W a picture.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from .records import Record
from .sides import fitted, resized_mask, to_bytes

ROWS = 32
TILE_WIDTH, TILE_HEIGHT, GAP, CAPTION = 156, 104, 4, 15
GROUND = 0.86
OWN_COLOUR, TRUE_COLOUR = (255, 110, 0), (0, 200, 80)
"""Of the outlines: of the mask that the product used, and where it found that itself, of the teacher's below it."""


def row(
    record: Record, photo: np.ndarray, masks: Sequence[np.ndarray], overlay: np.ndarray, sides: Sequence[np.ndarray]
) -> np.ndarray:
    """Returns one photograph's row (h, w, 3) uint8.

    Args:
        photo: (H, W, 3) uint8.
        masks: (H, W) uint8 each: the product's, and the teacher's where it is another.
        overlay: (h, w, 4) float32, the result through its own camera.
        sides: (h, w, 4) float32 each.
    """
    width, height = fitted(photo.shape[1], photo.shape[0], TILE_WIDTH, TILE_HEIGHT)
    small = cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA)
    outlined = np.ascontiguousarray(small)
    for mask, colour in reversed(list(zip(masks, (OWN_COLOUR, TRUE_COLOUR), strict=False))):
        shape = (resized_mask(mask, width, height) > 127).astype(np.uint8)
        outlines, _ = cv2.findContours(shape, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(outlined, outlines, -1, colour, 1)
    laid = cv2.resize(overlay, (width, height), interpolation=cv2.INTER_AREA)
    over = small / 255 * (1 - laid[..., 3:]) + laid[..., :3] * laid[..., 3:]
    on_ground = [side[..., :3] * side[..., 3:] + GROUND * (1 - side[..., 3:]) for side in sides]
    return captioned([outlined, to_bytes(over), *(to_bytes(side) for side in on_ground)], caption(record))


def empty_row(record: Record, tiles: int) -> np.ndarray:
    """Returns the row of a photograph without a result: the sentence that says why."""
    return captioned([np.zeros((0, 0, 3), np.uint8)] * tiles, f"{record['file']}: {record['error']}")


def caption(record: Record) -> str:
    """Returns what stands above a row."""
    flip = " FLIP" if record["flip"] else ""
    sure = "" if record["confidence"] is None else f"  confidence {record['confidence']:.2f}"
    warned = "  warned" if record["warned"] else ""
    return (
        f"{record['file']}  azimuth {record['azimuth_deg']:.0f}, label {record['azimuth_label_deg']:.0f}{flip}  "
        f"IoU {record['silhouette_iou_true']:.2f}{sure}{warned}"
    )


def captioned(tiles: Sequence[np.ndarray], text: str) -> np.ndarray:
    """Returns tiles (h, w, 3) uint8 side by side, each in the middle of its place, below a line of text."""
    ground = round(GROUND * 255)
    canvas = np.full((CAPTION + TILE_HEIGHT + GAP, len(tiles) * (TILE_WIDTH + GAP) + GAP, 3), ground, np.uint8)
    for number, tile in enumerate(tiles):
        height, width = tile.shape[:2]
        left = GAP + number * (TILE_WIDTH + GAP) + (TILE_WIDTH - width) // 2
        top = CAPTION + (TILE_HEIGHT - height) // 2
        canvas[top : top + height, left : left + width] = tile
    # The font has no other letters than these.
    plain = text.encode("ascii", "replace").decode("ascii")
    cv2.putText(canvas, plain, (GAP, 11), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (0, 0, 0), 1, cv2.LINE_AA)
    return canvas


def sheet(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Returns rows below one another; narrower ones are filled up on the right."""
    widest = max(one.shape[1] for one in rows)
    ground = round(GROUND * 255)
    return np.concatenate(
        [np.pad(one, ((0, 0), (0, widest - one.shape[1]), (0, 0)), constant_values=ground) for one in rows]
    )
