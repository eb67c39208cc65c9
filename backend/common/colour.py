# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How bright colours are. NumPy alone, as it is used beside Blender too."""

from __future__ import annotations

import numpy as np

LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
"""Brightness of red, green and blue: of linear light, or nearly so of sRGB where only the order matters."""


def luminance(encoded: np.ndarray) -> np.ndarray:
    """Returns the linear brightness (...) of sRGB colours (..., 3) in [0, 1]."""
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    result: np.ndarray = linear @ LUMINANCE
    return result
