# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The spherical harmonics that light is written in, in NumPy; ``render/light.py`` states the conventions."""

from __future__ import annotations

import numpy as np

COSINE_LOBE = (1.0, *[2 / 3] * 3, *[1 / 4] * 5)
"""By how much the cosine weakens each coefficient of the radiance, relative to pi."""


def spherical_harmonics(directions: np.ndarray) -> np.ndarray:
    """The nine real spherical harmonics (..., 9) of unit directions (..., 3), in the order of ``render/light.py``."""
    x, y, z = np.moveaxis(directions, -1, 0)
    return np.stack(
        [
            np.full_like(x, 0.282095),
            0.488603 * y,
            0.488603 * z,
            0.488603 * x,
            1.092548 * x * y,
            1.092548 * y * z,
            0.315392 * (3 * z * z - 1),
            1.092548 * x * z,
            0.546274 * (x * x - y * y),
        ],
        axis=-1,
    )
