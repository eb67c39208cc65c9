# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real places as backgrounds: perspective pictures cut from equirectangular panoramas, such as Blender's HDR worlds."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

# OpenCV reads OpenEXR only where this is set before it is loaded for the first time.
os.environ.setdefault("OPENCV_IO_ENABLE_OPENEXR", "1")

import cv2  # noqa: E402


def load_panoramas(folder: Path) -> list[np.ndarray]:
    """Every .exr and .hdr of a folder as (H, 2H, 3) float32 linear RGB. Raises FileNotFoundError if there is none."""
    found = sorted(path for path in Path(folder).iterdir() if path.suffix.lower() in (".exr", ".hdr"))
    pictures = [cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in found]
    panoramas = [np.ascontiguousarray(picture[..., 2::-1]) for picture in pictures if picture is not None]
    if not panoramas:
        raise FileNotFoundError(f"No panorama that can be read (.exr, .hdr) lies in {folder}.")
    return panoramas


def perspective(rng: np.random.Generator, panorama: np.ndarray, size: int) -> np.ndarray:
    """A picture (S, S, 3) float32 sRGB taken inside a panorama, at about eye level, at a random exposure."""
    height, width = panorama.shape[:2]
    yaw, pitch, roll = rng.uniform(-np.pi, np.pi), rng.normal(0.0, 0.15), rng.normal(0.0, 0.05)
    focal = 0.5 / np.tan(0.5 * np.radians(rng.uniform(35, 85)))
    axis = (np.arange(size) + 0.5) / size - 0.5
    x, y = np.meshgrid(axis, -axis)
    x, y = x * np.cos(roll) - y * np.sin(roll), x * np.sin(roll) + y * np.cos(roll)
    up = y * np.cos(pitch) + focal * np.sin(pitch)
    forward = focal * np.cos(pitch) - y * np.sin(pitch)
    longitude = np.arctan2(x, forward) + yaw
    latitude = np.arctan2(up, np.hypot(x, forward))
    column = np.mod(longitude / (2 * np.pi) + 0.5, 1.0) * width - 0.5
    row = (0.5 - latitude / np.pi) * height - 0.5
    linear = cv2.remap(
        panorama, column.astype(np.float32), row.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
    )
    # Exposed for the median, as a camera would, a stop or so off.
    linear = linear * (0.18 / max(float(np.median(linear)), 1e-4)) * 2 ** rng.uniform(-1.5, 1.2)
    linear = np.clip(linear, 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return (encoded[:, ::-1] if rng.random() < 0.5 else encoded).astype(np.float32)
