# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mask between the image that the user sees and paints on and the file that the worker reads."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from . import pixels, places


def show(name: str, mask: np.ndarray) -> bpy.types.Image:
    """Returns a packed image of a mask (H, W) uint8, to look at and to paint on."""
    return pixels.new_image(f"{name} mask", np.repeat(mask[..., None], 3, axis=2))


def write(image: bpy.types.Image) -> Path:
    """Writes an image as the mask for the next request; returns the file. Raises ValueError, OSError.

    Brightness counts, and where the image is transparent there is no object.
    """
    colours = pixels.read(image)
    mask = colours[..., :3].mean(axis=2) * colours[..., 3]
    path = places.user_folder() / "temporary" / "mask.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels.write_png(path, pixels.to_bytes(mask))
    return path
