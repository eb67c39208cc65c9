# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How like a photograph a render of the object made of it is, inside the object's mask.

NumPy and OpenCV alone, for it runs beside Blender. The perceptual distance is that of structural similarity (Wang,
Bovik, Sheikh and Simoncelli 2004): it asks whether light and dark lie in the same places, less how bright all is.
"""

from __future__ import annotations

import cv2
import numpy as np

from ..common.colour import LUMINANCE

_WINDOW = 1.5
"""Standard deviation in pixels of the Gaussian window, as in the paper; it reaches five pixels to each side."""
_STABLE = (0.01**2, 0.03**2)
"""The paper's constants for pictures in [0, 1]."""


def psnr(one: np.ndarray, other: np.ndarray, mask: np.ndarray) -> float:
    """Returns the peak signal-to-noise ratio in decibels of two pictures (H, W, 3) in [0, 1] inside a mask (H, W) bool.

    Equal pictures, and an empty mask, give 100 dB.
    """
    error = float(np.square(one[mask] - other[mask]).mean()) if mask.any() else 0.0
    return float(min(100.0, -10 * np.log10(max(error, 1e-10))))


def structural_distance(one: np.ndarray, other: np.ndarray, mask: np.ndarray) -> float:
    """Returns (1 - structural similarity) / 2 of two pictures (H, W, 3) in [0, 1], the mean over a mask (H, W) bool.

    0 for equal pictures, and for an empty mask; 0.5 where nothing of the one is told by the other. Windows count the
    pixels inside the mask alone, so that what lies around the object does not matter.
    """
    if not mask.any():
        return 0.0
    inside = mask.astype(np.float64)
    weight = np.maximum(_blurred(inside), 1e-9)

    def mean(values: np.ndarray) -> np.ndarray:
        result: np.ndarray = _blurred(values * inside) / weight
        return result

    x, y = (np.asarray(picture, np.float64) @ LUMINANCE for picture in (one, other))
    mean_x, mean_y = mean(x), mean(y)
    variance_x, variance_y = (np.maximum(mean(v * v) - m * m, 0) for v, m in ((x, mean_x), (y, mean_y)))
    covariance = mean(x * y) - mean_x * mean_y
    brightness = (2 * mean_x * mean_y + _STABLE[0]) / (mean_x**2 + mean_y**2 + _STABLE[0])
    structure = (2 * covariance + _STABLE[1]) / (variance_x + variance_y + _STABLE[1])
    return float((1 - (brightness * structure)[mask].mean()) / 2)


def _blurred(values: np.ndarray) -> np.ndarray:
    result: np.ndarray = cv2.GaussianBlur(values, (11, 11), _WINDOW, borderType=cv2.BORDER_CONSTANT)
    return result
