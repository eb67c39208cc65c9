# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mask between the image that the user sees and paints on and the file that the worker reads."""

from __future__ import annotations

import os
from pathlib import Path

import bpy
import numpy as np

from . import pixels, places


def photo_of(settings: bpy.types.PropertyGroup) -> str:
    """Returns the path of the picture that the scene's settings name, empty where they name none."""
    return os.path.normpath(bpy.path.abspath(settings.image_path)) if settings.image_path else ""


def is_for(settings: bpy.types.PropertyGroup, photo: str) -> bool:
    """Says whether the settings' mask was made for a photo. Files of before masks had photos: for the one named."""
    return settings.mask_image is not None and (settings.mask_photo or photo_of(settings)) == photo


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
