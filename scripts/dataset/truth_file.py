# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of an object's true coordinates and parts, `truth.npz`; NumPy alone.

`RenderedViews.truth` of backend/data/rendered_views.py reads it too.

    coordinates  (M, 3, R, R) uint16: canonical coordinates, background 0, else 1 + 4095 (c + 0.5), as differences
                 along the rows modulo 65536: a running sum brings them back
    regions      (M, R, R) uint8: index in the dataset's "regions" plus one; 0 background, 255 not known

12 bits a coordinate are 0.00024 of the object's length, a thirtieth of a pixel at 160 pixels; differences of smooth
surfaces are small and compress twice as well as the values themselves.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

STEPS = 4095
UNKNOWN = 255
"""Region of a material whose name tells nothing."""


def pack_truth(coordinates: np.ndarray, regions: np.ndarray) -> bytes:
    """Return the file of canonical coordinates (M, R, R, 3) and regions (M, R, R), which are 0 in the background."""
    quantised = 1 + np.round((np.clip(coordinates, -0.5, 0.5) + 0.5) * STEPS)
    planes = np.moveaxis(np.where(regions[..., None] > 0, quantised, 0), -1, 1).astype(np.uint16)
    file = io.BytesIO()
    rows = np.diff(planes, axis=-1, prepend=np.uint16(0))
    np.savez_compressed(file, coordinates=rows, regions=regions.astype(np.uint8))
    return file.getvalue()


def unpack_truth(file: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the coordinates (M, R, R, 3) float32, NaN in the background, and the regions (M, R, R) of such a file."""
    with np.load(file, allow_pickle=False) as data:
        planes, regions = np.cumsum(data["coordinates"], axis=-1, dtype=np.uint16), data["regions"]
    coordinates = (np.moveaxis(planes, 1, -1).astype(np.float32) - 1) / STEPS - 0.5
    coordinates[regions == 0] = np.nan
    return coordinates, regions
